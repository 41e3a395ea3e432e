"""What a batch of indicators would do to those that are stored, before it does it: a pure value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from indicia.domain.errors import Problem
from indicia.domain.indicator import Action, Indicator, Status
from indicia.domain.precedence import NETWORK_TYPES, WINNING, Sees, Winner, Winners, beats, overlap


class Outcome(StrEnum):
    """What becomes of one row of a batch; each row has exactly one.

    ``held`` rows are created or updated too, and wait for a release before they are enforced (SPEC 9.21).
    """

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    HELD = "held"


class Effect(StrEnum):
    """What a changeset that was applied did to one indicator."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Known(NamedTuple):
    """What the store says about an indicator that it has: enough to plan with, cheap to read a million times."""

    id: int
    action: Action
    digest: bytes
    status: Status
    groups: tuple[str, ...]
    expires_at: datetime | None
    began: int
    created: int
    rare: bool
    new: bool = False

    def is_expired(self, now: datetime) -> bool:
        """Return whether this is inert at *now* (SPEC 9.19), so that another may take its place."""
        return self.expires_at is not None and self.expires_at <= now

    def decides(self, now: datetime) -> bool:
        """Return whether this counts when something is seen at *now*: neither expired nor held (SPEC 9.19, 9.21)."""
        return self.status is not Status.HELD and not self.is_expired(now)


class Candidate(NamedTuple):
    """One row of a batch: where it stands, the indicator it makes, and the two digests that the store made of it."""

    line: int
    indicator: Indicator
    subject: bytes
    digest: bytes


class Step(NamedTuple):
    """One row of a plan: what becomes of a candidate, and the stored version that it replaces, if any."""

    candidate: Candidate
    outcome: Outcome
    replaces: Known | None
    notes: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one batch does, row by row, in the order of the batch."""

    steps: Sequence[Step] = field(default_factory=list)

    @classmethod
    def between(
        cls,
        stored: Mapping[bytes, Sequence[Known]],
        batch: Sequence[Candidate],
        *,
        now: datetime,
        winners: Winners | None = None,
        column: str = "indicatorValue",
        sees: Sees | None = None,
    ) -> ChangeSet:
        """Return what *batch* does to *stored*, which holds the known indicators of each candidate's subject.

        A candidate whose identity appears earlier in the batch is unchanged where it says the same, and
        refused where it says something else: the second of two contradicting rows is never silently the winner.
        ``winners`` are taken into account and grow by the new Allowed and Warn candidates that pass by. With *sees*
        nothing is said about an indicator with a scope of which it does not hold.
        """
        steps: list[Step] = []
        earlier: dict[tuple[bytes, Action], Candidate] = {}
        # Nearly no batch says anything twice: then there is nothing to remember.
        repeats = len({candidate[2] for candidate in batch}) < len(batch)
        new, held = tuple.__new__, Status.HELD
        for candidate in batch:
            line, indicator, subject, digest = candidate
            action = indicator[3]
            notes: tuple[Problem, ...] = ()
            same = None
            for known in stored.get(subject, ()):
                if known.action is action:
                    same = known
                elif known.decides(now) and (sees is None or sees(known.groups)):
                    notes += _same_value(known, indicator, line, column)
            if repeats:
                twin = earlier.setdefault((subject, action), candidate)
                if twin is not candidate:
                    steps.append(_repeated(candidate, twin, column))
                    continue
            if same is not None and same.new:
                steps.append(_come_again(candidate, same.digest, "earlier in this import", column))
                continue
            if winners is not None and indicator[0] in NETWORK_TYPES:
                notes += _wider_winners(winners, indicator, line, column)
                if _wins(indicator) and not _is_stored(same, indicator, now):
                    winners.add(Winner(None, indicator[0], indicator[1], action, indicator.rbac_group_names))
            if same is None:
                outcome = Outcome.CREATED
            elif same.expires_at is not None and same.expires_at <= now:
                outcome = Outcome.CREATED  # the expired one is inert (SPEC 9.19): a new indicator takes its place
            elif same.digest == digest:
                outcome = Outcome.UNCHANGED
            else:
                outcome = Outcome.UPDATED
            if indicator.status is held and outcome is not Outcome.UNCHANGED:
                outcome = Outcome.HELD
            steps.append(new(Step, (candidate, outcome, same, notes)))
        return cls(steps)

    @classmethod
    def of_edits(
        cls,
        stored: Mapping[bytes, Sequence[Known]],
        batch: Sequence[Candidate],
        *,
        now: datetime,
        named: bool = True,
        sees: Sees | None = None,
    ) -> tuple[ChangeSet, list[int]]:
        """Return what giving stored indicators other versions does, and the expired ones that have to make room.

        The line of a candidate is the number of its indicator; its action may be another than the stored one. Where
        another live indicator has that identity already, or an earlier candidate takes it, the edit is refused; that
        other one is *named* to those who may know of it: *sees* tells by its scope.
        """
        steps: list[Step] = []
        unseen: set[int] = set()
        displaced: dict[int, None] = {}
        taken: dict[tuple[bytes, Action], int] = {}
        for candidate in batch:
            number, indicator, subject, digest = candidate
            own = rival = None
            for known in stored.get(subject, ()):
                if known.id == number:
                    own = known
                elif known.action is indicator.action:
                    if known.is_expired(now):
                        displaced[known.id] = None
                    else:
                        rival = known.id
                        if sees is not None and not sees(known.groups):
                            unseen.add(rival)
            rival = taken.setdefault((subject, indicator.action), number) if rival is None else rival
            if rival != number:
                known_to = rival if named and rival not in unseen else None
                steps.append(Step(candidate, Outcome.REFUSED, own, (_taken(known_to, indicator),)))
            elif own is not None and own.digest == digest:
                steps.append(Step(candidate, Outcome.UNCHANGED, own, ()))
            else:
                held = indicator.status is Status.HELD
                steps.append(Step(candidate, Outcome.HELD if held else Outcome.UPDATED, own, ()))
        return cls(steps), list(displaced)

    def creating_only(self, now: datetime) -> ChangeSet:
        """Return the same plan with every step refused that would change what is stored already and live at *now*."""
        return ChangeSet([_refused(step) if _changes_stored(step, now) else step for step in self.steps])


def disagreements(
    siblings: Iterable[Known], indicator: Indicator, number: int, *, now: datetime, winners: Winners, column: str
) -> list[tuple[Problem, int | None]]:
    """Return a note for each indicator that contradicts *indicator*, whose number is *number*, with its number."""
    notes: list[tuple[Problem, int | None]] = []
    for known in siblings:
        if known.id != number and known.action is not indicator.action and known.decides(now):
            notes += [(note, known.id) for note in _same_value(known, indicator, 1, column)]
    if indicator.type in NETWORK_TYPES:
        beaten = (winner for winner in winners.beating(indicator) if winner.id != number)
        notes += [(_parent(winner, indicator, 1, column), winner.id) for winner in beaten]
    return notes


def _changes_stored(step: Step, now: datetime) -> bool:
    return step.replaces is not None and not step.replaces.is_expired(now) and step.outcome is not Outcome.REFUSED


def _refused(step: Step) -> Step:
    number = step.replaces.id if step.replaces else 0
    message = f"indicator {number} is this value with this action already; change that one"
    problem = Problem("already-exists", message, "indicatorValue", step.candidate.indicator.value)
    return step._replace(outcome=Outcome.REFUSED, notes=(*step.notes, problem.at(line=step.candidate.line)))


def _taken(rival: int | None, indicator: Indicator) -> Problem:
    name = "another indicator" if rival is None else f"indicator {rival}"
    message = f"{name} is this value with the action {indicator.action} already; edit that one, or delete it first"
    return Problem("already-exists", message, "action", indicator.value)


def _repeated(candidate: Candidate, twin: Candidate, column: str) -> Step:
    """Return what becomes of *candidate*, after its *twin* in the same batch."""
    where, indicator = f"on line {twin.line}", candidate.indicator
    if indicator != twin.indicator and indicator._replace(value=twin.indicator.value) == twin.indicator:
        message = f"the same indicator stands {where}, its value spelled another way; that spelling is kept"
        note = Problem("same-value-again", message, column, indicator.value, line=candidate.line, warning=True)
        return Step(candidate, Outcome.UNCHANGED, None, (note,))
    return _come_again(candidate, twin.digest, where, column)


def _come_again(candidate: Candidate, digest: bytes, where: str, column: str) -> Step:
    if candidate.digest == digest:
        return Step(candidate, Outcome.UNCHANGED, None, ())
    message = f"the same indicator stands {where} with other properties; keep one of the two"
    problem = Problem("duplicate", message, column, candidate.indicator.value, line=candidate.line)
    return Step(candidate, Outcome.REFUSED, None, (problem,))


def _same_value(known: Known, indicator: Indicator, line: int, column: str) -> tuple[Problem, ...]:
    if not overlap(known.groups, indicator.rbac_group_names):
        return ()
    kind = indicator.type
    if beats(kind, known.action, indicator.action):
        effect = f"{known.action} wins and this one will not decide"
    elif beats(kind, indicator.action, known.action):
        effect = "this one wins and that one will not decide any more"
    else:
        effect = "both apply"
    message = f"the same value is stored with the action {known.action} (indicator {known.id}): {effect}"
    return (Problem("conflict-same-value", message, column, indicator.value, line=line, warning=True),)


def _wins(indicator: Indicator) -> bool:
    return indicator.action in WINNING and indicator.status is not Status.HELD


def _is_stored(same: Known | None, indicator: Indicator, now: datetime) -> bool:
    """Return whether *same* decides in the scope of *indicator*: then it is among the winners already."""
    if same is None or not same.decides(now):
        return False
    return same.groups == indicator.rbac_group_names


def _wider_winners(winners: Winners, indicator: Indicator, line: int, column: str) -> tuple[Problem, ...]:
    """Return a note for each wider indicator that beats *indicator*."""
    return tuple([_parent(winner, indicator, line, column) for winner in winners.beating(indicator)])


def _parent(winner: Winner, indicator: Indicator, line: int, column: str) -> Problem:
    number = f"indicator {winner.id}" if winner.id is not None else "earlier in this import"
    message = (
        f"{winner.type} {winner.canonical} is {winner.action} ({number}) and covers this value: "
        f"it wins over {indicator.action} here"
    )
    return Problem("conflict-parent", message, column, indicator.value, line=line, warning=True)
