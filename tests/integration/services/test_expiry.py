"""Expiry: inert from the exact second whatever the sweeper does, then gone by a changeset that says so (SPEC 9.19)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from indicia.domain.errors import NotFound
from indicia.services import changesets, indicators
from indicia.services.expiry import remove_expired
from indicia.store.database import Database
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    NOW,
    contents,
    counts,
    domains,
    edit,
    faults,
    listed,
    run_import,
    submit,
)

THEN = NOW.replace(microsecond=0) + timedelta(hours=1)
JUST_BEFORE = THEN - timedelta(microseconds=1)
SOON = BLOCK._replace(expires=THEN.isoformat())


def test_it_is_inert_from_the_exact_second_in_everything_that_reads(database: Database) -> None:
    submit(database, SOON)
    for now, there in ((JUST_BEFORE, True), (THEN, False)):
        assert bool(listed(database, now=now)) is there
        assert bool(indicators.count_indicators(database, indicators.Wanted(), actor=ADMIN, now=now)) is there
        with indicators.stream_indicators(database, indicators.Wanted(), actor=ADMIN, now=now) as (stream, _):
            assert bool(list(stream)) is there
    assert indicators.show_indicator(database, 1, actor=ADMIN, now=JUST_BEFORE)[0].id == 1
    for ask in (
        lambda: indicators.show_indicator(database, 1, actor=ADMIN, now=THEN),
        lambda: edit(database, 1, now=THEN, title="x"),
        lambda: indicators.delete(database, [1], actor=ADMIN, now=THEN),
        lambda: indicators.release(database, [1], actor=ADMIN, now=THEN, reason="x"),
    ):
        with pytest.raises(NotFound):
            ask()
    assert len(listed(database, now=THEN, include_expired=True)) == 1


def test_the_sweeper_removes_what_has_expired_and_nothing_else(database: Database) -> None:
    later = BLOCK._replace(value="later.example.org", expires=(THEN + timedelta(seconds=1)).isoformat())
    submit(database, SOON, later, *domains([1]))
    assert remove_expired(database, now=JUST_BEFORE) == 0
    assert len(changesets.list_changesets(database, actor=ADMIN)) == 1
    assert remove_expired(database, now=THEN) == 1
    (record, _) = changesets.list_changesets(database, actor=ADMIN)
    assert (record.actor, record.source, record.kind, record.deleted, record.at) == (
        "expiry",
        "System",
        "expiry",
        1,
        THEN,
    )
    assert list(contents(database, now=THEN, include_expired=True)) == [2, 3]
    assert remove_expired(database, now=THEN) == 0
    assert faults(database) == []


def test_a_sweep_is_done_in_small_parts(database: Database) -> None:
    submit(database, *domains(range(7), expires=THEN.isoformat()))
    assert [remove_expired(database, now=THEN, most=3) for _ in range(4)] == [3, 3, 1, 0]


def test_what_has_expired_may_be_made_anew_before_the_sweep(database: Database) -> None:
    submit(database, SOON)
    again = SOON._replace(expires=None, title="anew")
    plan = run_import(database, [again], now=THEN, dry_run=True)
    done = run_import(database, [again], now=THEN)
    assert counts(plan) == counts(done) == {"created": 1}
    assert [(stored.id, stored.indicator.title) for stored in listed(database, now=THEN)] == [(2, "anew")]
    assert remove_expired(database, now=THEN) == 0
    assert [version.ended.id for version in changesets.history_of(database, 1, actor=ADMIN) if version.ended] == [2]
    changesets.undo(database, 2, actor=ADMIN, now=THEN)
    assert listed(database, now=THEN) == []
    assert remove_expired(database, now=THEN) == 1
    assert faults(database) == []


def test_the_past_knows_what_was_alive_then(database: Database) -> None:
    submit(database, SOON, *domains([1]))
    remove_expired(database, now=THEN + timedelta(days=1))
    submit(database, *domains([2]), now=THEN + timedelta(days=2))
    assert list(contents(database, at=JUST_BEFORE)) == [1, 2]
    assert list(contents(database, at=THEN)) == [2]  # not swept yet, and inert all the same
    assert list(contents(database, at=1)) == [1, 2]
    assert list(contents(database, at=2)) == [2]


def test_an_expiry_can_be_taken_off_in_time(database: Database) -> None:
    submit(database, SOON)
    edit(database, 1, now=JUST_BEFORE, expires=None)
    assert list(contents(database, now=THEN)) == [1]
    assert remove_expired(database, now=THEN) == 0


def test_an_undone_sweep_brings_back_what_is_still_inert(database: Database) -> None:
    submit(database, SOON)
    remove_expired(database, now=THEN)
    changesets.undo(database, 2, actor=ADMIN, now=THEN)
    assert listed(database, now=THEN) == []
    assert len(listed(database, now=THEN, include_expired=True)) == 1
    assert remove_expired(database, now=THEN) == 1
    assert faults(database) == []
