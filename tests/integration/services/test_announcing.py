"""A node follows what others write before anybody asks; without announcements it looks for itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indicia.services.announcing import Follower
from indicia.services.census import Census
from indicia.services.clock import Clock
from indicia.services.engine import Engine
from indicia.store.database import Database
from tests.integration.stores import BLOCK, NOW, submit


@pytest.fixture
def server(postgres_url: str) -> Iterator[Database]:
    opened = Database.open(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def engine(server: Database, tmp_path: Path) -> Engine:
    return Engine(server, tmp_path / "snapshot")


@pytest.fixture
def follower(server: Database, engine: Engine) -> Iterator[Follower]:
    made = Follower(server, engine, Census(), Clock(server, lambda: datetime.now(UTC), time.monotonic))
    made.start()
    yield made
    made.stop()


def until(found: Callable[[], object]) -> None:
    last = time.monotonic() + 20
    while not found():
        assert time.monotonic() < last
        time.sleep(0.02)


def has_followed(server: Database, engine: Engine) -> bool:
    """Return whether the engine is where the chain is, without asking it anything that would bring it there."""
    with server.snapshot() as tx:
        tip = tx.changesets.tip()
    layers = engine._layers
    return layers is not None and layers.top.tip == tip


def test_it_hears_of_every_commit(server: Database, engine: Engine, follower: Follower) -> None:
    until(lambda: follower.hears)
    for number in range(5):
        submit(server, BLOCK._replace(value=f"h{number}.example"))
        until(lambda: has_followed(server, engine))
    until(lambda: follower.heard >= 5)


def test_what_is_rolled_back_is_not_announced(server: Database, follower: Follower) -> None:
    until(lambda: follower.hears)
    submit(server, BLOCK, dry_run=True)
    time.sleep(0.3)
    assert follower.heard == 0


def test_it_listens_again_when_its_connection_is_lost(server: Database, engine: Engine, follower: Follower) -> None:
    until(lambda: follower.hears)
    with server.transaction() as tx:
        tx.connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE 'LISTEN%%' AND datname = current_database()"
        )
    submit(server, BLOCK._replace(value="meanwhile.example"))
    until(lambda: has_followed(server, engine))
    until(lambda: follower.hears)
    submit(server, BLOCK._replace(value="later.example"))
    until(lambda: has_followed(server, engine))


def test_without_announcements_it_looks_for_itself(
    server: Database, engine: Engine, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: follower.hears)
    monkeypatch.setattr("indicia.store.announcing.announce", lambda _connection, _number: None)
    submit(server, BLOCK._replace(value="unannounced.example"), now=NOW)
    until(lambda: has_followed(server, engine))
    assert follower.heard == 0
