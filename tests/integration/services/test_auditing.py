"""What is noted comes into the chain: soon, bounded, whole, and without anybody waiting for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from indicia.domain.access import Actor, Source
from indicia.domain.errors import Unavailable
from indicia.services.auditing import MOST_LINES, MOST_WAITING, QUIET, Audit, stranger
from indicia.store.changesets import ChangeSetRecord
from indicia.store.database import Database
from tests.integration.stores import NOW, domains, faults, run_import

ADA = Actor("ada", "Ada", Source.PORTAL, frozenset())
SECOND = timedelta(seconds=1)


@pytest.fixture
def audit(database: Database) -> Iterator[Audit]:
    made = Audit(database)
    yield made
    made.close(0)


def entries(database: Database, kind: str | None = None) -> list[ChangeSetRecord]:
    """Return the chain, the oldest first."""
    with database.snapshot() as tx:
        found = tx.changesets.page(before=None, limit=10_000)
    return [each for each in found[::-1] if kind is None or each.kind == kind]


def lines_of(record: ChangeSetRecord) -> list[dict[str, Any]]:
    return list(record.details.get("lines", [record.details]))


def deny(audit: Audit, number: int, **options: Any) -> None:
    audit.note(
        "access.denied",
        actor=options.pop("actor", ADA),
        now=NOW + number * SECOND,
        details={"address": f"10.0.{number // 256}.{number % 256}", **options},
    )


def test_a_note_becomes_an_entry_of_the_chain(database: Database, audit: Audit) -> None:
    run_import(database, domains(range(2)))
    audit.note("export", actor=ADA, now=NOW + SECOND, details={"rows": 2, "query": None}, subject="csv")
    assert audit.waiting == 1
    assert audit.flush() == 1
    assert audit.waiting == 0
    newest = entries(database)[-1]
    assert (newest.kind, newest.actor, newest.actor_name, newest.source) == ("export", "ada", "Ada", "Portal")
    assert newest.at == NOW + SECOND
    assert newest.details == {"rows": 2, "subject": "csv"}
    assert faults(database) == []


def test_nothing_noted_is_nothing_written(database: Database, audit: Audit) -> None:
    assert audit.flush() == 0
    assert entries(database) == []


def test_while_little_happens_each_line_is_an_entry(database: Database, audit: Audit) -> None:
    for number in range(QUIET):
        deny(audit, number)
    assert audit.flush() == QUIET
    assert [record.at for record in entries(database)] == [NOW + number * SECOND for number in range(QUIET)]


def test_the_same_again_is_one_line_that_says_how_often(database: Database, audit: Audit) -> None:
    for number in range(500):
        audit.note("access.denied", actor=None, now=NOW + number * SECOND, details={"route": "/v1/export"})
    assert audit.flush() == 1
    [record] = entries(database)
    assert (record.actor, record.details["times"]) == ("anonymous", 500)
    assert record.details["last"] == (NOW + 499 * SECOND).isoformat().replace("+00:00", "Z")


def test_under_load_entries_are_few_and_still_of_one_kind_and_one_actor(database: Database, audit: Audit) -> None:
    others = [Actor(f"app-{number}", "soar", Source.PUBLIC_API, frozenset()) for number in range(3)]
    wanted: Counter[tuple[str, str]] = Counter()
    for number in range(90):
        actor = others[number % 3]
        kind = "access.denied" if number % 2 else "export"
        wanted[kind, actor.id] += 1
        audit.note(kind, actor=actor, now=NOW, details={"number": number})
    assert audit.flush() == len(wanted) == 6
    found = {(record.kind, record.actor): record for record in entries(database)}
    assert {key: len(record.details["lines"]) for key, record in found.items()} == wanted
    assert sorted(line["number"] for record in found.values() for line in lines_of(record)) == list(range(90))


def test_what_no_entry_holds_is_counted(database: Database, audit: Audit) -> None:
    for number in range(MOST_WAITING + 250):
        deny(audit, number, actor=None)
    assert audit.waiting == MOST_WAITING + 250
    assert audit.flush() == 2
    [record] = entries(database, "access.denied")
    assert len(record.details["lines"]) == MOST_LINES
    assert record.details["linesLeftOut"] == MOST_WAITING - MOST_LINES
    assert record.details["times"] == MOST_WAITING
    [overflow] = entries(database, "audit.overflow")
    assert overflow.details == {"times": 250, "byKind": {"access.denied": 250}}
    assert faults(database) == []


def test_whoever_is_refused_chooses_no_size(database: Database, audit: Audit) -> None:
    hostile = {
        "text": "x" * 100_000,
        "many": list(range(10_000)),
        "deep": {"a": {"b": {"c": {"d": 1}}}},
        "\ud800": "\0",
    }
    audit.note("access.denied", actor=None, now=NOW, details={**hostile, "number": 10**400})
    audit.flush()
    [record] = entries(database)
    assert len(str(record.details)) < 2_000
    assert faults(database) == []


def test_nobody_waits_while_another_writes_and_nothing_is_lost(database: Database, audit: Audit) -> None:
    audit.start()
    with database.transaction():
        for number in range(50):
            deny(audit, number)
        with pytest.raises(Unavailable):
            Audit.flush(_with_a_line(database), wait=False)
        assert audit.waiting == 50
    audit.close()
    assert audit.waiting == 0
    assert sum(len(lines_of(record)) for record in entries(database, "access.denied")) == 50


def _with_a_line(database: Database) -> Audit:
    other = Audit(database)
    deny(other, 1)
    return other


def test_what_could_not_be_written_is_kept_in_its_order(database: Database, audit: Audit) -> None:
    deny(audit, 1)
    with database.transaction(), pytest.raises(Unavailable):
        audit.flush(wait=False)
    assert audit.trouble is not None
    deny(audit, 2)
    deny(audit, 1)
    audit.flush()
    assert audit.trouble is None
    assert [record.details.get("times", 1) for record in entries(database)] == [2, 1]


def test_started_it_writes_by_itself_and_from_many_threads(database: Database, audit: Audit) -> None:
    audit.start()
    threads = [
        threading.Thread(target=lambda first=first: [deny(audit, number) for number in range(first, first + 100)])
        for first in range(0, 800, 100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _try in range(200):
        if not audit.waiting:
            break
        threading.Event().wait(0.05)
    assert audit.waiting == 0
    assert sum(record.details.get("times", 1) for record in entries(database)) == 800


def test_closing_gives_up_on_a_database_that_takes_nothing(database: Database, audit: Audit) -> None:
    deny(audit, 1)
    with database.transaction():
        assert audit.close(0.3) == 1
    assert audit.close() == 0


def test_a_stranger_has_no_permission() -> None:
    assert stranger(Source.PORTAL).permissions == frozenset()
