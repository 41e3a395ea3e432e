"""Verifying in the background: one run at a time, and every outcome is told."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indicia.domain.access import Actor, Permission, Source
from indicia.domain.errors import Forbidden
from indicia.services.board import Board
from indicia.services.clock import Clock
from indicia.services.nodes import Node
from indicia.services.verification import MOST_FAULTS, Progress, Verification, verify_all
from indicia.store.database import Database
from tests.integration.stores import ADMIN, BLOCK, CLIENT, NOW, domains, run_import, submit


def verified(database: Database, head: str | None = None) -> Progress:
    running = Verification(database, lambda: NOW)
    assert running.start(actor=ADMIN, head=head)
    return running.wait(30)


def test_nothing_was_verified_before_somebody_asks(database: Database) -> None:
    assert Verification(database, lambda: NOW).progress == Progress()


def test_an_empty_history_is_intact(database: Database) -> None:
    found = verified(database)
    assert not found.running
    assert found.last is not None
    assert (found.last.intact, found.last.changeset, found.last.head) == (True, None, None)


def test_what_is_as_it_was_written_is_said_to_be(database: Database) -> None:
    run_import(database, domains(range(3)))
    last = verified(database).last
    assert last is not None
    assert (last.intact, last.changeset, last.by, last.at) == (True, 1, ADMIN.name, NOW)
    again = verified(database, last.head).last
    assert again is not None
    assert again.intact
    lost = verified(database, "0" * 64).last
    assert lost is not None
    assert (lost.intact, lost.faults_total) == (False, 1)


def test_what_was_altered_is_found_and_only_so_much_is_kept(database: Database) -> None:
    run_import(database, domains(range(MOST_FAULTS + 20)))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE indicators SET title = 'altered'")
    last = verified(database).last
    assert last is not None
    assert not last.intact
    assert last.faults_total >= MOST_FAULTS + 20
    assert len(last.faults) == MOST_FAULTS


def test_a_database_that_cannot_be_read_is_no_result(database: Database, tmp_path: Path) -> None:
    run_import(database, domains(range(3)))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE decisions")
    last = verified(database).last
    assert last is not None
    assert last.trouble
    assert not last.intact


def test_there_is_one_run_at_a_time(database: Database) -> None:
    run_import(database, domains(range(3)))
    release, begun = threading.Event(), threading.Event()

    def clock() -> object:
        if threading.current_thread().name == "indicia-verify":
            begun.set()
            release.wait(30)
        return NOW

    running = Verification(database, clock)  # type: ignore[arg-type]  # a clock that waits
    assert running.start(actor=ADMIN)
    assert begun.wait(30)
    assert running.progress.running
    assert not running.start(actor=ADMIN)
    release.set()
    assert not running.wait(30).running
    assert running.start(actor=ADMIN)
    assert running.wait(30).last is not None


def test_whoever_sees_only_its_own_may_not_verify(database: Database) -> None:
    with pytest.raises(Forbidden):
        Verification(database, lambda: NOW).start(actor=CLIENT)


def test_what_one_node_verifies_all_show(database: Database) -> None:
    submit(database, BLOCK)
    clock = Clock(database, lambda: datetime.now(UTC), time.monotonic)
    here, there = Node(database, clock), Node(database, clock)
    one = Verification(database, clock.now, board=Board(database, here, clock.now))
    other = Verification(database, clock.now, board=Board(database, there, clock.now))
    assert other.progress == Progress()
    assert one.start(actor=ADMIN)
    found = one.wait(30)
    assert found.last is not None
    assert found.last.intact
    assert other.progress.last == found.last
    # The newest counts, wherever it was.
    assert other.start(actor=ADMIN)
    newer = other.wait(30).last
    assert newer is not None
    assert one.progress.last == newer
    here.close()
    there.close()


@pytest.mark.parametrize("groups", [None, frozenset({"Servers"})])
def test_whoever_is_limited_to_groups_has_nothing_verified(database: Database, groups: frozenset[str] | None) -> None:
    auditor = Actor("auditor", "auditor", Source.PUBLIC_API, frozenset({Permission.AUDIT_READ}), groups=groups)
    submit(database, BLOCK)
    if groups is None:
        newest, faults = verify_all(database, actor=auditor)
        assert (newest is not None, faults) == (True, [])
    else:
        with pytest.raises(Forbidden):
            verify_all(database, actor=auditor)
