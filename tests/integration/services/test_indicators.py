"""One by one: submit, show, list, edit, release and delete, by those who may."""

from __future__ import annotations

from datetime import timedelta

import pytest

from indicia.domain.access import Actor, Source
from indicia.domain.changes import Outcome
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from indicia.domain.indicator import Status
from indicia.domain.query_text import parse_filter
from indicia.domain.rules import Strictness
from indicia.services import changesets, indicators
from indicia.services.writing import Policy
from indicia.store.database import Database
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    CLIENT,
    EVERYTHING,
    NOW,
    OTHER,
    codes,
    contents,
    counts,
    domains,
    edit,
    faults,
    listed,
    run_import,
    submit,
    titles,
)

PRIVATE = BLOCK._replace(type="IpAddress", value="10.0.0.1")
NOBODY = Actor("nobody", "Nobody", Source.PUBLIC_API, frozenset())


def wanted(text: str) -> indicators.Wanted:
    return indicators.Wanted(parse_filter(text))


# -- submit -----------------------------------------------------------------------------------------------------------


def test_a_bad_draft_stops_no_other(database: Database) -> None:
    written = submit(database, BLOCK, BLOCK._replace(action="Blok"), BLOCK._replace(value="b.example.org"))
    assert [each.outcome for each in written] == [Outcome.CREATED, Outcome.REFUSED, Outcome.CREATED]
    assert [each.stored.id if each.stored else None for each in written] == [1, None, 2]
    assert {each.changeset for each in written if each.stored} == {1}


def test_the_last_of_several_drafts_of_one_identity_counts(database: Database) -> None:
    written = submit(database, BLOCK, BLOCK._replace(title="last"))
    assert titles(database) == {"evil.example.org": "last"}
    assert {each.stored.id for each in written if each.stored} == {1}


def test_what_a_submission_does_not_change(database: Database) -> None:
    """SPEC 9.2: the application, and who made it when."""
    (made,) = submit(database, BLOCK._replace(application="Browser", external_id="x"), actor=CLIENT)
    later = NOW + timedelta(hours=1)
    (again,) = submit(database, BLOCK._replace(application="Other", title="new"), now=later)
    assert made.stored is not None
    assert again.stored is not None
    assert (again.outcome, again.stored.id) == (Outcome.UPDATED, made.stored.id)
    assert (again.stored.indicator.application, again.stored.indicator.external_id) == ("Browser", None)
    assert (again.stored.created_by, again.stored.created_at) == (CLIENT.id, NOW)
    assert (again.stored.updated_by, again.stored.updated_at) == (ADMIN.id, later)


def test_create_only_refuses_an_identity_that_is_taken(database: Database) -> None:
    submit(database, BLOCK)
    (written,) = submit(database, BLOCK._replace(title="x"), create_only=True)
    assert (written.outcome, [problem.code for problem in written.problems]) == (Outcome.REFUSED, ["already-exists"])
    (written,) = submit(database, BLOCK._replace(action="Allowed"), create_only=True)
    assert written.outcome is Outcome.CREATED


@pytest.mark.parametrize("draft", [BLOCK, PRIVATE], ids=["active", "held"])
def test_create_only_takes_the_place_of_an_expired_one(database: Database, draft: indicators.Draft) -> None:
    soon = NOW + timedelta(seconds=2)
    submit(database, draft._replace(expires=soon.isoformat()))
    (written,) = submit(database, draft, create_only=True, now=soon)
    assert written.stored is not None
    assert written.stored.id == 2


def test_a_dry_run_tells_and_writes_nothing(database: Database) -> None:
    (written,) = submit(database, BLOCK, dry_run=True)
    assert (written.outcome, written.stored, written.changeset) == (Outcome.CREATED, None, None)
    assert listed(database) == []
    assert changesets.list_changesets(database, actor=ADMIN) == []


def test_more_than_the_limit_is_refused_as_a_whole(database: Database) -> None:
    submit(database, *domains(range(3)), policy=Policy(3))
    for dry_run in (True, False):
        with pytest.raises(InvalidInput) as refused:
            submit(database, *domains(range(2, 5)), policy=Policy(3), dry_run=dry_run)
        assert [problem.code for problem in refused.value.problems] == ["maximum-indicators-exceeded"]
    assert len(listed(database)) == 3
    submit(database, *domains(range(3), title="new"), policy=Policy(3))


def test_compat_keeps_the_value_as_it_was_sent(database: Database) -> None:
    submit(database, BLOCK._replace(value=" Evil.Example.ORG "), strictness=Strictness.COMPAT)
    (stored,) = listed(database)
    assert (stored.indicator.value, stored.indicator.canonical) == (" Evil.Example.ORG ", "evil.example.org")


# -- who may ----------------------------------------------------------------------------------------------------------


def test_a_client_with_the_small_permission_touches_only_what_it_made(database: Database) -> None:
    submit(database, *domains([1]), actor=CLIENT)
    submit(database, *domains([2]), actor=OTHER)
    assert list(contents(database, actor=CLIENT)) == [1]
    assert indicators.count_indicators(database, EVERYTHING, actor=CLIENT, now=NOW) == 1
    (written,) = submit(database, *domains([2], title="x"), actor=CLIENT)
    assert [problem.code for problem in written.problems] == ["not-yours"]
    report = run_import(database, domains([1, 2, 3], title="x"), actor=CLIENT, skip_bad_rows=True)
    assert counts(report) == {"created": 1, "updated": 1, "refused": 1}
    assert codes(report) == [(3, "not-yours")]
    for number in (2, 99):  # there is no difference between another's and none
        with pytest.raises(NotFound):
            indicators.show_indicator(database, number, actor=CLIENT, now=NOW)
        with pytest.raises(NotFound):
            edit(database, number, actor=CLIENT, title="x")
        with pytest.raises(NotFound):
            indicators.delete(database, [1, number], actor=CLIENT, now=NOW)
        with pytest.raises(NotFound):
            changesets.history_of(database, number, actor=CLIENT)
    with pytest.raises(Forbidden):
        indicators.delete(database, [1, 2], actor=CLIENT, now=NOW, name_others=True)
    with pytest.raises(NotFound):
        changesets.undo(database, 2, actor=CLIENT, now=NOW)
    assert titles(database)["h2.example.org"] == "a title"
    assert indicators.delete_matching(database, EVERYTHING, actor=CLIENT, now=NOW) == 2
    assert list(contents(database)) == [2]


def test_what_another_made_may_be_made_anew_once_it_has_expired(database: Database) -> None:
    soon = NOW + timedelta(seconds=2)
    submit(database, BLOCK._replace(expires=soon.isoformat()), PRIVATE._replace(expires=soon.isoformat()), actor=OTHER)
    written = submit(database, BLOCK, PRIVATE, actor=CLIENT, now=soon)
    assert [each.outcome for each in written] == [Outcome.CREATED, Outcome.HELD]
    assert {stored.created_by for stored in listed(database, now=soon)} == {CLIENT.id}


def test_without_a_permission_nothing_is_read_or_written(database: Database) -> None:
    for ask in (
        lambda: submit(database, BLOCK, actor=NOBODY),
        lambda: listed(database, actor=NOBODY),
        lambda: indicators.delete(database, [1], actor=NOBODY, now=NOW),
        lambda: indicators.release(database, [1], actor=NOBODY, now=NOW, reason="x"),
        lambda: changesets.undo(database, 1, actor=NOBODY, now=NOW),
        lambda: changesets.list_changesets(database, actor=NOBODY),
    ):
        with pytest.raises(Forbidden, match=r"indicators\.(read|write|release)"):
            ask()


# -- edit -------------------------------------------------------------------------------------------------------------


def test_an_edit_may_change_the_identity_in_place(database: Database) -> None:
    submit(database, BLOCK)
    edit(database, 1, action="Allowed")
    edit(database, 1, value="Other.Example.Org")
    (stored,) = listed(database)
    assert (stored.id, stored.indicator.identity) == (1, ("DomainName", "other.example.org", "Allowed"))
    assert [version.stored.indicator.action.value for version in changesets.history_of(database, 1, actor=ADMIN)] == [
        "Block",
        "Allowed",
        "Allowed",
    ]
    assert faults(database) == []


def test_an_edit_into_an_identity_that_is_taken_is_a_conflict(database: Database) -> None:
    soon = NOW + timedelta(seconds=2)
    submit(database, BLOCK, BLOCK._replace(action="Allowed", expires=soon.isoformat()))
    with pytest.raises(Conflict, match="indicator 2"):
        edit(database, 1, action="Allowed")
    edit(database, 1, action="Allowed", now=soon)  # the other one is inert by then
    assert list(contents(database, now=soon)) == [1]


def test_an_edit_of_an_old_version_is_a_conflict(database: Database) -> None:
    submit(database, BLOCK)
    edit(database, 1, title="x", version=1)
    for attempt in (lambda: edit(database, 1, title="y", version=1), lambda: _delete(database, 1, version=1)):
        with pytest.raises(Conflict) as stale:
            attempt()
        assert [problem.code for problem in stale.value.problems] == [indicators.STALE]
    _delete(database, 1, version=2)


def _delete(database: Database, *numbers: int, **more: int) -> None:
    indicators.delete(database, numbers, actor=ADMIN, now=NOW, **more)  # type: ignore[arg-type] # the version by name


def test_an_edit_that_changes_nothing_makes_no_changeset(database: Database) -> None:
    submit(database, BLOCK)
    written = edit(database, 1, title=BLOCK.title)
    assert (written.outcome, written.changeset) == (Outcome.UNCHANGED, None)
    assert len(changesets.list_changesets(database, actor=ADMIN)) == 1


def test_a_bad_edit_says_everything_that_is_wrong(database: Database) -> None:
    submit(database, BLOCK)
    with pytest.raises(InvalidInput) as refused:
        edit(database, 1, title="", action="Blok", expires="soon")
    assert {problem.column for problem in refused.value.problems} == {"title", "action", "expirationTime"}
    with pytest.raises(InvalidInput):
        indicators.edit(
            database,
            1,
            lambda stored: (indicators.draft_from(stored.indicator), [Problem("unknown-property", "no")]),
            actor=ADMIN,
            now=NOW,
            guard=indicators.Guard.default(),
        )
    assert titles(database) == {"evil.example.org": "a title"}


def test_a_dry_edit_shows_what_would_be(database: Database) -> None:
    submit(database, BLOCK)
    written = edit(database, 1, title="x", dry_run=True)
    assert written.stored is not None
    assert (written.stored.indicator.title, titles(database)) == ("x", {"evil.example.org": "a title"})


# -- hold and release (SPEC 9.21) -------------------------------------------------------------------------------------


def test_a_held_indicator_is_listed_and_released_with_a_reason(database: Database) -> None:
    (written,) = submit(database, PRIVATE)
    assert written.outcome is Outcome.HELD
    assert [stored.indicator.status for stored in listed(database)] == [Status.HELD]
    with pytest.raises(InvalidInput):
        indicators.release(database, [1], actor=ADMIN, now=NOW, reason=" ")
    (released,) = indicators.release(database, [1], actor=ADMIN, now=NOW, reason=" a honeypot ")
    assert (released.indicator.status, released.indicator.extras.override_reason) == (Status.ACTIVE, "a honeypot")
    (record, *_) = changesets.list_changesets(database, actor=ADMIN)
    assert (record.kind, record.reason, record.updated) == ("release", "a honeypot", 1)
    with pytest.raises(Conflict, match="not held"):
        indicators.release(database, [1], actor=ADMIN, now=NOW, reason="again")


def test_a_release_is_all_or_none(database: Database) -> None:
    submit(database, PRIVATE, BLOCK)
    with pytest.raises(Conflict, match="indicator 2"):
        indicators.release(database, [1, 2], actor=ADMIN, now=NOW, reason="x")
    assert contents(database)[1].status is Status.HELD


def test_a_release_stays_when_the_same_indicator_comes_again(database: Database) -> None:
    submit(database, PRIVATE)
    indicators.release(database, [1], actor=ADMIN, now=NOW, reason="a honeypot")
    assert counts(run_import(database, [PRIVATE])) == {"unchanged": 1}
    assert counts(run_import(database, [PRIVATE._replace(title="new")])) == {"updated": 1}
    submit(database, PRIVATE._replace(title="newer"))
    (stored,) = listed(database)
    assert (stored.indicator.status, stored.indicator.extras.override_reason) == (Status.ACTIVE, "a honeypot")


def test_a_release_was_for_that_value_and_action_only(database: Database) -> None:
    submit(database, PRIVATE)
    indicators.release(database, [1], actor=ADMIN, now=NOW, reason="a honeypot")
    assert edit(database, 1, title="new").outcome is Outcome.UPDATED
    assert edit(database, 1, action="Warn").outcome is Outcome.HELD
    assert contents(database)[1].extras.override_reason is None


def test_a_release_ends_with_its_indicator(database: Database) -> None:
    soon = NOW + timedelta(seconds=2)
    submit(database, PRIVATE._replace(expires=soon.isoformat()))
    indicators.release(database, [1], actor=ADMIN, now=NOW, reason="for two seconds")
    assert counts(run_import(database, [PRIVATE], now=soon)) == {"held": 1}
    (stored,) = listed(database, now=soon)
    assert (stored.id, stored.indicator.status, stored.indicator.extras.override_reason) == (2, Status.HELD, None)


# -- delete (SPEC 9.25) and list --------------------------------------------------------------------------------------


def test_deleting_is_all_or_nothing_and_names_the_unknown(database: Database) -> None:
    submit(database, *domains(range(3)))
    with pytest.raises(NotFound, match="7, 9; nothing was deleted"):
        _delete(database, 1, 7, 2, 9)
    assert len(listed(database)) == 3
    _delete(database, 1, 1, 2)
    assert list(contents(database)) == [3]
    assert indicators.delete(database, [3], actor=ADMIN, now=NOW, dry_run=True)[0].id == 3
    assert list(contents(database)) == [3]


def test_deleting_what_matches_counts_first_and_then_does(database: Database) -> None:
    submit(database, *domains(range(5)), *domains(range(5, 8), action="Allowed"))
    asked = wanted("action eq 'Block'")
    assert indicators.delete_matching(database, asked, actor=ADMIN, now=NOW, dry_run=True) == 5
    assert indicators.delete_matching(database, asked, actor=ADMIN, now=NOW) == 5
    assert len(listed(database)) == 3
    assert len(changesets.list_changesets(database, actor=ADMIN)) == 2


def test_pages_go_on_from_a_number_both_ways(database: Database) -> None:
    submit(database, *domains(range(10)))

    def page(**asked: int) -> tuple[list[int], bool]:
        found = indicators.list_indicators(database, EVERYTHING, actor=ADMIN, now=NOW, **asked)  # type: ignore[arg-type] # by name
        return [stored.id for stored in found.items], found.more

    assert page(limit=4) == ([1, 2, 3, 4], True)
    assert page(limit=4, after=4) == ([5, 6, 7, 8], True)
    assert page(limit=4, after=8) == ([9, 10], False)
    assert page(limit=4, offset=8) == ([9, 10], False)
    with indicators.stream_indicators(database, EVERYTHING, actor=ADMIN, now=NOW) as (stream, _):
        assert [stored.id for stored in stream] == list(range(1, 11))
    assert indicators.count_indicators(database, EVERYTHING, actor=ADMIN, now=NOW, most=7) == 7
