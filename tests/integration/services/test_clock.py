"""The clock that all nodes share: a node whose own clock is an hour off gives the same verdict at an expiry."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from indicia.services.clock import Clock
from indicia.services.verdicts import explain
from indicia.store.database import Database
from tests.integration.stores import ADMIN, BLOCK, guard, submit

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def server(postgres_url: str) -> Database:
    return Database.open(postgres_url)


def own(off: timedelta) -> datetime:
    return datetime.now(UTC) + off


@pytest.mark.parametrize("hours", [-1, 0, 1, 24 * 365])
def test_the_clock_of_a_servers_database_counts(server: Database, hours: int) -> None:
    off = timedelta(hours=hours)
    clock = Clock(server, lambda: own(off), time.monotonic)
    with server.snapshot() as tx:
        before = tx.nodes.moment()
        now = clock.now()
        after = tx.nodes.moment()
    assert before is not None
    assert after is not None
    give = timedelta(milliseconds=200)
    assert before - give < now < after + give
    assert abs(clock.off_by() - off) < timedelta(seconds=1)
    server.close()


def test_nodes_whose_clocks_disagree_agree_on_what_has_expired(server: Database) -> None:
    clocks = [Clock(server, lambda off=off: own(timedelta(hours=off)), time.monotonic) for off in (-1, 0, 1)]
    now = clocks[0].now()
    submit(server, BLOCK._replace(value="over.example", expires=now + timedelta(minutes=1)), now=now)
    submit(server, BLOCK._replace(value="later.example", expires=now + timedelta(minutes=30)), now=now)
    said = []
    for clock in clocks:
        asked = ["over.example", "later.example"]
        found = explain(server, asked, actor=ADMIN, now=clock.now(), guard=guard())
        said.append([verdict.action for _value, _seen, verdict, _notes in found.verdicts])
    assert said[0] == said[1] == said[2]
    assert None not in said[0]
    server.close()


def test_setting_the_clock_of_a_node_back_changes_nothing(server: Database) -> None:
    offs = [timedelta(0)]
    clock = Clock(server, lambda: own(offs[0]), time.monotonic)
    before = clock.now()
    offs[0] = timedelta(hours=-3)
    clock.measure()
    assert timedelta(0) <= clock.now() - before < timedelta(seconds=5)
    server.close()


def test_time_goes_on_while_the_database_is_away(server: Database) -> None:
    elapsed = [100.0]
    clock = Clock(server, lambda: own(timedelta(0)), lambda: elapsed[0])
    before = clock.now()
    server.close()
    elapsed[0] += 60
    assert clock.now() - before == timedelta(seconds=60)


def test_an_embedded_database_goes_by_the_machines_own_clock(tmp_path: object) -> None:
    embedded = Database.open(f"sqlite:///{tmp_path}/own.db")
    clock = Clock(embedded, lambda: datetime(2030, 1, 1, tzinfo=UTC), time.monotonic)
    assert clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
    assert clock.off_by() == timedelta(0)
    embedded.close()


@pytest.mark.parametrize("after, blocked", [(-MICROSECOND, True), (timedelta(0), False), (MICROSECOND, False)])
def test_a_verdict_flips_at_the_very_moment(server: Database, after: timedelta, blocked: bool) -> None:
    now = Clock(server, lambda: own(timedelta(hours=1)), time.monotonic).now()
    expires = (now + timedelta(minutes=5)).replace(microsecond=0)
    submit(server, BLOCK._replace(value="edge.example", expires=expires), now=now)
    [(_value, _seen, verdict, _notes)] = explain(
        server, ["edge.example"], actor=ADMIN, now=expires + after, guard=guard()
    ).verdicts
    assert (verdict.action is not None) is blocked
    server.close()
