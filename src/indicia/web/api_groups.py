"""Device groups, and who is asking."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import InvalidInput, Problem
from indicia.services import groups
from indicia.services.idempotency import Reply
from indicia.store.database import Database
from indicia.store.groups import DeviceGroup
from indicia.web import api_models as models
from indicia.web.api_call import CallDep, Key, checked_text, object_of, reply, require_type, sent, text_of
from indicia.web.dependencies import JsonBodyDep
from indicia.web.problems import documented

router = APIRouter(prefix="/v1", default_response_class=Response)


@router.get(
    "/groups",
    tags=["Device groups"],
    summary="List device groups",
    responses={200: {"model": models.GroupList}, **documented(400, 401, 403, 503)},
)
def list_groups(call: CallDep) -> Response:
    """Every device group, the highest ranked first."""
    return sent(reply({"items": [group_as_dict(group) for group in groups.list_groups(call.database)]}))


@router.post(
    "/groups",
    tags=["Device groups"],
    status_code=201,
    summary="Add a device group",
    responses={201: {"model": models.Group}, **documented(400, 401, 403, 409, 413, 415, 422, 503)},
    openapi_extra=models.body(models.NEW_GROUP, {"name": "Servers", "rank": 1}),
)
def add_group(call: CallDep, body: JsonBodyDep, *, key: Key = None) -> Response:
    """Add a device group; without a rank it is the lowest."""
    require_type(call.request, "application/json")
    fields = object_of(body, ["name", "rank"])
    name, rank = text_of(fields, "name") or "", _rank(fields.get("rank"))

    def work(database: Database) -> Reply:
        group = groups.add_group(database, name, rank, actor=call.actor, now=call.now)
        return reply(group_as_dict(group), 201)

    return call.once(key, lambda: orjson.dumps(body), work)


@router.delete(
    "/groups/{name:path}",
    tags=["Device groups"],
    status_code=204,
    summary="Remove a device group",
    responses={**documented(400, 401, 403, 404, 409, 503)},
)
def remove_group(call: CallDep, name: str) -> Response:
    """Remove a device group; 409 where indicators are scoped to it."""
    groups.remove_group(call.database, checked_text(name, "name") or "", actor=call.actor, now=call.now)
    return Response(None, 204)


@router.get(
    "/me",
    tags=["You"],
    summary="Read who you are",
    responses={200: {"model": models.Me}, **documented(400, 401, 403, 503)},
)
def read_me(call: CallDep) -> Response:
    """Who the token says you are, and what you may do."""
    actor = call.actor
    body = {
        "id": actor.id,
        "name": actor.name,
        "source": actor.source.value,
        "permissions": sorted(actor.permissions),
        "seesOnlyOwn": actor.sees_only_own,
    }
    return sent(reply(body))


def group_as_dict(group: DeviceGroup) -> dict[str, Any]:
    """Return the shape of a device group."""
    return {"id": str(group.id), "name": group.name, "rank": group.rank}


def _rank(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidInput(
            [Problem("invalid-rank", "a rank is an integer from 1 to 1000000", "rank", str(value)[:200])]
        )
    return value
