"""Importing files of indicators: plan them, apply them, keep a plan to be applied later."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from indicia.domain.access import Actor, Permission, require
from indicia.domain.changes import Outcome, Step
from indicia.domain.checker import Checker, Circumstances
from indicia.domain.draft import COLUMN_NAMES, NOTHING_GIVEN, PROPERTY_NAMES, Draft
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.domain.guard import Guard
from indicia.domain.rules import Strictness
from indicia.importers.defender_csv import DefenderCsv
from indicia.importers.ndjson import NdJson
from indicia.importers.parsed import Parsed, Refusal
from indicia.importers.text_list import TextList
from indicia.services.ahead import read_ahead
from indicia.services.problem_log import ProblemLog
from indicia.services.writing import Writing
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.imports import PlannedImport
from indicia.store.rows import Encoder, Row

PLANS_ARE_KEPT: Final = timedelta(hours=24)


class Format(StrEnum):
    """What a file of indicators may be."""

    CSV = "csv"
    TEXT = "text"
    NDJSON = "ndjson"


class Importer(Protocol):
    """Turns bytes into indicators and problems; does no other input or output."""

    def read(self, source: BinaryIO, checker: Checker, *, strict: bool = False) -> Iterator[Parsed]:
        """Yield the records of *source* in batches, in order. Never raises for bad data."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """How to import: ``defaults`` gives what a text list lacks."""

    format: Format = Format.CSV
    strict: bool = False
    skip_bad_rows: bool = False
    dry_run: bool = False
    reason: str | None = None
    defaults: Draft = NOTHING_GIVEN

    def importer(self) -> Importer:
        """Return the importer of the format."""
        makers: dict[Format, Callable[[], Importer]] = {
            Format.CSV: DefenderCsv,
            Format.TEXT: lambda: TextList(self.defaults),
            Format.NDJSON: NdJson,
        }
        return makers[self.format]()


class Source(NamedTuple):
    """One file to import."""

    name: str
    stream: BinaryIO


@dataclass(slots=True)
class FileReport:
    """What becomes of the rows of one file; ``rows`` is the sum of the outcomes."""

    name: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    held: int = 0
    conflicts: int = 0

    @property
    def rows(self) -> int:
        """How many records the file holds."""
        return self.created + self.updated + self.unchanged + self.refused + self.held

    def as_dict(self) -> dict[str, Any]:
        """Return the shape that `--json`, the API and the changeset's details share."""
        return {
            "name": self.name,
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "held": self.held,
            "conflicts": self.conflicts,
        }


@dataclass(slots=True)
class ImportReport:
    """What an import did, or would do: ``applied`` says which."""

    files: list[FileReport] = field(default_factory=list)
    problems: ProblemLog = field(default_factory=ProblemLog)
    fatal: bool = False
    applied: bool = False
    changeset: int | None = None
    plan_digest: bytes = b""

    def total(self, name: str) -> int:
        """Return the sum of one count over all files."""
        return sum(getattr(file, name) for file in self.files)

    @property
    def must_stop(self) -> bool:
        """Whether rows were refused, so that an import of all or nothing does nothing."""
        return self.fatal or self.total("refused") > 0

    def counts(self) -> dict[str, Any]:
        """Return the stable part of the report: everything but the problems."""
        names = ("created", "updated", "unchanged", "refused", "held", "conflicts")
        files = [file.as_dict() for file in self.files]
        return {"files": files, **{name: self.total(name) for name in names}, "changeset": self.changeset}


class Listener:
    """Hears what happens to each row while an import runs; the methods do nothing unless a door overrides them."""

    def refused(self, file: str, refusal: Refusal) -> None:
        """Hear of a record that makes no indicator, or may not be written."""

    def noted(self, file: str, problems: Sequence[Problem]) -> None:
        """Hear of warnings about records that make indicators all the same."""

    def planned(self, file: str, steps: Sequence[Step]) -> None:
        """Hear what becomes of records that make indicators."""

    def progress(self, file: str, position: int, rows: int) -> None:
        """Hear how many bytes and rows of a file were read."""

    def kept(self, report: ImportReport) -> dict[str, Any]:
        """Return what to keep of a plan besides its counts."""
        return {}


class _Stopped(Exception):
    """Leaves a transaction without committing it."""


def import_indicators(
    database: Database,
    sources: Sequence[Source],
    options: Options,
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    listener: Listener | None = None,
    expected_plan: bytes | None = None,
    most_active: int | None = None,
) -> ImportReport:
    """Import *sources* as one changeset and report every problem of every row.

    All or nothing, unless the options say to skip bad rows; a dry run works out the same and writes nothing.
    With *expected_plan* nothing is written either where the plan has become another one: `Conflict`; nor where more
    than *most_active* indicators would be active afterwards, which is reported.
    """
    require(actor, Permission.TI_READ_WRITE, Permission.TI_READ_WRITE_ALL)
    report = ImportReport()
    hear = listener or Listener()
    if options.dry_run:
        with database.snapshot() as tx:
            _run(tx, sources, options, actor, now, guard, hear, report, most_active)
        return report
    try:
        with database.transaction() as tx:
            writing = _run(tx, sources, options, actor, now, guard, hear, report, most_active)
            if report.fatal or (report.must_stop and not options.skip_bad_rows):
                raise _Stopped
            if expected_plan is not None and expected_plan != report.plan_digest:
                raise Conflict("what is stored has changed since this import was planned; plan it again")
            header = Header(actor, "import", now, options.reason)
            record = writing.finish(header, {"files": [file.as_dict() for file in report.files]})
            report.changeset = record.id if record else None
    except _Stopped:
        return report
    report.applied = True
    return report


def _run(
    tx: Transaction,
    sources: Sequence[Source],
    options: Options,
    actor: Actor,
    now: datetime,
    guard: Guard,
    hear: Listener,
    report: ImportReport,
    most_active: int | None,
) -> Writing:
    names = COLUMN_NAMES if options.format is not Format.NDJSON else PROPERTY_NAMES
    writing = Writing(tx, actor, now, column=names["value"])
    checker = Checker(
        Circumstances(
            now=now,
            guard=guard,
            groups=frozenset(group.name for group in tx.groups.all()),
            strictness=Strictness.STRICT if options.strict else Strictness.NATIVE,
            names=names,
        )
    )
    importer = options.importer()
    for source in sources:
        file = FileReport(source.name)
        report.files.append(file)
        batches = _encoded(importer.read(source.stream, checker, strict=options.strict))
        with closing(read_ahead(batches)) as ahead:
            for parsed, rows in ahead:
                _take(parsed, rows, file, writing, options, hear, report)
                hear.progress(source.name, parsed.position, file.rows)
    excess = writing.over(most_active)
    if excess is not None:
        report.problems.extend([excess])
        report.fatal = True
    report.plan_digest = writing.plan_digest
    return writing


def _encoded(batches: Iterator[Parsed]) -> Iterator[tuple[Parsed, list[Row]]]:
    encode = Encoder().encode
    for parsed in batches:
        yield parsed, [encode(indicator) for _line, indicator in parsed.read]


def _take(
    parsed: Parsed,
    rows: list[Row],
    file: FileReport,
    writing: Writing,
    options: Options,
    hear: Listener,
    report: ImportReport,
) -> None:
    report.problems.extend(problem.at(file=file.name) for problem in (*parsed.fatal, *parsed.notes))
    report.fatal = report.fatal or bool(parsed.fatal)
    for refusal in parsed.refused:
        _refuse(refusal, file, hear, report)
    if not parsed.read:
        return
    hear.noted(file.name, parsed.notes)
    changes = writing.plan(parsed.read, rows, keep_rare=options.format is not Format.NDJSON)
    for step in changes.steps:
        outcome, notes = step.outcome, step.notes
        if outcome is Outcome.CREATED:
            file.created += 1
        elif outcome is Outcome.UNCHANGED:
            file.unchanged += 1
        elif outcome is Outcome.UPDATED:
            file.updated += 1
        elif outcome is Outcome.HELD:
            file.held += 1
        else:
            indicator = step.candidate.indicator
            _refuse(Refusal(step.candidate.line, _draft_again(indicator), notes), file, hear, report)
            continue
        if notes:
            file.conflicts += 1
            report.problems.extend(note.at(file=file.name) for note in notes)
    hear.planned(file.name, changes.steps)
    writing.apply(changes)


def _refuse(refusal: Refusal, file: FileReport, hear: Listener, report: ImportReport) -> None:
    file.refused += 1
    report.problems.extend(problem.at(file=file.name) for problem in refusal.problems)
    hear.refused(file.name, refusal)


def _draft_again(indicator: Any) -> Draft:
    """Return the fields of *indicator* as text, for the file of refused rows."""
    expires = indicator.expires_at.strftime("%Y-%m-%dT%H:%M:%S.0Z") if indicator.expires_at else ""
    return Draft(
        indicator.type.value,
        indicator.value,
        expires,
        indicator.action.value,
        indicator.severity.value,
        indicator.title,
        indicator.description,
        indicator.recommended_actions or "",
        ",".join(indicator.rbac_group_names),
        indicator.category.value if indicator.category else "",
        ",".join(indicator.mitre_techniques),
        str(indicator.generate_alert),
    )


# -- plan now, apply later --------------------------------------------------------------------------------------------


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
    most_active: int | None = None,
) -> ImportReport:
    """Plan an import and keep it for a day under *import_id*, so that `apply_import` does just what was shown.

    *source* has to be seekable: it is read twice.
    """
    dry = Options(options.format, options.strict, options.skip_bad_rows, True, options.reason, options.defaults)
    report = import_indicators(
        database, [source], dry, actor=actor, now=now, guard=guard, listener=listener, most_active=most_active
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
    database: Database, import_id: str, *, actor: Actor, now: datetime, guard: Guard, most_active: int | None = None
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
            most_active=most_active,
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
