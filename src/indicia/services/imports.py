"""Importing files of indicators: plan them, apply them, keep a plan to be applied later."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Final, NamedTuple, Protocol

from indicia.domain.access import Actor, Permission, require
from indicia.domain.changes import Outcome
from indicia.domain.checker import Checker
from indicia.domain.circumstances import Circumstances
from indicia.domain.draft import COLUMN_NAMES, NOTHING_GIVEN, NOTHING_RARE, PROPERTY_NAMES, Draft
from indicia.domain.errors import Conflict
from indicia.domain.guard import Guard
from indicia.domain.rules import Strictness
from indicia.exporters.defender_csv import common_cells
from indicia.importers.defender_csv import DefenderCsv
from indicia.importers.ndjson import NdJson
from indicia.importers.parsed import Parsed, Refusal
from indicia.importers.text_list import TextList
from indicia.services.ahead import may_read_apart, read_ahead, read_apart
from indicia.services.drafting import nameable
from indicia.services.import_report import FileReport, ImportReport, Listener
from indicia.services.packing import Batch, pack, unpack
from indicia.services.policy import NO_POLICY, Policy
from indicia.services.writing import Writing
from indicia.store.changesets import Header
from indicia.store.database import Database
from indicia.store.rows import Encoder, Row

#: A file of more bytes may be parsed in a process of its own.
LONG_BYTES: Final = 4 << 20


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
    """How to import: ``defaults`` gives what a text list lacks.

    With ``apart`` long files are parsed in a process of its own: for a caller that has no threads.
    """

    format: Format = Format.CSV
    strict: bool = False
    skip_bad_rows: bool = False
    dry_run: bool = False
    reason: str | None = None
    defaults: Draft = NOTHING_GIVEN
    apart: bool = False

    @property
    def names(self) -> Mapping[str, str]:
        """What the format calls the fields."""
        return PROPERTY_NAMES if self.format is Format.NDJSON else COLUMN_NAMES

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


class _Stopped(Exception):
    """Leaves a transaction without committing it."""


def require_to_import(actor: Actor) -> None:
    """Raise `Forbidden` unless *actor* may import: for who would keep a file first."""
    require(actor, Permission.INDICATORS_WRITE)


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
    policy: Policy = NO_POLICY,
) -> ImportReport:
    """Import *sources* as one changeset and report every problem of every row.

    All or nothing, unless the options say to skip bad rows; a dry run works out the same and writes nothing.
    With *expected_plan* nothing is written either where the plan has become another one: `Conflict`; nor where more
    indicators would be active afterwards than *policy* allows, which is reported.
    """
    require_to_import(actor)
    report = ImportReport()
    hear = listener or Listener()
    column = options.names["value"]
    if options.dry_run:
        with database.snapshot() as tx:
            writing = Writing(tx, actor, now, column=column, digested=True, policy=policy)
            _run(writing, sources, options, actor, guard, hear, report)
        return report
    try:
        with database.transaction() as tx:
            writing = Writing(tx, actor, now, column=column, digested=expected_plan is not None, policy=policy)
            _run(writing, sources, options, actor, guard, hear, report)
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
    writing: Writing,
    sources: Sequence[Source],
    options: Options,
    actor: Actor,
    guard: Guard,
    hear: Listener,
    report: ImportReport,
) -> None:
    checker = Checker(
        Circumstances(
            now=writing.now,
            guard=guard,
            groups=nameable(writing.tx, actor),
            strictness=Strictness.STRICT if options.strict else Strictness.NATIVE,
            names=options.names,
            may_release=actor.may(Permission.INDICATORS_RELEASE),
        )
    )
    importer = options.importer()
    for source in sources:
        file = FileReport(source.name)
        report.files.append(file)
        batches = _encoded(importer.read(source.stream, checker, strict=options.strict))
        apart = options.apart and may_read_apart() and _is_long(source.stream)
        with closing(read_apart(batches, pack, unpack) if apart else read_ahead(batches)) as ahead:
            for parsed, rows in ahead:
                _take(parsed, rows, file, writing, options, hear, report)
                hear.progress(source.name, parsed.position, file.rows)
    excess = writing.over()
    if excess is not None:
        report.problems.extend([excess])
        report.fatal = True
    report.plan_digest = writing.plan_digest
    report.takes_two = writing.takes_two


def _encoded(batches: Iterator[Parsed]) -> Iterator[Batch]:
    encode = Encoder().encode
    for parsed in batches:
        yield Batch(parsed, [encode(indicator) for _line, indicator in parsed.read])


def _is_long(stream: BinaryIO) -> bool:
    """Return whether it pays to start a process for *stream*; what cannot say its length is long."""
    try:
        here = stream.tell()
        length = stream.seek(0, io.SEEK_END) - here
        stream.seek(here)
    except OSError:
        return True
    return length > LONG_BYTES


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
    outcomes = Counter([step[1] for step in changes.steps])
    file.created += outcomes[Outcome.CREATED]
    file.unchanged += outcomes[Outcome.UNCHANGED]
    file.updated += outcomes[Outcome.UPDATED]
    file.held += outcomes[Outcome.HELD]
    for candidate, outcome, _known, notes in [step for step in changes.steps if step[3]]:
        if outcome is Outcome.REFUSED:  # never without a note that says why
            again = Draft._make((*common_cells(candidate.indicator), *NOTHING_RARE))
            _refuse(Refusal(candidate.line, again, notes), file, hear, report)
            continue
        file.conflicts += any(note.code.startswith("conflict-") for note in notes)
        report.problems.extend(note.at(file=file.name) for note in notes)
    hear.planned(file.name, changes.steps)
    writing.apply(changes)


def _refuse(refusal: Refusal, file: FileReport, hear: Listener, report: ImportReport) -> None:
    file.refused += 1
    report.problems.extend(problem.at(file=file.name) for problem in refusal.problems)
    hear.refused(file.name, refusal)
