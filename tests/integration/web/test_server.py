"""The server around the APIs: errors, headers, log, numbers, and how it starts and stops."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from indicia.app import App
from indicia.domain.errors import IndiciaError, Unavailable
from indicia.settings import Settings
from indicia.web import server
from indicia.web.logs import open_log
from indicia.web.problems import STATUS
from indicia.worker import JOBS, OWN_JOBS, Worker
from tests.acceptance.command_line import SCRIPT
from tests.databases import environment_of, settings_of, url_of
from tests.wire.doors import SCOPE, Door, indicator, open_door

# -- errors -----------------------------------------------------------------------------------------------------------


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(IndiciaError.__subclasses__())


def test_problem_details_for_all_but_the_compat_api(door: Door) -> None:
    reply = door.http.get("/nothing/here")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    body = reply.json()
    assert body["type"] == "/docs/problems#not-found"
    assert (body["title"], body["status"], body["instance"]) == ("Not Found", 404, "/nothing/here")
    assert body["requestId"] == reply.headers["x-request-id"]
    reply = door.http.delete("/healthz")
    assert (reply.status_code, reply.json()["code"]) == (405, "method-not-allowed")
    assert reply.headers["allow"] == "GET"


def test_a_fault_of_ours_is_told_without_details_and_logged_with_all(door: Door) -> None:
    door.app.database.transaction = broken  # type: ignore[method-assign] # there is no honest way to find a bug
    door.app.database.snapshot = broken  # type: ignore[method-assign] # as above
    for path, code in (("/api/indicators", "InternalServerError"), ("/metrics", "internal-error")):
        reply = door.get(path)
        assert reply.status_code == 500
        assert "canary" not in reply.text
        assert code in reply.text
        assert reply.headers["x-content-type-options"] == "nosniff"
        [failed] = [line for line in log_of(door) if line["event"] == "requests.failed" and line["path"] == path]
        assert "canary of the fault" in failed["exception"]
        assert "Traceback" in failed["exception"]
        assert failed["request_id"] == reply.headers["x-request-id"]


def broken() -> Any:
    raise ZeroDivisionError("canary of the fault")


def test_a_database_that_cannot_be_used_now_is_503(door: Door) -> None:
    def unavailable() -> Any:
        raise Unavailable("the disk is full")

    door.app.database.snapshot = unavailable  # type: ignore[method-assign] # a full disk is not at hand
    for path in ("/api/indicators", f"/{door.tenant}/discovery/v2.0/keys"):
        reply = door.get(path)
        assert reply.status_code == 503
        assert "the disk is full" in reply.text
        assert int(reply.headers["retry-after"]) > 0


# -- headers, log, numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/indicators", "/healthz", "/nothing", "/openapi.json", "/api/indicators/77"])
def test_every_reply_has_the_security_headers(door: Door, path: str) -> None:
    headers = door.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-request-id"])


def test_one_line_for_each_request_and_no_secret_in_any(door: Door) -> None:
    before = len(log_of(door))
    door.post("/api/indicators/?canary=query", indicator(description="canary of the body"))
    [line] = log_of(door)[before:]
    assert (line["event"], line["method"], line["path"], line["status"]) == (
        "requests.answer",
        "POST",
        "/api/indicators",
        200,
    )
    assert line["actor"] == door.credentials.client_id
    text = door.log.getvalue()
    for secret in ("canary", door.credentials.client_secret, door.headers["Authorization"].split(".")[2]):
        assert secret not in text


def test_the_log_blanks_what_is_named_like_a_secret() -> None:
    out = io.StringIO()
    open_log(out).info("something", client_secret="canary", Authorization="canary", name="fine")
    assert "canary" not in out.getvalue()
    assert json.loads(out.getvalue())["name"] == "fine"


def log_of(door: Door) -> list[dict[str, Any]]:
    return [json.loads(line) for line in door.log.getvalue().splitlines()]


def test_numbers_by_route_and_of_indicators(door: Door) -> None:
    for number in range(3):
        door.submitted(indicatorValue=f"h{number}.example")
        door.get(f"/api/indicators/{number + 1}")
    door.http.request("BREW", "/nowhere/at/all")
    text = door.http.get("/metrics").text
    assert 'indicia_requests_total{method="GET",route="/api/indicators/{id}",status="200"} 3.0' in text
    assert 'indicia_requests_seconds_count{method="POST",route="/api/indicators"} 3.0' in text
    assert 'indicia_requests_total{method="OTHER",route="none",status="404"} 1.0' in text
    assert "indicia_indicators 3.0" in text


def test_two_servers_in_one_process_do_not_mix_their_numbers(door: Door, tmp_path: Path) -> None:
    with open_door(tmp_path) as other:
        door.submitted()
        assert "indicia_indicators 0.0" in other.http.get("/metrics").text
        assert "indicia_indicators 1.0" in door.http.get("/metrics").text


def test_health_and_readiness(door: Door) -> None:
    assert door.http.get("/healthz").json() == {"status": "ok"}
    assert door.http.get("/readyz").json() == {"status": "ready", "degraded": []}


@pytest.mark.parametrize("host", ["evil.example\\@x", "a b", "", "x/y"])
def test_a_host_that_makes_no_sense_gets_into_no_link(door: Door, host: str) -> None:
    reply = door.get("/api/indicators", headers=door.headers | {"Host": host})
    assert reply.json()["@odata.context"] == "http://indicia.example:8484/api/$metadata#Indicators"


def test_the_description_is_openapi_3_1(door: Door) -> None:
    document = door.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    compat = {path: set(each) for path, each in document["paths"].items() if path.startswith("/api/")}
    assert compat == {
        "/api/indicators": {"get", "post"},
        "/api/indicators/$count": {"get"},
        "/api/indicators/{id}": {"get", "delete"},
        "/api/indicators/import": {"post"},
        "/api/indicators/batchUpdate": {"post"},
        "/api/indicators/BatchDelete": {"post"},
        "/api/alerts": {"get"},
        "/api/incidents": {"get"},
        "/api/machines": {"get"},
        "/api/machines/{id}": {"get"},
        "/api/machines/{id}/tags": {"post"},
        "/api/exposureScore": {"get"},
        "/api/exposureScore/ByMachineGroups": {"get"},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["responses"], (path, method)
            if path.startswith("/api/"):
                assert {"401", "503"} <= set(operation["responses"])
                assert operation["security"] == [{"token": []}]


# -- timed work -------------------------------------------------------------------------------------------------------


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def test_the_worker_removes_what_has_expired(folder: Path) -> None:
    with open_door(folder, sweep_seconds=0.05) as door:
        soon = datetime.fromtimestamp(time.time() + 2, UTC).replace(microsecond=0)
        door.submitted(expirationTime=soon.isoformat())
        kept = door.submitted(indicatorValue="kept.example")

        def stored() -> int:
            with door.app.database.snapshot() as tx:
                return len(tx.indicators.get([1, int(kept["id"])]))

        assert stored() == 2
        with Worker(door.app, open_log(door.log)):
            until(lambda: stored() == 1)
        with door.app.database.snapshot() as tx:
            head = tx.changesets.head()
        assert head is not None
        assert (head.actor, head.deleted) == ("expiry", 1)


def test_a_job_that_fails_is_logged_and_tried_again(folder: Path) -> None:
    calls: list[datetime] = []

    def failing(app: App, now: datetime) -> bool:
        calls.append(now)
        raise ZeroDivisionError("canary of the job")

    with open_door(folder, sweep_seconds=0.01) as door:
        done = threading.Event()

        def other(app: App, now: datetime) -> bool:
            done.set()
            return False

        with Worker(door.app, open_log(door.log), {"failing": failing, "other": other}):
            until(lambda: len(calls) > 2)
        assert done.is_set()
        failed = [line for line in log_of(door) if line["event"] == "worker.job_failed"]
        assert failed[0]["job"] == "failing"
        assert "canary of the job" in failed[0]["exception"]
        assert "expiry" in JOBS
        assert "snapshot" in OWN_JOBS


def test_the_worker_stops_at_once(folder: Path) -> None:
    with open_door(folder, sweep_seconds=3600) as door:
        began = time.monotonic()
        with Worker(door.app, open_log(door.log)):
            pass
        assert time.monotonic() - began < 10


# -- starting and stopping --------------------------------------------------------------------------------------------

PROGRAM = """
import sys
from indicia.settings import Settings
from indicia.web.server import run
run(Settings.from_environment(), port=int(sys.argv[1]), first_run=sys.argv[2] == "first")
print("closed")
"""


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(first_run: bool = False, port: int = 0) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(port), "first" if first_run else "again"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = {**os.environ, **environment_of(folder), "PYTHONUNBUFFERED": "1"}
        started.append(subprocess.Popen(command, **pipes, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_from_its_first_line_on_until_a_signal(
    serve: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    process = serve(first_run=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
    assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}
    out, errors = stop(process, number)
    assert process.returncode == 0, errors
    assert out.endswith("closed\n")
    assert all(json.loads(line)["event"] for line in errors.splitlines())


def test_what_the_first_run_prints_works(serve: Callable[..., subprocess.Popen[str]]) -> None:
    process = serve(first_run=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    text = stop(process)[0]
    found = dict(re.findall(r"^  (tenant id|client id|client secret|token URL) +(\S+)$", text, re.MULTILINE))
    assert len(found) == 4
    assert "indicia import" in text

    process = serve(first_run=True)
    assert process.stdout is not None
    new = process.stdout.readline().strip()
    form = {
        "grant_type": "client_credentials",
        "client_id": found["client id"],
        "client_secret": found["client secret"],
        "scope": "https://api.securitycenter.microsoft.com/.default",
    }
    reply = httpx.post(found["token URL"].replace(address, new), data=form)
    headers = {"Authorization": f"Bearer {reply.json()['access_token']}"}
    assert httpx.post(f"{new}/api/indicators", json=indicator(), headers=headers).status_code == 200
    assert found["client secret"] not in stop(process)[0]


def test_while_there_is_nobody_every_start_prints_a_link_that_leads_in(
    serve: Callable[..., subprocess.Popen[str]],
) -> None:
    link = re.compile(r"^  (http://127\.0\.0\.1:\d+)/welcome/([\w-]{43})$", re.MULTILINE)
    process = serve()
    assert process.stdout is not None
    process.stdout.readline()
    old = link.search(stop(process)[0])
    assert old
    process = serve()
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert process.stdout.readline() == "\n"
    assert "first administrator" in process.stdout.readline()
    new = link.search(process.stdout.readline())
    assert new
    assert new[1] == address
    assert new[2] != old[2]
    form = {"name": "Ada", "password": "correct horse battery"}
    assert httpx.post(f"{address}/welcome/{old[2]}", data=form).status_code == 404
    reply = httpx.post(f"{address}/welcome/{new[2]}", data=form)
    assert reply.status_code == 303
    assert "__Host-indicia=" in reply.headers["set-cookie"]
    out, errors = stop(process)
    assert "/welcome/" not in out
    assert new[2] not in errors
    process = serve()
    assert process.stdout is not None
    process.stdout.readline()
    assert "/welcome/" not in stop(process)[0]


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[str, str]:
    """Return what else *process* prints on stdout and stderr, told to stop by a signal."""
    assert process.stdout is not None
    assert process.stderr is not None
    process.send_signal(number)
    out, errors = process.stdout.read(), process.stderr.read()
    process.wait(20)
    return out, errors


def test_a_port_that_is_taken_is_told_in_a_sentence(folder: Path) -> None:
    settings = Settings(**settings_of(folder))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Unavailable, match="choose another with --port"):
            server.run(settings, port=taken.getsockname()[1])
    with pytest.raises(Unavailable):
        server.run(settings, host="no.such.host.invalid")
    with pytest.raises(Unavailable):
        server.run(settings, port=70_000)


def test_a_head_of_http_that_is_nonsense_harms_nobody(serve: Callable[..., subprocess.Popen[str]]) -> None:
    process = serve()
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"GET / nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")
    assert httpx.get(f"{address}/healthz").status_code == 200


def test_an_edit_counts_at_once_in_a_running_server(serve: Callable[..., subprocess.Popen[str]], folder: Path) -> None:
    """Written by the command line, asked of a server: another process of the same database."""
    with open_door(folder) as door:
        made = door.credentials
    process = serve()
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    form = {
        "grant_type": "client_credentials",
        "client_id": made.client_id,
        "client_secret": made.client_secret,
        "scope": SCOPE,
    }
    token = httpx.post(f"{address}/{made.tenant_id}/oauth2/v2.0/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    for arguments, action in [
        (["add", "evil.example.org", "--action", "Block", "--title", "t", "--description", "d"], "Block"),
        (["edit", "1", "--action", "Warn"], "Warn"),
        (["delete", "1", "--yes"], None),
        (["undo"], "Warn"),
    ]:
        command = [str(SCRIPT), "--database", url_of(folder / "indicia.db"), *arguments]
        if arguments == ["undo"]:  # the newest change: events of the audit have numbers too
            told = subprocess.run(
                [*command[:3], "history", "--json", "--limit", "1"], capture_output=True, text=True, check=True
            )
            command.append(str(json.loads(told.stdout)["changesets"][0]["id"]))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        reply = httpx.get(f"{address}/v1/verdicts", params={"value": "a.evil.example.org"}, headers=headers)
        assert reply.json()["action"] == action
        assert reply.elapsed.total_seconds() < 1
