"""Corrections in a kept file: one row, all alike problems, or what is suggested for each; the file is written anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from indicia.domain.errors import InvalidInput, NotFound, Problem
from indicia.services import planned_imports
from indicia.services.import_findings import Found, about_line, all_of, merged, refused_rows
from indicia.services.import_job import Job
from indicia.services.import_records import Change, Edit, KeptFile, Record
from indicia.services.imports import Format
from indicia.store.database import Database

#: What one cell may be changed to, and a whole row.
CELL_CHARACTERS: Final = 16 * 1024
ROW_CHARACTERS: Final = 64 * 1024


class Correction(NamedTuple):
    """What to change. Of the row on *line*: some cells, or all of its text.

    Or of all rows with problems of a *kind*: those about *value* to *replacement*, or each to what is suggested for it.
    """

    line: int | None = None
    edits: tuple[Edit, ...] = ()
    kind: int | None = None
    value: str | None = None
    replacement: str | None = None

    def check(self) -> None:
        """Raise `InvalidInput` where it says more than a row may hold."""
        problems = [
            Problem("too-long", f"{len(edit.new)} characters are given, at most {most} are allowed", edit.column)
            for edit in (*self.edits, Edit("", self.replacement or ""))
            if len(edit.new) > (most := ROW_CHARACTERS if edit.column is None else CELL_CHARACTERS)
        ]
        if problems:
            raise InvalidInput(problems)


def write_corrected(
    database: Database, job_id: str, body: BinaryIO, format: Format, correction: Correction, out: BinaryIO
) -> None:
    """Write *body* to *out*, with *correction*; in bounded memory, however many rows it changes."""
    file = KeptFile(body, format)
    changes = _changes(database, job_id, correction)
    waiting: list[Change] = []

    def lines() -> Iterator[int]:
        for change in changes:
            waiting.append(change)
            yield change.line

    for part in file.parts(lines()):
        if isinstance(part, Record):
            out.write(file.changed(part, waiting[-1].edits))
            waiting.clear()
        else:
            out.write(part)


def _changes(database: Database, job_id: str, correction: Correction) -> Iterator[Change]:
    if correction.line is not None:
        yield Change(correction.line, correction.edits)
    elif correction.kind is not None:
        edits = merged(_edits(database, job_id, correction, correction.kind))
        yield from (Change(line, found) for line, found in edits)


def _edits(database: Database, job_id: str, correction: Correction, kind: int) -> Iterator[tuple[int, Edit]]:
    for found in all_of(database, job_id, kind):
        text = correction.replacement if correction.replacement is not None else found.suggestion
        alike = correction.value is None or found.value == correction.value
        if alike and text is not None and found.line is not None:
            yield found.line, Edit(found.column, text, found.value)


class Cell(NamedTuple):
    """One cell of a row: what its column is called in the file, what stands in it, and what is wrong with that."""

    column: str
    text: str
    problems: tuple[Found, ...]


class Row(NamedTuple):
    """One row of a kept file, to be corrected: its text, its cells where they can be told apart, the other problems."""

    line: int
    text: str
    cells: tuple[Cell, ...]
    problems: tuple[Found, ...]


def row_at(database: Database, job: Job, line: int) -> Row:
    """Return the row that begins on *line* of the file of *job*; `NotFound` where there is none."""
    with planned_imports.body_of(database, job.id) as body:
        file = KeptFile(body, job.wish.format)
        record = next((part for part in file.parts([line]) if isinstance(part, Record)), None)
    if record is None:
        raise NotFound(f"the file has no row on line {line}")
    problems = about_line(database, job.id, job.kinds, line)
    cells: tuple[Cell, ...] = ()
    if job.wish.format is Format.CSV and record.cells is not None and len(record.cells) <= len(file.header):
        padded = [*record.cells, *[""] * (len(file.header) - len(record.cells))]
        placed = [(each, file.place(each.column) if each.column else None) for each in problems]
        cells = tuple(
            Cell(
                name,
                cell.encode("utf-8", "backslashreplace").decode(),
                tuple(each for each, place in placed if place == position),
            )
            for position, (name, cell) in enumerate(zip(file.header, padded, strict=True))
        )
        problems = [each for each, place in placed if place is None]
    return Row(line, record.text, cells, tuple(problems))


def rejected_rows(database: Database, job: Job) -> Iterator[bytes]:
    """Yield the refused rows of *job* with their reasons, as a file that can be mended and given again."""
    refused = merged(refused_rows(database, job.id))
    reasons: list[str] = []

    def lines() -> Iterator[int]:
        for line, found in refused:
            reasons[:] = [each for some in found for each in some]
            yield line

    with planned_imports.body_of(database, job.id) as body:
        file = KeptFile(body, job.wish.format)
        yield file.rejected_header()
        for part in file.parts(lines()):
            if isinstance(part, Record):
                yield file.rejected(part, reasons)
