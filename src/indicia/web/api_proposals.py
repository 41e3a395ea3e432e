"""Proposals: look at them, talk about them, apply, decline and withdraw them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from indicia.services import deciding, proposals
from indicia.services.idempotency import Reply
from indicia.services.proposal_shapes import proposal_as_dict, shown_as_dict
from indicia.services.proposals import State
from indicia.store.database import Database
from indicia.web import api_models as models
from indicia.web.api_call import CallDep, Cursor, Key, Limit, number_of, object_of, reply, require_type, sent, text_of
from indicia.web.api_models import Model
from indicia.web.api_proposing import Counts, ProposalShape, parts_of
from indicia.web.dependencies import JsonBodyDep, RawBodyDep, parse_json
from indicia.web.problems import documented

router = APIRouter(prefix="/v1/proposals", tags=["Proposals"], default_response_class=Response)

_JSON: Final = "application/json"
_COMMENT: Final[dict[str, Any]] = {"type": "string", "maxLength": deciding.COMMENT_CHARACTERS, "minLength": 1}


def _shape(*required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_APPLY: Final = _shape("plan", plan={"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}, comment=_COMMENT)
_SAY: Final = _shape("comment", comment=_COMMENT)
_MAY_SAY: Final = _shape(comment=_COMMENT)


class ProposalPage(Model):
    """Some proposals, the newest first."""

    items: list[ProposalShape]
    next: str | None


class Change(Model):
    """One field of an indicator, before and after."""

    field: str
    before: str | None
    after: str | None


class Row(Model):
    """What a plan does to one indicator; texts are cut short."""

    id: str | None
    effect: Literal["created", "updated", "deleted"]
    need: Literal["release", "allow"] | None
    type: str
    value: str
    action: str
    title: str
    changes: list[Change]


class PlanShape(Model):
    """What applying a proposal does."""

    plan: str
    counts: Counts
    rows: list[Row]
    more: int


class Comment(Model):
    """What somebody said about a proposal."""

    number: int
    at: str
    by: str
    by_name: str
    text: str


class ShownProposal(ProposalShape):
    """A proposal as it is looked at."""

    planned: PlanShape
    now: PlanShape | None
    looked_again: bool
    in_the_way: str | None
    mine: bool
    comments: list[Comment]


@router.get(
    "",
    summary="List proposals",
    responses={200: {"model": ProposalPage}, **documented(400, 401, 403, 503)},
)
def list_proposals(
    call: CallDep,
    *,
    state: Annotated[
        Literal["open", "applied", "declined", "withdrawn", "expired"] | None, Query(description="only those")
    ] = None,
    mine: Annotated[bool | None, Query(description="only your own, or only those of others")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """A page of proposals, the newest first."""
    bound = ("proposals", state or "", str(mine))
    found = proposals.find(
        call.database,
        None if state is None else State(state),
        actor=call.actor,
        now=call.now,
        limit=limit,
        before=call.position(cursor, *bound),
        mine=mine,
    )
    link = None if found.more_before is None else call.next_link(found.more_before, *bound)
    body = {"items": [proposal_as_dict(each) for each in found.items], "next": link}
    return sent(reply(body, headers={"Link": f'<{link}>; rel="next"'} if link else None))


@router.get(
    "/{id}",
    summary="Read a proposal",
    responses={200: {"model": ShownProposal}, **documented(400, 401, 403, 404, 503)},
)
def read_proposal(
    call: CallDep,
    id: str,
    *,
    again: Annotated[
        bool | None, Query(description="make the plan again, or not; by default where it is short")
    ] = None,
) -> Response:
    """One proposal: what it was meant to do, and in `now` what it would do by now where that is something else."""
    shown = proposals.show(
        call.database, _number(id), actor=call.actor, now=call.now, parts=parts_of(call), again=again
    )
    return sent(reply(shown_as_dict(shown)))


@router.post(
    "/{id}/apply",
    summary="Apply a proposal",
    responses={200: {"model": ProposalShape}, **documented(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    openapi_extra=models.body(_APPLY, {"plan": "0f" * 32, "comment": "Checked with the owner."}),
)
def apply_proposal(call: CallDep, id: str, body: JsonBodyDep, *, key: Key = None) -> Response:
    """Do what somebody else proposed. `plan` is the digest of what you were shown: 409 where it is another by now."""
    require_type(call.request, _JSON)
    number = _number(id)
    fields = object_of(body, ["plan", "comment"])
    plan, comment = text_of(fields, "plan") or "", _comment(fields)

    def work(database: Database) -> Reply:
        done = deciding.apply(
            database, number, plan=plan, actor=call.actor, now=call.now, parts=parts_of(call), comment=comment
        )
        return reply(proposal_as_dict(done.proposal))

    return call.once(key, lambda: orjson.dumps(body), work)


@router.post(
    "/{id}/decline",
    summary="Decline a proposal",
    responses={200: {"model": ProposalShape}, **documented(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    openapi_extra=models.body(_SAY, {"comment": "This is still in use by the branch in Kiel."}),
)
def decline_proposal(call: CallDep, id: str, body: JsonBodyDep, *, key: Key = None) -> Response:
    """Say no to what somebody else proposed, and why."""
    require_type(call.request, _JSON)
    number, comment = _number(id), _comment(object_of(body, ["comment"])) or ""

    def work(database: Database) -> Reply:
        done = deciding.decline(database, number, actor=call.actor, now=call.now, comment=comment)
        return reply(proposal_as_dict(done))

    return call.once(key, lambda: orjson.dumps(body), work)


@router.post(
    "/{id}/withdraw",
    summary="Withdraw a proposal",
    responses={200: {"model": ProposalShape}, **documented(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    openapi_extra=models.body(_MAY_SAY, {"comment": "The wrong value."}, required=False),
)
def withdraw_proposal(call: CallDep, id: str, raw: RawBodyDep, *, key: Key = None) -> Response:
    """Take back what you proposed."""
    require_type(call.request, _JSON)
    number = _number(id)
    comment = _comment(object_of(parse_json(raw) if raw.strip() else {}, ["comment"]))

    def work(database: Database) -> Reply:
        done = deciding.withdraw(database, number, actor=call.actor, now=call.now, comment=comment)
        return reply(proposal_as_dict(done))

    return call.once(key, lambda: raw, work)


@router.post(
    "/{id}/comments",
    status_code=201,
    summary="Comment on a proposal",
    responses={201: {"model": Comment}, **documented(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    openapi_extra=models.body(_SAY, {"comment": "Is this the address of the new proxy?"}),
)
def comment_on_proposal(call: CallDep, id: str, body: JsonBodyDep, *, key: Key = None) -> Response:
    """Say something about a proposal; it is kept with it."""
    require_type(call.request, _JSON)
    number, comment = _number(id), _comment(object_of(body, ["comment"])) or ""

    def work(database: Database) -> Reply:
        made = deciding.comment(database, number, comment, actor=call.actor, now=call.now)
        at = made.at.isoformat().replace("+00:00", "Z")
        said = {"number": made.number, "at": at, "by": made.actor, "byName": made.actor_name, "text": made.text}
        return reply(said, 201)

    return call.once(key, lambda: orjson.dumps(body), work)


def _number(id: str) -> int:
    return number_of(id, "proposal")


def _comment(fields: dict[str, Any]) -> str | None:
    value = fields.get("comment")
    return text_of({"comment": value}, "comment") if not isinstance(value, str) else value
