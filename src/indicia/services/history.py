"""What changesets did, for whoever looks at them: a list to search, and the difference that each one made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, require
from indicia.domain.changes import Effect
from indicia.domain.differences import Difference, differences
from indicia.domain.errors import NotFound
from indicia.domain.indicator import Indicator, StoredIndicator
from indicia.domain.sight import exists_for
from indicia.services.changesets import may_see
from indicia.store.changesets import ChangeSetRecord, Sought
from indicia.store.database import Database, Transaction

__all__ = ["Effect", "Found", "Line", "Row", "Rows", "Shown", "Sought", "find", "rows_of", "show", "who"]

#: Actors that a menu names.
MOST_ACTORS: Final = 100


class Line(NamedTuple):
    """A changeset of a list, and the one that took it back last."""

    record: ChangeSetRecord
    undone_by: int | None


class Found(NamedTuple):
    """A page of changesets, the newest first, and whether there are newer and older ones."""

    lines: list[Line]
    newer: bool
    older: bool


class Shown(NamedTuple):
    """One changeset: ``previous`` is the one that it follows, ``newest`` whether nothing came after it."""

    record: ChangeSetRecord
    undone_by: int | None
    previous: int | None
    next: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """What a changeset did to one indicator: the versions before and after, and the fields that differ."""

    id: int
    effect: Effect
    indicator: Indicator
    before: StoredIndicator | None
    after: StoredIndicator | None
    changes: tuple[Difference, ...]


class Rows(NamedTuple):
    """A page of rows by the number of their indicator, and the number to go on from where there are more."""

    items: list[Row]
    more_after: int | None


def find(
    database: Database,
    sought: Sought,
    *,
    actor: Actor,
    limit: int,
    before: int | None = None,
    after: int | None = None,
) -> Found:
    """Return a page of the *sought* changesets: those under *before*, or the nearest past *after*.

    Who is limited to what it created or to device groups sees only its own changes.
    """
    require(actor, Permission.INDICATORS_READ)
    if not actor.sees_all:
        sought = sought._replace(actor=actor.id)
    if not actor.may(Permission.AUDIT_READ):
        sought = sought._replace(events=False)
    with database.snapshot() as tx:
        found = tx.changesets.find(sought, limit=limit + 1, before=before, after=after)
        if after is not None:
            more, records = len(found) > limit, found[-limit:]
            newer, older = more, bool(records)
        else:
            more, records = len(found) > limit, found[:limit]
            newer, older = before is not None and bool(records), more
        undone = tx.changesets.undone_among([record.id for record in records])
    return Found([Line(record, undone.get(record.id)) for record in records], newer, older)


def who(database: Database, *, actor: Actor) -> dict[str, str]:
    """Return who made changesets, by id: the name that each had last."""
    require(actor, Permission.INDICATORS_READ)
    if not actor.sees_all:
        return {actor.id: actor.name}
    with database.snapshot() as tx:
        return tx.changesets.who(MOST_ACTORS)


def show(database: Database, number: int, *, actor: Actor) -> Shown:
    """Return changeset *number*, and what stands beside it in the chain; raises `NotFound`."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        record = _changeset(tx, number, actor)
        following = tx.changesets.tip(number + 1) if actor.sees_all else None
        previous = number - 1 if number > 1 and not actor.sees_only_own else None
        return Shown(record, tx.changesets.undone_by(number), previous, following.id if following else None)


def rows_of(
    database: Database, number: int, effect: Effect | None, *, actor: Actor, limit: int, after: int = 0
) -> Rows:
    """Return a page of what changeset *number* did, to the indicators numbered past *after*; raises `NotFound`."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        record = _changeset(tx, number, actor)
        if not _did(record, effect):
            return Rows([], None)
        numbers = tx.touched.numbers(number, effect, after=after, limit=limit + 1)
        shown = numbers[:limit]
        before = {key: each for key, each in tx.indicators.get(shown, before=number).items() if each.began < number}
        after_it = _begun(tx, number, shown)
    # Whoever made it may be limited to other device groups by now.
    hidden = {each.id for each in (*before.values(), *after_it.values()) if not exists_for(actor, each)}
    items = [_row(each, before.get(each), after_it.get(each)) for each in shown if each not in hidden]
    return Rows([row for row in items if row is not None], shown[-1] if len(numbers) > limit else None)


def _did(record: ChangeSetRecord, effect: Effect | None) -> bool:
    """Return whether *record* counts anything of *effect*, or anything at all."""
    counts = {Effect.CREATED: record.created, Effect.UPDATED: record.updated, Effect.DELETED: record.deleted}
    return bool(sum(counts.values()) if effect is None else counts[effect])


def _begun(tx: Transaction, number: int, shown: list[int]) -> dict[int, StoredIndicator]:
    """Return the versions of *shown* that changeset *number* began, current or ended since."""
    found = {key: each for key, each in tx.indicators.get(shown).items() if each.began == number}
    by_end: dict[int, list[int]] = {}
    for indicator, ended in tx.touched.ended_by(number, [each for each in shown if each not in found]).items():
        by_end.setdefault(ended, []).append(indicator)
    for ended, numbers in by_end.items():
        past = tx.indicators.get(numbers, before=ended)
        found |= {key: each for key, each in past.items() if each.began == number}
    return found


def _row(number: int, before: StoredIndicator | None, after: StoredIndicator | None) -> Row | None:
    if after is not None and before is not None:
        changes = differences(before.indicator, after.indicator)
        return Row(number, Effect.UPDATED, after.indicator, before, after, changes)
    if after is not None:
        return Row(number, Effect.CREATED, after.indicator, None, after, ())
    if before is not None:
        return Row(number, Effect.DELETED, before.indicator, before, None, ())
    return None  # altered outside Indicia: verifying tells


def _changeset(tx: Transaction, number: int, actor: Actor) -> ChangeSetRecord:
    record = tx.changesets.get(number)
    if record is None or not may_see(actor, record):
        raise NotFound(f"there is no changeset {number}")
    return record
