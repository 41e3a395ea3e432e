"""What was found about the rows of an import: all of it, by kind, in pieces that are read a page at a time."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final, NamedTuple

import orjson

from indicia.domain.changes import Outcome, Step
from indicia.domain.draft import COLUMN_NAMES, PROPERTY_NAMES
from indicia.domain.errors import Problem
from indicia.domain.observable import ObservableType
from indicia.exporters.defender_csv import common_cells
from indicia.importers.parsed import Refusal
from indicia.services.import_preview import Preview, first
from indicia.services.import_report import ImportReport
from indicia.store.database import Database

#: Problems of a page, and refused rows of a piece.
PIECE: Final = 100
#: The rows of each outcome that are shown.
SAMPLES: Final = 100
#: Where the refused rows are kept; kinds of problems count from 0.
REFUSED_ROWS: Final = -1
_MOST_KINDS: Final = 200
_MOST_VALUES: Final = 500
_VALUES_SHOWN: Final = 12
_PIECES_AT_ONCE: Final = 64
_SHOWN: Final = 300
_CONFLICTS: Final = "conflicts"
_VALUE_COLUMNS: Final = frozenset({COLUMN_NAMES["value"], PROPERTY_NAMES["value"]})
_TYPES: Final = frozenset(map(str, ObservableType))


@dataclass(frozen=True, slots=True)
class Alike:
    """A value that several problems of one kind are about, and what it could be instead."""

    value: str
    count: int
    suggestion: str | None


@dataclass(frozen=True, slots=True)
class Kind:
    """Problems with one code in one column: how many, how many of them know a way out, and the first of them."""

    number: int
    code: str
    column: str | None
    warning: bool
    count: int
    suggested: int
    message: str
    allowed: tuple[str, ...]
    alike: tuple[Alike, ...]

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Kind:
        """Return the kind that was kept as a dictionary."""
        alike = tuple(Alike(*each) for each in kept["alike"])
        return cls(**kept | {"allowed": tuple(kept["allowed"]), "alike": alike})


@dataclass(slots=True)
class _Gathered:
    """The problems of one kind that were met so far; only the last piece is held."""

    number: int
    example: Problem
    count: int = 0
    suggested: int = 0
    pieces: int = 0
    rest: list[dict[str, Any]] = field(default_factory=list)
    values: Counter[str] = field(default_factory=Counter)
    suggestions: dict[str, str | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        often = [(value, count) for value, count in self.values.most_common(_VALUES_SHOWN) if count > 1]
        example = self.example.as_dict()
        return {
            "number": self.number,
            "code": self.example.code,
            "column": example["column"],
            "warning": self.example.warning,
            "count": self.count,
            "suggested": self.suggested,
            "message": example["message"][:_SHOWN],
            "allowed": example["allowed"][:50],
            "alike": [(value, count, self.suggestions[value]) for value, count in often],
        }


class Findings(Preview):
    """Hears of every row while an import is planned: samples of each outcome, and the refused rows in a file."""

    def __init__(self) -> None:
        super().__init__()
        self._samples: dict[str, list[dict[str, Any]]] = {}
        self._refused: list[tuple[int, list[str]]] = []
        self._lines: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed by `close`

    def refused(self, file: str, refusal: Refusal) -> None:
        super().refused(file, refusal)
        errors = [problem.message[:1_000] for problem in refusal.problems if not problem.warning]
        self._refused.append((refusal.line, errors))
        self._sample(Outcome.REFUSED.value, refusal.line, refusal.draft[:12], errors)

    def planned(self, file: str, steps: Sequence[Step]) -> None:
        super().planned(file, steps)
        wanted = {outcome for outcome in Outcome if len(self._samples.get(outcome, ())) < SAMPLES}
        wanted.discard(Outcome.REFUSED)
        conflicts = len(self._samples.get(_CONFLICTS, ())) < SAMPLES
        if not wanted and not conflicts:
            return
        for candidate, outcome, _known, notes in steps:
            if outcome in wanted:
                said = [problem.message for problem in notes]
                self._sample(outcome.value, candidate.line, common_cells(candidate.indicator), said)
                if len(self._samples[outcome]) >= SAMPLES:
                    wanted.discard(outcome)
            if conflicts and notes and any(note.code.startswith("conflict-") for note in notes):
                said = [problem.message for problem in notes]
                self._sample(_CONFLICTS, candidate.line, common_cells(candidate.indicator), said)
            if not wanted and not conflicts:
                return

    def progress(self, file: str, position: int, rows: int) -> None:
        super().progress(file, position, rows)
        self._refused.sort()
        for line, errors in self._refused:
            self._lines.write(orjson.dumps([line, [_plain(error) for error in errors]]) + b"\n")
        self._refused.clear()

    def _sample(self, name: str, line: int, cells: Sequence[Any], notes: list[str]) -> None:
        rows = self._samples.setdefault(name, [])
        if len(rows) < SAMPLES:
            kind, value, expires, action, severity, title = (None if c is None else _plain(c) for c in cells[:6])
            names = ("line", "type", "value", "expires", "action", "severity", "title", "notes")
            told = [_plain(note) for note in notes[:5]]
            rows.append(dict(zip(names, (line, kind, value, expires, action, severity, title, told), strict=True)))

    def keep(self, database: Database, job_id: str, report: ImportReport) -> dict[str, Any]:
        """Keep every problem of *report* and every refused row under *job_id*; return the short of it."""
        gathered: dict[tuple[Any, ...], _Gathered] = {}
        _keep(database, job_id, self._pieces(report.problems, gathered))
        kinds = sorted(
            (each.as_dict() for each in gathered.values()), key=lambda kind: (kind["warning"], -kind["count"])
        )
        return {"kinds": kinds, "samples": {name: first(rows) for name, rows in self._samples.items()}}

    def close(self) -> None:
        """Give the temporary file back."""
        self._lines.close()

    def _pieces(
        self, problems: Iterable[Problem], gathered: dict[tuple[Any, ...], _Gathered]
    ) -> Iterator[tuple[int, int, bytes]]:
        for problem in problems:
            key: tuple[Any, ...] = (problem.code, problem.column, problem.warning)
            if key not in gathered and len(gathered) >= _MOST_KINDS:
                key = ("more", None, problem.warning)
            each = gathered.setdefault(key, _Gathered(len(gathered), problem))
            _gather(each, problem)
            if len(each.rest) == PIECE:
                yield each.number, each.pieces, orjson.dumps(each.rest)
                each.pieces += 1
                each.rest.clear()
        for each in gathered.values():
            if each.rest:
                yield each.number, each.pieces, orjson.dumps(each.rest)
        self._lines.seek(0)
        number, rest = 0, []
        for line in self._lines:
            rest.append(line)
            if len(rest) == PIECE:
                yield REFUSED_ROWS, number, b"".join(rest)
                number += 1
                rest.clear()
        yield REFUSED_ROWS, number, b"".join(rest)


def _gather(each: _Gathered, problem: Problem) -> None:
    each.count += 1
    shown = problem.as_dict()
    if problem.column in _VALUE_COLUMNS and problem.suggestion in _TYPES:
        shown["suggestion"] = None  # the right type of this value is nothing to put in its place
    each.suggested += shown["suggestion"] is not None
    each.rest.append(
        {
            "line": problem.line,
            "column": shown["column"],
            "value": shown["value"],
            "message": shown["message"],
            "suggestion": shown["suggestion"],
        }
    )
    value = shown["value"]
    if value is not None and (value in each.values or len(each.values) < _MOST_VALUES):
        each.values[value] += 1
        each.suggestions[value] = shown["suggestion"]


def _keep(database: Database, job_id: str, pieces: Iterator[tuple[int, int, bytes]]) -> None:
    """Write *pieces* in short transactions: nobody sees them before the job says that it is planned."""
    held: list[tuple[int, int, bytes]] = []
    for piece in pieces:
        held.append(piece)
        if len(held) == _PIECES_AT_ONCE:
            with database.transaction() as tx:
                tx.import_jobs.add_findings(job_id, held)
            held.clear()
    with database.transaction() as tx:
        tx.import_jobs.add_findings(job_id, held)


# -- reading them again -----------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """One problem of one row, as it is kept."""

    line: int | None
    column: str | None
    value: str | None
    message: str
    suggestion: str | None


def page_of(database: Database, job_id: str, kind: int, page: int) -> list[Found]:
    """Return the problems of one page of a kind; pages count from 0."""
    with database.snapshot() as tx:
        return [
            Found(**each) for piece in tx.import_jobs.findings(job_id, kind, page, 1) for each in orjson.loads(piece)
        ]


def all_of(database: Database, job_id: str, kind: int) -> Iterator[Found]:
    """Yield every problem of a kind in the order of the file, in bounded memory."""
    with database.snapshot() as tx:
        for piece in tx.import_jobs.findings(job_id, kind):
            yield from (Found(**each) for each in orjson.loads(piece))


def refused_rows(database: Database, job_id: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line of every refused row and its reasons, in the order of the file."""
    with database.snapshot() as tx:
        for piece in tx.import_jobs.findings(job_id, REFUSED_ROWS):
            for line in piece.splitlines():
                number, reasons = orjson.loads(line)
                yield number, reasons


def about_line(database: Database, job_id: str, kinds: Iterable[Kind], line: int) -> list[Found]:
    """Return the problems of the row on *line*; each kind is looked through only as far as it has to be."""
    found: list[Found] = []
    for kind in kinds:
        last = (kind.count - 1) // PIECE
        low, high = 0, last
        while low < high:  # the first page whose last problem is on that line or after it
            middle = (low + high) // 2
            page = page_of(database, job_id, kind.number, middle)
            if page and (page[-1].line or 0) < line:
                low = middle + 1
            else:
                high = middle
        for page_number in (low, low + 1):
            if page_number <= last:
                found += [each for each in page_of(database, job_id, kind.number, page_number) if each.line == line]
    return found


def merged(rows: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, list[Any]]]:
    """Yield each line once with everything about it; *rows* rise."""
    held: list[Any] = []
    at: int | None = None
    for line, what in rows:
        if at is not None and line != at:
            yield at, held
            held = []
        at = line
        held.append(what)
    if at is not None:
        yield at, held


def _plain(value: Any) -> str:
    return str(value)[:_SHOWN].encode(errors="replace").decode()
