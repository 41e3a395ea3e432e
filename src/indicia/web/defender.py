"""The Defender-compatible API: what public clients of it rely on is SPEC 10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from indicia.app import App
from indicia.domain.access import Actor
from indicia.domain.draft import Draft, draft_of
from indicia.domain.errors import Forbidden, InvalidInput, NotFound, Problem
from indicia.exporters.entity import entity
from indicia.services import groups, indicators
from indicia.services.indicators import Wanted, Written
from indicia.web import defender_schemas as schemas
from indicia.web.defender_errors import documented
from indicia.web.defender_query import Options
from indicia.web.defender_waiting import WAITS, delete_or_wait, is_waiting, submit_or_wait
from indicia.web.dependencies import IN_TURN, ActorDep, AppDep, JsonBodyDep, NowDep
from indicia.web.origin import origin_of
from indicia.web.problems import Refusal

ODATA_JSON: Final = "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"
_HEADERS: Final = {"Content-Type": ODATA_JSON, "OData-Version": "4.0"}
_DIGITS: Final = 18
_GROUP_IDS: Final = "rbacGroupIds"

router = APIRouter(prefix="/api", tags=["Defender-compatible"])
_READING: Final = documented(400, 401, 403, 503)
_WRITING: Final = documented(400, 401, 403, 413, 503)
_ID: Final = Path(description="the number of the indicator", examples=["994"])


@router.get(
    "/indicators",
    response_model=schemas.EntityPage,
    responses=_READING,
    openapi_extra=schemas.QUERY,
    name="List",
    dependencies=IN_TURN,
)
def list_all(request: Request, app: AppDep, actor: ActorDep, now: NowDep) -> Response:
    """Return a page of indicators: all of them, up to 10,000, unless the query says which."""
    options = Options.parse(request.url.query)
    wanted = Wanted(options.query, options.order_by)
    page = indicators.list_indicators(
        app.database, wanted, actor=actor, now=now, limit=options.top, offset=options.skip, after=options.after
    )
    origin = origin_of(request)
    reply: dict[str, Any] = {"@odata.context": _context(request, "Indicators")}
    if options.count:
        reply["@odata.count"] = indicators.count_indicators(app.database, wanted, actor=actor, now=now)
    reply["value"] = [entity(stored, page.group_ids) for stored in page.items]
    if page.more and page.items:
        reply["@odata.nextLink"] = f"{origin}/api/indicators?{options.next_page(page.items[-1].id)}"
    return _odata(reply)


@router.get(
    "/indicators/$count",
    responses=_READING | {200: {"description": "a number", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    response_class=Response,
    openapi_extra={"parameters": [schemas.FILTER]},
    name="Count",
)
def count(request: Request, app: AppDep, actor: ActorDep, now: NowDep) -> Response:
    """Return how many indicators there are, or how many match a filter."""
    options = Options.parse(request.url.query)
    number = indicators.count_indicators(app.database, Wanted(options.query), actor=actor, now=now)
    return Response(str(number), media_type="text/plain", headers={"OData-Version": "4.0"})


@router.get(
    "/indicators/{id}",
    response_model=schemas.Entity,
    responses=_READING | documented(404),
    name="Get",
    dependencies=IN_TURN,
)
def show(app: AppDep, actor: ActorDep, now: NowDep, id: str = _ID) -> Response:
    """Return one indicator."""
    stored, group_ids = indicators.show_indicator(app.database, _known_number(id), actor=actor, now=now)
    return _odata(entity(stored, group_ids))


@router.post(
    "/indicators",
    response_model=schemas.EntityWithContext,
    responses=_WRITING,
    openapi_extra=schemas.ONE,
    name="Submit or update",
)
def submit(request: Request, app: AppDep, actor: ActorDep, now: NowDep, body: JsonBodyDep) -> Response:
    """Create an indicator, or update the one with the same type, value and action."""
    if not isinstance(body, dict):
        raise Refusal(400, "not-an-object", "the body has to be a JSON object: one indicator")
    draft, faults = _draft(body, _GroupIds(app, actor))
    [written] = submit_or_wait(app, [draft], [tuple(faults)], actor=actor, now=now)
    if written.stored is None:
        errors = _errors(written)
        if is_waiting(written):
            raise Refusal(403, WAITS, errors[0].message)
        if any(problem.code == "not-yours" for problem in errors):
            raise Forbidden("; ".join(problem.message for problem in errors))
        raise InvalidInput(errors)
    context = {"@odata.context": _context(request, "Indicators/$entity")}
    return _odata(context | entity(written.stored, _ids_for([written], app)))


@router.post(
    "/indicators/import",
    response_model=schemas.ImportReply,
    responses=_WRITING,
    openapi_extra=schemas.MANY,
    name="Import",
)
@router.post(
    "/indicators/batchUpdate",
    response_model=schemas.ImportReply,
    responses=_WRITING,
    openapi_extra=schemas.MANY,
    name="Import (by another name)",
)
def import_many(request: Request, app: AppDep, actor: ActorDep, now: NowDep, body: JsonBodyDep) -> Response:
    """Create or update up to 500 indicators; a bad one fails alone, and says why."""
    items = _items(body, "Indicators")
    ids = _GroupIds(app, actor)
    drafts: list[Draft] = []
    faults: list[tuple[Problem, ...]] = []
    for item in items:
        draft, problems = _draft(item, ids) if isinstance(item, dict) else (Draft(), [_NOT_AN_OBJECT])
        drafts.append(draft)
        faults.append(tuple(problems))
    written = submit_or_wait(app, drafts, faults, actor=actor, now=now)
    value = [
        _imported(draft, each) if isinstance(item, dict) else _NOT_IMPORTED
        for item, draft, each in zip(items, drafts, written, strict=True)
    ]
    context = f"{origin_of(request)}/api/$metadata#Collection(microsoft.windowsDefenderATP.api.ImportIndicatorResult)"
    return _odata({"@odata.context": context, "value": value})


@router.delete(
    "/indicators/{id}", status_code=204, response_class=Response, responses=_READING | documented(404), name="Delete"
)
def delete(app: AppDep, actor: ActorDep, now: NowDep, id: str = _ID) -> Response:
    """Delete one indicator."""
    delete_or_wait(app, [_known_number(id)], actor=actor, now=now)
    return _nothing()


@router.post(
    "/indicators/BatchDelete",
    status_code=204,
    response_class=Response,
    responses=_WRITING | documented(404),
    openapi_extra=schemas.IDS,
    name="Delete many",
)
def delete_many(app: AppDep, actor: ActorDep, now: NowDep, body: JsonBodyDep) -> Response:
    """Delete up to 500 indicators: all of them, or none."""
    given = _items(body, "IndicatorIds")
    numbers = [_number(item) for item in given]
    bad = [item for item, number in zip(given, numbers, strict=True) if number is None]
    if bad:
        raise InvalidInput(
            [Problem("invalid-id", f"{str(item)[:50]!r} is not an id", "IndicatorIds", str(item)[:50]) for item in bad]
        )
    known = [each for each in numbers if each is not None]
    delete_or_wait(app, known, actor=actor, now=now)
    return _nothing()


# -- what vendors call to test their connection (SPEC 10.10) -----------------------------------------------------------


def _nothing_yet(request: Request, _actor: ActorDep) -> Response:
    """Return no rows: there are none of this kind here yet."""
    name = request.url.path.rsplit("/", 1)[-1].capitalize()
    return _odata({"@odata.context": _context(request, name), "value": []})


for _name in ("alerts", "incidents"):
    router.add_api_route(
        f"/{_name}", _nothing_yet, response_model=schemas.Rows, responses=documented(401, 503), name=_name.capitalize()
    )


# -- words of the API --------------------------------------------------------------------------------------------------

_NOT_AN_OBJECT: Final = Problem("not-an-object", "the item is not a JSON object")
_NOT_IMPORTED: Final[Mapping[str, Any]] = {
    "id": None,
    "indicator": None,
    "isFailed": True,
    "failureReason": _NOT_AN_OBJECT.message,
}


class _GroupIds:
    """The device groups by number, read once and only where somebody names them so."""

    def __init__(self, app: App, actor: Actor) -> None:
        self._app = app
        self._actor = actor
        self._names: dict[str, str] | None = None

    def name_of(self, number: str) -> str | None:
        """Return the name of the device group *number*; None for one that the actor may not name, there or not."""
        if self._names is None:
            own = groups.list_groups(self._app.database, actor=self._actor)
            self._names = {str(group.id): group.name for group in own}
        return self._names.get(number)


def _draft(body: Mapping[str, Any], ids: _GroupIds) -> tuple[Draft, list[Problem]]:
    """Return the draft that *body* spells, and what is wrong with its numbers of device groups.

    Unknown and read-only properties are ignored: real clients send them (SPEC 9.32).
    """
    draft, others = draft_of(body)
    given = [body[name] for name in others if name.lower() == _GROUP_IDS.lower()]
    if not given or not given[-1]:
        return draft, []
    numbers = given[-1].split(",") if isinstance(given[-1], str) else given[-1]
    if not isinstance(numbers, list):
        return draft, [Problem("not-a-list", "a list of numbers is wanted", _GROUP_IDS)]
    names: list[str] = []
    problems: list[Problem] = []
    for each in numbers:
        number = str(each).strip()
        name = ids.name_of(number)
        if name is not None:
            names.append(name)
        elif number:
            message = (
                f"there is no device group number {number[:50]!r}; GET /api/exposureScore/ByMachineGroups lists them"
            )
            problems.append(Problem("unknown-group", message, _GROUP_IDS, number[:50]))
    named = draft.rbac_group_names or []
    if isinstance(named, str):
        named = named.split(",")
    if not isinstance(named, list):
        return draft, problems  # what is wrong with the names is found with the rest
    return draft._replace(rbac_group_names=[*named, *names]), problems


def _imported(draft: Draft, written: Written) -> dict[str, Any]:
    failed = written.stored is None
    return {
        "id": None if written.stored is None else str(written.stored.id),
        "indicator": draft.value if isinstance(draft.value, str) else None,
        "isFailed": failed,
        "failureReason": "; ".join(map(str, _errors(written))) if failed else None,
    }


def _errors(written: Written) -> list[Problem]:
    return [problem for problem in written.problems if not problem.warning]


def _ids_for(written: Sequence[Written], app: App) -> dict[str, str]:
    """Return the numbers of the device groups, where any of *written* has some."""
    if not any(each.stored and each.stored.indicator.rbac_group_names for each in written):
        return {}
    return {group.name: str(group.id) for group in groups.list_groups(app.database)}


def _items(body: Any, name: str) -> list[Any]:
    """Return the list *name* of *body*: 1 to 500 items."""
    if not isinstance(body, dict):
        raise Refusal(400, "not-an-object", f'the body has to be a JSON object: {{"{name}": […]}}')
    found = [value for key, value in body.items() if key.lower() == name.lower()]
    if not found or not isinstance(found[-1], list):
        raise InvalidInput([Problem("no-list", f"{name} is wanted: a list of 1 to {schemas.MOST_PER_BATCH}", name)])
    items: list[Any] = found[-1]
    if not items:
        raise InvalidInput([Problem("empty-list", f"{name} is empty; wanted are 1 to {schemas.MOST_PER_BATCH}", name)])
    if len(items) > schemas.MOST_PER_BATCH:
        message = f"{name} is too long. Received: {len(items)}, allowed: {schemas.MOST_PER_BATCH}"
        raise InvalidInput([Problem("maximum-batch-size-exceeded", message, name, str(len(items)))])
    return items


def _number(given: Any) -> int | None:
    """Return the number of an indicator that *given* spells."""
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None


def _known_number(given: str) -> int:
    number = _number(given)
    if number is None:
        raise NotFound(f"there is no indicator {given[:50]!r}")
    return number


def _context(request: Request, what: str) -> str:
    return f"{origin_of(request)}/api/$metadata#{what}"


def _odata(body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), headers=_HEADERS)


def _nothing() -> Response:
    return Response(status_code=204)
