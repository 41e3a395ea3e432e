"""How our own API answers a change that takes a second person: 202, with the proposal that was made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import Field

from indicia.services.idempotency import Reply
from indicia.services.proposal_shapes import proposal_as_dict
from indicia.services.proposals import Parts, Proposal, or_propose
from indicia.services.requests import Request
from indicia.store.database import Database
from indicia.web.api_call import Call, reply
from indicia.web.api_models import Model

Propose = Annotated[
    bool, Query(description="leave it as a proposal that somebody else applies, whatever the rules say")
]


class Need(Model):
    """Why a change takes a second person."""

    need: Literal["release", "allow", "rows"]
    count: int
    limit: int | None
    detail: str


class Counts(Model):
    """What a plan does to indicators."""

    rows: int = Field(description="all that it touches")
    created: int
    updated: int
    deleted: int
    held: int
    released: int
    allowed: int


class ProposalShape(Model):
    """A change that waits for a second person."""

    id: str
    state: Literal["open", "applied", "declined", "withdrawn", "expired"]
    kind: str
    title: str
    proposed_by: str
    proposed_by_name: str
    at: str
    expires: str
    reason: str | None
    reasons: list[Need] = Field(description="empty where nobody had to ask")
    counts: Counts
    plan: str = Field(description="the digest of what was proposed")
    decided_at: str | None
    decided_by: str | None
    decided_by_name: str | None
    changeset: int | None


#: What an operation says of itself that may have to wait.
WAITS: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": ProposalShape, "description": "it takes a second person: the proposal that was made of it"}
}


def parts_of(call: Call) -> Parts:
    """Return what plans are made with."""
    return Parts(call.app.guard, call.app.policy)


def or_wait(
    call: Call,
    database: Database,
    work: Callable[[Database], Reply],
    request: Callable[[Database], Request],
    *,
    propose: bool,
    reason: str | None,
) -> Reply:
    """Return the answer of *work*, or that it waits, where it takes a second person or somebody asks for one."""
    done = or_propose(
        database,
        work,
        request,
        actor=call.actor,
        now=call.now,
        parts=parts_of(call),
        ask=propose,
        reason=reason,
    )
    return waiting(done) if isinstance(done, Proposal) else done


def waiting(proposal: Proposal) -> Reply:
    """Return the answer that *proposal* was made, and where it is."""
    return reply(proposal_as_dict(proposal), 202, {"Location": f"/v1/proposals/{proposal.id}"})
