"""Devices: registering them, one or many, finding them, and their tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from indicia.domain.device import Device
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.grouping import rule_as_list
from indicia.exporters.entity import seconds
from indicia.services import devices, groups
from indicia.services.devices import MOST_AT_ONCE, Outcome, Shown, Why
from indicia.services.idempotency import Reply
from indicia.store.database import Database
from indicia.store.devices import Devices
from indicia.web import api_device_models as models
from indicia.web.api_call import (
    Call,
    CallDep,
    Cursor,
    Key,
    Limit,
    checked_text,
    media_type,
    object_of,
    reply,
    require_type,
    sent,
)
from indicia.web.api_models import body
from indicia.web.dependencies import JsonBodyDep, RawBodyDep, parse_json
from indicia.web.problems import documented
from indicia.web.verdict_lines import NDJSON

router = APIRouter(prefix="/v1", tags=["Devices"], default_response_class=Response)
_SEARCH_CHARACTERS: Final = 256
_MANY: Final = {"type": "array", "items": models.DEVICE, "minItems": 1, "maxItems": MOST_AT_ONCE}
_LINES: Final = {"type": "string", "format": "binary", "description": "a device, a line"}
_BODIES: Final = {
    "application/json": {"schema": _MANY, "example": [models.DEVICE_EXAMPLE]},
    NDJSON: {"schema": _LINES, "example": '{"name":"srv-web-01.corp.example"}\n{"name":"pc-7","tags":["lab"]}\n'},
}


@router.get(
    "/devices",
    summary="List devices",
    responses={200: {"model": models.DevicePage}, **documented(400, 401, 403, 503)},
)
def list_devices(
    call: CallDep,
    *,
    search: Annotated[
        str | None,
        Query(description="part of a name, an address, a tag or a machine id", max_length=_SEARCH_CHARACTERS),
    ] = None,
    group: Annotated[
        str | None, Query(description="the name of a device group; empty: devices in none", max_length=256)
    ] = None,
    tag: Annotated[str | None, Query(description="a whole tag", max_length=_SEARCH_CHARACTERS)] = None,
    count: Annotated[bool, Query(description="say how many match in all")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The devices that you see, by their number."""
    bound = ("devices", search or "", "-" if group is None else f"={group}", tag or "")
    after = call.position(cursor, *bound) or 0
    wanted = Devices(search=checked_text(search, "search"), tag=checked_text(tag, "tag"))
    checked_text(group, "group")
    items, more = devices.numbered(call.database, wanted, actor=call.actor, group=group, after=after, limit=limit)
    total = devices.count_devices(call.database, wanted, actor=call.actor, group=group) if count else None
    following = call.next_link(items[-1].device.id, *bound) if more else None
    return sent(reply({"items": [device_as_dict(each) for each in items], "next": following, "count": total}))


@router.post(
    "/devices",
    status_code=201,
    summary="Register a device",
    responses={
        200: {"model": models.Device, "description": "it was registered before"},
        201: {"model": models.Device},
        **documented(400, 401, 403, 409, 413, 415, 422, 503),
    },
    openapi_extra=body(models.DEVICE, models.DEVICE_EXAMPLE),
)
def register_device(call: CallDep, body: JsonBodyDep, *, key: Key = None) -> Response:
    """Keep what a device reports, found by its machine id, and put it into its device group."""
    require_type(call.request, "application/json")
    object_of(body)

    def work(database: Database) -> Reply:
        [outcome] = _register(call, database, [body])
        if outcome.device is None:
            raise InvalidInput([problem.at(line=None) for problem in outcome.problems])
        shown = devices.show_device(database, outcome.device.machine_id, actor=call.actor)
        status = 201 if outcome.outcome == "created" else 200
        return reply(device_as_dict(shown), status, {"Location": f"/v1/devices/{outcome.device.machine_id}"})

    return call.once(key, lambda: orjson.dumps(body), work)


@router.put(
    "/devices",
    summary="Register many devices",
    responses={200: {"model": models.RegisteredMany}, **documented(400, 401, 403, 409, 413, 415, 503)},
    openapi_extra={"requestBody": {"required": True, "content": _BODIES}},
)
def register_devices(call: CallDep, data: RawBodyDep) -> Response:
    """Keep what up to 5,000 devices report: a JSON array, or NDJSON; a bad one fails alone, and says why.

    What a report does not say stays as it is known; sending it again changes nothing.
    """
    require_type(call.request, "application/json", NDJSON)
    outcomes = _register(call, call.database, _reports(data, lines=media_type(call.request) == NDJSON))
    names = {group.id: group.name for group in groups.list_groups(call.database)}
    counts = {name: sum(each.outcome == name for each in outcomes) for name in _OUTCOMES}
    return sent(reply({**counts, "results": [_outcome(each, names) for each in outcomes]}))


@router.get(
    "/devices/{id}",
    summary="Read a device",
    responses={200: {"model": models.DeviceWithWhy}, **documented(400, 401, 403, 404, 503)},
)
def read_device(call: CallDep, id: str) -> Response:
    """A device by its machine id, its name or its number, and why it is in its device group."""
    shown = devices.show_device(call.database, checked_text(id, "id") or "", actor=call.actor)
    why = devices.why_grouped(call.database, shown.device, actor=call.actor)
    return sent(reply(device_as_dict(shown) | {"why": _why(why)}))


@router.delete(
    "/devices/{id}",
    status_code=204,
    summary="Remove a device",
    responses={**documented(400, 401, 403, 404, 503)},
)
def remove_device(call: CallDep, id: str) -> Response:
    """Forget a device; one that reports again is a new one."""
    devices.remove_devices(call.database, [checked_text(id, "id") or ""], actor=call.actor, now=call.now)
    return Response(None, 204)


@router.post(
    "/devices/{id}/tags",
    summary="Change the tags of a device",
    responses={200: {"model": models.Device}, **documented(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    openapi_extra=body(models.TAGS, {"add": ["lab"], "remove": ["web"]}),
)
def tag_device(call: CallDep, id: str, body: JsonBodyDep, *, key: Key = None) -> Response:
    """Give a device tags and take some away; its device group may be another one after that."""
    require_type(call.request, "application/json")
    fields = object_of(body, ["add", "remove"])
    add, remove = (_texts(fields, name) for name in ("add", "remove"))
    named = checked_text(id, "id") or ""

    def work(database: Database) -> Reply:
        shown = devices.tag_device(
            database, named, add=add, remove=remove, actor=call.actor, now=call.now, grouping=call.app.grouping
        )
        return reply(device_as_dict(shown))

    return call.once(key, lambda: orjson.dumps(body), work)


_OUTCOMES: Final = ("created", "updated", "unchanged", "refused")


def device_as_dict(shown: Shown) -> dict[str, Any]:
    """Return the shape of a device."""
    return _device(shown.device, shown.group)


def _device(device: Device, group: str | None) -> dict[str, Any]:
    return {
        "id": str(device.id),
        "machineId": device.machine_id,
        "name": device.name,
        "domain": device.domain,
        "osPlatform": device.os_platform,
        "osVersion": device.os_version,
        "tags": list(device.tags),
        "addresses": list(device.addresses),
        "group": group,
        "firstSeen": seconds(device.first_seen),
        "lastSeen": seconds(device.last_seen),
        "registeredBy": device.registered_by,
    }


def _outcome(each: Outcome, names: dict[int, str]) -> dict[str, Any]:
    device = each.device
    shape = None if device is None else _device(device, None if device.group is None else names.get(device.group))
    problems = [problem.as_dict() for problem in each.problems]
    return {"outcome": each.outcome, "device": shape, "problems": problems}


def _why(why: Why) -> dict[str, Any]:
    passed = [
        {"group": each.group.name, "rank": each.group.rank, "unmet": None if each.unmet is None else each.unmet.value}
        for each in why.passed
    ]
    return {"rule": None if why.group is None else rule_as_list(why.group.rule), "passed": passed, "more": why.more}


def _register(call: Call, database: Database, given: Sequence[Any]) -> list[Outcome]:
    return devices.register(database, given, actor=call.actor, now=call.now, grouping=call.app.grouping)


def _reports(data: bytes, *, lines: bool) -> list[Any]:
    if not lines:
        given = parse_json(data)
        if not isinstance(given, list):
            raise InvalidInput([Problem("not-a-list", "a list of devices is wanted; POST takes one", "devices")])
        return given
    found = [line for line in data.splitlines() if line.strip()]
    if len(found) > MOST_AT_ONCE:
        return found  # too many: said before any is read
    return [parse_json(line) for line in found]


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidInput([Problem("not-a-list", "a list of texts is wanted", name)])
    return [checked_text(each, name) or "" for each in value]
