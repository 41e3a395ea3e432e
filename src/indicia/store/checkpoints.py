"""Checkpoints as rows: places of the chain with a signature that nobody makes who has only the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, type_coerce
from sqlalchemy.types import NULLTYPE

from indicia.store import engines
from indicia.store.schema_audit import checkpoints


class Checkpoint(NamedTuple):
    """The *number*-th checkpoint: at some moment the chain had *changeset* with this *hash*, and *key_id* signed it."""

    number: int
    changeset: int
    at: datetime
    hash: bytes
    key_id: str
    signature: bytes


class Checkpoints:
    """Reads the checkpoints and adds to their end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last(self) -> Checkpoint | None:
        """Return the newest checkpoint, None where there is none."""
        row = self._connection.execute(select(checkpoints).order_by(checkpoints.c.number.desc()).limit(1)).first()
        return None if row is None else Checkpoint(*row)

    def newest(self, limit: int) -> list[Checkpoint]:
        """Return up to *limit* checkpoints, the newest first."""
        query = select(checkpoints).order_by(checkpoints.c.number.desc()).limit(limit)
        return [Checkpoint(*row) for row in self._connection.execute(query)]

    def after(self, number: int, limit: int) -> list[Checkpoint]:
        """Return up to *limit* checkpoints past *number*, the oldest first."""
        query = select(checkpoints).where(checkpoints.c.number > number).order_by(checkpoints.c.number).limit(limit)
        return [Checkpoint(*row) for row in self._connection.execute(query)]

    def add(self, checkpoint: Checkpoint) -> None:
        """Add the next one."""
        self._connection.execute(insert(checkpoints).values(checkpoint._asdict()))

    def stored(self) -> Iterator[tuple[Any, ...]]:
        """Yield every row as it is stored, in the order of `Checkpoint`: what was altered may be of any type."""
        columns = [type_coerce(column, NULLTYPE) for column in checkpoints.c]
        for part in engines.parts(self._connection, select(*columns).order_by(checkpoints.c.number), 2_000):
            yield from part
