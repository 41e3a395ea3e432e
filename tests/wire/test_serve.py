"""`indicia serve` on a real socket: the command that people and service managers run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.databases import environment_of, new_file, url_of
from tests.wire.doors import SCOPE, indicator


def indicia(folder: Path, *arguments: str) -> list[str]:
    command = Path(sys.executable).with_name("indicia")
    return [str(command), "--database", url_of(folder / "indicia.db"), *arguments]


def test_a_client_made_by_the_command_line_speaks_to_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment_of(tmp_path).items():
        monkeypatch.setenv(name, value)
    new_file(tmp_path)
    added = subprocess.run(
        indicia(tmp_path, "app", "add", "soar", "--json"), capture_output=True, text=True, check=True
    )
    made = json.loads(added.stdout)
    server = subprocess.Popen(indicia(tmp_path, "serve", "--port", "0"), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        form = {
            "grant_type": "client_credentials",
            "client_id": made["client_id"],
            "client_secret": made["client_secret"],
            "scope": SCOPE,
        }
        with httpx.Client(base_url=address) as http:
            token = http.post(f"/{made['tenant_id']}/oauth2/v2.0/token", data=form).json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"
            for number in range(3):
                body = indicator(indicatorValue=f"h{number}.example")
                assert http.post("/api/indicators", json=body).status_code == 200
            page = http.get("/api/indicators?$top=2").json()
            assert page["@odata.nextLink"].startswith(f"{address}/api/indicators?")
            assert [each["id"] for each in http.get(page["@odata.nextLink"]).json()["value"]] == ["3"]
            assert http.delete("/api/indicators/1").status_code == 204
        listed = subprocess.run(indicia(tmp_path, "list", "--jsonl"), capture_output=True, text=True, check=True)
        assert [json.loads(line)["indicatorValue"] for line in listed.stdout.splitlines()] == [
            "h1.example",
            "h2.example",
        ]
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.communicate()
