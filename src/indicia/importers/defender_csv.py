"""Defender's CSV of indicators: the twelve columns of the portal's sample, and ours besides (SPEC 4 and 9.20)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, BinaryIO, Final

from indicia.domain.checker import Checker
from indicia.domain.draft import COLUMN_NAMES, COMMON_FIELDS, NOTHING_RARE, Draft
from indicia.domain.errors import Problem
from indicia.importers.lines import blocks
from indicia.importers.parsed import BATCH_RECORDS, Parsed, Read, Refusal
from indicia.importers.records import Fault, RecordReader, Records

#: The header of the portal's sample, in its order; also the order of a draft's common fields.
COLUMNS: Final = tuple(COLUMN_NAMES[field] for field in Draft._fields[:COMMON_FIELDS])
#: Our own columns, for what Defender's have no words for.
MORE_COLUMNS: Final = tuple(
    COLUMN_NAMES[field][0].upper() + COLUMN_NAMES[field][1:] for field in Draft._fields[COMMON_FIELDS:]
)
#: A column that our files of refused rows have, so that they can be mended and given again.
PROBLEMS_COLUMN: Final = "Problems"
#: And one for the text of records whose fields could not be told apart.
RAW_COLUMN: Final = "Raw"
#: And one for the files of refused rows that keep their own columns.
ERROR_COLUMN: Final = "_error"
REQUIRED: Final = ("type", "value", "action", "title", "description")
STRICT_ROWS: Final = 500
_ALIASES: Final = {"rbacgroupnames": "rbac_group_names", "rbacgroups": "rbac_group_names"}
_FIELD_OF: Final = {
    **{name.lower(): field for field, name in COLUMN_NAMES.items()},
    **_ALIASES,
}
_FORMULA: Final = frozenset("=+-@\t\r＝＋－＠")  # noqa: RUF001 the full-width forms that spreadsheets fold


class DefenderCsv:
    """Reads Defender's CSV; stateless, so that one object serves every import."""

    def read(self, source: BinaryIO, checker: Checker, *, strict: bool = False) -> Iterator[Parsed]:
        """Yield the records of *source* in batches, in order. Never raises for bad data."""
        records = _records(source)
        header = next(records, None)
        if not isinstance(header, _Header):
            yield Parsed(fatal=[Problem("empty-file", "the file holds no header line and no rows", allowed=COLUMNS)])
            return
        fields, problems = _columns(header.cells)
        fatal = [problem.at(line=header.line) for problem in problems if not problem.warning]
        notes = [problem.at(line=header.line) for problem in problems if problem.warning]
        if fatal:
            yield Parsed(fatal=fatal, notes=notes)
            return
        yield Parsed(notes=notes)
        make = _maker(fields)
        rows = 0
        for batch in records:
            if isinstance(batch, _Header):  # pragma: no cover - there is one, and it was taken above
                continue
            for parsed in _check(batch, checker, make, len(header.cells), header.line):
                rows += len(parsed.read) + len(parsed.refused)
                yield parsed
            if strict and rows > STRICT_ROWS:
                yield Parsed(fatal=[_TOO_MANY])
                return


class _Header:
    def __init__(self, line: int, cells: list[str]) -> None:
        self.line = line
        self.cells = cells


def _records(source: BinaryIO) -> Iterator[_Header | Records]:
    """Yield the header, then the records; the delimiter is the one that the header uses."""
    reader: RecordReader | None = None
    position = 0
    for block in blocks(source):
        position = block.position
        if reader is None:
            skipped = next((n for n, line in enumerate(block.lines) if line.strip()), None)
            if skipped is None:
                continue
            line = block.lines[skipped]
            reader = RecordReader(delimiter_of(line))
            lines = [line]
            found = RecordReader(delimiter_of(line)).read(block._replace(lines=lines, first=block.first + skipped))
            cells = found.rows[0] if found.rows else []
            yield _Header(block.first + skipped, [] if isinstance(cells, Fault) else [cell.strip() for cell in cells])
            block = block._replace(lines=block.lines[skipped + 1 :], first=block.first + skipped + 1)
            if not block.lines:
                continue
        for start in range(0, len(block.lines), BATCH_RECORDS):
            part = block.lines[start : start + BATCH_RECORDS]
            yield reader.read(block._replace(first=block.first + start, lines=part))
    if reader is not None:
        yield reader.finish(position)


def delimiter_of(header: str) -> str:
    """Return what stands between the cells of a file whose first line is *header*."""
    return max(",;\t", key=header.count)


def field_of(name: str) -> str | None:
    """Return the field that the column *name* holds, None where it is none of ours."""
    return _FIELD_OF.get(name.strip().lower().replace(" ", "").replace("_", ""))


def _columns(header: Sequence[str]) -> tuple[list[str | None], list[Problem]]:
    """Return the field that each column holds, None for those that are none of ours, and what is wrong."""
    fields: list[str | None] = []
    problems: list[Problem] = []
    for name in header:
        field = field_of(name)
        if field is None and name not in (PROBLEMS_COLUMN, RAW_COLUMN, ERROR_COLUMN):
            problems.append(_unknown_column(name))
        if field is not None and field in fields:
            problems.append(Problem("repeated-column", f"the column {name} stands twice in the header", name))
        fields.append(field)
    for field in REQUIRED:
        if field not in fields:
            name = COLUMN_NAMES[field]
            message = f"the column {name} is required and missing; `indicia sample` prints a header that is right"
            problems.append(Problem("missing-column", message, name, allowed=COLUMNS))
    return fields, problems


def _unknown_column(name: str) -> Problem:
    near = difflib.get_close_matches(name[:100].lower(), _FIELD_OF, n=1, cutoff=0.75)
    suggestion = COLUMN_NAMES[_FIELD_OF[near[0]]] if near else None
    hint = f"; did you mean {suggestion}?" if suggestion else ""
    message = f"the column {name[:100]!r} is not known and was passed over{hint}"
    return Problem("unknown-column", message, name[:100], allowed=COLUMNS, suggestion=suggestion, warning=True)


def _maker(fields: Sequence[str | None]) -> Any:
    """Return a function that makes a draft of a row: the fast one where the columns are the sample's."""
    if tuple(fields) == Draft._fields[:COMMON_FIELDS]:
        return lambda row: tuple.__new__(Draft, (*row, *NOTHING_RARE))
    width = len(fields)
    places = [fields.index(field) if field in fields else width for field in Draft._fields]
    pick = itemgetter(*places)

    def make(row: list[str]) -> Draft:
        values = pick([*row, None])
        # An empty cell of a rare column says nothing, as in Defender's own columns.
        return tuple.__new__(Draft, (*values[:COMMON_FIELDS], *(value or None for value in values[COMMON_FIELDS:])))

    return make


def _check(records: Records, checker: Checker, make: Any, width: int, header_line: int) -> Iterator[Parsed]:
    parsed = Parsed(position=records.position)
    read, check, new = parsed.read, checker.check, tuple.__new__
    for line, row in zip(records.lines, records.rows, strict=True):
        if isinstance(row, Fault):
            parsed.refused.append(Refusal(line, Draft(), (Problem(row.code, row.message, line=line),), row.raw))
            continue
        if len(row) != width:
            if not row or not any(cell.strip() for cell in row):
                continue
            if any(row[width:]) or len(row) < width:
                parsed.refused.append(_wrong_width(line, row, width, header_line, make))
                continue
            row = row[:width]
        draft = make(row)
        if records.apostrophes and any(cell.startswith("'") for cell in row):
            draft = unguarded(draft)
        indicator, problems = check(draft)
        if problems:
            problems = tuple([problem.at(line=line) for problem in problems])
            if indicator is None:
                parsed.refused.append(Refusal(line, draft, problems))
                continue
            parsed.notes.extend(problems)
        read.append(new(Read, (line, indicator)))
    yield parsed


def _wrong_width(line: int, row: list[str], width: int, header_line: int, make: Any) -> Refusal:
    message = (
        f"the row has {len(row)} fields, the header on line {header_line} has {width}; "
        'a field with a comma in it is written "in quotes"'
    )
    draft = make((row + [""] * width)[:width])
    # The fields past the header's have no place in a draft.
    return Refusal(line, draft, (Problem("wrong-number-of-fields", message, line=line),), ",".join(row))


_TOO_MANY: Final = Problem(
    "too-many-rows", f"the file has over {STRICT_ROWS} rows; Defender takes {STRICT_ROWS} a file"
)


def unguarded(draft: Draft) -> Draft:
    """Return *draft* without the quote that a spreadsheet-safe export puts before formula characters."""
    return Draft._make(strip_guard(value) if isinstance(value, str) else value for value in draft)


def strip_guard(cell: str) -> str:
    """Return *cell* without one leading ``'`` where only such quotes stand before a formula character."""
    bare = cell.lstrip("'")
    return cell[1:] if len(bare) < len(cell) and bare[:1] in _FORMULA and bare else cell
