"""Requests a second of a real server under wrk, and the slowest of a hundred: one node, two nodes, both databases."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

WRK = "wrk"
CONNECTIONS = 16
SCOPE = "https://api.securitycenter.microsoft.com/.default"
# A value of its own for each request, of each thread and node.
_SUBMIT = """
local count, node = 0, "%(node)s"
math.randomseed(os.time() + %(seed)d)
local run = math.random(1, 1000000000)
request = function()
  count = count + 1
  local value = "n" .. count .. "-" .. run .. "-" .. node .. ".example.net"
  local body = '{"indicatorType":"DomainName","action":"Block","title":"t","description":"d","indicatorValue":"'
  return wrk.format("POST", nil, nil, body .. value .. '"}')
end
"""
_FIXED = """
wrk.method = "%(method)s"
wrk.body = %(body)s
"""
_COUNTED = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("FOUND %%d %%f %%f %%d\\n", summary.requests, summary.duration / 1e6,
    latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Found(NamedTuple):
    """What a run of wrk, or several at once, found."""

    per_second: float
    p99_ms: float
    errors: int


class Work(NamedTuple):
    """One kind of request: what wrk sends."""

    name: str
    path: str
    script: str


def works(values: list[str]) -> list[Work]:
    """Return what is asked: half of the values that are looked up are known."""
    thousand = json.dumps({"values": (values * 2)[:500] + [f"good{number}.example.org" for number in range(500)]})
    get = _FIXED % {"method": "GET", "body": "nil"}
    return [
        Work("compat list, a page of 100", "/api/indicators?$top=100", get),
        Work("compat submit", "/api/indicators", _SUBMIT),
        Work("verdict of 1 value", f"/v1/verdicts?{urlencode({'value': values[0]})}", get),
        Work("verdicts of 1,000 values", "/v1/verdicts", _FIXED % {"method": "POST", "body": f"[[{thousand}]]"}),
    ]


def measure(folder: Path, database: Path, seconds: int) -> list[str]:
    """Measure each kind of request on one node over SQLite, and on one and on two over PostgreSQL."""
    if shutil.which(WRK) is None:
        return ["Not measured: wrk is not here (Debian: apt install wrk).", ""]
    from indicia.app import App
    from indicia.settings import Settings
    from tests import postgres

    values = _known(database)
    told = (
        f"wrk with {CONNECTIONS} connections for {seconds} s, on the machine that also serves and, for PostgreSQL, has "
        f"the database: {os.cpu_count()} cores for all of it. Two nodes are asked by one wrk each, at once, with half "
        "of the connections: what they gain is what one process leaves of the cores."
    )
    rows = [
        told,
        "",
        "| request | nodes | database | requests/s | p99, ms | errors |",
        "|---|---|---|---|---|---|",
    ]
    with ExitStack() as stack:
        url = f"sqlite:///{database}"
        rows += _measured(stack, folder, url, "SQLite", 1, values, seconds)
    if postgres.binaries() is None:
        return [*rows, "", "PostgreSQL was not measured: there is none here.", ""]
    with postgres.cluster({"shared_buffers": "512MB"}) as server:
        _copied(url, server.url())
        for nodes in (1, 2):
            with ExitStack() as stack:
                rows += _measured(stack, folder, server.url(), "PostgreSQL", nodes, values, seconds)
    App.open(Settings(database_url=url)).close()
    return [*rows, ""]


def _measured(
    stack: ExitStack, folder: Path, url: str, kind: str, nodes: int, values: list[str], seconds: int
) -> list[str]:
    client = _client(url)
    addresses = [stack.enter_context(_serving(url, folder / f"{kind}-{nodes}-{number}")) for number in range(nodes)]
    tokens = {address: _token(address, client) for address in addresses}
    lines = []
    for work in works(values):
        _asked(folder, work, tokens, 2)  # until the engine knows the database, and caches are warm
        found = _asked(folder, work, tokens, seconds)
        line = f"| {work.name} | {nodes} | {kind} | {found.per_second:,.0f} | {found.p99_ms:.1f} | {found.errors} |"
        print(line, file=sys.stderr, flush=True)
        lines.append(line)
    return lines


def _asked(folder: Path, work: Work, tokens: Mapping[str, str], seconds: int) -> Found:
    """Let wrk ask every node at once."""
    running = []
    for number, (address, token) in enumerate(tokens.items()):
        script = folder / f"node{number}.lua"
        text = work.script % {"node": number, "seed": number * 7919} if work.script is _SUBMIT else work.script
        script.write_text(text + _COUNTED.replace("%%", "%"), encoding="utf-8")
        headers = ["-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json"]
        several = ["-t1", f"-c{max(1, CONNECTIONS // len(tokens))}", f"-d{seconds}s", "--timeout", "30s"]
        command = [WRK, *several, *headers, "-s", str(script), address + work.path]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    said = [process.communicate()[0] for process in running]
    found = [re.search(r"^FOUND (\d+) ([\d.]+) ([\d.]+) (\d+)$", each, re.MULTILINE) for each in said]
    if not all(found):
        raise RuntimeError(f"wrk did not say what it found: {said}")
    per_second = sum(int(each[1]) / float(each[2]) for each in found if each)
    return Found(per_second, max(float(each[3]) for each in found if each), sum(int(each[4]) for each in found if each))


@contextmanager
def _serving(url: str, folder: Path) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INDICIA_")}
    command = [sys.executable, "-m", "indicia", "--database", url, "serve", "--port", "0"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment | {"XDG_DATA_HOME": str(folder)}
        ) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        try:
            if not address.startswith("http"):
                raise RuntimeError((folder / "log").read_text(encoding="utf-8")[-2000:])
            yield address
        finally:
            process.terminate()
            process.communicate()


def _client(url: str) -> tuple[str, str, str]:
    """Return tenant, id and secret of a client that may do everything."""
    from indicia.domain.access import Actor, Role, Source
    from indicia.services.applications import add_application
    from indicia.store.database import Database

    database = Database.open(url)
    actor = Actor("bench", "bench", Source.CLI, Role.ADMINISTRATOR.permissions)
    made = add_application(database, "bench", [], actor=actor, now=datetime.now(UTC))
    database.close()
    return made.tenant_id, made.client_id, made.client_secret


def _token(address: str, client: tuple[str, str, str]) -> str:
    tenant, name, secret = client
    form = urlencode({"grant_type": "client_credentials", "scope": SCOPE}).encode()
    request = urllib.request.Request(f"{address}/{tenant}/oauth2/v2.0/token", form)
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode())
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["access_token"])


def _known(database: Path) -> list[str]:
    import sqlite3

    connection = sqlite3.connect(database)
    found = connection.execute("SELECT canonical FROM indicators ORDER BY digest LIMIT 500").fetchall()
    connection.close()
    return [row[0] for row in found]


def _copied(source: str, target: str) -> None:
    subprocess.run([sys.executable, "-m", "indicia", "-q", "db", "copy", source, target], check=True, stdout=2)
