"""Changesets: what was done, taking it back, and proving that the history is what was signed."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from indicia.services import changesets
from indicia.services.changesets import Undone, changeset_as_dict
from indicia.services.checkpoints import own_keys
from indicia.services.idempotency import Reply
from indicia.services.requests import Undo
from indicia.services.verification import verify_all
from indicia.store.database import Database
from indicia.web import api_models as models
from indicia.web.api_call import (
    CallDep,
    Cursor,
    DryRun,
    Key,
    Limit,
    flag_of,
    number_of,
    object_of,
    reply,
    require_type,
    sent,
    text_of,
)
from indicia.web.api_proposing import WAITS, Propose, or_wait
from indicia.web.api_shapes import messages_of
from indicia.web.dependencies import RawBodyDep, parse_json
from indicia.web.problems import documented

_SHOWN: Final = 1_000

router = APIRouter(prefix="/v1", tags=["Changesets"], default_response_class=Response)


@router.get(
    "/changesets",
    summary="List changesets",
    responses={200: {"model": models.ChangesetPage}, **documented(400, 401, 403, 503)},
)
def list_changesets(call: CallDep, *, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """A page of changesets, the newest first; an actor that sees only its own indicators sees its own changesets."""
    before = call.position(cursor, "changesets")
    found = changesets.list_changesets(call.database, actor=call.actor, before=before, limit=limit + 1)
    link = call.next_link(found[limit - 1].id, "changesets") if len(found) > limit else None
    body = {"items": [changeset_as_dict(record) for record in found[:limit]], "next": link}
    return sent(reply(body, headers={"Link": f'<{link}>; rel="next"'} if link else None))


@router.get(
    "/changesets/{id}",
    summary="Read a changeset",
    responses={200: {"model": models.ShownChangeset}, **documented(400, 401, 403, 404, 503)},
)
def read_changeset(call: CallDep, id: str) -> Response:
    """One changeset, and the newest one that took it back."""
    record, undone_by = changesets.show_changeset(call.database, number_of(id, "changeset"), actor=call.actor)
    return sent(reply(changeset_as_dict(record) | {"undoneBy": undone_by}))


@router.post(
    "/changesets/{id}/undo",
    summary="Undo a changeset",
    responses={200: {"model": models.Undone}, **WAITS, **documented(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    openapi_extra=models.body(models.UNDO, {"reason": "The wrong file."}, required=False),
)
def undo_changeset(
    call: CallDep,
    id: str,
    raw: RawBodyDep,
    *,
    key: Key = None,
    dry_run: DryRun = False,
    propose: Propose = False,
) -> Response:
    """Take a changeset back by another one; 409 names the indicators that later changesets touched."""
    require_type(call.request, "application/json")
    number = number_of(id, "changeset")
    fields = object_of(parse_json(raw) if raw.strip() else {}, ["reason", "keepLater"])
    why, keep_later = text_of(fields, "reason"), flag_of(fields, "keepLater")
    watched = call.watched(dry_run=dry_run)

    def work(database: Database) -> Reply:
        undone = changesets.undo(
            database,
            number,
            actor=call.actor,
            now=call.now,
            reason=why,
            keep_later=keep_later,
            dry_run=dry_run,
            policy=watched.policy,
        )
        return reply(undone_as_dict(undone, dry_run=dry_run) | {"takesTwo": messages_of(watched.reasons)})

    def whole(database: Database) -> Reply:
        asked = Undo(number, keep_later, why)
        return or_wait(call, database, work, lambda _database: asked, propose=propose and not dry_run, reason=why)

    return call.once(key, lambda: raw, whole, changes=not dry_run)


@router.get(
    "/verification",
    summary="Verify the history",
    responses={200: {"model": models.Verification}, **documented(400, 401, 403, 503)},
)
def verify(
    call: CallDep,
    *,
    head: Annotated[
        str | None, Query(pattern="^[0-9a-fA-F]{64}$", description="a hash that you wrote down: it has to be there")
    ] = None,
) -> Response:
    """Prove the chain of changesets and every row that they signed; reads everything, so it takes a while."""
    own = own_keys(call.app.checkpoints.shipping.key_file)
    newest, faults = verify_all(call.database, actor=call.actor, head=head, own=own)
    body = {
        "intact": not faults,
        "head": changeset_as_dict(newest) if newest else None,
        "faults": faults[:_SHOWN],
        "faultsTotal": len(faults),
    }
    return sent(reply(body))


def undone_as_dict(undone: Undone, *, dry_run: bool) -> dict[str, object]:
    """Return the shape of an undo."""
    return {
        "undone": undone.undone,
        "dryRun": dry_run,
        "changeset": changeset_as_dict(undone.changeset) if undone.changeset else None,
        "created": undone.created,
        "updated": undone.updated,
        "deleted": undone.deleted,
        "kept": [str(number) for number in undone.kept[:_SHOWN]],
        "keptTotal": len(undone.kept),
    }
