"""Planning an import now and applying it later: exactly what was shown, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO, Final

from indicia.domain.access import Actor
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.domain.guard import Guard
from indicia.services.import_report import ImportReport, Listener
from indicia.services.imports import Format, Options, Source, import_indicators
from indicia.services.writing import NO_POLICY, Policy
from indicia.store.database import Database
from indicia.store.imports import PlannedImport

PLANS_ARE_KEPT: Final = timedelta(hours=24)


def plan_import(
    database: Database,
    source: Source,
    options: Options,
    *,
    import_id: str,
    actor: Actor,
    now: datetime,
    guard: Guard,
    listener: Listener | None = None,
    policy: Policy = NO_POLICY,
) -> ImportReport:
    """Plan an import and keep it for a day under *import_id*, so that `apply_import` does just what was shown.

    *source* has to be seekable: it is read twice.
    """
    dry = Options(options.format, options.strict, options.skip_bad_rows, True, options.reason, options.defaults)
    report = import_indicators(
        database, [source], dry, actor=actor, now=now, guard=guard, listener=listener, policy=policy
    )
    source.stream.seek(0)
    kept = {
        "name": source.name,
        "format": options.format.value,
        "strict": options.strict,
        "skip_bad_rows": options.skip_bad_rows,
        "reason": options.reason,
        "defaults": list(options.defaults),
        "applicable": not report.fatal and (options.skip_bad_rows or not report.must_stop),
    }
    shown = report.counts() | (listener or Listener()).kept(report)
    planned = PlannedImport(import_id, actor.id, now, kept, report.plan_digest, shown, None)
    with database.transaction() as tx:
        tx.imports.forget_before(now - PLANS_ARE_KEPT)
        tx.imports.add(planned, source.stream)
    return report


def planned_import(database: Database, import_id: str, *, actor: Actor) -> PlannedImport:
    """Return the import that *actor* planned under *import_id*; `NotFound` where there is none (any more)."""
    with database.snapshot() as tx:
        planned = tx.imports.get(import_id)
    if planned is None or (planned.actor != actor.id and actor.sees_only_own):
        raise NotFound(f"there is no planned import {import_id[:100]}; plans are kept for a day")
    return planned


def apply_import(
    database: Database, import_id: str, *, actor: Actor, now: datetime, guard: Guard, policy: Policy = NO_POLICY
) -> ImportReport:
    """Apply the import that was planned under *import_id*: exactly what was shown, or `Conflict`."""
    planned = planned_import(database, import_id, actor=actor)
    if planned.changeset is not None:
        what = f"as changeset {planned.changeset}" if planned.changeset else "and changed nothing"
        raise Conflict(f"this import was applied already, {what}")
    kept = planned.options
    if not kept["applicable"]:
        raise InvalidInput([Problem("refused-rows", "the plan has refused rows; mend them, or plan with onError=skip")])
    options = Options(
        Format(kept["format"]), kept["strict"], kept["skip_bad_rows"], False, kept["reason"], Draft(*kept["defaults"])
    )
    with database.snapshot() as reading:
        body = BufferedReader(_Pieces(reading.imports.body(import_id)))
        report = import_indicators(
            database,
            [Source(kept["name"], body)],
            options,
            actor=actor,
            now=now,
            guard=guard,
            expected_plan=planned.plan_digest,
            policy=policy,
        )
    if not report.applied:
        raise Conflict("rows that were good when this import was planned are refused now; plan it again")
    with database.transaction() as tx:
        tx.imports.mark_applied(import_id, report.changeset or 0)
    return report


class _Pieces(RawIOBase):
    """A stream over pieces of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def digest_of(stream: BinaryIO) -> bytes:
    """Return SHA-256 of what is left in *stream*, and go back to its start."""
    digest = hashlib.sha256()
    while piece := stream.read(1 << 20):
        digest.update(piece)
    stream.seek(0)
    return digest.digest()
