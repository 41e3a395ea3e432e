"""What becomes of a proposal: somebody else applies or declines it, its maker withdraws it, or it runs out."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final, NamedTuple

from indicia.domain.access import Actor, Permission, require, system_actor
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, Problem
from indicia.services.policy import Approval
from indicia.services.proposals import (
    Parts,
    Proposal,
    State,
    hindrance,
    needed,
    proposal_in,
    reaches,
    told,
)
from indicia.services.proposing import is_the_same, proposer_of, reviewed
from indicia.services.request import Parts as Means
from indicia.services.requests import request_of
from indicia.services.reviewing import Review
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.joined import Joined
from indicia.store.proposals import CommentRecord

#: The code of the problem about a plan that has become another one; its value is the digest of what it is now.
PLAN_CHANGED: Final = "plan-changed"
MOST_COMMENTS: Final = 200
COMMENT_CHARACTERS: Final = 2_000
_EXPIRED_AT_ONCE: Final = 200
# What no text of ours has: control characters but tab and line breaks, and halves of characters.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Applied(NamedTuple):
    """A proposal that was applied, and the changeset that it became."""

    proposal: Proposal
    changeset: int


def apply(
    database: Database,
    number: int,
    *,
    plan: str,
    actor: Actor,
    now: datetime,
    parts: Parts,
    comment: str | None = None,
) -> Applied:
    """Do what proposal *number* asks for, as one changeset of *actor* that names who proposed it.

    *plan* is the digest of what *actor* was shown: `Conflict` where it would do something else by now, naming the
    digest of that. `Forbidden` for whoever proposed it, and where *actor* lacks what the change itself needs.
    """
    require(actor, Permission.PROPOSALS_DECIDE)
    said = None if comment is None or not comment.strip() else checked_comment(comment)
    with database.transaction() as tx:
        proposal = proposal_in(tx, number, actor, now)
        record = proposal.record
        _require_open(proposal)
        mine = is_the_same(tx, actor, record)
        problem = hindrance(proposal, actor, mine=mine)
        if problem is not None:
            raise Forbidden(f"proposal {number}: {problem}")
        proposer = proposer_of(tx, record, now)
        review = Review(told=False)
        approval = Approval(actor, number, record.actor, record.actor_name)
        policy = reviewed(parts.policy, review)._replace(approval=approval)
        tip = tx.changesets.tip()
        before = 0 if tip is None else tip.id
        request = request_of(record.kind, tx.proposals.request(number))
        request.perform(Means(Joined(tx), proposer.actor(), now, parts.guard, policy), dry_run=False)
        _require_as_shown(review, plan)
        lacking = [each for each in needed({"released": review.tally.released}) if not actor.may(each)]
        groups = None if review.tally.everywhere else frozenset(review.tally.groups)
        if lacking or not reaches(actor, groups):
            raise Forbidden(f"proposal {number}: you may not do all that it does; somebody who may has to apply it")
        changeset = before + 1
        _decide(tx, proposal, State.APPLIED, actor, now, changeset=changeset)
        if said is not None:
            _say(tx, number, said, actor, now)
        details = told(record) | {"plan": review.digest.hex(), "changeset": changeset, "comment": said}
        record_event(tx, Header(actor, "proposal.applied", now, said), details)
        return Applied(proposal_in(tx, number, actor, now), changeset)


def decline(database: Database, number: int, *, actor: Actor, now: datetime, comment: str) -> Proposal:
    """Say no to proposal *number*, and why."""
    require(actor, Permission.PROPOSALS_DECIDE)
    said = checked_comment(comment)
    with database.transaction() as tx:
        proposal = proposal_in(tx, number, actor, now)
        _require_open(proposal)
        if is_the_same(tx, actor, proposal.record):
            raise Forbidden(f"proposal {number} is yours: withdraw it instead")
        _decide(tx, proposal, State.DECLINED, actor, now)
        _say(tx, number, said, actor, now)
        record_event(tx, Header(actor, "proposal.declined", now, said), told(proposal.record))
        return proposal_in(tx, number, actor, now)


def withdraw(database: Database, number: int, *, actor: Actor, now: datetime, comment: str | None = None) -> Proposal:
    """Take back proposal *number*, which is the actor's own."""
    require(actor, Permission.INDICATORS_PROPOSE, Permission.INDICATORS_WRITE)
    said = None if comment is None or not comment.strip() else checked_comment(comment)
    with database.transaction() as tx:
        proposal = proposal_in(tx, number, actor, now)
        _require_open(proposal)
        if not is_the_same(tx, actor, proposal.record):
            raise Forbidden(f"proposal {number} is not yours: decline it instead")
        _decide(tx, proposal, State.WITHDRAWN, actor, now)
        if said is not None:
            _say(tx, number, said, actor, now)
        record_event(tx, Header(actor, "proposal.withdrawn", now, said), told(proposal.record))
        return proposal_in(tx, number, actor, now)


def comment(database: Database, number: int, text: str, *, actor: Actor, now: datetime) -> CommentRecord:
    """Say something about proposal *number*; who may decide may, and so may who proposed it."""
    require(actor, Permission.PROPOSALS_DECIDE, Permission.INDICATORS_PROPOSE, Permission.INDICATORS_WRITE)
    said = checked_comment(text)
    with database.transaction() as tx:
        proposal = proposal_in(tx, number, actor, now)
        made = _say(tx, number, said, actor, now)
        details = {"proposal": proposal.id, "comment": made.number}
        record_event(tx, Header(actor, "proposal.commented", now, said), details)
        return made


def expire(database: Database, *, now: datetime) -> int:
    """Close some of the proposals that have run out; return how many."""
    with database.snapshot() as tx:
        if not tx.proposals.run_out(now, 1):
            return 0
    actor = system_actor("expiry")
    with database.transaction() as tx:
        late = tx.proposals.run_out(now, _EXPIRED_AT_ONCE)
        for record in late:
            tx.proposals.decide(record.id, State.EXPIRED, decided_at=now)
            record_event(tx, Header(actor, "proposal.expired", now), told(record))
    return len(late)


def checked_comment(text: str) -> str:
    """Return *text* as it is kept; `InvalidInput` where nothing is said, or too much."""
    said = text.strip()
    if not said:
        raise InvalidInput([Problem("missing", "say why: it is kept with the proposal", "comment")])
    if len(said) > COMMENT_CHARACTERS:
        message = f"{len(said):,} characters are given, at most {COMMENT_CHARACTERS:,} are allowed"
        raise InvalidInput([Problem("too-long", message, "comment")])
    if _CONTROL.search(said):
        raise InvalidInput([Problem("control-character", "control characters are not allowed", "comment")])
    return said


def _require_open(proposal: Proposal) -> None:
    if proposal.state is not State.OPEN:
        by = f" by {proposal.record.decided_by_name}" if proposal.record.decided_by_name else ""
        raise Conflict(f"proposal {proposal.id} is {proposal.state} already{by}")


def _require_as_shown(review: Review, plan: str) -> None:
    if not review.rows:
        message = "nothing is left to do: what it asks for is so already; decline it"
        raise Conflict(message, [Problem(PLAN_CHANGED, message, "plan", review.digest.hex())])
    if review.digest.hex() != plan.strip().lower():
        message = "since this was shown, what it concerns was changed; look at what it would do now, and apply that"
        raise Conflict(message, [Problem(PLAN_CHANGED, message, "plan", review.digest.hex())])


def _decide(tx: Transaction, proposal: Proposal, state: State, actor: Actor, now: datetime, **more: Any) -> None:
    if not tx.proposals.decide(
        proposal.id, state, decided_at=now, decided_by=actor.id, decided_by_name=actor.name, **more
    ):
        raise Conflict(f"somebody else decided proposal {proposal.id} just now; look at it again")
    if proposal.record.import_id is not None and state is not State.APPLIED:
        tx.imports.keep_since(proposal.record.import_id, now)


def _say(tx: Transaction, number: int, text: str, actor: Actor, now: datetime) -> CommentRecord:
    said = len(tx.proposals.comments(number))
    if said >= MOST_COMMENTS:
        raise Conflict(f"{MOST_COMMENTS} comments were made on this proposal already, the most there may be")
    made = CommentRecord(said + 1, now, actor.id, actor.name, text)
    tx.proposals.comment(number, made)
    return made
