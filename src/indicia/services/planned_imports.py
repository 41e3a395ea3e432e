"""Planning an import now and applying it later: exactly what was shown, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO, Final, NamedTuple

from indicia.domain.access import Actor, Permission, require
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.domain.guard import Guard
from indicia.services.import_report import ImportReport, Listener
from indicia.services.imports import Format, Options, Source, import_indicators
from indicia.services.policy import NO_POLICY, Policy
from indicia.store.database import Database
from indicia.store.imports import PlannedImport

PLANS_ARE_KEPT: Final = timedelta(hours=24)
_GONE: Final = "the file is not kept any more: files are kept for a day; choose it again"


class Decided(NamedTuple):
    """What was decided after the plan was seen. With *keep_body* a file whose rows were refused stays for the day."""

    skip_bad_rows: bool
    reason: str | None
    keep_body: bool = False


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
    report = _dry_run(database, source, options, actor=actor, now=now, guard=guard, listener=listener, policy=policy)
    source.stream.seek(0)
    planned = _planned(import_id, source.name, options, report, actor, now, listener)
    with database.transaction() as tx:
        tx.imports.forget_before(now - PLANS_ARE_KEPT)
        tx.imports.add(planned, source.stream)
    return report


def keep_body(database: Database, stream: BinaryIO, *, import_id: str, actor: Actor, now: datetime) -> None:
    """Keep a file for a day under *import_id*, to be planned by `plan_kept`."""
    with database.transaction() as tx:
        tx.imports.forget_before(now - PLANS_ARE_KEPT)
        tx.imports.add(PlannedImport(import_id, actor.id, now, {}, b"", {}, None), stream)


def plan_kept(
    database: Database,
    import_id: str,
    name: str,
    options: Options,
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    listener: Listener | None = None,
    policy: Policy = NO_POLICY,
) -> ImportReport:
    """Plan the file that is kept under *import_id*, so that `apply_import` does just what was shown."""
    with body_of(database, import_id) as body:
        source = Source(name, body)
        report = _dry_run(
            database, source, options, actor=actor, now=now, guard=guard, listener=listener, policy=policy
        )
    with database.transaction() as tx:
        if not tx.imports.change(_planned(import_id, name, options, report, actor, now, listener)):
            raise NotFound(_GONE)
    return report


@contextmanager
def body_of(database: Database, import_id: str) -> Iterator[BufferedReader]:
    """Give the file that is kept under *import_id*; `NotFound` where it is not any more."""
    with database.snapshot() as reading:
        if not reading.imports.has_body(import_id):
            raise NotFound(_GONE)
        yield BufferedReader(_Pieces(reading.imports.body(import_id)))


def _dry_run(database: Database, source: Source, options: Options, **how: Any) -> ImportReport:
    dry = Options(options.format, options.strict, options.skip_bad_rows, True, options.reason, options.defaults)
    return import_indicators(database, [source], dry, **how)


def _planned(
    import_id: str,
    name: str,
    options: Options,
    report: ImportReport,
    actor: Actor,
    now: datetime,
    listener: Listener | None,
) -> PlannedImport:
    kept = {
        "name": name,
        "format": options.format.value,
        "strict": options.strict,
        "skip_bad_rows": options.skip_bad_rows,
        "reason": options.reason,
        "defaults": list(options.defaults),
        "applicable": not report.fatal and (options.skip_bad_rows or not report.must_stop),
        "fatal": report.fatal,
    }
    two = {"takesTwo": [reason.message for reason in report.takes_two]}
    shown = report.counts() | two | (listener or Listener()).kept(report)
    return PlannedImport(import_id, actor.id, now, kept, report.plan_digest, shown, None)


def planned_import(database: Database, import_id: str, *, actor: Actor) -> PlannedImport:
    """Return the import that *actor* planned under *import_id*; `NotFound` where there is none (any more)."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        planned = tx.imports.get(import_id)
    if planned is None or not planned.report or not (actor.sees_all or planned.actor == actor.id):
        raise NotFound(f"there is no planned import {import_id[:100]}; plans are kept for a day")
    return planned


def apply_import(
    database: Database,
    import_id: str,
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    policy: Policy = NO_POLICY,
    listener: Listener | None = None,
    decided: Decided | None = None,
) -> ImportReport:
    """Apply the import that was planned under *import_id*: exactly what was shown, or `Conflict`."""
    planned = planned_import(database, import_id, actor=actor)
    if planned.changeset is not None:
        what = f"as changeset {planned.changeset}" if planned.changeset else "and changed nothing"
        raise Conflict(f"this import was applied already, {what}")
    kept = planned.options
    if decided is None:
        decided = Decided(skip_bad_rows=kept["skip_bad_rows"], reason=kept["reason"])
    if kept.get("fatal") or not (decided.skip_bad_rows or kept["applicable"]):
        raise InvalidInput([Problem("refused-rows", "the plan has refused rows; mend them, or plan with onError=skip")])
    options = options_of(planned, decided.skip_bad_rows, decided.reason)
    with body_of(database, import_id) as body:
        report = import_indicators(
            database,
            [Source(kept["name"], body)],
            options,
            actor=actor,
            now=now,
            guard=guard,
            listener=listener,
            expected_plan=planned.plan_digest,
            policy=policy,
        )
    if not report.applied:
        raise Conflict("rows that were good when this import was planned are refused now; plan it again")
    with database.transaction() as tx:
        tx.imports.mark_applied(import_id, report.changeset or 0)
        if not (decided.keep_body and report.must_stop):
            tx.imports.drop_body(import_id)
    return report


def options_of(planned: PlannedImport, skip_bad_rows: bool, reason: str | None, *, dry_run: bool = False) -> Options:  # noqa: FBT001 an option of the import
    """Return the options with which *planned* is imported."""
    kept = planned.options
    return Options(Format(kept["format"]), kept["strict"], skip_bad_rows, dry_run, reason, Draft(*kept["defaults"]))


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
