"""Changing many indicators at once: a plan with counts and samples first, then exactly that plan as one changeset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from indicia.domain.access import Actor, Permission, require
from indicia.domain.changes import Outcome, Step
from indicia.domain.checker import Checker
from indicia.domain.errors import Conflict, InvalidInput, Problem
from indicia.domain.guard import Guard
from indicia.domain.indicator import Indicator, Status, StoredIndicator
from indicia.domain.sight import exists_for, outside
from indicia.services.bulk_change import BulkChange, changed, require_sense
from indicia.services.drafting import checker_for
from indicia.services.indicators import Wanted, selection_of
from indicia.services.policy import NO_POLICY, Policy
from indicia.services.writing import Writing
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction

#: Indicators by their numbers: what a form may name; more than that are told by what they match.
NAMED_AT_MOST: Final = 10_000
#: The code of the problem in the `Conflict` about a plan that has become another one.
PLAN_CHANGED: Final = "plan-changed"
NOT_CONFIRMED: Final = "not-confirmed"
_PORTION: Final = 5_000
_SAMPLES: Final = 10
# The conflicts of which the numbers are kept, to drop those with indicators that this very change alters later.
_CONFLICTS: Final = 10_000

Target = Sequence[int] | Wanted


@dataclass(frozen=True, slots=True)
class Sample:
    """One indicator of a plan: what it is, what it becomes (None where it is deleted or refused), what is said of it.

    ``stored`` is None where somebody named a number that no indicator has any more.
    """

    number: int
    stored: StoredIndicator | None
    after: Indicator | None
    notes: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why some indicators stay as they are: the problem of the first of them, how many, and a few."""

    problem: Problem
    count: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What a bulk change would do.

    Among the changed ones, ``held`` are those that the guard would hold and did not before, and ``conflicts`` those
    that would contradict another indicator. ``digest`` is equal for two plans that would do the same.
    """

    total: int
    changed: int
    unchanged: int
    refused: int
    held: int
    conflicts: int
    refusals: tuple[Refusal, ...]
    samples: tuple[Sample, ...]
    held_samples: tuple[Sample, ...]
    conflict_samples: tuple[Sample, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class BulkDone:
    """What a bulk change did: ``changeset`` is None where there was nothing to change."""

    changeset: int | None
    changed: int
    unchanged: int
    refused: int


def plan_bulk(
    database: Database,
    target: Target,
    change: BulkChange,
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    policy: Policy = NO_POLICY,
) -> BulkPlan:
    """Return what *change* would do to the indicators that *target* names or matches; nothing is written.

    Raises `InvalidInput` where the change makes no sense, whatever it is applied to.
    """
    require(actor, *needed(change))
    with database.snapshot() as tx:
        return _Run(tx, change, actor, now, guard, told=True, policy=policy).over(target).plan()


def apply_bulk(
    database: Database,
    target: Target,
    change: BulkChange,
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    expected: str | None,
    reason: str | None = None,
    most: int | None = None,
    policy: Policy = NO_POLICY,
) -> BulkDone:
    """Do what `plan_bulk` gave the digest *expected* for, all of it as one changeset, or nothing: `Conflict`.

    Nor is anything done where it would change more than *most*.
    """
    require(actor, *needed(change))
    with database.transaction() as tx:
        run = _Run(tx, change, actor, now, guard, told=False, policy=policy).over(target)
        if expected is not None and run.digest() != expected:
            message = "since this was shown, indicators that it concerns were changed; look at what it would do now"
            raise Conflict(message, [Problem(PLAN_CHANGED, message)])
        if most is not None and run.changed > most:
            message = f"this changes {run.changed:,} indicators, and no more than {most:,} were agreed to"
            raise Conflict(message, [Problem(NOT_CONFIRMED, message)])
        why = change.release.strip() if change.release is not None else reason
        record = run.writing.finish(Header(actor, change.kind, now, why), {"bulk": run.details()})
        return BulkDone(record.id if record else None, run.changed, run.unchanged, run.refused)


def needed(change: BulkChange) -> tuple[Permission]:
    """Return the permission that *change* needs: releasing is more than writing (SPEC 9.21)."""
    return (Permission.INDICATORS_RELEASE if change.release is not None else Permission.INDICATORS_WRITE,)


class _Run:
    """One pass over the indicators of a target, in portions: each is planned, applied and counted."""

    def __init__(
        self,
        tx: Transaction,
        change: BulkChange,
        actor: Actor,
        now: datetime,
        guard: Guard,
        *,
        told: bool,
        policy: Policy,
    ) -> None:
        self.tx = tx
        self.change = change
        self.writing = Writing(tx, actor, now, column="action", policy=policy)
        self._actor = actor
        self._now = now
        self._told = told
        self._checker: Checker = checker_for(tx, actor, guard, now, released=True)
        require_sense(change, self._checker)
        self._digest = hashlib.sha256()
        self.total = self.changed = self.unchanged = self.refused = self.held = 0
        self._samples: list[Sample] = []
        self._held: list[Sample] = []
        self._refusals: dict[str, tuple[Problem, list[Sample]]] = {}
        self._counts: dict[str, int] = {}
        self._conflicts: list[tuple[Sample, tuple[tuple[Problem, int | None], ...]]] = []
        self._more_conflicts = 0
        # One bit for each number of an indicator that is changed.
        self._touched = bytearray()

    def over(self, target: Target) -> _Run:
        """Go through all of *target*."""
        for portion in self._portions(target):
            self.total += len(portion)
            reached = self._within_reach(portion)
            if self.change.delete:
                self._delete(reached)
            else:
                self._edit(reached)
        return self

    def _portions(self, target: Target) -> Iterator[list[StoredIndicator]]:
        if isinstance(target, Wanted):
            selection = selection_of(self.tx, replace(target, order_by=()), self._actor, self._now)
            after = 0
            # By the numbers, which no change alters: what is written does not come again.
            while portion := self.tx.indicators.select(selection, limit=_PORTION, after=after):
                after = portion[-1].id
                yield portion
            return
        numbers = sorted(set(target))
        if len(numbers) > NAMED_AT_MOST:
            message = f"at most {NAMED_AT_MOST} indicators can be named, and {len(numbers)} are; use a search instead"
            raise InvalidInput([Problem("too-many", message)])
        for start in range(0, len(numbers), _PORTION):
            part = numbers[start : start + _PORTION]
            found = self.tx.indicators.get(part)
            seen = [each for number in part if (each := found.get(number)) and self._is_seen(each)]
            here = {each.id for each in seen}
            for number in part:
                if number not in here:
                    self.total += 1
                    problem = Problem("not-found", f"there is no indicator {number} any more", value=str(number))
                    self._refuse(Sample(number, None, None, (problem,)), problem)
                    self._sign(number, 0, b"gone")
            yield seen

    def _is_seen(self, stored: StoredIndicator) -> bool:
        return exists_for(self._actor, stored) and not stored.indicator.is_expired(self._now)

    # -- what becomes of a portion --------------------------------------------------------------------------------

    def _within_reach(self, portion: list[StoredIndicator]) -> list[StoredIndicator]:
        """Return those of *portion* that the actor may change at all; the others are refused."""
        if self._actor.groups is None:
            return portion
        kept = []
        for stored in portion:
            problem = outside(self._actor, stored.indicator.rbac_group_names)
            if problem is None:
                kept.append(stored)
            else:
                self._refuse(Sample(stored.id, stored, None, (problem,)), problem)
                self._sign(stored.id, stored.began, b"outside")
        return kept

    def _delete(self, portion: list[StoredIndicator]) -> None:
        for stored in portion:
            self._sign(stored.id, stored.began, b"")
            if self._told and len(self._samples) < _SAMPLES:
                self._samples.append(Sample(stored.id, stored, None))
        self.changed += len(portion)
        self.writing.delete(portion)

    def _edit(self, portion: list[StoredIndicator]) -> None:
        batch: list[tuple[StoredIndicator, Indicator]] = []
        for stored in portion:
            checked = changed(stored.indicator, self.change, self._checker)
            if checked.indicator is None:
                faults = tuple(problem for problem in checked.problems if not problem.warning)
                self._refuse(Sample(stored.id, stored, None, faults), faults[0])
                self._sign(stored.id, stored.began, faults[0].code.encode())
            elif checked.indicator == stored.indicator:
                self.unchanged += 1
                self._sign(stored.id, stored.began, b"same")
            else:
                batch.append((stored, checked.indicator))
        if not batch:
            return
        changes = self.writing.plan_edits(batch)
        for (stored, _after), step in zip(batch, changes.steps, strict=True):
            self._count(stored, step)
        self.writing.apply_edits(changes)
        if self._told and self.change.can_conflict:
            for (stored, _after), step, notes in zip(
                batch, changes.steps, self.writing.disagreements(changes), strict=True
            ):
                if notes and step.outcome is not Outcome.REFUSED:
                    self._contradict(Sample(stored.id, stored, step.candidate.indicator), notes)

    def _count(self, stored: StoredIndicator, step: Step) -> None:
        indicator, outcome = step.candidate.indicator, step.outcome
        if outcome is Outcome.REFUSED:
            self._refuse(Sample(stored.id, stored, None, step.notes), step.notes[0])
            self._sign(stored.id, stored.began, b"refused")
            return
        self._sign(stored.id, stored.began, step.candidate.digest)
        self.changed += 1
        self._touch(stored.id)
        held = outcome is Outcome.HELD and stored.indicator.status is not Status.HELD
        if held:
            self.held += 1
        if self._told:
            if len(self._samples) < _SAMPLES:
                self._samples.append(Sample(stored.id, stored, indicator))
            if held and len(self._held) < _SAMPLES:
                self._held.append(Sample(stored.id, stored, indicator))

    def _refuse(self, sample: Sample, problem: Problem) -> None:
        self.refused += 1
        self._counts[problem.code] = self._counts.get(problem.code, 0) + 1
        _problem, samples = self._refusals.setdefault(problem.code, (problem, []))
        if len(samples) < _SAMPLES:
            samples.append(sample)

    def _contradict(self, sample: Sample, notes: Sequence[tuple[Problem, int | None]]) -> None:
        if len(self._conflicts) < _CONFLICTS:
            self._conflicts.append((sample, tuple(notes[:_SAMPLES])))
        else:
            self._more_conflicts += 1

    def _sign(self, number: int, began: int, what: bytes) -> None:
        self._digest.update(b"%d %d %d " % (number, began, len(what)) + what)

    def _touch(self, number: int) -> None:
        place = number >> 3
        if place >= len(self._touched):
            self._touched.extend(bytes(place + 1024 - len(self._touched)))
        self._touched[place] |= 1 << (number & 7)

    def _is_touched(self, number: int | None) -> bool:
        place = 0 if number is None else number >> 3
        return number is not None and place < len(self._touched) and bool(self._touched[place] >> (number & 7) & 1)

    # -- what came of it ------------------------------------------------------------------------------------------

    def digest(self) -> str:
        """Return what tells this plan from others."""
        return self._digest.hexdigest()

    def details(self) -> dict[str, Any]:
        """Return what the changeset keeps of this."""
        counts = {"total": self.total, "unchanged": self.unchanged, "refused": self.refused, "held": self.held}
        return counts | {"change": self.change.as_dict()}

    def plan(self) -> BulkPlan:
        """Return all that was found."""
        conflicts = []
        for sample, notes in self._conflicts:
            # Who changes together with this one has the same action afterwards, and contradicts it no more.
            together = "action" in self.change.values
            kept = tuple(note for note, other in notes if not (together and self._is_touched(other)))
            if kept:
                conflicts.append(Sample(sample.number, sample.stored, sample.after, kept))
        refusals = tuple(
            Refusal(problem, self._counts[code], tuple(samples)) for code, (problem, samples) in self._refusals.items()
        )
        return BulkPlan(
            self.total,
            self.changed,
            self.unchanged,
            self.refused,
            self.held,
            len(conflicts) + self._more_conflicts,
            refusals,
            tuple(self._samples),
            tuple(self._held),
            tuple(conflicts[:_SAMPLES]),
            self.digest(),
        )
