"""Nodes of two versions work side by side while the newer schema only has more; the older one stops when it has less.

The program of today plays both: as the older one it is as it is; as the newer one it is told that it knows a schema
which is not there yet.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from indicia.domain.errors import Unavailable
from indicia.services import applications
from indicia.services.changesets import verify_chain
from indicia.store.database import NEWEST_SCHEMA, Database
from tests.acceptance.command_line import SCRIPT
from tests.integration.stores import ADMIN, NOW
from tests.wire.doors import SCOPE

LATER = f"{int(NEWEST_SCHEMA) + 1:04}"
# What a later migration may do without a node of today noticing: add tables, columns that have a default, indexes.
EXPAND = (
    "ALTER TABLE indicators ADD COLUMN novelty TEXT",
    "ALTER TABLE changesets ADD COLUMN novelty TEXT DEFAULT 'none' NOT NULL",
    "ALTER TABLE indicator_history ADD COLUMN novelty TEXT",
    "ALTER TABLE decisions ADD COLUMN novelty INTEGER",
    "CREATE TABLE novelties (id INTEGER PRIMARY KEY)",
    "CREATE INDEX ix_indicators_novelty ON indicators (novelty)",
    f"UPDATE alembic_version SET version_num = '{LATER}'",
)
CONTRACT = ("DROP TABLE novelties", f"UPDATE schema_floor SET oldest = '{LATER}'")
NEWER = f"""
import sys
import indicia.store.database as database
database.NEWEST_SCHEMA = {LATER!r}
from indicia.cli import main
sys.exit(main())
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'indicia.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database.open(url)
    opened.upgrade()
    yield opened
    opened.close()


class Node:
    """A server, and a client of it."""

    def __init__(self, url: str, folder: Path, *, newer: bool) -> None:
        program = [sys.executable, "-c", NEWER] if newer else [str(SCRIPT)]
        name = "newer" if newer else "older"
        self.log = folder / f"{name}.log"
        environment = {"XDG_DATA_HOME": str(folder / name), "PATH": "/usr/bin:/bin"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*program, "--database", url, "serve", "--port", "0"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.client = httpx.Client(base_url=self.address, timeout=30)

    def sign_in(self, made: applications.Credentials) -> None:
        form = {"grant_type": "client_credentials", "client_id": made.client_id, "scope": SCOPE}
        form["client_secret"] = made.client_secret
        answer = self.client.post(f"/{made.tenant_id}/oauth2/v2.0/token", data=form)
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def submit(self, value: str) -> int:
        row = {"indicatorValue": value, "indicatorType": "DomainName", "action": "Block", "title": "t"}
        return self.client.post("/api/indicators", json={**row, "description": "d"}).status_code

    def knows(self, value: str) -> bool:
        found = self.client.get("/api/indicators", params={"$filter": f"indicatorValue eq '{value}'"})
        return len(found.json()["value"]) == 1


@contextmanager
def node(url: str, folder: Path, *, newer: bool = False) -> Iterator[Node]:
    started = Node(url, folder, newer=newer)
    try:
        assert re.match("http://", started.address), started.log.read_text()
        yield started
    finally:
        started.client.close()
        started.process.terminate()
        started.process.communicate(timeout=30)


def run(database: Database, statements: tuple[str, ...]) -> None:
    """Change tables in use; where a reader took them in another order, once more, as `Database.upgrade` does."""
    for last in (*[False] * 5, True):
        try:
            with database.transaction() as tx:
                for statement in statements:
                    tx.connection.execute(text(statement))
        except Unavailable as error:
            if last or getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) != "40P01":  # a deadlock
                raise
        else:
            return


@pytest.mark.slow
def test_an_upgrade_goes_from_node_to_node(database: Database, url: str, tmp_path: Path) -> None:
    client = applications.add_application(database, "soar", [], actor=ADMIN, now=NOW)
    statuses: list[int] = []
    stop = threading.Event()
    with node(url, tmp_path) as older:
        older.sign_in(client)

        def write() -> None:
            while not stop.is_set():
                statuses.append(older.submit(f"h{len(statuses)}.example.org"))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            time.sleep(0.5)
            run(database, EXPAND)
            with node(url, tmp_path, newer=True) as newer:
                newer.sign_in(client)
                before = len(statuses)
                assert newer.submit("new.example.org") == 200
                assert older.knows("new.example.org")
                while len(statuses) < before + 20:
                    time.sleep(0.01)
                assert newer.knows(f"h{before + 10}.example.org")
                assert older.client.get("/readyz").status_code == newer.client.get("/readyz").status_code == 200
        finally:
            stop.set()
            writer.join()
        assert set(statuses) == {200}
        # Who goes back finds everything as before, and the newer one may come again.
        with node(url, tmp_path) as again:
            again.sign_in(client)
            assert again.knows("new.example.org")
        run(database, CONTRACT)
        told = older.client.get("/readyz")
        assert told.status_code == 503
        assert "later version" in told.json()["detail"]
    assert verify_chain(database)[1] == []


def test_a_node_that_is_too_old_does_not_start(database: Database, url: str, tmp_path: Path) -> None:
    run(database, EXPAND + CONTRACT)
    started = Node(url, tmp_path, newer=False)
    started.process.communicate(timeout=30)
    started.client.close()
    assert (started.address, started.process.returncode) == ("", 75)
    assert "was upgraded by a later version of Indicia" in started.log.read_text()
    with node(url, tmp_path, newer=True) as newer:
        assert newer.client.get("/readyz").status_code == 200


def test_an_older_program_makes_no_backup_of_what_it_does_not_know(
    database: Database, url: str, tmp_path: Path
) -> None:
    run(database, EXPAND)
    done = subprocess.run(
        [str(SCRIPT), "--database", url, "backup", str(tmp_path / "b.backup")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 6
    assert "later version" in done.stderr
    assert not (tmp_path / "b.backup").exists()


def test_an_older_program_upgrades_nothing(database: Database) -> None:
    run(database, EXPAND)
    assert database.upgrade() is False
    assert database.schema() == LATER


def test_tables_that_do_not_say_whom_they_are_fit_for_are_refused(database: Database) -> None:
    run(database, (*EXPAND, "DROP TABLE schema_floor"))
    with pytest.raises(Exception, match="later version"):
        database.schema_is_current()
