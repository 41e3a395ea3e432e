"""nginx, set up as the how-to says, before two nodes: one is stopped, one is killed, and nobody notices."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import httpx
import pytest

from indicia.store.database import Database
from tests import postgres
from tests.faults.nodes import ServerNode, indicator, nodes, until
from tests.integration.stores import contents

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto" / "run-several-nodes.md"


def configuration(folder: Path, port: int, two: list[ServerNode]) -> str:
    """Return the configuration of the how-to, with these nodes, and without TLS."""
    found = re.search(r"```nginx\n(.*?)```", HOWTO.read_text(), re.DOTALL)
    assert found is not None
    text = re.sub(r"\n\s*ssl_certificate.*", "", found[1]).replace("443 ssl", f"127.0.0.1:{port}")
    for number, node in enumerate(two, 1):
        text = text.replace(f"node{number}:8484", node.address.removeprefix("http://"))
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"pid {folder}/pid;\nerror_log {folder}/error.log;\ndaemon off;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{text}}}\n"
    )


def test_two_nodes_behind_nginx(postgres_url: str, tmp_path: Path) -> None:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("no nginx: Debian's package nginx-light has it")
    with nodes(postgres_url, tmp_path, settings={"INDICIA_DRAIN_SECONDS": "1"}) as two:
        port = postgres.free_port()
        config = tmp_path / "nginx.conf"
        config.write_text(configuration(tmp_path, port, list(two)))
        balancer = subprocess.Popen([program, "-c", str(config), "-e", str(tmp_path / "error.log")])
        try:
            headers = dict(two[0].client.headers)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
                until(lambda: _answers(client))
                _use(client, two, Database.open(postgres_url))
        finally:
            balancer.send_signal(signal.SIGQUIT)
            balancer.wait(30)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _use(client: httpx.Client, two: object, database: Database) -> None:
    assert isinstance(two, list)
    told: list[int] = []
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            told.append(client.get("/v1/verdicts", params={"value": "n0.example"}).status_code)

    written = [client.post("/v1/indicators", json=indicator(f"n{number}.example")).status_code for number in range(20)]
    assert written == [201] * 20
    asking = threading.Thread(target=ask)
    asking.start()
    stopped, killed = two
    stopped.send(signal.SIGTERM)
    assert stopped.process.wait(30) == 0
    until(lambda: len(told) > 50)
    stopping.set()
    asking.join()
    assert set(told) == {200}, "whoever asks does not notice that a node is stopped"
    # What changes something is sent again under its key by whoever sent it: it has one effect.
    for number in range(20):
        if number == 10:
            killed.kill()
            break
        answer = client.post(
            "/v1/indicators", json=indicator(f"m{number}.example"), headers={"Idempotency-Key": f"m{number}"}
        )
        assert answer.status_code == 201
    assert client.get("/readyz").status_code == 502, "nobody is left"
    assert len(contents(database)) == 30
    database.close()
