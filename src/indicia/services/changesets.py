"""The past: which changesets there were, what became of one indicator, taking a change back, proving the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import Conflict, Forbidden, NotFound, Problem
from indicia.domain.indicator import StoredIndicator
from indicia.services.writing import Writing
from indicia.store.changesets import ChangeSetRecord, Header
from indicia.store.database import Database, Transaction

_ANY = (Permission.TI_READ_WRITE, Permission.TI_READ_WRITE_ALL)
NAMED_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an indicator: the changeset that began it, and the one that ended it, if any."""

    stored: StoredIndicator
    began: ChangeSetRecord
    ended: ChangeSetRecord | None


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did, or would do: ``changeset`` is None where nothing was left to take back."""

    undone: int
    changeset: ChangeSetRecord | None
    created: int
    updated: int
    deleted: int
    kept: tuple[int, ...]


def changeset_as_dict(record: ChangeSetRecord) -> dict[str, Any]:
    """Return the shape of a changeset that `--json` and the API share."""
    return {
        "id": record.id,
        "at": record.at.isoformat().replace("+00:00", "Z"),
        "actor": record.actor,
        "actorName": record.actor_name,
        "source": record.source,
        "kind": record.kind,
        "reason": record.reason,
        "undoes": record.undoes,
        "created": record.created,
        "updated": record.updated,
        "deleted": record.deleted,
        "details": dict(record.details),
        "hash": record.hash.hex(),
    }


def list_changesets(
    database: Database, *, actor: Actor, before: int | None = None, limit: int = 100
) -> list[ChangeSetRecord]:
    """Return the newest changesets first; an actor that sees only its own indicators sees only its own changes."""
    require(actor, *_ANY)
    with database.snapshot() as tx:
        return tx.changesets.page(before=before, limit=limit, actor=actor.id if actor.sees_only_own else None)


def show_changeset(database: Database, number: int, *, actor: Actor) -> tuple[ChangeSetRecord, int | None]:
    """Return changeset *number* and the newest one that undid it."""
    require(actor, *_ANY)
    with database.snapshot() as tx:
        return _changeset(tx, number, actor), tx.changesets.undone_by(number)


def history_of(database: Database, number: int, *, actor: Actor) -> list[Version]:
    """Return every version of indicator *number*, the oldest first, deleted and expired ones included."""
    require(actor, *_ANY)
    with database.snapshot() as tx:
        versions = tx.indicators.history(number)
        if not versions or (actor.sees_only_own and versions[0][0].created_by != actor.id):
            raise NotFound(f"there never was an indicator {number}")
        numbers = {stored.began for stored, _ in versions} | {ended for _, ended in versions if ended is not None}
        records = {
            record.id: record for record in tx.changesets.page(before=None, limit=len(numbers), ids=list(numbers))
        }
        return [
            Version(stored, records[stored.began], records[ended] if ended is not None else None)
            for stored, ended in versions
        ]


def undo(
    database: Database,
    number: int,
    *,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
    keep_later: bool = False,
    dry_run: bool = False,
) -> Undone:
    """Take changeset *number* back by another changeset.

    Where later changesets touched the same indicators it is refused, naming them (`Conflict`), unless
    *keep_later*: then those stay as they are.
    """
    require(actor, *_ANY)
    with database.snapshot() if dry_run else database.transaction() as tx:
        record = _changeset(tx, number, actor)
        if actor.sees_only_own and record.actor != actor.id:
            raise Forbidden("undoing what others did needs Ti.ReadWrite.All")
        if not (record.created or record.updated or record.deleted):
            raise Conflict(f"changeset {number} ({record.kind}) changed no indicators: there is nothing to take back")
        touched = tx.indicators.touched_since(number)
        if touched and not keep_later:
            raise _in_the_way(number, touched)
        kept = tuple(sorted({indicator for indicator, _ in touched}))
        if dry_run:
            created, updated, deleted = tx.indicators.undo_counts(number, kept)
            return Undone(number, None, created, updated, deleted, kept)
        writing = Writing(tx, actor, now)
        writing.undo(number, kept)
        made = writing.finish(Header(actor, "undo", now, reason, undoes=number), {"kept": len(kept)})
        return Undone(number, made, writing.created, writing.updated, writing.deleted, kept)


def verify_chain(
    database: Database, *, head: str | None = None, hear: Callable[[int], None] | None = None
) -> tuple[ChangeSetRecord | None, list[str]]:
    """Return the newest changeset, and a sentence for every place where the history is not what was signed.

    *head* is a hash that was written down earlier: it has to be part of the chain, or its end was cut off.
    *hear* is told of every portion of rows that was read, `work_of` says of how many that will be.
    """
    with database.snapshot() as tx:
        faults = list(tx.changesets.faults(hear))
        if head is not None and not tx.changesets.has_hash(head):
            faults.append(
                f"no changeset has the hash {head[:64]}: the end of the chain is missing, or it was made anew"
            )
        try:
            newest = tx.changesets.head()
        except (OverflowError, TypeError, ValueError):  # altered, so that it is no changeset any more
            newest = None
        return newest, faults


def work_of(database: Database) -> int:
    """Return about how many rows `verify_chain` is going to read."""
    with database.snapshot() as tx:
        return tx.changesets.work()


def _changeset(tx: Transaction, number: int, actor: Actor) -> ChangeSetRecord:
    record = tx.changesets.get(number)
    if record is None or (actor.sees_only_own and record.actor != actor.id):
        raise NotFound(f"there is no changeset {number}")
    return record


def _in_the_way(number: int, touched: list[tuple[int, int]]) -> Conflict:
    by = sorted({changeset for _, changeset in touched})
    problems = [
        Problem("touched-later", f"indicator {indicator} was changed by changeset {changeset}", value=str(indicator))
        for indicator, changeset in touched[:NAMED_AT_MOST]
    ]
    names = ", ".join(str(indicator) for indicator, _ in touched[:10]) + (" …" if len(touched) > 10 else "")
    return Conflict(
        f"changeset {number} cannot be undone: later changesets ({', '.join(map(str, by[:10]))}) touched "
        f"{len({indicator for indicator, _ in touched})} of its indicators ({names}); undo those first, or keep them",
        problems,
    )
