"""The audit: every entry of the chain, sign-ins and denials too; and its checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from indicia.services import audit_export, checkpoints
from indicia.services.audit_export import Format, Sought
from indicia.web import api_models as models
from indicia.web.api_call import Call, CallDep, Cursor, Limit, reply, sent
from indicia.web.noting import note_export
from indicia.web.problems import documented

_LINES_AT_ONCE: Final = 500
_SHOWN: Final = 1_000


class AuditEntry(models.Changeset):
    """One entry of the chain with all that its hash is made of."""

    first_id: int = Field(description="the number of the first indicator that it may have made")
    next_id: int = Field(description="the number that the next indicator was to have after it")
    rows_digest: str = Field(description="SHA-256 over the versions of indicators that it began and ended")
    prev_hash: str = Field(description="the hash of the entry before")


class AuditPage(models.Model):
    """Some entries, the newest first."""

    items: list[AuditEntry]
    next: str | None


class Checkpoint(models.Model):
    """A place of the chain, signed with Ed25519."""

    checkpoint: int
    changeset: int
    hash: str
    at: datetime
    key_id: str
    signature: str = Field(description="base64")


class CheckpointPage(models.Model):
    """The newest checkpoints first."""

    items: list[Checkpoint]


router = APIRouter(prefix="/v1/audit", tags=["Audit"], default_response_class=Response)

Actor = Annotated[str | None, Query(max_length=200, description="only what this client or user did, by id")]
Kind = Annotated[str | None, Query(max_length=100, description="only entries of this kind, such as sign-in.refused")]
Since = Annotated[datetime | None, Query(description="only entries since then (RFC 3339)")]
Until = Annotated[datetime | None, Query(description="only entries before then (RFC 3339)")]


@router.get(
    "",
    summary="List the audit",
    responses={200: {"model": AuditPage}, **documented(400, 401, 403, 503)},
)
def list_audit(
    call: CallDep,
    *,
    actor: Actor = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """A page of every entry of the chain, the newest first: changes, sign-ins, denials, exports, settings."""
    sought = _sought(actor, kind, since, until)
    bound = ("audit", repr(sought))
    before = call.position(cursor, *bound)
    found = audit_export.page(call.database, sought, actor=call.actor, limit=limit + 1, before=before)
    link = call.next_link(found[limit - 1].id, *bound) if len(found) > limit else None
    body = {"items": [audit_export.entry_as_dict(record) for record in found[:limit]], "next": link}
    return sent(reply(body, headers={"Link": f'<{link}>; rel="next"'} if link else None))


@router.get(
    "/export",
    summary="Export the audit",
    responses={
        200: {
            "description": "Every entry, the oldest first, as it is read",
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}},
                "text/plain": {"schema": {"type": "string"}},
            },
        },
        **documented(400, 401, 403, 503),
    },
)
def export_audit(
    call: CallDep,
    *,
    form: Annotated[Format, Query(alias="format", description="JSON lines, or CEF for a collector of logs")] = (
        Format.JSONL
    ),
    actor: Actor = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """Every entry as a line, the oldest first. JSON lines hold hashes, so that the chain can be checked without us."""
    sought = _sought(actor, kind, since, until)
    records = audit_export.walk(call.database, sought, actor=call.actor)
    return streamed(call, audit_export.lines_of(records, form), form, sought)


@router.get(
    "/checkpoints",
    summary="List checkpoints",
    responses={200: {"model": CheckpointPage}, **documented(400, 401, 403, 503)},
)
def list_checkpoints(call: CallDep, *, limit: Limit = 100) -> Response:
    """The newest checkpoints: places of the chain, signed."""
    found = checkpoints.newest(call.database, limit=limit, actor=call.actor)
    return sent(reply({"items": [checkpoints.as_dict(each) for each in found]}))


def streamed(call: Call, lines: Iterator[str], form: Format, sought: Sought) -> Response:
    """Return *lines* as a download that is made as it is sent, and is noted when it ends."""

    def pieces() -> Iterator[bytes]:
        count = 0
        try:
            while some := list(islice(lines, _LINES_AT_ONCE)):
                count += len(some)
                yield "".join(some).encode()
        finally:
            note_export(call.request, call.actor, call.now, "audit", filters=_told(sought), rows=count, form=form)

    name = f"indicia-audit-{call.now:%Y-%m-%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces(), media_type=form.media_type, headers=headers)


def _sought(actor: str | None, kind: str | None, since: datetime | None, until: datetime | None) -> Sought:
    return Sought(actor=actor or None, kind=kind or None, since=aware(since), until=aware(until))


def aware(at: datetime | None) -> datetime | None:
    """Return *at*, which is in UTC where it does not say."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _told(sought: Sought) -> dict[str, object]:
    return {name: value for name, value in sought._asdict().items() if value not in (None, False, True)}
