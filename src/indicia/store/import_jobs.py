"""The imports that run in the background: where each has got to, and what was found about its rows."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, delete, func, insert, select, update

from indicia.store.schema import import_findings, import_jobs

_JSON: Final = ("options", "summary", "progress")


class ImportJobRecord(NamedTuple):
    """One import that runs, ran or waits: ``changeset`` is 0 where applying it changed nothing.

    ``progress`` is what its process said last, for those who look at it from another one.
    """

    id: str
    actor: str
    actor_name: str
    at: datetime
    name: str
    size: int
    state: str
    state_at: datetime
    owner: str | None
    options: Mapping[str, Any]
    summary: Mapping[str, Any]
    changeset: int | None
    progress: Mapping[str, Any] | None = None
    stop_asked_at: datetime | None = None


class ImportJobRecords:
    """Reads and writes the imports that run in the background."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: ImportJobRecord) -> None:
        """Keep a new one."""
        self._connection.execute(insert(import_jobs).values(_values(record._asdict())))

    def get(self, job_id: str) -> ImportJobRecord | None:
        """Return the one with the number *job_id*, None where there is none."""
        row = self._connection.execute(select(import_jobs).where(import_jobs.c.id == job_id)).first()
        return None if row is None else _record(row)

    def newest(self, limit: int) -> list[ImportJobRecord]:
        """Return the newest ones, the newest first."""
        query = select(import_jobs).order_by(import_jobs.c.at.desc(), import_jobs.c.id).limit(limit)
        return [_record(row) for row in self._connection.execute(query)]

    def count(self, states: Collection[str]) -> int:
        """Return how many are in one of *states*."""
        query = select(func.count()).select_from(import_jobs).where(import_jobs.c.state.in_(states))
        found: int = self._connection.execute(query).scalar_one()
        return found

    def move(self, job_id: str, *, among: Collection[str], held_by: str | None = None, **values: Any) -> bool:
        """Change the one that is in a state *among* those, and *held_by* that owner; return whether there is."""
        query = update(import_jobs).where(import_jobs.c.id == job_id, import_jobs.c.state.in_(among))
        if held_by is not None:
            query = query.where(import_jobs.c.owner == held_by)
        return self._connection.execute(query.values(_values(values))).rowcount == 1

    def tell(self, job_id: str, owner: str, progress: Mapping[str, Any]) -> None:
        """Say how far the one has got that *owner* has under way."""
        query = update(import_jobs).where(import_jobs.c.id == job_id, import_jobs.c.owner == owner)
        self._connection.execute(query.values(_values({"progress": progress})))

    def ask_to_stop(self, job_id: str, now: datetime) -> None:
        """Let its process know that somebody wants it stopped."""
        self._connection.execute(update(import_jobs).where(import_jobs.c.id == job_id).values(stop_asked_at=now))

    def to_be_stopped(self, owner: str) -> list[str]:
        """Return those of *owner* that somebody wants stopped."""
        query = select(import_jobs.c.id).where(import_jobs.c.owner == owner, import_jobs.c.stop_asked_at.is_not(None))
        return list(self._connection.execute(query).scalars())

    def forget_before(self, moment: datetime) -> None:
        """Forget what was begun before *moment*."""
        old = select(import_jobs.c.id).where(import_jobs.c.at < moment)
        self._connection.execute(delete(import_findings).where(import_findings.c.import_id.in_(old)))
        self._connection.execute(delete(import_jobs).where(import_jobs.c.at < moment))

    # -- what was found about the rows ----------------------------------------------------------------------------

    def add_findings(self, job_id: str, pieces: Collection[tuple[int, int, bytes]]) -> None:
        """Keep *pieces*: kind, number, and what they say."""
        rows = [
            {"import_id": job_id, "kind": kind, "number": number, "data": zlib.compress(data, 1)}
            for kind, number, data in pieces
        ]
        if rows:
            self._connection.execute(insert(import_findings), rows)

    def findings(self, job_id: str, kind: int, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        """Yield the pieces of one kind from the *first* on, one at a time."""
        pieces = import_findings.c
        number = first
        while count is None or number < first + count:
            query = select(pieces.data).where(pieces.import_id == job_id, pieces.kind == kind, pieces.number == number)
            data = self._connection.execute(query).scalar_one_or_none()
            if data is None:
                return
            yield zlib.decompress(data)
            number += 1

    def forget_findings(self, job_id: str) -> None:
        """Forget what was found about the rows of one import."""
        self._connection.execute(delete(import_findings).where(import_findings.c.import_id == job_id))


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: orjson.dumps(value).decode() if name in _JSON and value is not None else value
        for name, value in fields.items()
    }


def _record(row: Any) -> ImportJobRecord:
    values = dict(row._mapping)  # noqa: SLF001 SQLAlchemy's public name
    values |= {name: orjson.loads(values[name]) for name in _JSON if values[name] is not None}
    return ImportJobRecord(**values)
