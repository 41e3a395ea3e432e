"""Batches of an import as bytes, to be sent from one process to another: a fraction of what pickling objects costs."""

from __future__ import annotations

import pickle
from typing import Any, Final, NamedTuple

from indicia.domain.indicator import Indicator
from indicia.importers.parsed import Parsed, Read
from indicia.store.rows import Row

_FIRST_SHARED: Final = Indicator._fields.index("severity")
_EXTERNAL_ID: Final = Indicator._fields.index("external_id")
# Where a row that `Encoder.encode` gives has them.
_SUBJECT, _DIGEST, _ACTION, _EXPIRES, _DECISION = 0, 1, 2, 7, 9


class Batch(NamedTuple):
    """Part of a file: what the importer read, and the row of each indicator."""

    parsed: Parsed
    rows: list[Row]


def pack(batch: Batch) -> bytes:
    """Return *batch* as bytes that `unpack` makes it of again; only for our own processes, never for a file."""
    shared: dict[tuple[Any, ...], int] = {}
    kept: list[tuple[Any, ...]] = []
    flat = []
    for (line, indicator), row in zip(batch.parsed.read, batch.rows, strict=True):
        # What many rows share is sent once; rows of one decision and expiry share all of it.
        key = (row[_DECISION][0], row[_EXPIRES])
        number = shared.get(key)
        if number is None:
            number = shared[key] = len(kept)
            parts = (indicator[0], indicator[3], indicator[_FIRST_SHARED:_EXTERNAL_ID], indicator[_EXTERNAL_ID + 1 :])
            kept.append((*parts, row[_ACTION], row[_EXPIRES], row[_DECISION]))
        flat.append((line, number, *row[:2], *row[3:7], row[8]))
    parsed = batch.parsed
    rest = (parsed.refused, parsed.notes, parsed.fatal, parsed.position)
    return pickle.dumps((kept, flat, rest), pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> Batch:
    """Return the batch that `pack` made *packed* of."""
    kept, flat, (refused, notes, fatal, position) = pickle.loads(packed)  # noqa: S301 from our own process, by a pipe
    new, read, rows = tuple.__new__, [], []
    for line, number, subject, digest, canonical, value, title, description, external_id in flat:
        kind, action, before, after, code, expires, decision = kept[number]
        written = canonical if value is None else value
        fields = (kind, canonical, written, action, title, description, *before, external_id, *after)
        read.append(new(Read, (line, new(Indicator, fields))))
        rows.append((subject, digest, code, canonical, value, title, description, expires, external_id, decision))
    return Batch(Parsed(read, refused, notes, fatal, position), rows)
