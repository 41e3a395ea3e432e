"""What the compat API answers where a change takes a second person: its clients know `DisallowedOperation`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from indicia.app import App
from indicia.domain.access import Actor
from indicia.domain.changes import Outcome
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, Problem
from indicia.domain.rules import Strictness
from indicia.services import idempotency, indicators
from indicia.services.indicators import Written
from indicia.services.policy import TAKES_TWO, is_for_two
from indicia.services.proposals import Parts, Proposal, or_propose, propose
from indicia.services.requests import Delete, Request, Submit
from indicia.services.reviewing import Review
from indicia.store.database import Database
from indicia.web.problems import Refusal

#: The code of the fault; Defender's word for it is DisallowedOperation.
WAITS: Final = "waits-for-somebody-else"

Done = TypeVar("Done")
Faults = Sequence[tuple[Problem, ...]]


def submit_or_wait(app: App, drafts: Sequence[Draft], faults: Faults, *, actor: Actor, now: datetime) -> list[Written]:
    """Submit *drafts*; those that take a second person become one proposal, and fail alone with its number.

    Where it is their number that takes two, all of them wait.
    """

    def at_once(database: Database) -> list[Written]:
        return _submitted(app, database, drafts, faults, actor, now)

    try:
        return at_once(app.database)
    except Conflict as error:
        if not is_for_two(error):
            raise
    return _apart(app, drafts, faults, actor, now)


def delete_or_wait(app: App, numbers: Sequence[int], *, actor: Actor, now: datetime) -> None:
    """Delete *numbers*, or refuse with the number of the proposal that was made of it."""

    def at_once(database: Database) -> None:
        indicators.delete(database, numbers, actor=actor, now=now, name_others=True, policy=app.policy)

    _or_refuse(app, at_once, lambda _database: Delete(tuple(numbers)), actor, now)


def refusal(proposal: Proposal) -> Refusal:
    """Return what says that *proposal* was made, and that nothing was changed."""
    return Refusal(403, WAITS, _sentence(proposal), headers={"Location": f"/v1/proposals/{proposal.id}"})


def is_waiting(written: Written) -> bool:
    """Return whether *written* was not done because it waits."""
    return any(problem.code == TAKES_TWO for problem in written.problems)


def _or_refuse(
    app: App,
    do: Callable[[Database], Done],
    request: Callable[[Database], Request],
    actor: Actor,
    now: datetime,
) -> Done:
    done = or_propose(app.database, do, request, actor=actor, now=now, parts=Parts(app.guard, app.policy))
    if isinstance(done, Proposal):
        raise refusal(done)
    return done


def _apart(app: App, drafts: Sequence[Draft], faults: Faults, actor: Actor, now: datetime) -> list[Written]:
    """Submit what one person may, propose the rest: all in one transaction."""
    alone = [_alone(app, draft, _of(faults, place), actor, now) for place, draft in enumerate(drafts)]
    waiting = {place for place, (_written, waits) in enumerate(alone) if waits}
    good = {place for place, (written, _waits) in enumerate(alone) if written.outcome is not Outcome.REFUSED}
    found: dict[int, Written] = {place: written for place, (written, _waits) in enumerate(alone) if place not in good}

    def work(database: Database) -> idempotency.Reply:
        mine, theirs = sorted(good - waiting), waiting
        try:
            done = _submitted(app, database, [drafts[each] for each in mine], [_of(faults, each) for each in mine],
                              actor, now)  # fmt: skip
            found.update(zip(mine, done, strict=True))
        except Conflict as error:
            if not is_for_two(error):
                raise
            theirs = good
        asked = Submit(tuple(drafts[each] for each in sorted(theirs)), Strictness.COMPAT)
        made = propose(database, asked, actor=actor, now=now, parts=Parts(app.guard, app.policy))
        waits = Written(Outcome.REFUSED, None, (Problem(TAKES_TWO, _sentence(made)),))
        found.update(dict.fromkeys(theirs, waits))
        return idempotency.Reply(200, {}, b"")

    idempotency.as_one(app.database, work)
    return [found[place] for place in range(len(drafts))]


def _alone(app: App, draft: Draft, faults: tuple[Problem, ...], actor: Actor, now: datetime) -> tuple[Written, bool]:
    """Return what would become of *draft* by itself, and whether that takes a second person."""
    review = Review()
    policy = app.policy._replace(review=review)
    [written] = indicators.submit(
        app.database,
        [draft],
        actor=actor,
        now=now,
        guard=app.guard,
        strictness=Strictness.COMPAT,
        dry_run=True,
        known_problems=[faults],
        policy=policy,
    )
    return written, bool(policy.rule._replace(rows=None).reasons(review.tally))


def _submitted(
    app: App, database: Database, drafts: Sequence[Draft], faults: Faults, actor: Actor, now: datetime
) -> list[Written]:
    return indicators.submit(
        database,
        drafts,
        actor=actor,
        now=now,
        guard=app.guard,
        strictness=Strictness.COMPAT,
        known_problems=faults,
        policy=app.policy,
    )


def _of(faults: Faults, position: int) -> tuple[Problem, ...]:
    return faults[position] if position < len(faults) else ()


def _sentence(proposal: Proposal) -> str:
    why = "; ".join(reason.message for reason in proposal.reasons)
    return f"nothing was changed: this waits for somebody else as proposal {proposal.id}" + (f" ({why})" if why else "")
