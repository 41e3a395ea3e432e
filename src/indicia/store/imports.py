"""The imports that were planned and may be applied: their bytes as they came, and the plan that was shown."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, BinaryIO, Final, NamedTuple

import orjson
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from indicia.store.proposals import OPEN
from indicia.store.schema import planned_import_chunks, planned_imports
from indicia.store.schema_proposals import proposals

CHUNK_BYTES: Final = 1 << 20


class PlannedImport(NamedTuple):
    """An import that was planned: ``changeset`` is None until it is applied."""

    id: str
    actor: str
    at: datetime
    options: Mapping[str, Any]
    plan_digest: bytes
    report: Mapping[str, Any]
    changeset: int | None


class PlannedImports:
    """Reads and writes planned imports."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, planned: PlannedImport, body: BinaryIO) -> None:
        """Keep *planned* and its *body*, compressed, in pieces."""
        self._connection.execute(insert(planned_imports).values(_values(planned)))
        self._add_body(planned.id, body)

    def change(self, planned: PlannedImport) -> bool:
        """Give a planned import another plan, its body staying as it is; return whether there is one."""
        query = update(planned_imports).where(planned_imports.c.id == planned.id)
        return self._connection.execute(query.values(_values(planned))).rowcount == 1

    def change_body(self, import_id: str, body: BinaryIO) -> None:
        """Give a planned import another body."""
        self.drop_body(import_id)
        self._add_body(import_id, body)

    def _add_body(self, import_id: str, body: BinaryIO) -> None:
        # An empty file is one piece too: it is kept, and not gone.
        pieces = chain([body.read(CHUNK_BYTES)], iter(lambda: body.read(CHUNK_BYTES), b""))
        for number, piece in enumerate(pieces):
            row = {"import_id": import_id, "number": number, "data": zlib.compress(piece, 1)}
            self._connection.execute(insert(planned_import_chunks).values(row))

    def get(self, import_id: str) -> PlannedImport | None:
        """Return the planned import, None where there is none."""
        row = self._connection.execute(select(planned_imports).where(planned_imports.c.id == import_id)).first()
        if row is None:
            return None
        values = dict(row._mapping)  # noqa: SLF001 SQLAlchemy's public name
        values["options"] = orjson.loads(values["options"])
        values["report"] = orjson.loads(values["report"])
        return PlannedImport(**values)

    def body(self, import_id: str) -> Iterator[bytes]:
        """Yield the bytes of a planned import, a piece at a time."""
        chunks = planned_import_chunks.c
        last = self._connection.execute(
            select(func.max(chunks.number)).where(chunks.import_id == import_id)
        ).scalar_one()
        for number in range(0 if last is None else last + 1):
            query = select(chunks.data).where(chunks.import_id == import_id, chunks.number == number)
            yield zlib.decompress(self._connection.execute(query).scalar_one())

    def has_body(self, import_id: str) -> bool:
        """Return whether the bytes of a planned import are still kept."""
        query = select(planned_import_chunks.c.number).where(planned_import_chunks.c.import_id == import_id)
        return self._connection.execute(query.limit(1)).first() is not None

    def mark_applied(self, import_id: str, changeset: int | None) -> None:
        """Say that a planned import was applied as *changeset*."""
        query = update(planned_imports).where(planned_imports.c.id == import_id)
        self._connection.execute(query.values(changeset=changeset))

    def keep_since(self, import_id: str, moment: datetime) -> None:
        """Keep a planned import as long as one that was planned at *moment*."""
        self._connection.execute(update(planned_imports).where(planned_imports.c.id == import_id).values(at=moment))

    def drop_body(self, import_id: str) -> None:
        """Forget the bytes of a planned import: nobody needs them any more."""
        self._connection.execute(delete(planned_import_chunks).where(planned_import_chunks.c.import_id == import_id))

    def forget_before(self, moment: datetime) -> None:
        """Forget the imports that were planned before *moment*, but for those that are proposed and wait."""
        waiting = select(proposals.c.import_id).where(proposals.c.state == OPEN, proposals.c.import_id.is_not(None))
        forgotten = and_(planned_imports.c.at < moment, planned_imports.c.id.not_in(waiting))
        old = select(planned_imports.c.id).where(forgotten)
        self._connection.execute(delete(planned_import_chunks).where(planned_import_chunks.c.import_id.in_(old)))
        self._connection.execute(delete(planned_imports).where(forgotten))


def _values(planned: PlannedImport) -> dict[str, Any]:
    values = planned._asdict()
    values["options"] = orjson.dumps(values["options"]).decode()
    values["report"] = orjson.dumps(values["report"]).decode()
    return values
