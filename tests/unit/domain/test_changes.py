"""Plans as pure values: each row has one outcome, a plan that was applied has nothing more to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.changes import Candidate, ChangeSet, Known, Outcome
from indicia.domain.identity import subject
from indicia.domain.indicator import Action, Indicator, Status
from indicia.domain.observable import ObservableType, canonical
from indicia.domain.precedence import Winner, Winners, beats, overlap
from tests.unit.indicators import NOW, VALUES

T = ObservableType
DAY = timedelta(days=1)
Stored = dict[bytes, list[Known]]


def indicator(kind: T, action: Action, title: str = "t", groups: tuple[str, ...] = (), **more: object) -> Indicator:
    value = VALUES[kind]
    return Indicator(kind, canonical(kind, value), value, action, title, "d", rbac_group_names=groups)._replace(**more)


def digest(of: Indicator) -> bytes:
    return repr(of).encode()


def batch_of(*found: Indicator) -> list[Candidate]:
    return [
        Candidate(line, each, subject(each.type, each.canonical), digest(each)) for line, each in enumerate(found, 2)
    ]


def applied(stored: Stored, changes: ChangeSet, number: int) -> Stored:
    """Return what is stored once *changes* are applied as changeset *number*."""
    after = {key: list(known) for key, known in stored.items()}
    next_id = 1 + max((known.id for siblings in stored.values() for known in siblings), default=0)
    for step in changes.steps:
        if step.outcome in (Outcome.UNCHANGED, Outcome.REFUSED):
            continue
        each = step.candidate.indicator
        siblings = [known for known in after.get(step.candidate.subject, []) if known.action is not each.action]
        old = step.replaces
        made = Known(
            old.id if old else next_id,
            each.action,
            step.candidate.digest,
            each.status,
            each.rbac_group_names,
            each.expires_at,
            number,
            old.created if old else number,
            False,
        )
        next_id += old is None
        after[step.candidate.subject] = [*siblings, made]
    return after


_indicators = st.builds(
    indicator,
    st.sampled_from(T),
    st.sampled_from(Action),
    st.sampled_from("ab"),
    st.sampled_from([(), ("Servers",), ("Clients",)]),
    expires_at=st.sampled_from([None, NOW + DAY]),
    status=st.sampled_from(Status),
)
_batches = st.lists(_indicators, max_size=6)


def plan(stored: Stored, batch: list[Indicator]) -> ChangeSet:
    return ChangeSet.between(stored, batch_of(*batch), now=NOW, winners=Winners())


@given(_batches, _batches)
def test_a_plan_that_was_applied_is_empty(before: list[Indicator], batch: list[Indicator]) -> None:
    stored = applied({}, plan({}, before), 1)
    first = plan(stored, batch)
    second = plan(applied(stored, first, 2), batch)
    for one, other in zip(first.steps, second.steps, strict=True):
        assert other.outcome in (Outcome.UNCHANGED, Outcome.REFUSED)
        assert (one.outcome is Outcome.REFUSED) is (other.outcome is Outcome.REFUSED)


@given(_batches, _batches)
def test_every_row_has_one_outcome_in_the_order_of_the_batch(before: list[Indicator], batch: list[Indicator]) -> None:
    stored = applied({}, plan({}, before), 1)
    steps = plan(stored, batch).steps
    assert [step.candidate.indicator for step in steps] == batch
    assert [step.candidate.line for step in steps] == list(range(2, 2 + len(batch)))
    first_of: dict[object, Indicator] = {}
    known = {(known.action, key): known for key, siblings in stored.items() for known in siblings}
    for step in steps:
        each = step.candidate.indicator
        twin = first_of.setdefault(each.identity, each)
        old = known.get((each.action, step.candidate.subject))
        if twin is not each:
            assert step.outcome is (Outcome.UNCHANGED if twin == each else Outcome.REFUSED)
        elif old is not None and old.digest == digest(each):
            assert step.outcome is Outcome.UNCHANGED
        elif each.status is Status.HELD:
            assert step.outcome is Outcome.HELD
        else:
            assert step.outcome is (Outcome.UPDATED if old else Outcome.CREATED)


@given(_batches, _batches)
def test_the_same_value_with_another_action_is_told(before: list[Indicator], batch: list[Indicator]) -> None:
    stored = applied({}, plan({}, before), 1)
    seen = set()
    for step in plan(stored, batch).steps:
        each = step.candidate.indicator
        if each.identity in seen:
            continue
        seen.add(each.identity)
        others = [
            known
            for known in stored.get(step.candidate.subject, [])
            if known.action is not each.action
            and known.status is not Status.HELD
            and overlap(known.groups, each.rbac_group_names)
        ]
        told = [note for note in step.notes if note.code == "conflict-same-value"]
        assert len(told) == len(others)
        assert all(note.warning and note.line == step.candidate.line for note in told)
        for known, note in zip(others, told, strict=True):
            assert f"indicator {known.id}" in note.message
            wins = beats(each.type, each.action, known.action)
            loses = beats(each.type, known.action, each.action)
            assert ("this one wins" in note.message) is wins
            assert (f"{known.action} wins" in note.message) is loses


@given(_batches, _batches)
def test_creating_only_changes_nothing_that_is_stored(before: list[Indicator], batch: list[Indicator]) -> None:
    stored = applied({}, plan({}, before), 1)
    changes = plan(stored, batch).creating_only(NOW)
    after = applied(stored, changes, 2)
    for key, siblings in stored.items():
        assert set(siblings) <= set(after[key])
    assert all(
        step.outcome is Outcome.REFUSED and any(note.code == "already-exists" for note in step.notes)
        for step in changes.steps
        if step.replaces is not None
    )


def known_of(found: Indicator, number: int = 1, **changed: object) -> Stored:
    stored = applied({}, ChangeSet.between({}, batch_of(found), now=NOW), number)
    return {key: [known._replace(**changed) for known in siblings] for key, siblings in stored.items()}


@pytest.mark.parametrize(
    "late, outcome", [(timedelta(), Outcome.CREATED), (timedelta(microseconds=1), Outcome.UNCHANGED)]
)
def test_an_expired_indicator_is_replaced_by_a_new_one(late: timedelta, outcome: Outcome) -> None:
    same = indicator(T.URL, Action.BLOCK)
    (step,) = plan(known_of(same, expires_at=NOW + late), [same]).steps
    assert step.outcome is outcome
    other = indicator(T.URL, Action.ALLOWED)
    (step,) = plan(known_of(same, expires_at=NOW + late), [other]).steps
    assert bool(step.notes) is (outcome is Outcome.UNCHANGED)


@pytest.mark.parametrize("status", Status)
def test_creating_only_takes_the_place_of_an_expired_indicator(status: Status) -> None:
    same = indicator(T.URL, Action.BLOCK, status=status)
    for late, outcome in ((DAY, Outcome.REFUSED), (-DAY, Outcome.HELD if status is Status.HELD else Outcome.CREATED)):
        (step,) = plan(known_of(same, expires_at=NOW + late), [same]).creating_only(NOW).steps
        assert step.outcome is outcome


def test_a_row_that_an_earlier_batch_of_the_same_import_made_is_repeated() -> None:
    one = indicator(T.URL, Action.BLOCK)
    stored = known_of(one, new=True)
    assert [step.outcome for step in plan(stored, [one]).steps] == [Outcome.UNCHANGED]
    (step,) = plan(stored, [one._replace(title="another")]).steps
    assert step.outcome is Outcome.REFUSED
    assert [(note.code, note.warning) for note in step.notes] == [("duplicate", False)]


def test_the_second_of_two_contradicting_rows_names_the_line_of_the_first() -> None:
    steps = plan({}, [indicator(T.URL, Action.BLOCK), indicator(T.URL, Action.BLOCK, title="another")]).steps
    assert [step.outcome for step in steps] == [Outcome.CREATED, Outcome.REFUSED]
    assert "on line 2" in steps[1].notes[0].message


def test_winners_among_the_rows_before_count_too() -> None:
    parent = indicator(T.DOMAIN_NAME, Action.ALLOWED)
    child = indicator(T.URL, Action.BLOCK)
    (_, told), (untold, _) = (
        [step.notes for step in plan({}, rows).steps] for rows in ([parent, child], [child, parent])
    )
    assert [note.code for note in told] == ["conflict-parent"]
    assert "earlier in this import" in told[0].message
    assert untold == ()


def test_a_winner_that_is_stored_already_is_told_once() -> None:
    parent = indicator(T.DOMAIN_NAME, Action.ALLOWED)
    child = indicator(T.URL, Action.BLOCK)
    winners = Winners([Winner(1, parent.type, parent.canonical, parent.action, ())])
    changes = ChangeSet.between(known_of(parent), batch_of(parent, child), now=NOW, winners=winners)
    assert [note.code for note in changes.steps[1].notes] == ["conflict-parent"]
    assert "indicator 1" in changes.steps[1].notes[0].message
