"""Lines to CSV records, where one bad record never takes the ones after it along."""

from __future__ import annotations

import csv
from typing import Final, NamedTuple

from indicia.importers.lines import TOO_LONG, Block

MAX_FIELD_CHARACTERS: Final = 16 * 1024
MAX_RECORD_CHARACTERS: Final = 128 * 1024
MAX_RECORD_LINES: Final = 2_000


class Fault(NamedTuple):
    """Why a line is no record: a code and a sentence; and the line itself, where it was not too long to keep."""

    code: str
    message: str
    raw: str = ""


class Records(NamedTuple):
    """Consecutive records: for each the line on which it begins, and its fields or what is wrong with it.

    ``apostrophes`` is False where it is certain that no field has one.
    """

    lines: list[int] | range
    rows: list[list[str] | Fault]
    position: int
    apostrophes: bool = True


class RecordReader:
    """Splits blocks of lines into records; a quoted field may hold line breaks."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._open: list[str] = []
        self._open_at = 0

    def read(self, block: Block) -> Records:
        """Return the records of *block*; one that is still open at its end is kept for the next."""
        if not self._open:
            text = "\n".join(block.lines)
            rows = self._quickly(block.lines, text)
            if rows is not None:
                lines_of = range(block.first, block.first + len(rows))
                return Records(lines_of, rows, block.position, "'" in text)
        lines, first = block.lines, block.first
        if self._open:
            lines, first = self._open + lines, self._open_at
            self._open = []
        return self._carefully(first, lines, block.position, last=False)

    def finish(self, position: int) -> Records:
        """Return the records of the lines that were still waiting for a closing quote at the end of the file."""
        lines, self._open = self._open, []
        return self._carefully(self._open_at, lines, position, last=True)

    def _quickly(self, lines: list[str], text: str) -> list[list[str] | Fault] | None:
        """Return one record per line where that is certain, else None: this is what nearly all files are."""
        if max(map(len, lines)) > MAX_FIELD_CHARACTERS:
            return None
        if "\0" in text or TOO_LONG[0] in text:
            return None
        if '"' in text and any(line.count('"') & 1 for line in lines):
            return None
        try:
            rows: list[list[str] | Fault] = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        return rows if len(rows) == len(lines) else None

    def _carefully(self, first: int, lines: list[str], position: int, *, last: bool) -> Records:
        starts: list[int] = []
        rows: list[list[str] | Fault] = []
        at = 0
        while at < len(lines):
            used, row = self._one(lines, at, last=last)
            if row is None:
                self._open, self._open_at = lines[at:], first + at
                break
            starts.append(first + at)
            rows.append(row)
            at += used
        return Records(starts, rows, position)

    def _one(self, lines: list[str], at: int, *, last: bool) -> tuple[int, list[str] | Fault | None]:
        """Return how many lines the record at *at* takes, and the record; None where more lines are needed."""
        line = lines[at]
        if line == TOO_LONG:
            return 1, Fault("line-too-long", "the line has over 65,536 characters; is a line break missing?")
        if "\0" in line:
            return 1, Fault("nul", "the line holds a NUL byte; is this a text file?", line)
        if line.count('"') & 1 == 0:
            row = self._parse([line])
            return 1, row if row is not None else Fault("bad-quotes", _BAD_QUOTES, line)
        return self._several(lines, at, last=last)

    def _several(self, lines: list[str], at: int, *, last: bool) -> tuple[int, list[str] | Fault | None]:
        characters = 0
        for end in range(at, len(lines)):
            line = lines[end]
            characters += len(line) + 1
            too_much = characters > MAX_RECORD_CHARACTERS or end - at >= MAX_RECORD_LINES
            if too_much or line == TOO_LONG or "\0" in line:
                return 1, Fault("unclosed-quote", _UNCLOSED, lines[at])
            if end > at and line.count('"') & 1:
                row = self._parse([f"{each}\n" for each in lines[at:end]] + [line])
                return (end - at + 1, row) if row is not None else (1, Fault("unclosed-quote", _UNCLOSED, lines[at]))
        return (1, Fault("unclosed-quote", _UNCLOSED, lines[at])) if last else (0, None)

    def _parse(self, lines: list[str]) -> list[str] | Fault | None:
        try:
            rows = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        if len(rows) != 1:
            return None
        if any(len(cell) > MAX_FIELD_CHARACTERS for cell in rows[0]):
            return Fault("field-too-long", "a field has over 16,384 characters; is a quote missing?", "".join(lines))
        return rows[0]


_BAD_QUOTES: Final = 'the quotes do not pair up; a field with quotes is written "like ""this"""'
_UNCLOSED: Final = (
    "a quote is opened and never closed; only this line was taken for the record, reading goes on after it"
)
