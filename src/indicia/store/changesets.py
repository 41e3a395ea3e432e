"""The chain of applied plans: who changed what, when, from where and why, each signed over the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, func, insert, select, union_all

from indicia.domain.access import Actor
from indicia.store.rows import DECISION_COLUMNS, OWN_COLUMNS, Encoder, decode
from indicia.store.schema import changesets, decisions, indicator_history, indicators, to_microseconds
from indicia.store.selection import begun

GENESIS: Final = bytes(32)
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


class ChangeSets:
    """Reads the chain and adds to its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> ChangeSetRecord | None:
        """Return the newest changeset, None where there is none."""
        row = self._connection.execute(select(changesets).order_by(changesets.c.id.desc()).limit(1)).first()
        return None if row is None else _record(row)

    def get(self, number: int) -> ChangeSetRecord | None:
        """Return the changeset *number*, None where there is none."""
        row = self._connection.execute(select(changesets).where(changesets.c.id == number)).first()
        return None if row is None else _record(row)

    def at(self, moment: datetime) -> int:
        """Return the number of the newest changeset at *moment*, 0 where there was none."""
        found = self._connection.execute(select(func.max(changesets.c.id)).where(changesets.c.at <= moment))
        return found.scalar_one() or 0

    def undone_by(self, number: int) -> int | None:
        """Return the newest changeset that undid *number*."""
        found = self._connection.execute(select(func.max(changesets.c.id)).where(changesets.c.undoes == number))
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
        query = select(changesets).order_by(changesets.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(changesets.c.id < before)
        if ids is not None:
            query = query.where(changesets.c.id.in_(ids))
        if actor is not None:
            query = query.where(changesets.c.actor == actor)
        return [_record(row) for row in self._connection.execute(query)]

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
        touched = created or updated or deleted
        rows_digest = self._rows_digest(number, values["first_id"], next_id) if touched else EMPTY_ROWS
        values |= {"rows_digest": rows_digest, "prev_hash": prev_hash}
        values["hash"] = chain_hash(prev_hash, values, rows_digest)
        self._connection.execute(insert(changesets).values(values))
        return _record(self._connection.execute(select(changesets).where(changesets.c.id == number)).one())

    def _rows_digest(self, number: int, first_id: int, next_id: int) -> bytes:
        """Return SHA-256 over the versions that changeset *number* began and those that it ended."""
        now, past = indicators.c, indicator_history.c
        began = union_all(
            *(select(now.id, now.created, now.digest).where(each) for each in begun(number, first_id, next_id)),
            select(past.id, past.created, past.digest).where(past.began == number),
        ).order_by("id")
        ended = select(past.id, past.began, past.digest).where(past.ended == number).order_by(past.id, past.began)
        digest = hashlib.sha256()
        for sign, query in ((b"+", began), (b"-", ended)):
            rows = self._connection.execution_options(yield_per=10_000).execute(query)
            for part in rows.partitions(10_000):
                digest.update(b"".join([sign + b"%d,%d," % (row[0], row[1]) + row[2] for row in part]))
        return digest.digest()

    # -- verification ---------------------------------------------------------------------------------------------

    def faults(self) -> Iterator[str]:
        """Yield one sentence for every place where the chain and the tables do not agree; none means all is well."""
        prev_hash, expected, versions = GENESIS, 1, 0
        for row in self._connection.execute(select(changesets).order_by(changesets.c.id)).all():
            record = _record(row)
            if record.id != expected:
                yield f"changesets {expected} to {record.id - 1} are missing"
            if record.prev_hash != prev_hash:
                yield f"changeset {record.id} does not follow the one before it"
            touched = record.created or record.updated or record.deleted
            rows_digest = self._rows_digest(record.id, record.first_id, record.next_id) if touched else EMPTY_ROWS
            if record.rows_digest != rows_digest:
                yield f"the indicators that changeset {record.id} wrote are not those it signed"
            if record.hash != chain_hash(record.prev_hash, dict(row._mapping), record.rows_digest):  # noqa: SLF001 SQLAlchemy's public name
                yield f"changeset {record.id} was altered"
            prev_hash, expected = record.hash, record.id + 1
            versions += record.created + record.updated
        yield from self._content_faults()
        kept = sum(
            self._connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (indicators, indicator_history)
        )
        if kept != versions:
            yield f"the changesets made {versions} versions of indicators, the tables hold {kept}"

    def _content_faults(self) -> Iterator[str]:
        encoder = Encoder()
        for table in (indicators, indicator_history):
            own = [table.c[name] for name in OWN_COLUMNS]
            decided = [decisions.c[name] for name in DECISION_COLUMNS]
            # An outer join: a version whose decision is gone has to be found too.
            query = select(table.c.id, *own, *decided).outerjoin_from(
                table, decisions, decisions.c.id == table.c.decision
            )
            rows = self._connection.execution_options(yield_per=5_000).execute(query)
            for part in rows.partitions(5_000):
                for number, *content in part:
                    if not _is_intact(encoder, content[: len(own)], content[len(own) :]):
                        yield f"indicator {number} ({table.name}) was altered outside Indicia"


EMPTY_ROWS: Final = hashlib.sha256().digest()


def chain_hash(prev_hash: bytes, values: Mapping[str, Any], rows_digest: bytes) -> bytes:
    """Return the hash of a changeset: SHA-256 of the hash before, the header as JSON, the rows' digest."""
    header = {name: values[name] for name in _HEADER}
    header["at"] = to_microseconds(header["at"])
    canonical = orjson.dumps(header, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(prev_hash + canonical + rows_digest).digest()


def _is_intact(encoder: Encoder, content: list[Any], decided: list[Any]) -> bool:
    try:
        again = encoder.encode(decode(content, decided))
    except (KeyError, ValueError, TypeError):
        return False
    return bool(again[0] == content[0] and again[1] == content[1] and again[2] == content[2])


def _record(row: Any) -> ChangeSetRecord:
    values = dict(row._mapping)  # noqa: SLF001 SQLAlchemy's public name
    values["details"] = orjson.loads(values["details"])
    return ChangeSetRecord(**values)
