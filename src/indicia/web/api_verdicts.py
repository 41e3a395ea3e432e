"""Verdicts: what the indicators decide about values, and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.errors import InvalidInput, Problem
from indicia.exporters.verdict import verdict_as_dict
from indicia.services.verdicts import MOST_VALUES, explain, require_to_ask
from indicia.web import api_models as models
from indicia.web.api_call import Call, CallDep, media_type, object_of, reply, require_type, sent, text_of
from indicia.web.api_shapes import as_of
from indicia.web.dependencies import IN_TURN, ActorDep, AppDep, InTurnDep, parse_json, raw_body, spooled_body
from indicia.web.problems import documented
from indicia.web.verdict_lines import LONGEST_VALUE, NDJSON, streamed

_LONGEST_GROUP: Final = 256
_LONGEST_AT: Final = 64


class Considered(models.Model):
    """An indicator that matched, and what became of it."""

    indicator: models.Indicator
    matched_on: str = Field(alias="matched_on", description="what was seen of which it is about: a URL, or its host")
    outcome: Literal["won", "lost", "ignored"]
    because: str


class Verdict(models.Model):
    """What the indicators decide about a value."""

    value: str
    type: models.Type | None = Field(description="null: it is of no type that is known")
    canonical: str | None
    action: models.ActionName | None = Field(description="null: nothing decides")
    winner: models.Indicator | None
    considered: list[Considered]
    alert: bool
    snapshot: int | None = Field(description="the changeset that it is as of")
    notes: list[models.Note]


class Verdicts(models.Model):
    """Verdicts in the order of the values."""

    verdicts: list[Verdict]


_QUESTION: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "values": {
            "type": "array",
            "items": {"type": "string", "maxLength": LONGEST_VALUE},
            "minItems": 1,
            "maxItems": MOST_VALUES,
        },
        "group": {"type": ["string", "null"], "maxLength": _LONGEST_GROUP, "description": "the device's group"},
        "device": {"type": ["string", "null"], "maxLength": _LONGEST_GROUP, "description": "in place of its group"},
        "at": {"type": ["string", "null"], "maxLength": _LONGEST_AT, "description": "as of then: a time, a changeset"},
    },
    "required": ["values"],
    "additionalProperties": False,
}
_EXAMPLE: Final = {"values": ["hxxps://login.evil[.]example/", "203.0.113.7"], "group": None}
_LINES: Final = {"type": "string", "format": "binary", "description": "a JSON text, or an object with `value`, a line"}
_ASKED: Final = '"hxxps://login.evil[.]example/"\n{"value":"203.0.113.7"}\n'
_BODIES: Final = {
    "application/json": {"schema": _QUESTION, "example": _EXAMPLE},
    NDJSON: {"schema": _LINES, "example": _ASKED},
}
_ANSWERED: Final = '{"value":"203.0.113.7","type":"IpAddress","action":"Block","…":"…"}\n'
_At = Annotated[
    str | None, Query(description="as of then: a time (RFC 3339), or the number of a changeset", max_length=_LONGEST_AT)
]

_Device = Annotated[
    str | None,
    Query(description="in place of its group: the name of a device, or its machine id", max_length=_LONGEST_GROUP),
]

router = APIRouter(prefix="/v1", tags=["Verdicts"], default_response_class=Response)


@router.get(
    "/verdicts",
    summary="Ask about one value",
    dependencies=IN_TURN,
    responses={200: {"model": Verdict}, **documented(400, 401, 403, 404, 503)},
)
def ask_about_one(
    call: CallDep,
    value: Annotated[str, Query(description="a hash, an address, a name or a URL", max_length=LONGEST_VALUE)],
    group: Annotated[str | None, Query(description="the device group of the device", max_length=_LONGEST_GROUP)] = None,
    device: _Device = None,
    at: _At = None,
) -> Response:
    """The verdict about one value for a device of a group, and every indicator that was considered."""
    return sent(reply(_verdicts(call, [value], group, device, at)[0]))


async def question(request: Request, app: AppDep, actor: ActorDep) -> AsyncIterator[Any]:
    """Give the JSON of the body; or its lines as a file, which is gone after the answer."""
    require_to_ask(actor)  # before anything is kept
    require_type(request, "application/json", NDJSON)
    if media_type(request) == NDJSON:
        async with asynccontextmanager(spooled_body)(request, app, actor) as lines:
            yield lines
    else:
        yield await run_in_threadpool(parse_json, await raw_body(request, app, actor))


@router.post(
    "/verdicts",
    summary="Ask about many values",
    responses={
        200: {"model": Verdicts, "content": {NDJSON: {"schema": {"type": "string"}, "example": _ANSWERED}}},
        **documented(400, 401, 403, 404, 413, 415, 503),
    },
    openapi_extra={"requestBody": {"required": True, "content": _BODIES}},
)
def ask_about_many(
    call: CallDep,
    body: Annotated[Any, Depends(question)],
    _turn: InTurnDep,
    group: Annotated[
        str | None, Query(description="the device's group, where the body is lines", max_length=_LONGEST_GROUP)
    ] = None,
    device: _Device = None,
    at: _At = None,
) -> Response:
    """The verdicts about 1 to 10,000 values, in their order; about any number, line by line, as NDJSON.

    Each line that is sent is a JSON text, or an object with the member `value`. Each line that comes back is a verdict,
    or an object with `line` and `problem` for a line that could not be read; empty lines count for nothing.
    """
    if media_type(call.request) == NDJSON:
        return streamed(body, lambda values: _verdicts(call, values, group, device, at, now=call.app.now()))
    asked = object_of(body, tuple(_QUESTION["properties"]))
    values = asked.get("values")
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise InvalidInput([Problem("not-a-list", f"a list of 1 to {MOST_VALUES:,} texts is wanted", "values")])
    if any(len(each) > LONGEST_VALUE for each in values):
        raise InvalidInput([Problem("too-long", f"a value has at most {LONGEST_VALUE:,} characters", "values")])
    group = group if asked.get("group") is None else text_of(asked, "group")
    device = device if asked.get("device") is None else text_of(asked, "device")
    at = at if asked.get("at") is None else text_of(asked, "at")
    if 1 <= len(values) <= MOST_VALUES and _wants_lines(call.request):
        return streamed(values, lambda some: _verdicts(call, some, group, device, at, now=call.app.now()))
    return sent(reply({"verdicts": _verdicts(call, values, group, device, at)}))


def _wants_lines(request: Request) -> bool:
    accepted = request.headers.get("accept", "").split(",")
    return any(each.partition(";")[0].strip().lower() == NDJSON for each in accepted)


def _verdicts(
    call: Call,
    values: list[str],
    group: str | None,
    device: str | None,
    at: str | None,
    *,
    now: datetime | None = None,
) -> list[dict[str, Any]]:
    found = explain(
        call.database,
        values,
        actor=call.actor,
        now=now or call.now,
        guard=call.app.guard,
        group=group,
        device=device,
        at=as_of(at),
        precedence=call.app.settings.network_precedence,
        engine=call.app.engine,
    )
    return [
        verdict_as_dict(*each, indicators=found.indicators, group_ids=found.group_ids, snapshot=found.snapshot)
        for each in found.verdicts
    ]
