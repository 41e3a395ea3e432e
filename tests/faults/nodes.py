"""Several `indicia serve` on one PostgreSQL, as processes that may be stopped and killed, and clients of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from indicia.services import applications
from indicia.store.database import Database
from tests.acceptance.command_line import SCRIPT
from tests.integration.stores import ADMIN
from tests.wire.doors import SCOPE

#: What is waited for at most, where a test waits for something that has to happen.
PATIENCE_S = 60.0


class ServerNode:
    """`indicia serve` on the database at *url*, with a folder of its own, as another machine has one."""

    def __init__(self, url: str, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        folder.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "XDG_DATA_HOME": str(folder),
            "INDICIA_SNAPSHOT_FILE": str(folder / "indicia.snapshot"),
            "INDICIA_SWEEP_SECONDS": "1",
            **(settings or {}),
        }
        self.address = ""
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(SCRIPT), "--database", url, "serve", "--port", "0"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        self.client = httpx.Client(timeout=PATIENCE_S)

    def wait(self) -> None:
        """Wait until it takes requests."""
        assert self.process.stdout is not None
        address = self.process.stdout.readline().strip()
        assert address, self.log.read_text()
        self.address = address
        self.client.base_url = httpx.URL(address)

    def sign_in(self, made: applications.Credentials) -> None:
        """Ask this node for a token, which is sent with every request from now on."""
        form = {
            "grant_type": "client_credentials",
            "client_id": made.client_id,
            "client_secret": made.client_secret,
            "scope": SCOPE,
        }
        answer = self.client.post(f"/{made.tenant_id}/oauth2/v2.0/token", data=form)
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def send(self, name: int) -> None:
        """Send a signal to the process."""
        self.process.send_signal(name)

    def kill(self) -> None:
        """Kill the process, with no chance to finish anything."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the process, however it is doing."""
        self.client.close()
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def nodes(
    url: str, folder: Path, count: int = 2, settings: Mapping[str, str] | None = None
) -> Iterator[Sequence[ServerNode]]:
    """Give *count* nodes on one database; one token, of the first, is good at all of them."""
    database = Database.open(url)
    with database.snapshot() as tx:
        moment = tx.nodes.moment()
    assert moment is not None
    made = applications.add_application(database, "soar", [], actor=ADMIN, now=moment)
    database.close()
    opened: list[ServerNode] = []
    try:
        for number in range(count):
            opened.append(ServerNode(url, folder / f"node{number}", settings))
        for node in opened:
            node.wait()
        opened[0].sign_in(made)
        for node in opened[1:]:
            node.client.headers["Authorization"] = opened[0].client.headers["Authorization"]
        yield opened
    finally:
        for node in opened:
            node.close()


def indicator(value: str, **more: Any) -> dict[str, Any]:
    """Return what is posted to make an indicator that blocks a name."""
    always = {"indicatorType": "DomainName", "action": "Block", "title": "t", "description": "d"}
    return {**always, "indicatorValue": value, **more}


def winner(node: ServerNode, value: str) -> str | None:
    """Return the action that *node* decides on for *value*, None where there is none."""
    answer = node.client.get("/v1/verdicts", params={"value": value})
    assert answer.status_code == 200, answer.text
    found: dict[str, str | None] = answer.json()
    return found["action"]


def until(found: Any, seconds: float = PATIENCE_S) -> float:
    """Wait until *found* gives something true; return how many seconds that took."""
    began = time.monotonic()
    while not found():
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.05)
    return time.monotonic() - began
