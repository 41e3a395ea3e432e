"""Bulk changes: the plan is what happens, undo takes it back, and nothing else is touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, InvalidInput
from indicia.domain.indicator import Status
from indicia.domain.query_text import parse_filter
from indicia.services import bulk, changesets
from indicia.services.bulk_change import BulkChange
from indicia.services.groups import add_group
from indicia.services.indicators import Wanted
from indicia.store.database import Database
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    CLIENT,
    NOW,
    contents,
    domains,
    faults,
    guard,
    new_file,
    run_import,
    submit,
    url_of,
)

DAY = timedelta(days=1)
ALL = Wanted()


def plan(database: Database, target: bulk.Target, change: BulkChange, **more: Any) -> bulk.BulkPlan:
    return bulk.plan_bulk(database, target, change, **{"actor": ADMIN, "now": NOW, "guard": guard()} | more)


def apply(
    database: Database,
    target: bulk.Target,
    change: BulkChange,
    expected: str | None = None,
    *,
    reason: str | None = None,
    **more: Any,
) -> bulk.BulkDone:
    expected = plan(database, target, change, **more).digest if expected is None else expected
    who: dict[str, Any] = {"actor": ADMIN, "now": NOW, "guard": guard(), "reason": reason} | more
    return bulk.apply_bulk(database, target, change, expected=expected, **who)


def matching(filter: str) -> Wanted:
    return Wanted(parse_filter(filter))


def test_fields_get_other_values_and_the_rest_stays(database: Database) -> None:
    run_import(database, domains(range(20), severity="Low"), domains(range(20, 30)))
    before = contents(database)
    done = apply(database, matching("severity eq 'Low'"), BulkChange({"severity": "Medium", "title": "agreed"}))
    assert (done.changed, done.unchanged, done.refused) == (20, 0, 0)
    after = contents(database)
    assert {number for number in after if after[number] != before[number]} == set(range(1, 21))
    assert all(after[number] == before[number]._replace(severity="Medium", title="agreed") for number in range(1, 21))
    record, _undone = changesets.show_changeset(database, done.changeset or 0, actor=ADMIN)
    assert (record.kind, record.updated, record.created, record.deleted) == ("edit", 20, 0, 0)
    assert record.details["bulk"]["change"] == {"severity": "Medium", "title": "agreed"}
    assert faults(database) == []


def test_an_expiry_moves_on_from_where_it_is(database: Database) -> None:
    submit(database, *domains([0], expires=NOW + DAY), *domains([1]), *domains([2], expires=NOW + 5 * DAY))
    found = plan(database, ALL, BulkChange(extend=30 * DAY))
    assert (found.changed, found.unchanged) == (2, 1)  # what never expires has nothing to move
    apply(database, [1, 2, 3], BulkChange(extend=30 * DAY))
    at = NOW.replace(microsecond=0)
    assert [each.expires_at for each in contents(database).values()] == [at + 31 * DAY, None, at + 35 * DAY]
    apply(database, ALL, BulkChange({"expires": None}))
    assert {each.expires_at for each in contents(database).values()} == {None}


def test_an_expiry_past_all_years_is_refused_by_row(database: Database) -> None:
    submit(database, *domains([0], expires=datetime(9999, 12, 1, tzinfo=UTC)), *domains([1], expires=NOW + DAY))
    found = plan(database, ALL, BulkChange(extend=60 * DAY))
    assert (found.changed, found.refused, found.refusals[0].problem.code) == (1, 1, "invalid-expiry")


def test_a_rule_that_the_change_breaks_refuses_the_row_and_no_other(database: Database) -> None:
    submit(database, BLOCK, Draft("FileSha256", "a" * 64, None, "Block", "Low", "t", "d"))
    found = plan(database, ALL, BulkChange({"action": "BlockAndRemediate"}))
    assert (found.changed, found.refused) == (1, 1)
    assert found.refusals[0].samples[0].number == 1
    assert "BlockAndRemediate" in found.refusals[0].problem.message


def test_two_indicators_never_get_one_identity(database: Database) -> None:
    submit(database, BLOCK, BLOCK._replace(action="Warn"), BLOCK._replace(action="Audit", generate_alert=True))
    found = plan(database, ALL, BulkChange({"action": "Allowed"}))
    assert (found.changed, found.refused, found.refusals[0].problem.code) == (1, 2, "already-exists")
    assert (found := plan(database, ALL, BulkChange({"action": "Warn"}))).refused == 2
    assert found.unchanged == 1


def test_one_that_has_expired_makes_room(database: Database) -> None:
    submit(database, BLOCK._replace(action="Warn", expires=NOW + timedelta(seconds=1)), BLOCK)
    later = NOW + timedelta(seconds=5)
    done = apply(database, [2], BulkChange({"action": "Warn"}), now=later)
    assert done.changed == 1
    changesets.undo(database, done.changeset or 0, actor=ADMIN, now=later)
    assert list(contents(database)) == [1, 2]  # as of before the first expired
    assert faults(database) == []


def test_the_guard_holds_what_would_be_blocked_and_a_release_needs_a_reason(database: Database) -> None:
    submit(database, *domains([0], action="Allowed"), *domains([0], value="co.uk", action="Allowed"))
    change = BulkChange({"action": "Block"})
    found = plan(database, ALL, change)
    assert (found.changed, found.held, [each.number for each in found.held_samples]) == (2, 1, [2])
    apply(database, ALL, change)
    assert contents(database)[2].status is Status.HELD
    with pytest.raises(InvalidInput, match="reason"):
        plan(database, ALL, BulkChange(release=" "))
    assert (found := plan(database, ALL, BulkChange(release="agreed"))).changed == 1
    assert found.unchanged == 1
    done = apply(database, ALL, BulkChange(release="agreed"))
    assert contents(database)[2].extras.override_reason == "agreed"
    assert changesets.show_changeset(database, done.changeset or 0, actor=ADMIN)[0].reason == "agreed"
    apply(database, ALL, BulkChange({"severity": "Low"}))
    assert contents(database)[2].status is Status.ACTIVE  # a release stays
    apply(database, ALL, BulkChange({"action": "Warn"}))
    assert contents(database)[2].status is Status.HELD  # but it was given for one action


def test_conflicts_are_told_but_not_with_what_changes_together(database: Database) -> None:
    submit(
        database,
        BLOCK._replace(value="a.example.org", action="Allowed"),
        BLOCK._replace(value="b.a.example.org", action="Audit", generate_alert=True),
        BLOCK._replace(value="example.org", action="Allowed"),
        BLOCK._replace(value="c.other.example", action="Audit", generate_alert=True),
        BLOCK._replace(value="other.example", action="Allowed"),
    )
    assert plan(database, ALL, BulkChange({"action": "Block"})).conflicts == 0
    found = plan(database, [1, 2, 4], BulkChange({"action": "Block"}))
    assert found.conflicts == 3
    assert [each.number for each in found.conflict_samples] == [1, 2, 4]
    assert "other.example is Allowed" in found.conflict_samples[2].notes[0].message


def test_a_scope_names_groups_that_exist(database: Database) -> None:
    submit(database, BLOCK)
    with pytest.raises(InvalidInput, match="Servers"):
        plan(database, ALL, BulkChange({"rbac_group_names": ("Servers",)}))
    add_group(database, "Servers", None, actor=ADMIN, now=NOW)
    assert apply(database, ALL, BulkChange({"rbac_group_names": ("Servers",)})).changed == 1


@pytest.mark.parametrize(
    "change",
    [
        BulkChange(),
        BulkChange({"severity": "Low"}, delete=True),
        BulkChange({"title": ""}),
        BulkChange({"title": None}),
        BulkChange({"severity": "Urgent"}),
        BulkChange({"value": "x"}),
        BulkChange({"expires": NOW - DAY}),
        BulkChange({"expires": None}, extend=DAY),
        BulkChange(extend=timedelta(0)),
        BulkChange(extend=timedelta(days=100_000)),
    ],
)
def test_a_change_that_makes_no_sense_is_told_before_anything_is_looked_at(
    database: Database, change: BulkChange
) -> None:
    with pytest.raises(InvalidInput):
        plan(database, ALL, change)


def test_what_was_shown_is_what_happens_or_nothing_does(database: Database) -> None:
    submit(database, *domains(range(3)))
    change = BulkChange({"severity": "Low"})
    shown = plan(database, ALL, change)
    submit(database, *domains([1], title="new"))
    before = contents(database)
    for target in (ALL, [1, 2, 3]):
        with pytest.raises(Conflict) as refused:
            apply(database, target, change, shown.digest)
        assert refused.value.problems[0].code == bulk.PLAN_CHANGED
    assert contents(database) == before
    with pytest.raises(Conflict):
        apply(database, ALL, BulkChange({"severity": "Medium"}), plan(database, ALL, change).digest)


def test_what_is_gone_is_told_by_its_number(database: Database) -> None:
    submit(database, *domains(range(2)))
    found = plan(database, [1, 2, 77], BulkChange(delete=True))
    assert (found.total, found.changed, found.refused) == (3, 2, 1)
    assert found.refusals[0].problem.value == "77"
    done = apply(database, [1, 2, 77], BulkChange(delete=True), reason="retired")
    assert contents(database) == {}
    assert changesets.show_changeset(database, done.changeset or 0, actor=ADMIN)[0].deleted == 2


def test_a_client_changes_its_own_only(database: Database) -> None:
    submit(database, *domains([0]), actor=CLIENT)
    submit(database, *domains([1]))
    assert plan(database, ALL, BulkChange({"severity": "Low"}), actor=CLIENT).total == 1
    assert plan(database, [1, 2], BulkChange({"severity": "Low"}), actor=CLIENT).refused == 1


def test_many_rows_go_in_portions_and_come_back(database: Database) -> None:
    run_import(database, domains(range(12_000), severity="Low"))
    before = contents(database)
    done = apply(database, matching("severity eq 'Low'"), BulkChange({"severity": "High", "action": "Warn"}))
    assert done.changed == 12_000
    changesets.undo(database, done.changeset or 0, actor=ADMIN, now=NOW)
    assert contents(database) == before
    assert faults(database) == []


_VALUES = ("a.example.org", "b.a.example.org", "co.uk", "c.example.org")
_drafts = st.builds(
    lambda value, action, title, expires, severity: BLOCK._replace(
        value=value,
        action=action,
        title=title,
        severity=severity,
        expires=expires and NOW.replace(microsecond=0) + DAY * expires,
        generate_alert=True,
    ),
    st.sampled_from(_VALUES),
    st.sampled_from(["Block", "Allowed", "Warn", "Audit"]),
    st.sampled_from(["t", "u"]),
    st.sampled_from([None, 1, 3]),
    st.sampled_from(["Low", "High"]),
)
_fields: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["Block", "Allowed", "Warn", "BlockAndRemediate"]),
        "severity": st.sampled_from(["Low", "High"]),
        "title": st.sampled_from(["t", "new"]),
        "category": st.sampled_from([None, "Malware"]),
        "mitre_techniques": st.just(("T1071",)),
        "generate_alert": st.booleans(),
        "expires": st.sampled_from([None, NOW.replace(microsecond=0) + DAY]),
    },
).filter(bool)
_changes = st.one_of(
    st.builds(BulkChange, _fields),
    st.builds(BulkChange, extend=st.sampled_from([DAY, 30 * DAY])),
    st.just(BulkChange(delete=True)),
    st.just(BulkChange(release="agreed")),
)
_targets = st.one_of(
    st.lists(st.integers(1, 12), max_size=8),
    st.sampled_from([ALL, matching("severity eq 'Low'"), matching("action eq 'Block' or title eq 't'")]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_drafts, min_size=1, max_size=10), st.lists(st.tuples(_targets, _changes), min_size=1, max_size=3))
def test_the_plan_is_what_happens_and_undo_is_as_if_nothing_had(
    drafts: list[Draft], changes: list[tuple[bulk.Target, BulkChange]]
) -> None:
    with TemporaryDirectory() as folder:
        database = Database.open(url_of(new_file(Path(folder))))
        for draft in drafts:
            submit(database, draft)
        for target, change in changes:
            before = contents(database)
            planned = plan(database, target, change)
            assert contents(database) == before
            done = apply(database, target, change, planned.digest)
            after = contents(database)
            touched = {number for number in before if after.get(number) != before[number]}
            assert planned.changed == done.changed == len(touched)
            assert (planned.unchanged, planned.refused) == (done.unchanged, done.refused)
            assert planned.total == planned.changed + planned.unchanged + planned.refused
            now_held = {number for number in touched & after.keys() if after[number].status is Status.HELD}
            assert planned.held == sum(before[number].status is not Status.HELD for number in now_held)
            for sample in planned.samples:
                assert sample.stored is not None
                assert sample.stored.indicator == before[sample.number]
                assert after.get(sample.number) == sample.after
            assert len({each.identity for each in after.values()}) == len(after)
            if done.changeset is not None:
                changesets.undo(database, done.changeset, actor=ADMIN, now=NOW)
                assert contents(database) == before
                apply(database, target, change)
                assert contents(database) == after
            assert faults(database) == []
        database.close()
