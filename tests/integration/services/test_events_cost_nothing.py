"""What changes no indicator makes nothing old: counts, conflicts and the engine stay the very same objects."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from indicia.domain.access import Actor, Source
from indicia.services.auditing import QUIET, Audit
from indicia.services.census import Census
from indicia.services.engine import Engine
from indicia.store.database import Database
from tests.integration.stores import NOW, domains, run_import, submit

ADA = Actor("ada", "Ada", Source.PORTAL, frozenset())
SECOND = timedelta(seconds=1)


def sign_in(database: Database, times: int) -> None:
    """Put *times* entries of different kinds at the end of the chain."""
    audit = Audit(database)
    for number in range(times):
        kind = ("sign-in", "access.denied", "export")[number % 3]
        audit.note(kind, actor=ADA, now=NOW, details={"number": number})
        if number % QUIET == QUIET - 1:
            audit.flush()
    audit.flush()


def test_events_move_the_chain_and_nothing_that_is_known(database: Database, tmp_path: Path) -> None:
    run_import(database, domains(range(50)))
    run_import(database, domains(range(10), action="Allowed"))
    census, engine = Census(), Engine(database, tmp_path / "indicia.snapshot")
    with database.snapshot() as tx:
        moved, tip = tx.changesets.moved(), tx.changesets.tip()
    counts, view = census.counts(database, NOW), engine.current()
    with database.snapshot() as tx:
        contested = census.conflicts.ids(tx, NOW)
    sign_in(database, 100)
    with database.snapshot() as tx:
        newest = tx.changesets.tip()
        assert tip is not None
        assert newest is not None
        assert newest.id == tip.id + 100
        assert tx.changesets.moved() == moved == tip
        assert census.conflicts.ids(tx, NOW) is contested
    assert census.counts(database, NOW) is counts
    assert engine.current() is view
    submit(database, *domains([99]))
    assert census.counts(database, NOW).total == counts.total + 1
    current = engine.current()
    assert current is not None
    assert current is not view


def test_the_newest_change_is_found_by_an_index_however_many_events_follow(database: Database) -> None:
    submit(database, *domains([1]))
    with database.snapshot() as tx:
        if database.engine.dialect.name != "sqlite":
            return
        query = "SELECT id FROM changesets WHERE created + updated + deleted > 0 ORDER BY id DESC LIMIT 1"
        plan = " ".join(str(row) for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
    assert "ix_changesets_moved" in plan
