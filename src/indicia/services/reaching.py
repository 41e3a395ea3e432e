"""Which steps of a plan an actor may take: only what stays within its device groups, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from indicia.domain.access import Actor, Grant
from indicia.domain.changes import ChangeSet, Known, Outcome, Step
from indicia.domain.errors import Problem
from indicia.domain.indicator import StoredIndicator
from indicia.domain.sight import NOT_YOURS, outside


def touched(changes: ChangeSet) -> list[int]:
    """Return the changesets that created what *changes* would replace."""
    return [step.replaces.created for step in changes.steps if step.replaces and not step.replaces.new]


def within_reach(
    changes: ChangeSet, actor: Actor, *, creators: Mapping[int, str], now: datetime, column: str
) -> ChangeSet:
    """Return *changes* with every step refused that *actor* may not take (SPEC 5.6, decision 0018).

    *creators* tells who made each of the changesets `touched`, where the actor sees only what it created itself; such
    an actor hears of no conflicts either: they name indicators that do not exist for it.
    """
    steps = []
    for step in changes.steps:
        problem = _why_not(step, actor, creators, now, column)
        if problem is not None:
            step = step._replace(outcome=Outcome.REFUSED, notes=(problem.at(line=step.candidate.line),))
        elif actor.sees_only_own and step.outcome is not Outcome.REFUSED:
            step = step._replace(notes=())
        steps.append(step)
    return ChangeSet(steps)


def edits_within_reach(changes: ChangeSet, actor: Actor, batch: Sequence[StoredIndicator]) -> ChangeSet:
    """Return the edits of *batch*, in its order, with every step refused that reaches past what *actor* may change."""
    steps = []
    for step, stored in zip(changes.steps, batch, strict=True):
        before, after = stored.indicator.rbac_group_names, step.candidate.indicator.rbac_group_names
        problem = None
        if step.outcome is not Outcome.REFUSED and step.outcome is not Outcome.UNCHANGED:
            problem = outside(actor, before) or outside(actor, after)
        steps.append(step if problem is None else step._replace(outcome=Outcome.REFUSED, notes=(problem,)))
    return ChangeSet(steps)


def _why_not(step: Step, actor: Actor, creators: Mapping[int, str], now: datetime, column: str) -> Problem | None:
    if step.outcome is Outcome.REFUSED:
        return None
    known, value = step.replaces, step.candidate.indicator.value
    if known is not None and not known.new and not known.is_expired(now):
        if not actor.sees(known.groups):
            message = "an indicator that you do not see has this value and action; ask somebody who sees all groups"
            return Problem(NOT_YOURS, message, column, value)
        if step.outcome is not Outcome.UNCHANGED:
            if actor.sees_only_own and creators[known.created] != actor.id:
                message = f"another client created this indicator; changing it needs {Grant.TI_READ_WRITE_ALL}"
                return Problem(NOT_YOURS, message, column, value)
            if (problem := outside(actor, known.groups, value)) is not None:
                return problem
    if step.outcome is Outcome.UNCHANGED:
        return None
    return outside(actor, step.candidate.indicator.rbac_group_names, value)


def seen(known: Mapping[bytes, Sequence[Known]], actor: Actor) -> Mapping[bytes, Sequence[Known]]:
    """Return those of the *known* indicators that exist for *actor*."""
    if actor.groups is None:
        return known
    return {subject: [each for each in siblings if actor.sees(each.groups)] for subject, siblings in known.items()}
