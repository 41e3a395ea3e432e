"""Asking what the indicators decide about values, and why: straight from the store, as of now or of any moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, require
from indicia.domain.draft import NOTHING_GIVEN
from indicia.domain.errors import InvalidInput, NotFound, Problem
from indicia.domain.guard import Guard
from indicia.domain.indicator import StoredIndicator
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType
from indicia.domain.verdict import NO_VERDICT, Match, NetworkPrecedence, Verdict, resolve
from indicia.importers.bare_values import draft_of_value
from indicia.store.database import Database, Transaction
from indicia.store.selection import Selection

#: Values of one question.
MOST_VALUES: Final = 10_000


class Explained(NamedTuple):
    """The verdict about one value: how it was read (None where it is of no type), and what there is to say about it."""

    value: str
    seen: Observable | None
    verdict: Verdict
    notes: tuple[Problem, ...]


class Explanation(NamedTuple):
    """Verdicts in the order of the values, the numbers of device groups, and the changeset that they are as of."""

    verdicts: list[Explained]
    group_ids: dict[str, str]
    snapshot: int | None


def explain(
    database: Database,
    values: Sequence[str],
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    group: str | None = None,
    at: datetime | int | None = None,
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION,
) -> Explanation:
    """Return the verdict about each of *values* for a device of *group*, as of *at* where that is given.

    A value that is of no type gets no verdict and a note that says why. Raises `InvalidInput` where there is no such
    group or there are too many values, `NotFound` where there is no such changeset.
    """
    require(actor, Permission.TI_READ_WRITE_ALL)
    if not 1 <= len(values) <= MOST_VALUES:
        message = f"{len(values):,} values are given; allowed: 1 to {MOST_VALUES:,}"
        raise InvalidInput([Problem("wrong-number-of-values", message, "values")])
    with database.snapshot() as tx:
        group_ids = {each.name: str(each.id) for each in tx.groups.all()}
        if group is not None and group not in group_ids:
            message = f"there is no device group named {group[:100]!r}"
            raise InvalidInput([Problem("unknown-group", message, "group", group[:100], tuple(sorted(group_ids))[:50])])
        snapshot, moment = _as_of(tx, at, now)
        selection = Selection(moment, changeset=snapshot if at is not None else None, include_expired=True)
        read = [_read(value, guard) for value in values]
        found = _found(tx, selection, [seen for _value, seen, _notes in read if seen is not None])
    explained = []
    for value, seen, notes in read:
        matches = [] if seen is None else _matches(seen, found)
        verdict = resolve(matches, group=group, now=moment, precedence=precedence) if matches else NO_VERDICT
        explained.append(Explained(value, seen, verdict, notes))
    return Explanation(explained, group_ids, snapshot)


def _as_of(tx: Transaction, at: datetime | int | None, now: datetime) -> tuple[int | None, datetime]:
    """Return the changeset and the moment that *at* means."""
    if at is None:
        head = tx.changesets.head()
        return (None if head is None else head.id), now
    if isinstance(at, datetime):
        return tx.changesets.at(at), at
    record = tx.changesets.get(at)
    if record is None:
        raise NotFound(f"there is no changeset {at}")
    return at, record.at


def _read(value: str, guard: Guard) -> tuple[str, Observable | None, tuple[Problem, ...]]:
    draft, notes = draft_of_value(NOTHING_GIVEN, value.strip())
    if any(not note.warning for note in notes):
        return value, None, notes
    seen = Observable.parse(ObservableType(draft.type), str(draft.value))
    reason = guard.reason(seen.type, seen.value)
    if reason is not None:
        message = f"{reason.message}; an indicator that stops it is held until somebody releases it"
        notes = (*notes, Problem(f"held-{reason.code}", message, value=value[:200], warning=True))
    elif (popular := guard.note(seen.type, seen.value)) is not None:
        notes = (*notes, Problem("popular-name", popular, value=value[:200], warning=True))
    return value, seen, notes


def _parts(seen: Observable) -> list[Observable]:
    """Return what to look up; 40 hexadecimal digits may be the hash of a file or the thumbprint of a certificate."""
    if seen.type is ObservableType.FILE_SHA1:
        return [seen, Observable(ObservableType.CERTIFICATE_THUMBPRINT, seen.value)]
    return parts_of(seen)


def _found(
    tx: Transaction, selection: Selection, observables: Sequence[Observable]
) -> dict[Observable, list[StoredIndicator]]:
    keys = {key for seen in observables for part in _parts(seen) for key in keys_of(part)}
    found: dict[Observable, list[StoredIndicator]] = {}
    for stored in tx.indicators.about([(key.type, key.value) for key in keys], selection):
        key = Observable(stored.indicator.type, stored.indicator.canonical)
        found.setdefault(key, []).append(stored)
    return found


def _matches(seen: Observable, found: dict[Observable, list[StoredIndicator]]) -> list[Match]:
    return [Match(stored, part) for part in _parts(seen) for key in keys_of(part) for stored in found.get(key, ())]
