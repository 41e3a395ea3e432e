"""Proposals: changes that wait for a second person, from the first word to the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from indicia.domain.access import Actor, Permission, require
from indicia.domain.approval import Need, Reason
from indicia.domain.errors import Conflict, IndiciaError, InvalidInput, NotFound, Problem
from indicia.domain.guard import Guard
from indicia.services.policy import Policy, is_for_two
from indicia.services.proposing import Proposer, is_the_same, proposer_of, review_of
from indicia.services.requests import Request, request_of
from indicia.services.reviewing import Line
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.proposals import OPEN, CommentRecord, ProposalRecord

#: Proposals of one actor that wait at a time; a client that repeats itself is stopped here at the latest.
MOST_OPEN: Final = 500
#: Whoever looks at a proposal of more indicators is shown the plan as it was made, unless they ask for another.
PLANNED_AGAIN: Final = 20_000
MOST_REQUEST_BYTES: Final = 16 << 20
_WALKED: Final = 500

Done = TypeVar("Done")


class State(StrEnum):
    """Where a proposal has got to."""

    OPEN = OPEN
    APPLIED = "applied"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Parts(NamedTuple):
    """What plans are made with, beside the database."""

    guard: Guard
    policy: Policy


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal: its ``state`` is that of a moment, for it runs out by itself."""

    record: ProposalRecord
    state: State

    @property
    def id(self) -> int:
        """Its number."""
        return self.record.id

    @property
    def reasons(self) -> list[Reason]:
        """Why it takes two; none where somebody just asked."""
        return [Reason(Need(each["need"]), each["rows"], each["limit"]) for each in self.record.why]

    @property
    def digest(self) -> str:
        """What tells the plan that was proposed from others."""
        return self.record.plan_digest.hex()


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying it would do: as it was proposed, or as it would be now."""

    digest: str
    counts: Mapping[str, int]
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, summary: Mapping[str, Any], digest: bytes) -> Plan:
        """Return the plan that a proposal keeps."""
        counts = {name: value for name, value in summary.items() if name != "lines"}
        return cls(digest.hex(), counts, tuple(Line.of(each) for each in summary["lines"]))

    @property
    def more(self) -> int:
        """How many indicators are not among the lines."""
        return max(0, self.counts["rows"] - len(self.lines))


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal as it is looked at.

    ``now`` is what it would do by now, where that is something else; ``fault`` says why nothing can come of it any
    more. ``looked_again`` is False where the plan was too long to be made again unasked. ``in_the_way`` says why the
    one who looks cannot apply it, None where they can.
    """

    proposal: Proposal
    planned: Plan
    now: Plan | None
    fault: str | None
    looked_again: bool
    comments: tuple[CommentRecord, ...]
    mine: bool
    in_the_way: str | None

    @property
    def plan(self) -> Plan:
        """What applying it would do."""
        return self.now or self.planned


class Found(NamedTuple):
    """A page of proposals, the newest first, and the number to go on from where there are more."""

    items: list[Proposal]
    more_before: int | None


# -- making -----------------------------------------------------------------------------------------------------------


def or_propose(
    database: Database,
    do: Callable[[Database], Done],
    request: Callable[[Database], Request],
    *,
    actor: Actor,
    now: datetime,
    parts: Parts,
    ask: bool = False,
    reason: str | None = None,
) -> Done | Proposal:
    """Return what *do* returns, or the proposal of *request* where one person does not do that alone.

    With *ask* it is proposed whatever the rule says.
    """
    if not ask:
        try:
            return do(database)
        except Conflict as error:
            if not is_for_two(error):
                raise
    return propose(database, request(database), actor=actor, now=now, parts=parts, reason=reason)


def propose(
    database: Database, request: Request, *, actor: Actor, now: datetime, parts: Parts, reason: str | None = None
) -> Proposal:
    """Keep *request* until somebody else applies it; who asks for the same again gets the same proposal.

    Raises `InvalidInput` with everything that is wrong with it, `Conflict` where it would change nothing.
    """
    require(actor, Permission.INDICATORS_PROPOSE, Permission.INDICATORS_WRITE)
    asked = request.as_dict()
    if len(orjson.dumps(asked)) > MOST_REQUEST_BYTES:
        raise InvalidInput([Problem("too-long", "this is too much for a proposal; propose it as the import of a file")])
    with database.snapshot() as tx:
        head = tx.changesets.tip()
    review = review_of(database, request, Proposer.live(actor), now=now, guard=parts.guard, policy=parts.policy)
    if not review.rows:
        raise Conflict("this would change nothing: there is nothing to propose")
    reasons = parts.policy.rule.reasons(review.tally)
    with database.transaction() as tx:
        same = tx.proposals.same(actor.id, request.kind, review.digest, now=now)
        if same is not None:
            return Proposal(same, State.OPEN)
        if tx.proposals.count(OPEN, now=now, most=MOST_OPEN, actor=actor.id) >= MOST_OPEN:
            raise Conflict(f"{MOST_OPEN} proposals of yours wait already; withdraw some, or have them decided")
        record = ProposalRecord(
            tx.proposals.next_id(),
            State.OPEN,
            request.kind,
            request.title,
            actor.id,
            actor.name,
            Proposer.live(actor).as_dict(),
            now,
            now + parts.policy.proposals_last,
            reason,
            [each._asdict() for each in reasons],
            request.import_id,
            review.as_dict(),
            None if review.tally.everywhere else frozenset(review.tally.groups),
            0 if head is None else head.id,
            review.digest,
        )
        tx.proposals.add(record, asked)
        record_event(tx, Header(actor, "proposal.made", now, reason), told(record))
        return Proposal(record, State.OPEN)


# -- looking ----------------------------------------------------------------------------------------------------------


def find(
    database: Database,
    state: State | None,
    *,
    actor: Actor,
    now: datetime,
    limit: int,
    before: int | None = None,
    mine: bool | None = None,
) -> Found:
    """Return a page of the proposals that exist for *actor*: those in *state*, their own, or those of others."""
    require(actor, Permission.INDICATORS_READ)
    found: list[Proposal] = []
    # What has run out, and nobody has said so yet, is kept as open.
    kept_as = OPEN if state is State.OPEN else None if state is State.EXPIRED else state
    with database.snapshot() as tx:
        while True:
            records = tx.proposals.page(kept_as, before=before, limit=_WALKED, actor=actor.id if mine else None)
            for record in records:
                each = _at(record, now)
                wanted = state is None or each.state is state
                if wanted and _exists_for(actor, record) and (mine is not False or record.actor != actor.id):
                    if len(found) == limit:
                        return Found(found, found[-1].id)
                    found.append(each)
            if len(records) < _WALKED:
                return Found(found, None)
            before = records[-1].id


def count_open(database: Database, *, actor: Actor, now: datetime, most: int = 100) -> int:
    """Return how many proposals wait that exist for *actor*, counting no further than *most*."""
    if not actor.may(Permission.INDICATORS_READ):
        return 0
    if not actor.sees_all:
        return len(find(database, State.OPEN, actor=actor, now=now, limit=most).items)
    with database.snapshot() as tx:
        return tx.proposals.count(OPEN, now=now, most=most)


def show(
    database: Database, number: int, *, actor: Actor, now: datetime, parts: Parts, again: bool | None = None
) -> Shown:
    """Return proposal *number*, with what it would do by now where that is something else; raises `NotFound`.

    *again* says whether to make the plan again; None: where it is short.
    """
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        proposal = proposal_in(tx, number, actor, now)
        record = proposal.record
        comments = tuple(tx.proposals.comments(number))
        mine = is_the_same(tx, actor, record)
        request = request_of(record.kind, tx.proposals.request(number))
        try:
            proposer = proposer_of(tx, record, now)
            in_the_way = None
        except Conflict as error:
            proposer, in_the_way = Proposer.kept(record), str(error)
    planned = Plan.of(record.summary, record.plan_digest)
    looks = proposal.state is State.OPEN and (again if again is not None else planned.counts["rows"] <= PLANNED_AGAIN)
    fresh, fault, review = None, None, None
    if looks:
        try:
            review = review_of(database, request, proposer, now=now, guard=parts.guard, policy=parts.policy)
        except IndiciaError as error:
            fault = f"nothing can come of it any more: {error}"
        if review is not None and not review.rows:
            fault = "nothing is left to do: what it asks for is so already"
        elif review is not None and review.digest != record.plan_digest:
            fresh = Plan.of(review.as_dict(), review.digest)
    in_the_way = in_the_way or hindrance(proposal, actor, mine=mine) or fault
    return Shown(proposal, planned, fresh, fault, looks, comments, mine, in_the_way)


# -- small helpers that the decisions share ---------------------------------------------------------------------------


def hindrance(proposal: Proposal, actor: Actor, *, mine: bool) -> str | None:
    """Return why *actor* cannot apply *proposal*, None where nothing but the store can be in the way."""
    if proposal.state is not State.OPEN:
        return f"it is {proposal.state} already"
    if mine:
        return "whoever proposes a change does not apply it: somebody else has to"
    missing = [each for each in needed(proposal.record.summary) if not actor.may(each)]
    if missing:
        return f"this needs the permission {' and '.join(missing)}"
    if not reaches(actor, proposal.record.rbac_group_names):
        return "it reaches devices of groups that are not yours"
    return None


def needed(summary: Mapping[str, Any]) -> list[Permission]:
    """Return what applying a plan with *summary* needs: to decide, and what the change itself needs."""
    needed = [Permission.PROPOSALS_DECIDE, Permission.INDICATORS_WRITE]
    return [*needed, Permission.INDICATORS_RELEASE] if summary["released"] else needed


def reaches(actor: Actor, groups: frozenset[str] | None) -> bool:
    """Return whether everything that is scoped to *groups*, None for every device, is for *actor* to change."""
    return actor.sees_all or (not actor.sees_only_own and groups is not None and actor.reaches(groups))


def _exists_for(actor: Actor, record: ProposalRecord) -> bool:
    return record.actor == actor.id or reaches(actor, record.rbac_group_names)


def proposal_in(tx: Transaction, number: int, actor: Actor, now: datetime) -> Proposal:
    """Return proposal *number*; `NotFound` where there is none, or none that exists for *actor*."""
    record = tx.proposals.get(number)
    if record is None or not _exists_for(actor, record):
        raise NotFound(f"there is no proposal {number}")
    return _at(record, now)


def _at(record: ProposalRecord, now: datetime) -> Proposal:
    late = record.state == OPEN and record.expires_at <= now
    return Proposal(record, State.EXPIRED if late else State(record.state))


def told(record: ProposalRecord) -> dict[str, Any]:
    """Return what the chain keeps of a proposal."""
    counts = {name: record.summary[name] for name in ("rows", "created", "updated", "deleted", "released", "allowed")}
    return {
        "proposal": record.id,
        "kind": record.kind,
        "title": record.title,
        "plan": record.plan_digest.hex(),
        "why": [each["need"] for each in record.why],
        **counts,
    }
