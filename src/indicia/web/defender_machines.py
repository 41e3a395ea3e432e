"""The Defender-compatible API of machines and of the exposure of their groups (SPEC 5.8, 10.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import orjson
from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.device import INACTIVE_AFTER
from indicia.domain.device_filter import parse_machines
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.query import InvalidFilter
from indicia.exporters.entity import precise
from indicia.services import devices, groups
from indicia.services.devices import Shown
from indicia.store.devices import Devices
from indicia.web import defender_schemas as schemas
from indicia.web.defender_errors import documented
from indicia.web.dependencies import ActorDep, AppDep, JsonBodyDep, NowDep
from indicia.web.origin import origin_of

ODATA_JSON: Final = "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"
_HEADERS: Final = {"Content-Type": ODATA_JSON, "OData-Version": "4.0"}
_OPTIONS: Final = ("filter", "top", "skip", "count", "skiptoken")
_DIGITS: Final = 18
_READING: Final = documented(400, 401, 403, 503)
_ID: Final = Path(description="the machine id, or the name of the device", examples=["srv-web-01.corp.example"])
_FILTER: Final = schemas.QUERY["parameters"][0] | {"example": "healthStatus eq 'Active'"}
_QUERY: Final = {"parameters": [_FILTER, *schemas.QUERY["parameters"][2:]]}

router = APIRouter(prefix="/api", tags=["Defender-compatible"])


class Machine(BaseModel):
    """A device as Defender shows it; what is not known here is null."""

    model_config = ConfigDict(extra="allow")

    id: str
    computerDnsName: str  # noqa: N815 a name of the API
    healthStatus: str  # noqa: N815 a name of the API
    rbacGroupName: str | None  # noqa: N815 a name of the API
    rbacGroupId: int = Field(description="0: in no device group")  # noqa: N815 a name of the API
    machineTags: list[str]  # noqa: N815 a name of the API


class MachinePage(BaseModel):
    """Some machines, and where more of them are."""

    context: str = Field(alias="@odata.context")
    count: int = Field(default=0, alias="@odata.count", description="only where `$count=true` was asked for")
    value: list[Machine]
    next: str = Field(default="", alias="@odata.nextLink", description="only where rows remain")


@router.get("/machines", response_model=MachinePage, responses=_READING, openapi_extra=_QUERY, name="Machines")
def list_machines(request: Request, app: AppDep, actor: ActorDep, now: NowDep) -> Response:
    """Return a page of machines: all of them, up to 10,000, unless the query says which.

    A client that may read indicators and no machines is answered with no rows: it tests its connection.
    """
    options = _Options.parse(request.url.query)
    reply: dict[str, Any] = {"@odata.context": _context(request, "Machines")}
    if not devices.are_read_by(actor):
        return _odata(reply | ({"@odata.count": 0} if options.count else {}) | {"value": []})
    wanted = Devices() if options.filter is None else devices.filtered(app.database, options.filter, now=now)
    items, more = devices.numbered(
        app.database, wanted, actor=actor, after=options.after, skip=options.skip, limit=options.top
    )
    if options.count:
        reply["@odata.count"] = devices.count_devices(app.database, wanted, actor=actor)
    reply["value"] = [machine(each, now) for each in items]
    if more and items:
        reply["@odata.nextLink"] = f"{origin_of(request)}/api/machines?{options.next_page(items[-1].device.id)}"
    return _odata(reply)


@router.get("/machines/{id}", response_model=Machine, responses=_READING | documented(404), name="Machine")
def show_machine(request: Request, app: AppDep, actor: ActorDep, now: NowDep, id: str = _ID) -> Response:
    """Return one machine by its id or its name."""
    shown = devices.show_device(app.database, id[:300], actor=actor)
    return _odata({"@odata.context": _context(request, "Machines/$entity")} | machine(shown, now))


@router.post(
    "/machines/{id}/tags",
    response_model=Machine,
    responses=documented(400, 401, 403, 404, 413, 503),
    openapi_extra=schemas.body_of(
        {
            "type": "object",
            "required": ["Value", "Action"],
            "properties": {
                "Value": {"type": "string", "minLength": 1, "maxLength": 200},
                "Action": {"enum": ["Add", "Remove"]},
            },
        }
    ),
    name="Tag a machine",
)
def tag_machine(
    request: Request, app: AppDep, actor: ActorDep, now: NowDep, body: JsonBodyDep, id: str = _ID
) -> Response:
    """Give a machine a tag, or take one away; its device group may be another one after that."""
    given = {str(name).lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
    tag, action = given.get("value"), given.get("action")
    if not isinstance(tag, str) or not isinstance(action, str) or action.lower() not in ("add", "remove"):
        message = "Value, a text, and Action, Add or Remove, are wanted"
        raise InvalidInput([Problem("missing", message, "Value", allowed=("Add", "Remove"))])
    adds = action.lower() == "add"
    shown = devices.tag_device(
        app.database,
        id[:300],
        add=[tag] if adds else [],
        remove=[] if adds else [tag],
        actor=actor,
        now=now,
        grouping=app.grouping,
    )
    return _odata({"@odata.context": _context(request, "Machines/$entity")} | machine(shown, now))


@router.get("/exposureScore", response_model=schemas.Score, responses=_READING, name="Exposure score")
def exposure_score(request: Request, app: AppDep, actor: ActorDep, now: NowDep) -> Response:
    """Return a score of zero: none is kept here."""
    score, _groups = groups.scores(app.database, actor=actor)
    return _odata({"@odata.context": _context(request, "ExposureScore/$entity"), "time": precise(now), "score": score})


@router.get(
    "/exposureScore/ByMachineGroups",
    response_model=schemas.Rows,
    responses=_READING,
    name="Exposure score of each device group",
)
def exposure_by_group(request: Request, app: AppDep, actor: ActorDep, now: NowDep) -> Response:
    """Return the device groups; clients read their names and numbers here."""
    _all, each = groups.scores(app.database, actor=actor)
    rows = [
        {"time": precise(now), "score": score, "rbacGroupName": group.name, "rbacGroupId": group.id}
        for group, score in each
    ]
    return _odata({"@odata.context": _context(request, "ExposureScore"), "value": rows})


def machine(shown: Shown, now: datetime) -> dict[str, Any]:
    """Return a device in Defender's shape, every documented key there."""
    device, group = shown
    addresses = [
        {"ipAddress": address, "macAddress": None, "type": None, "operationalStatus": "Up"}
        for address in device.addresses
    ]
    return {
        "id": device.machine_id,
        "computerDnsName": device.dns_name,
        "firstSeen": precise(device.first_seen),
        "lastSeen": precise(device.last_seen),
        "osPlatform": device.os_platform or None,
        "osVersion": device.os_version,
        "osProcessor": None,
        "version": device.os_version,
        "lastIpAddress": device.addresses[0] if device.addresses else None,
        "lastExternalIpAddress": None,
        "agentVersion": None,
        "osBuild": None,
        "healthStatus": "Active" if now - device.last_seen < INACTIVE_AFTER else "Inactive",
        "deviceValue": "Normal",
        "rbacGroupId": device.group or 0,
        "rbacGroupName": group,
        "riskScore": "None",
        "exposureLevel": "None",
        "isAadJoined": None,
        "aadDeviceId": None,
        "machineTags": list(device.tags),
        "defenderAvStatus": None,
        "onboardingStatus": "Onboarded",
        "osArchitecture": None,
        "managedBy": None,
        "managedByStatus": None,
        "ipAddresses": addresses,
        "vmMetadata": None,
    }


@dataclass(frozen=True, slots=True)
class _Options:
    """What a client asks of the list; ``given`` is what it wrote, for the link to the next page."""

    filter: Any
    top: int
    skip: int
    after: int
    count: bool
    given: Mapping[str, str]

    @classmethod
    def parse(cls, query_string: str) -> _Options:
        """Return the options of *query_string*; other parameters are ignored. `InvalidInput` names every fault."""
        given: dict[str, str] = {}
        problems: list[Problem] = []
        for name, value in parse_qsl(query_string, keep_blank_values=True):
            option = name.strip().lower().removeprefix("$")
            if option in _OPTIONS:
                given[option] = value
        condition = None
        if given.get("filter", "").strip():
            try:
                condition = parse_machines(given["filter"])
            except InvalidFilter as error:
                allowed = f"; allowed: {', '.join(error.allowed)}" if error.allowed else ""
                message = f"at position {error.position}, {error.token[:100]!r}: {error.message}{allowed}"
                problems.append(Problem("invalid-filter", message, "$filter", error.token[:200], error.allowed))
        most = schemas.MOST_PER_PAGE
        found = cls(
            condition,
            _number(given, "top", most, most, problems),
            _number(given, "skip", 0, 10**_DIGITS, problems),
            _number(given, "skiptoken", 0, 10**_DIGITS, problems),
            given.get("count", "").strip().lower() == "true",
            given,
        )
        if problems:
            raise InvalidInput(problems)
        return found

    def next_page(self, last: int) -> str:
        """Return the query string of the page after the machine with the number *last*."""
        wanted = {name: value for name, value in self.given.items() if name not in ("skip", "skiptoken")}
        wanted["skiptoken"] = str(last)
        return urlencode({f"${name}": value for name, value in wanted.items()}, safe="$", quote_via=quote)


def _number(given: Mapping[str, str], option: str, default: int, most: int, problems: list[Problem]) -> int:
    text = given.get(option, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS) or int(text) > most:
        message = f"${option} is {text[:50]!r}; wanted is a number from 0 to {most}"
        problems.append(Problem("invalid-filter", message, f"${option}", text[:200]))
        return default
    return int(text)


def _context(request: Request, what: str) -> str:
    return f"{origin_of(request)}/api/$metadata#{what}"


def _odata(body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), headers=_HEADERS)
