"""Indicators: list, create, read, replace, change, delete, release, and their history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from indicia.domain.draft import Draft
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.indicator import StoredIndicator
from indicia.domain.query import Field, OrderBy
from indicia.exporters.entity import etag, native
from indicia.services import changesets, idempotency, indicators
from indicia.services.idempotency import Reply
from indicia.services.indicators import Wanted
from indicia.services.requests import Delete, DeleteMatching, Release, Request, edit_of, submit_of
from indicia.store.database import Database
from indicia.web import api_models as models
from indicia.web.api_call import (
    Call,
    CallDep,
    Cursor,
    DryRun,
    IfMatch,
    Key,
    Limit,
    Reason,
    checked_text,
    number_of,
    object_of,
    reply,
    require_type,
    sent,
    stale_is_refused,
    text_of,
    version_of,
)
from indicia.web.api_proposing import WAITS, Propose, or_wait
from indicia.web.api_shapes import as_of, created, draft_from, group_ids_of, messages_of, parsed, shown
from indicia.web.dependencies import IN_TURN, JsonBodyDep
from indicia.web.problems import documented

COUNTED_AT_MOST: Final = 10_000
DELETED_AT_MOST: Final = 10_000
MERGE_PATCH: Final = "application/merge-patch+json"
JSON: Final = "application/json"
_EXAMPLE_PATCH: Final = {"severity": "Medium", "expirationTime": None}

router = APIRouter(prefix="/v1/indicators", tags=["Indicators"], default_response_class=Response)


# -- reading ----------------------------------------------------------------------------------------------------------


@router.get(
    "",
    summary="List indicators",
    dependencies=IN_TURN,
    responses={200: {"model": models.IndicatorPage}, **documented(400, 401, 403, 404, 503)},
)
def list_indicators(
    call: CallDep,
    *,
    filter: Annotated[
        str | None, Query(description="which ones, such as `severity eq 'High'`: OData's `$filter`", max_length=8_192)
    ] = None,
    order: Annotated[Literal["id", "-id"], Query(description="the oldest first, or the newest")] = "id",
    limit: Limit = 100,
    cursor: Cursor = None,
    at: Annotated[
        str | None, Query(description="as of then: a time (RFC 3339), or the number of a changeset", max_length=64)
    ] = None,
    count: Annotated[bool, Query(description="count all that match, up to 10,000")] = False,
) -> Response:
    """A page of the indicators that have not expired; `next` and the `Link` header lead on."""
    bound = ("indicators", filter or "", order, at or "")
    newest_first = order == "-id"
    wanted = Wanted(parsed(filter), (OrderBy(Field.ID, descending=True),) if newest_first else (), as_of(at))
    start = call.position(cursor, *bound)
    page = indicators.list_indicators(
        call.database,
        wanted,
        actor=call.actor,
        now=call.now,
        limit=limit,
        after=None if newest_first else start,
        before=start if newest_first else None,
    )
    total = None
    if count:
        most = COUNTED_AT_MOST + 1
        total = indicators.count_indicators(call.database, wanted, actor=call.actor, now=call.now, most=most)
    link = call.next_link(page.items[-1].id, *bound) if page.more else None
    body = {
        "items": [native(stored, page.group_ids) for stored in page.items],
        "next": link,
        "count": None if total is None else min(total, COUNTED_AT_MOST),
        "countIsExact": None if total is None else total <= COUNTED_AT_MOST,
    }
    return sent(reply(body, headers={"Link": f'<{link}>; rel="next"'} if link else None))


@router.get(
    "/{id}",
    summary="Read an indicator",
    dependencies=IN_TURN,
    responses={
        200: {"model": models.Indicator},
        304: {"description": "it is as you know it"},
        **documented(400, 401, 403, 404, 503),
    },
)
def read_indicator(
    call: CallDep,
    id: str,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match", description="ETags that you know")] = None,
) -> Response:
    """One indicator, with its ETag."""
    stored, group_ids = indicators.show_indicator(call.database, number_of(id), actor=call.actor, now=call.now)
    known = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    headers = {"ETag": etag(stored)}
    if etag(stored) in known or known == ["*"]:
        return Response(None, 304, headers)
    return sent(reply(native(stored, group_ids), headers=headers))


@router.get(
    "/{id}/history",
    summary="Read every version of an indicator",
    responses={200: {"model": models.History}, **documented(400, 401, 403, 404, 503)},
)
def read_history(call: CallDep, id: str) -> Response:
    """What became of an indicator, the oldest version first; also of one that was deleted or has expired."""
    versions = changesets.history_of(call.database, number_of(id), actor=call.actor)
    group_ids = group_ids_of(call.database)
    shown = [
        {
            "began": changesets.changeset_as_dict(version.began),
            "ended": changesets.changeset_as_dict(version.ended) if version.ended else None,
            "indicator": native(version.stored, group_ids),
        }
        for version in versions
    ]
    return sent(reply({"id": id, "versions": shown}))


# -- writing ----------------------------------------------------------------------------------------------------------


@router.post(
    "",
    status_code=201,
    summary="Create an indicator",
    responses={
        200: {"model": models.PlannedIndicator, "description": "a dry run: nothing was written"},
        201: {"model": models.WrittenIndicator},
        **WAITS,
        **documented(400, 401, 403, 409, 413, 415, 422, 503),
    },
    openapi_extra=models.body(models.NEW_INDICATOR, models.EXAMPLE),
)
def create_indicator(
    call: CallDep,
    body: JsonBodyDep,
    *,
    key: Key = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    propose: Propose = False,
) -> Response:
    """Create an indicator; 409 names the one that has the same type, value and action already."""
    require_type(call.request, JSON)
    draft, faults = draft_from(body)
    why, watched = checked_text(reason, "reason"), call.watched(dry_run=dry_run)

    def work(database: Database) -> Reply:
        [written] = indicators.submit(
            database,
            [draft],
            actor=call.actor,
            now=call.now,
            guard=call.app.guard,
            create_only=True,
            dry_run=dry_run,
            reason=why,
            known_problems=[faults],
            policy=watched.policy,
        )
        return created(written, group_ids_of(database), dry_run=dry_run, takes_two=watched.reasons)

    def request(_database: Database) -> Request:
        return submit_of([draft], [faults], create_only=True, reason=why)

    def whole(database: Database) -> Reply:
        return or_wait(call, database, work, request, propose=propose and not dry_run, reason=why)

    return call.once(key, lambda: orjson.dumps(body), whole, changes=not dry_run)


@router.put(
    "/{id}",
    summary="Replace an indicator",
    responses={
        200: {"model": models.WrittenIndicator},
        **WAITS,
        **documented(400, 401, 403, 404, 409, 412, 413, 415, 428, 503),
    },
    openapi_extra=models.body(models.NEW_INDICATOR, models.EXAMPLE),
)
def replace_indicator(
    call: CallDep,
    id: str,
    body: JsonBodyDep,
    *,
    if_match: IfMatch = None,
    reason: Reason = None,
    propose: Propose = False,
) -> Response:
    """Give an indicator another version: what the body does not name is taken away."""
    require_type(call.request, JSON)
    number = number_of(id)
    version = version_of(if_match, number)
    draft, faults = draft_from(body)
    return edited(call, number, version, reason, lambda _stored: (draft, faults), propose=propose)


@router.patch(
    "/{id}",
    summary="Change properties of an indicator",
    responses={
        200: {"model": models.WrittenIndicator},
        **WAITS,
        **documented(400, 401, 403, 404, 409, 412, 413, 415, 428, 503),
    },
    openapi_extra=models.body(models.PATCH, _EXAMPLE_PATCH, MERGE_PATCH, JSON),
)
def change_indicator(
    call: CallDep,
    id: str,
    body: JsonBodyDep,
    *,
    if_match: IfMatch = None,
    reason: Reason = None,
    propose: Propose = False,
) -> Response:
    """Change what the body names (JSON Merge Patch, RFC 7396): null takes a property away."""
    require_type(call.request, MERGE_PATCH, JSON)
    number = number_of(id)
    version = version_of(if_match, number)
    patch = object_of(body)
    return edited(
        call,
        number,
        version,
        reason,
        lambda stored: draft_from(patch, indicators.draft_from(stored.indicator)),
        propose=propose,
    )


@router.delete(
    "/{id}",
    status_code=204,
    summary="Delete an indicator",
    responses={**WAITS, **documented(400, 401, 403, 404, 409, 412, 428, 503)},
)
def delete_indicator(
    call: CallDep, id: str, *, if_match: IfMatch = None, reason: Reason = None, propose: Propose = False
) -> Response:
    """Delete an indicator; its history stays, and the changeset can be undone."""
    number = number_of(id)
    version = version_of(if_match, number)
    why = checked_text(reason, "reason")

    def work(database: Database) -> Reply:
        who: dict[str, Any] = {"actor": call.actor, "now": call.now, "version": version, "reason": why}
        indicators.delete(database, [number], **who, dry_run=propose, policy=call.app.policy)
        return Reply(204, {}, b"")

    with stale_is_refused():
        if propose:  # the version has to be the one that was read, here too
            work(call.database)
        request = Delete((number,), why)
        return sent(or_wait(call, call.database, work, lambda _database: request, propose=propose, reason=why))


@router.post(
    "/{id}/release",
    summary="Release a held indicator",
    responses={
        200: {"model": models.WrittenIndicator},
        **WAITS,
        **documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
    },
    openapi_extra=models.body(models.RELEASE, {"reason": "Agreed with the network team: ours since May."}),
)
def release_indicator(
    call: CallDep, id: str, body: JsonBodyDep, *, key: Key = None, propose: Propose = False
) -> Response:
    """Enforce an indicator that the guard holds, for a reason that is kept with it."""
    require_type(call.request, JSON)
    number = number_of(id)
    why = text_of(object_of(body, ["reason"]), "reason") or ""

    def work(database: Database) -> Reply:
        [stored] = indicators.release(
            database, [number], actor=call.actor, now=call.now, reason=why, policy=call.app.policy
        )
        return shown(stored, group_ids_of(database), ())

    def whole(database: Database) -> Reply:
        return or_wait(call, database, work, lambda _database: Release((number,), why), propose=propose, reason=why)

    return call.once(key, lambda: orjson.dumps(body), whole)


@router.post(
    "/delete",
    summary="Delete many indicators",
    responses={200: {"model": models.Deleted}, **WAITS, **documented(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    openapi_extra=models.body(models.DELETE, {"filter": "externalId eq 'feed-7'", "reason": "The feed was retired."}),
)
def delete_indicators(
    call: CallDep, body: JsonBodyDep, *, key: Key = None, dry_run: DryRun = False, propose: Propose = False
) -> Response:
    """Delete all that are named, or all that match, as one changeset: all or nothing."""
    require_type(call.request, JSON)
    fields = object_of(body, ["ids", "filter", "reason"])
    why, watched = text_of(fields, "reason"), call.watched(dry_run=dry_run)
    if ("ids" in fields) == ("filter" in fields):
        raise InvalidInput([Problem("ids-or-filter", "say which: give either ids or a filter")])
    numbers = _numbers(fields["ids"]) if "ids" in fields else None
    wanted = Wanted(parsed(_filter(fields["filter"])) if "filter" in fields else None)

    def work(database: Database) -> Reply:
        who: dict[str, Any] = {"actor": call.actor, "now": call.now, "reason": why, "dry_run": dry_run}
        if numbers is None:
            deleted = indicators.delete_matching(database, wanted, **who, policy=watched.policy)
        else:
            deleted = len(indicators.delete(database, numbers, **who, policy=watched.policy))
        made = None
        if deleted and not dry_run:  # in the same transaction: the newest changeset is this one
            [made] = [each.id for each in changesets.list_changesets(database, actor=call.actor, limit=1)]
        two = messages_of(watched.reasons)
        return reply({"deleted": deleted, "dryRun": dry_run, "changeset": made, "takesTwo": two})

    def request(_database: Database) -> Request:
        return Delete(tuple(numbers), why) if numbers is not None else DeleteMatching(wanted, why)

    def whole(database: Database) -> Reply:
        one = work if dry_run or key is not None else lambda joined: idempotency.as_one(joined, work)
        return or_wait(call, database, one, request, propose=propose and not dry_run, reason=why)

    return call.once(key, lambda: orjson.dumps(body), whole, changes=not dry_run)


def edited(
    call: Call,
    number: int,
    version: int | None,
    reason: str | None,
    change: Callable[[StoredIndicator], tuple[Draft, Sequence[Problem]]],
    *,
    propose: bool = False,
) -> Response:
    """Give indicator *number* what *change* makes of it, and answer with what it is now."""
    why = checked_text(reason, "reason")
    who: dict[str, Any] = {"actor": call.actor, "now": call.now, "version": version, "reason": why}

    def work(database: Database) -> Reply:
        written = indicators.edit(database, number, change, **who, guard=call.app.guard, policy=call.app.policy)
        if written.stored is None:  # pragma: no cover - an edit that is refused raises
            raise AssertionError("an edit gives the indicator back")
        return shown(written.stored, group_ids_of(database), written.problems)

    def request(database: Database) -> Request:
        return edit_of(database, number, change, **who)

    with stale_is_refused():
        return sent(or_wait(call, call.database, work, request, propose=propose, reason=why))


def _filter(filter: Any) -> str:
    if not isinstance(filter, str):
        raise InvalidInput([Problem("not-a-text", "a text is wanted", "filter", str(filter)[:200])])
    return filter


def _numbers(ids: Any) -> list[int]:
    """Return the numbers that a list of ids names."""
    if not isinstance(ids, list) or not 0 < len(ids) <= DELETED_AT_MOST:
        message = f"a list of 1 to {DELETED_AT_MOST} ids is wanted"
        raise InvalidInput([Problem("not-a-list", message, "ids")])
    return [number_of(str(each)) for each in ids]
