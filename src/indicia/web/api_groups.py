"""Device groups, their ranks and rules; and who is asking."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.access import Permission
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.grouping import rule_as_list
from indicia.services import groups
from indicia.services.group_preview import Preview, preview
from indicia.services.groups import GroupRow
from indicia.services.idempotency import Reply
from indicia.store.database import Database
from indicia.store.groups import DeviceGroup
from indicia.web import api_device_models, api_models
from indicia.web.api_call import Call, CallDep, Key, checked_text, object_of, reply, require_type, sent, text_of
from indicia.web.dependencies import JsonBodyDep
from indicia.web.problems import documented

router = APIRouter(prefix="/v1", default_response_class=Response)


@router.get(
    "/groups",
    tags=["Device groups"],
    summary="List device groups",
    responses={200: {"model": api_device_models.DeviceGroupList}, **documented(400, 401, 403, 503)},
)
def list_groups(call: CallDep) -> Response:
    """Every device group that you may name, the highest ranked first."""
    if not call.actor.may(Permission.DEVICES_READ):
        items = [group_as_dict(group) for group in groups.list_groups(call.database, actor=call.actor)]
        return sent(reply({"items": items, "ungrouped": None}))
    found = groups.overview(call.database, actor=call.actor, now=call.now)
    return sent(reply({"items": [_row(each) for each in found.groups], "ungrouped": found.ungrouped}))


@router.post(
    "/groups",
    tags=["Device groups"],
    status_code=201,
    summary="Add a device group",
    responses={201: {"model": api_device_models.DeviceGroup}, **documented(400, 401, 403, 409, 413, 415, 422, 503)},
    openapi_extra=api_models.body(
        api_device_models.NEW_GROUP, {"name": "Servers", "rank": 1, "rules": api_device_models.RULES_EXAMPLE}
    ),
)
def add_group(call: CallDep, body: JsonBodyDep, *, key: Key = None) -> Response:
    """Add a device group: without a rank it is the lowest, at one that is taken the others move down.

    The devices that its rules match, and that are in no higher ranked group, are in it at once.
    """
    require_type(call.request, "application/json")
    fields = object_of(body, ["name", "rank", "rules", "description"])
    name, rank = text_of(fields, "name") or "", _rank(fields.get("rank"))
    description = text_of(fields, "description")
    rules = fields.get("rules")

    def work(database: Database) -> Reply:
        group = groups.add_group(
            database,
            name,
            rank,
            rules=[] if rules is None else rules,
            description=description,
            actor=call.actor,
            now=call.now,
            grouping=call.app.grouping,
        )
        return reply(_shown(call, database, group.name), 201)

    return call.once(key, lambda: orjson.dumps(body), work)


@router.post(
    "/groups/preview",
    tags=["Device groups"],
    summary="Preview the rules of a device group",
    responses={200: {"model": api_device_models.GroupPreview}, **documented(400, 401, 403, 404, 413, 415, 503)},
    openapi_extra=api_models.body(
        api_device_models.PREVIEW, {"name": None, "rank": 1, "rules": api_device_models.RULES_EXAMPLE}
    ),
)
def preview_group(call: CallDep, body: JsonBodyDep) -> Response:
    """What rules would do as those of a device group, or of a new one: who is in it, from where, and who leaves."""
    require_type(call.request, "application/json")
    fields = object_of(body, ["name", "rank", "rules"])
    found = preview(
        call.database,
        fields.get("rules"),
        actor=call.actor,
        name=text_of(fields, "name"),
        rank=_rank(fields.get("rank")),
    )
    return sent(reply(preview_as_dict(found)))


@router.get(
    "/groups/{name:path}",
    tags=["Device groups"],
    summary="Read a device group",
    responses={200: {"model": api_device_models.DeviceGroup}, **documented(400, 401, 403, 404, 503)},
)
def read_group(call: CallDep, name: str) -> Response:
    """A device group, its rules, and how many devices and indicators it has."""
    return sent(reply(_shown(call, call.database, checked_text(name, "name") or "")))


@router.patch(
    "/groups/{name:path}",
    tags=["Device groups"],
    summary="Change a device group",
    responses={200: {"model": api_device_models.ChangedGroup}, **documented(400, 401, 403, 404, 409, 413, 415, 503)},
    openapi_extra=api_models.body(api_device_models.GROUP_CHANGE, {"rules": api_device_models.RULES_EXAMPLE}),
)
def change_group(call: CallDep, name: str, body: JsonBodyDep) -> Response:
    """Change the members that are sent; devices are in their new groups, and scopes name the new name, at once."""
    require_type(call.request, "application/json", "application/merge-patch+json")
    fields = object_of(body, ["name", "rank", "rules", "description"])
    given, to, rank = checked_text(name, "name") or "", text_of(fields, "name"), _rank(fields.get("rank"))
    description = (text_of(fields, "description") or "") if "description" in fields else None
    rules = ([] if fields["rules"] is None else fields["rules"]) if "rules" in fields else None
    changed = groups.change_group(
        call.database,
        given,
        rules=rules,
        description=description,
        to=to,
        rank=rank,
        actor=call.actor,
        now=call.now,
        grouping=call.app.grouping,
    )
    shown = _shown(call, call.database, changed.group.name)
    return sent(reply(shown | {"moved": changed.moved, "renamed": changed.renamed}))


@router.delete(
    "/groups/{name:path}",
    tags=["Device groups"],
    status_code=204,
    summary="Remove a device group",
    responses={**documented(400, 401, 403, 404, 409, 503)},
)
def remove_group(call: CallDep, name: str) -> Response:
    """Remove a device group; 409 where indicators are scoped to it, or somebody is limited to it."""
    given = checked_text(name, "name") or ""
    groups.remove_group(call.database, given, actor=call.actor, now=call.now, grouping=call.app.grouping)
    return Response(None, 204)


@router.get(
    "/me",
    tags=["You"],
    summary="Read who you are",
    responses={200: {"model": api_models.Me}, **documented(400, 401, 403, 503)},
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
        "groups": None if actor.groups is None else sorted(actor.groups),
    }
    return sent(reply(body))


def group_as_dict(group: DeviceGroup) -> dict[str, Any]:
    """Return the shape of a device group, for whoever may not read devices."""
    more = dict.fromkeys(("description", "rules", "members", "indicators"))
    return {"id": str(group.id), "name": group.name, "rank": group.rank, **more}


def preview_as_dict(found: Preview) -> dict[str, Any]:
    """Return the shape of a preview."""
    return {
        "matching": found.matching,
        "members": found.members,
        "sample": list(found.sample),
        "joining": [{"group": group, "devices": number} for group, number in found.joining],
        "leaving": [{"group": group, "devices": number} for group, number in found.leaving],
    }


def _row(row: GroupRow) -> dict[str, Any]:
    group, members, indicators = row
    return {
        "id": str(group.id),
        "name": group.name,
        "rank": group.rank,
        "description": group.description,
        "rules": rule_as_list(group.rule),
        "members": members,
        "indicators": indicators,
    }


def _shown(call: Call, database: Database, name: str) -> dict[str, Any]:
    return _row(groups.show_group(database, name, actor=call.actor, now=call.now))


def _rank(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidInput(
            [Problem("invalid-rank", "a rank is an integer from 1 to 1000000", "rank", str(value)[:200])]
        )
    return value
