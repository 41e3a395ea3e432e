"""The list of changesets and what each did: exact, in pages, and true of the past however much has happened since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.errors import Conflict, NotFound
from indicia.services import changesets, history, indicators
from indicia.services.groups import add_group
from indicia.services.history import Effect, Row, Sought
from indicia.store.database import Database
from tests.integration.stores import ADMIN, BLOCK, CLIENT, NOW, OTHER, contents, domains, edit, run_import, submit

HOUR = timedelta(hours=1)


def rows(database: Database, number: int, effect: Effect | None = None, page: int = 3) -> Iterator[Row]:
    """Yield all rows, page by page."""
    after: int | None = 0
    while after is not None:
        found = history.rows_of(database, number, effect, actor=ADMIN, limit=page, after=after)
        assert len(found.items) <= page
        yield from found.items
        after = found.more_after


def ids(database: Database, **sought: object) -> list[int]:
    found = history.find(database, Sought(**sought), actor=ADMIN, limit=100)  # type: ignore[arg-type]  # by name
    return [line.record.id for line in found.lines]


def fill(database: Database) -> None:
    run_import(database, domains(range(3)), actor=CLIENT)
    submit(database, BLOCK, now=NOW + HOUR)
    edit(database, 1, title="another", now=NOW + 2 * HOUR)
    add_group(database, "Servers", None, actor=ADMIN, now=NOW + 25 * HOUR)
    indicators.delete(database, [2], actor=ADMIN, now=NOW + 26 * HOUR)


def test_changesets_are_found_by_who_how_what_and_when(database: Database) -> None:
    fill(database)
    assert ids(database) == [5, 4, 3, 2, 1]
    assert ids(database, actor=CLIENT.id) == [1]
    assert ids(database, actor="nobody") == []
    assert ids(database, source="PublicApi") == [1]
    assert ids(database, kind="delete") == [5]
    assert ids(database, since=NOW + HOUR) == [5, 4, 3, 2]
    assert ids(database, until=NOW + HOUR) == [1]
    assert ids(database, since=NOW + HOUR, until=NOW + 25 * HOUR) == [3, 2]
    assert ids(database, actor=ADMIN.id, kind="edit", since=NOW) == [3]
    assert history.who(database, actor=ADMIN) == {ADMIN.id: ADMIN.name, CLIENT.id: CLIENT.name}


def test_pages_meet_without_gap_or_overlap_in_both_directions(database: Database) -> None:
    for number in range(7):
        submit(database, BLOCK._replace(value=f"p{number}.example.org"))
    seen, before = [], None
    while True:
        found = history.find(database, Sought(), actor=ADMIN, limit=3, before=before)
        seen.append([line.record.id for line in found.lines])
        assert found.newer is (before is not None)
        if not found.older:
            break
        before = seen[-1][-1]
    assert seen == [[7, 6, 5], [4, 3, 2], [1]]
    back = history.find(database, Sought(), actor=ADMIN, limit=3, after=1)
    assert ([line.record.id for line in back.lines], back.newer, back.older) == ([4, 3, 2], True, True)
    first = history.find(database, Sought(), actor=ADMIN, limit=3, after=4)
    assert ([line.record.id for line in first.lines], first.newer) == ([7, 6, 5], False)


def test_whoever_sees_only_its_own_sees_only_its_own_changes(database: Database) -> None:
    fill(database)
    found = history.find(database, Sought(actor=ADMIN.id), actor=CLIENT, limit=10)
    assert [line.record.id for line in found.lines] == [1]
    assert history.who(database, actor=CLIENT) == {CLIENT.id: CLIENT.name}
    assert history.show(database, 1, actor=CLIENT)[2:] == (None, None)
    for number in (1, 2):
        with pytest.raises(NotFound):
            history.rows_of(database, number, None, actor=OTHER, limit=5)


def test_a_changeset_knows_its_neighbours(database: Database) -> None:
    fill(database)
    assert history.show(database, 1, actor=ADMIN)[1:] == (None, None, 2)
    assert history.show(database, 5, actor=ADMIN)[1:] == (None, 4, None)
    with pytest.raises(NotFound):
        history.show(database, 6, actor=ADMIN)


def test_rows_say_what_was_added_changed_and_deleted(database: Database) -> None:
    fill(database)
    assert [(row.id, row.effect) for row in rows(database, 1)] == [(n, Effect.CREATED) for n in (1, 2, 3)]
    [changed] = rows(database, 3)
    assert changed.effect is Effect.UPDATED
    assert changed.changes == (("Title", "a title", "another"),)
    assert list(rows(database, 4)) == []
    [gone] = rows(database, 5)
    assert (gone.id, gone.effect, gone.indicator.value) == (2, Effect.DELETED, "h1.example.org")


def test_the_rows_of_the_past_are_those_of_then(database: Database) -> None:
    fill(database)
    edit(database, 1, title="a third")
    indicators.delete(database, [1], actor=ADMIN, now=NOW)
    assert [row.indicator.title for row in rows(database, 1)] == ["a title"] * 3
    [changed] = rows(database, 3)
    assert changed.changes == (("Title", "a title", "another"),)


def test_an_undo_has_rows_too(database: Database) -> None:
    fill(database)
    changesets.undo(database, 5, actor=ADMIN, now=NOW)
    assert [(row.id, row.effect) for row in rows(database, 6)] == [(2, Effect.CREATED)]
    changesets.undo(database, 6, actor=ADMIN, now=NOW)
    assert [(row.id, row.effect) for row in rows(database, 7)] == [(2, Effect.DELETED)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("import"), st.sets(st.integers(0, 6), min_size=1), st.sampled_from("abc")),
        st.tuples(st.just("delete"), st.sets(st.integers(0, 6), min_size=1), st.just("")),
        st.tuples(st.just("undo"), st.integers(1, 8), st.booleans()),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_rows_are_exactly_the_difference_between_two_moments(
    steps: list[tuple[str, object, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.integration.stores import new_file, url_of

    database = Database.open(url_of(new_file(tmp_path_factory.mktemp("steps"))))
    try:
        for kind, what, how in steps:
            take(database, kind, what, how)
        head = len(ids(database))
        for number in range(1, head + 1):
            before = contents(database, at=number - 1) if number > 1 else {}
            after = contents(database, at=number)
            expected = {
                key: Effect.DELETED if key not in after else Effect.UPDATED if key in before else Effect.CREATED
                for key in before.keys() | after.keys()
                if before.get(key) != after.get(key)
            }
            found = list(rows(database, number))
            assert [row.id for row in found] == sorted(row.id for row in found)
            # A version may be made anew with the same content: that is no difference, and a row all the same.
            told = {row.id: row for row in found if row.effect is not Effect.UPDATED or row.changes}
            assert {key: row.effect for key, row in told.items()} == expected
            for key, row in told.items():
                assert (row.before.indicator if row.before else None) == before.get(key)
                assert (row.after.indicator if row.after else None) == after.get(key)
            record = history.show(database, number, actor=ADMIN).record
            for effect, count in zip(Effect, (record.created, record.updated, record.deleted), strict=True):
                some = list(rows(database, number, effect, page=2))
                assert len(some) == count
                assert some == [row for row in found if row.effect is effect]
    finally:
        database.close()


def take(database: Database, kind: str, what: object, how: object) -> None:
    if kind == "import":
        assert isinstance(what, set)
        run_import(database, domains(sorted(what), title=f"title {how}"))
    elif kind == "delete":
        assert isinstance(what, set)
        there = {stored.canonical: key for key, stored in contents(database).items()}
        found = [there[f"h{n}.example.org"] for n in sorted(what) if f"h{n}.example.org" in there]
        if found:
            indicators.delete(database, found, actor=ADMIN, now=NOW)
    else:
        assert isinstance(what, int)
        try:
            changesets.undo(database, what, actor=ADMIN, now=NOW, keep_later=bool(how))
        except (Conflict, NotFound):
            return
