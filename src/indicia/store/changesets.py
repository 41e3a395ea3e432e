"""The chain of applied plans: who changed what, when, from where and why, each signed over the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Column, CompoundSelect, Connection, Integer, Select, bindparam, func, insert, select, union_all

from indicia.domain.access import Actor
from indicia.store import announcing, engines
from indicia.store.schema import MOVED, changesets, indicator_history, indicators, to_microseconds
from indicia.store.selection import begun

GENESIS: Final = bytes(32)
_MICROSECOND: Final = timedelta(microseconds=1)
_HEADER: Final = (
    "id",
    "at",
    "actor",
    "actor_name",
    "source",
    "kind",
    "reason",
    "undoes",
    "details",
    "created",
    "updated",
    "deleted",
    "first_id",
    "next_id",
)


@dataclass(frozen=True, slots=True)
class ChangeSetRecord:
    """One applied plan as it is kept: its counts are of versions made and ended, held ones included."""

    id: int
    at: datetime
    actor: str
    actor_name: str
    source: str
    kind: str
    reason: str | None
    undoes: int | None
    details: Mapping[str, Any]
    created: int
    updated: int
    deleted: int
    first_id: int
    next_id: int
    rows_digest: bytes
    prev_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What is said of a changeset by whoever makes it."""

    actor: Actor
    kind: str
    at: datetime
    reason: str | None = None
    undoes: int | None = None


class Tip(NamedTuple):
    """Where the chain is, or was: a changeset, its hash, and the number of the next indicator."""

    id: int
    hash: bytes
    next_id: int


#: Entries that tell of what happened and changed nothing, such as a sign-in: for the audit, and in no list of changes.
EVENTS: Final = frozenset(
    {
        "access.denied",
        "audit.key",
        "audit.overflow",
        "backup",
        "export",
        "key.used",
        "node.started",
        "sign-in",
        "sign-in.refused",
        "sign-out",
    }
)


class Sought(NamedTuple):
    """Which changesets somebody looks for; ``since`` counts, ``until`` does not any more.

    With ``moved`` they are those that changed indicators; without ``events`` those that changed anything.
    """

    actor: str | None = None
    source: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    moved: bool = False
    events: bool = True

    def equal(self) -> list[tuple[Column[Any], str | None]]:
        """Return what a column has to hold, None where anything will do."""
        columns = changesets.c
        return [(columns.actor, self.actor), (columns.source, self.source), (columns.kind, self.kind)]


#: Where the chain is before its first changeset.
ORIGIN: Final = Tip(0, GENESIS, 1)
# Asked with nearly every request, so they are built once.
_HEAD: Final = select(changesets).order_by(changesets.c.id.desc()).limit(1)
_TIPS: Final = select(changesets.c.id, changesets.c.hash, changesets.c.next_id)
_TIP: Final = _TIPS.order_by(changesets.c.id.desc()).limit(1)
_NUMBERED: Final = select(changesets).where(changesets.c.id == bindparam("number"))
_ADD: Final = insert(changesets)
_MOVED_TIP: Final = _TIPS.where(MOVED).order_by(changesets.c.id.desc()).limit(1)


class ChangeSets:
    """Reads the chain and adds to its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> ChangeSetRecord | None:
        """Return the newest changeset, None where there is none."""
        row = self._connection.execute(_HEAD).first()
        return None if row is None else _record(row)

    def tip(self, number: int | None = None) -> Tip | None:
        """Return where the chain is, or was after *number*: None where there is no such changeset."""
        query = _TIP if number is None else _TIPS.where(changesets.c.id == number)
        row = self._connection.execute(query).first()
        if row is None:
            return None if number else ORIGIN
        return Tip(row.id, bytes(row.hash), row.next_id)

    def moved(self) -> Tip:
        """Return the newest changeset that changed indicators: what is known of those is as of it.

        What changed none, such as a sign-in, makes nothing old. It is one look-up, by an index of its own.
        """
        row = self._connection.execute(_MOVED_TIP).first()
        return ORIGIN if row is None else Tip(row.id, bytes(row.hash), row.next_id)

    def get(self, number: int) -> ChangeSetRecord | None:
        """Return the changeset *number*, None where there is none."""
        row = self._connection.execute(_NUMBERED, {"number": number}).first()
        return None if row is None else _record(row)

    def at(self, moment: datetime) -> int:
        """Return the number of the newest changeset at *moment*, 0 where there was none."""
        found = self._connection.execute(select(func.max(changesets.c.id)).where(changesets.c.at <= moment))
        return found.scalar_one() or 0

    def undone_by(self, number: int) -> int | None:
        """Return the newest changeset that undid *number*."""
        found = self._connection.execute(
            select(func.max(changesets.c.id)).where(changesets.c.id > number, changesets.c.undoes == number)
        )
        newest: int | None = found.scalar_one()
        return newest

    def actors(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return who made each of the changesets *numbers*."""
        wanted = sorted(set(numbers))
        found: dict[int, str] = {}
        for start in range(0, len(wanted), 5_000):
            part = wanted[start : start + 5_000]
            query = select(changesets.c.id, changesets.c.actor).where(changesets.c.id.in_(part))
            found.update({row.id: row.actor for row in self._connection.execute(query)})
        return found

    def has_hash(self, hash_hex: str) -> bool:
        """Return whether a changeset has the hash that *hash_hex* spells."""
        try:
            wanted = bytes.fromhex(hash_hex)
        except ValueError:
            return False
        return self._connection.execute(select(changesets.c.id).where(changesets.c.hash == wanted)).first() is not None

    def page(
        self, *, before: int | None, limit: int, ids: Sequence[int] | None = None, actor: str | None = None
    ) -> list[ChangeSetRecord]:
        """Return the newest changesets first: under *before*, or only those of *ids*, or only those of *actor*."""
        return self.find(Sought(actor=actor), before=before, limit=limit, ids=ids)

    def find(
        self,
        sought: Sought,
        *,
        limit: int,
        before: int | None = None,
        after: int | None = None,
        ids: Sequence[int] | None = None,
    ) -> list[ChangeSetRecord]:
        """Return up to *limit* of the *sought* changesets, the newest first: under *before*, or those next to *after*.

        Numbers rise with time, so that days are looked up once, and the rest is a walk along the numbers.
        """
        number = changesets.c.id
        query = select(changesets).limit(limit).order_by(number.desc() if after is None else number)
        conditions = [column == wanted for column, wanted in sought.equal() if wanted is not None]
        if sought.moved:
            conditions.append(MOVED)
        if not sought.events:
            conditions.append(changesets.c.kind.not_in(sorted(EVENTS)))
        if before is not None:
            conditions.append(number < before)
        if after is not None:
            conditions.append(number > after)
        if ids is not None:
            conditions.append(number.in_(ids))
        if sought.since is not None:
            conditions.append(number > self.at(sought.since - _MICROSECOND))
        if sought.until is not None:
            conditions.append(number <= self.at(sought.until - _MICROSECOND))
        found = [_record(row) for row in self._connection.execute(query.where(*conditions))]
        return found if after is None else found[::-1]

    def who(self, most: int) -> dict[str, str]:
        """Return up to *most* actors that made changesets, by the name each had last; a look-up for each."""
        found: dict[str, str] = {}
        query = select(func.min(changesets.c.actor))
        actor = self._connection.execute(query).scalar_one()
        while actor is not None and len(found) < most:
            newest = select(changesets.c.actor_name).where(changesets.c.actor == actor)
            found[actor] = self._connection.execute(newest.order_by(changesets.c.id.desc()).limit(1)).scalar_one()
            actor = self._connection.execute(query.where(changesets.c.actor > actor)).scalar_one()
        return found

    def kinds(self) -> list[str]:
        """Return every kind of which there is a changeset; a look-up for each, whatever their number."""
        found: list[str] = []
        query = select(func.min(changesets.c.kind))
        kind = self._connection.execute(query).scalar_one()
        while kind is not None:
            found.append(kind)
            kind = self._connection.execute(query.where(changesets.c.kind > kind)).scalar_one()
        return found

    def undone_among(self, numbers: Sequence[int]) -> dict[int, int]:
        """Return by which changeset each of *numbers* was undone last, those that were."""
        if not numbers:
            return {}
        query = select(changesets.c.undoes, func.max(changesets.c.id)).where(
            changesets.c.id > min(numbers), changesets.c.undoes.in_(numbers)
        )
        return {row[0]: row[1] for row in self._connection.execute(query.group_by(changesets.c.undoes))}

    def add(
        self,
        header: Header,
        *,
        details: Mapping[str, Any],
        created: int = 0,
        updated: int = 0,
        deleted: int = 0,
        next_id: int,
    ) -> ChangeSetRecord:
        """Add the next changeset to the chain, after its rows were written in this same transaction.

        Its digest is computed from what the tables now hold, by the same code that `verify` runs.
        """
        head = self.head()
        number = 1 if head is None else head.id + 1
        prev_hash = GENESIS if head is None else head.hash
        values: dict[str, Any] = {
            "id": number,
            # Never before its predecessor, whatever the clock does: time travel needs one order.
            "at": header.at if head is None else max(header.at, head.at),
            "actor": header.actor.id,
            "actor_name": header.actor.name,
            "source": header.actor.source.value,
            "kind": header.kind,
            "reason": header.reason,
            "undoes": header.undoes,
            "details": orjson.dumps(details, option=orjson.OPT_SORT_KEYS).decode(),
            "created": created,
            "updated": updated,
            "deleted": deleted,
            "first_id": 1 if head is None else head.next_id,
            "next_id": next_id,
        }
        rows_digest, touched = EMPTY_ROWS, created + updated + deleted
        if touched:
            # A row that was changed is read twice: as it was, and as it is.
            few = 2 * touched <= _FEW_ROWS
            rows_digest = digest_of_rows(self._connection, number, values["first_id"], next_id, few=few)
        values |= {"rows_digest": rows_digest, "prev_hash": prev_hash}
        values["hash"] = chain_hash(prev_hash, values, rows_digest)
        self._connection.execute(_ADD, values)
        announcing.announce(self._connection, number)
        return _record(self._connection.execute(_NUMBERED, {"number": number}).one())


def _began() -> CompoundSelect[Any]:
    now, past = indicators.c, indicator_history.c
    number = bindparam("number", type_=Integer)
    conditions = begun(number, bindparam("first_id", type_=Integer), bindparam("next_id", type_=Integer))
    return union_all(
        *(select(now.id, now.created, now.digest).where(each) for each in conditions),
        select(past.id, past.created, past.digest).where(past.began == number),
    ).order_by("id")


def _ended() -> Select[Any]:
    past = indicator_history.c
    query = select(past.id, past.began, past.digest).where(past.ended == bindparam("number"))
    return query.order_by(past.id, past.began)


_ROWS: Final = (("+", _began()), ("-", _ended()))
#: Rows that are brought at once, without a cursor on the server.
_FEW_ROWS: Final = 1_000
EMPTY_ROWS: Final = hashlib.sha256().digest()


def digest_of_rows(
    connection: Connection,
    number: int,
    first_id: int,
    next_id: int,
    hear: Callable[[int], None] | None = None,
    *,
    few: bool = False,
) -> bytes:
    """Return SHA-256 over the versions that changeset *number* began and those that it ended; *few*, all at once."""
    values = {"number": number, "first_id": first_id, "next_id": next_id}
    digest = hashlib.sha256()
    for sign, query in _ROWS:
        for part in engines.parts(connection, query, values=values, few=few):
            # Not %d: that would take 1.5 for 1.
            digest.update(b"".join([f"{sign}{row[0]},{row[1]},".encode() + row[2] for row in part]))
            if hear is not None:
                hear(len(part))
    return digest.digest()


def chain_hash(prev_hash: bytes, values: Mapping[str, Any], rows_digest: bytes) -> bytes:
    """Return the hash of a changeset: SHA-256 of the hash before, the header as JSON, the rows' digest."""
    header = {name: values[name] for name in _HEADER}
    if isinstance(header["at"], datetime):
        header["at"] = to_microseconds(header["at"])
    canonical = orjson.dumps(header, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(prev_hash + canonical + rows_digest).digest()


def _record(row: Any) -> ChangeSetRecord:
    values = dict(row._mapping)  # noqa: SLF001 SQLAlchemy's public name
    values["details"] = orjson.loads(values["details"])
    return ChangeSetRecord(**values)
