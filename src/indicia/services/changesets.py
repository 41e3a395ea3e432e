"""The past: which changesets there were, what became of one indicator, taking a change back, proving the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import Conflict, Forbidden, NotFound, Problem
from indicia.domain.indicator import StoredIndicator
from indicia.domain.sight import exists_for, outside
from indicia.services.policy import NO_POLICY, Policy
from indicia.services.writing import Writing
from indicia.store.changesets import EVENTS, ChangeSetRecord, Header, Sought
from indicia.store.database import Database, Transaction

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
    """Return the newest changesets first, without what changed nothing (see `audit_export`).

    Who is limited to what it created, or to device groups, sees only its own.
    """
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        sought = Sought(actor=None if actor.sees_all else actor.id, events=False)
        return tx.changesets.find(sought, before=before, limit=limit)


def show_changeset(database: Database, number: int, *, actor: Actor) -> tuple[ChangeSetRecord, int | None]:
    """Return changeset *number* and the newest one that undid it."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        return _changeset(tx, number, actor), tx.changesets.undone_by(number)


def history_of(database: Database, number: int, *, actor: Actor) -> list[Version]:
    """Return every version of indicator *number*, the oldest first, deleted and expired ones included.

    A version that the actor may not see, because it was for other device groups then, is none for it.
    """
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        versions = [each for each in tx.indicators.history(number) if exists_for(actor, each[0])]
        if not versions:
            raise NotFound(f"there never was an indicator {number}")
        numbers = {stored.began for stored, _ in versions} | {ended for _, ended in versions if ended is not None}
        found = tx.changesets.page(before=None, limit=len(numbers), ids=list(numbers))
        records = {record.id: _told_to(actor, record) for record in found}
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
    policy: Policy = NO_POLICY,
) -> Undone:
    """Take changeset *number* back by another changeset.

    Where later changesets touched the same indicators it is refused, naming them (`Conflict`), unless
    *keep_later*: then those stay as they are.
    """
    require(actor, Permission.INDICATORS_WRITE)
    with database.snapshot() if dry_run else database.transaction() as tx:
        record = _changeset(tx, number, actor)
        if actor.groups is not None:
            _require_reach(tx, number, actor)
        if not (record.created or record.updated or record.deleted):
            raise Conflict(f"changeset {number} ({record.kind}) changed no indicators: there is nothing to take back")
        if record.kind == "group.rename":
            raise Conflict(f"changeset {number} gave a device group another name: give it the old one back instead")
        touched = tx.indicators.touched_since(number)
        if touched and not keep_later:
            raise _in_the_way(number, touched)
        kept = tuple(sorted({indicator for indicator, _ in touched}))
        writing = Writing(tx, actor, now, policy=policy)
        if dry_run:
            if policy.review is not None:
                writing.undo(number, kept)
            created, updated, deleted = tx.indicators.undo_counts(number, kept)
            return Undone(number, None, created, updated, deleted, kept)
        writing.undo(number, kept)
        _require_groups(tx, writing.number)
        made = writing.finish(Header(actor, "undo", now, reason, undoes=number), {"kept": len(kept)})
        return Undone(number, made, writing.created, writing.updated, writing.deleted, kept)


def _require_groups(tx: Transaction, number: int) -> None:
    """Raise `Conflict` where changeset *number* brought back a scope that names a device group which is gone."""
    gone = sorted(tx.groups.named_by(number) - {group.name for group in tx.groups.all()})
    if gone:
        names = ", ".join(repr(name) for name in gone[:10])
        raise Conflict(
            f"indicators that would come back are for device groups that are not there any more: {names}; "
            "add a group of that name first"
        )


def verify_chain(
    database: Database, *, head: str | None = None, hear: Callable[[int], None] | None = None
) -> tuple[ChangeSetRecord | None, list[str]]:
    """Return the newest changeset, and a sentence for every place where the history is not what was signed.

    *head* is a hash that was written down earlier: it has to be part of the chain, or its end was cut off.
    *hear* is told of every portion of rows that was read, `work_of` says of how many that will be.
    """
    with database.snapshot() as tx:
        faults = list(tx.integrity.faults(hear))
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
        return tx.integrity.work()


def _changeset(tx: Transaction, number: int, actor: Actor) -> ChangeSetRecord:
    record = tx.changesets.get(number)
    if record is None or not may_see(actor, record):
        raise NotFound(f"there is no changeset {number}")
    return record


def may_see(actor: Actor, record: ChangeSetRecord) -> bool:
    """Return whether *record* exists for *actor*: its own do, and changes of others; events for who reads the audit."""
    if record.actor == actor.id:
        return True
    return actor.sees_all and (record.kind not in EVENTS or actor.may(Permission.AUDIT_READ))


def _told_to(actor: Actor, record: ChangeSetRecord) -> ChangeSetRecord:
    """Return what *actor* may know of a changeset that touched what it sees: of others not what else it touched."""
    if actor.sees_all or record.actor == actor.id:
        return record
    return replace(record, details={}, created=0, updated=0, deleted=0, undoes=None)


def _require_reach(tx: Transaction, number: int, actor: Actor) -> None:
    """Raise `Forbidden` where changeset *number* touched what reaches past the device groups of *actor*."""
    for scope in tx.touched.scopes(number):
        problem = outside(actor, scope)
        if problem is not None:
            raise Forbidden(f"changeset {number} cannot be undone by you: {problem.message}", [problem])


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
