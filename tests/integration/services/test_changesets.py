"""The past: who did what when, what there was at any moment, taking it back, and proof that nobody rewrote it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from indicia.domain.errors import Conflict, Forbidden, NotFound
from indicia.services import changesets, indicators
from indicia.services.groups import add_group
from indicia.store.database import Database
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    CLIENT,
    NOW,
    OTHER,
    contents,
    domains,
    edit,
    faults,
    listed,
    run_import,
    submit,
    titles,
)

MINUTE = timedelta(minutes=1)


def undo(database: Database, number: int, **more: bool) -> changesets.Undone:
    return changesets.undo(database, number, actor=ADMIN, now=NOW, **more)  # type: ignore[arg-type] # flags by name


def delete(database: Database, *numbers: int) -> None:
    indicators.delete(database, numbers, actor=ADMIN, now=NOW)


def test_the_record_says_who_when_from_where_and_why(database: Database) -> None:
    run_import(database, domains(range(3)), actor=CLIENT, reason="the weekly list")
    record, undone_by = changesets.show_changeset(database, 1, actor=ADMIN)
    assert (record.actor, record.actor_name, record.source) == (CLIENT.id, CLIENT.name, "PublicApi")
    assert (record.at, record.kind, record.reason) == (NOW, "import", "the weekly list")
    assert (record.created, record.updated, record.deleted, undone_by) == (3, 0, 0, None)
    assert record.details["files"][0] == {
        "name": "0.csv",
        "rows": 3,
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "refused": 0,
        "held": 0,
        "conflicts": 0,
    }
    undo(database, 1)
    assert changesets.show_changeset(database, 1, actor=ADMIN)[1] == 2
    shape = changesets.changeset_as_dict(changesets.show_changeset(database, 2, actor=ADMIN)[0])
    assert (shape["kind"], shape["undoes"], shape["deleted"]) == ("undo", 1, 3)


def test_the_past_is_as_it_was_by_number_and_by_time(database: Database) -> None:
    submit(database, *domains(range(2)))
    submit(database, *domains([0], title="new"), now=NOW + MINUTE)
    indicators.delete(database, [2], actor=ADMIN, now=NOW + 2 * MINUTE)
    assert titles(database, at=1) == {"h0.example.org": "a title", "h1.example.org": "a title"}
    assert titles(database, at=2) == {"h0.example.org": "new", "h1.example.org": "a title"}
    assert titles(database, at=3) == titles(database) == {"h0.example.org": "new"}
    for seconds, number in ((0, 1), (59, 1), (60, 2), (119, 2), (120, 3), (10_000, 3)):
        assert titles(database, at=NOW + timedelta(seconds=seconds)) == titles(database, at=number)
    assert titles(database, at=NOW - MINUTE) == {}
    with pytest.raises(NotFound):
        titles(database, at=4)


def test_time_never_runs_back_in_the_chain(database: Database) -> None:
    submit(database, *domains([1]))
    submit(database, *domains([2]), now=NOW - MINUTE)
    assert [record.at for record in changesets.list_changesets(database, actor=ADMIN)] == [NOW, NOW]
    assert faults(database) == []


def test_every_version_of_an_indicator_has_a_history(database: Database) -> None:
    submit(database, BLOCK)
    edit(database, 1, title="new")
    delete(database, 1)
    undo(database, 3)
    versions = changesets.history_of(database, 1, actor=ADMIN)
    assert [(version.began.id, version.ended.id if version.ended else None) for version in versions] == [
        (1, 2),
        (2, 3),
        (4, None),
    ]
    assert [version.stored.indicator.title for version in versions] == ["a title", "new", "new"]
    with pytest.raises(NotFound):
        changesets.history_of(database, 2, actor=ADMIN)


def test_an_undo_is_refused_where_later_changes_stand_in_the_way(database: Database) -> None:
    submit(database, *domains(range(4)))
    edit(database, 2, title="later")
    delete(database, 4)
    with pytest.raises(Conflict) as refused:
        undo(database, 1)
    assert [problem.value for problem in refused.value.problems] == ["2", "4"]
    assert "2, 4" in str(refused.value)
    assert "2, 3" in str(refused.value)  # the changesets
    assert len(listed(database)) == 3
    plan = undo(database, 1, keep_later=True, dry_run=True)
    done = undo(database, 1, keep_later=True)
    assert (plan.kept, plan.deleted) == (done.kept, done.deleted) == ((2, 4), 2)
    assert titles(database) == {"h1.example.org": "later"}
    assert faults(database) == []


def test_an_indicator_that_was_made_anew_stands_in_the_way_of_the_old_one(database: Database) -> None:
    submit(database, BLOCK)
    delete(database, 1)
    submit(database, BLOCK._replace(title="anew"))
    with pytest.raises(Conflict):
        undo(database, 2)
    assert undo(database, 2, keep_later=True).changeset is None
    delete(database, 2)
    undo(database, 2)
    assert titles(database) == {"evil.example.org": "a title"}


def test_an_undo_of_an_undo_is_as_if_nothing_had_been(database: Database) -> None:
    submit(database, *domains(range(3)))
    run_import(database, [*domains(range(1, 5), title="new"), BLOCK])
    before = contents(database)
    undo(database, 2)
    assert contents(database) == contents(database, at=1)
    undo(database, 3)
    assert contents(database) == before
    assert faults(database) == []


def test_there_is_nothing_to_take_back_of_what_changed_no_indicators(database: Database) -> None:
    add_group(database, "Servers", None, actor=ADMIN, now=NOW)
    with pytest.raises(Conflict, match=r"group\.add"):
        undo(database, 1)
    with pytest.raises(NotFound):
        undo(database, 2)


def test_a_client_sees_and_undoes_its_own_changes_only(database: Database) -> None:
    submit(database, *domains([1]), actor=CLIENT)
    submit(database, *domains([2]), actor=OTHER)
    assert [record.id for record in changesets.list_changesets(database, actor=CLIENT)] == [1]
    for ask in (changesets.show_changeset, lambda *a, **k: changesets.undo(*a, now=NOW, **k)):
        with pytest.raises((NotFound, Forbidden)):
            ask(database, 2, actor=CLIENT)
    changesets.undo(database, 1, actor=CLIENT, now=NOW)
    assert list(contents(database)) == [2]


def test_the_newest_changesets_come_first_page_by_page(database: Database) -> None:
    for number in range(5):
        submit(database, *domains([number]))
    pages = [changesets.list_changesets(database, actor=ADMIN, before=before, limit=2) for before in (None, 4, 2)]
    assert [[record.id for record in page] for page in pages] == [[5, 4], [3, 2], [1]]


def test_undoing_many_rows_with_many_kept(database: Database) -> None:
    """More than a statement may have values."""
    run_import(database, domains(range(12_000)))
    run_import(database, domains(range(11_000), title="later"))
    done = undo(database, 1, keep_later=True)
    assert (done.deleted, len(done.kept)) == (1_000, 11_000)
    assert faults(database) == []
