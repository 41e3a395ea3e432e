"""The records of a kept file as its owner wrote them: found by their lines, shown, changed, given back with reasons."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader, RawIOBase
from itertools import chain
from typing import Any, BinaryIO, Final, NamedTuple

import orjson

from indicia.domain.draft import COLUMN_NAMES
from indicia.exporters.defender_csv import add_guard
from indicia.importers.defender_csv import ERROR_COLUMN, delimiter_of, field_of
from indicia.importers.lines import MAX_LINE_CHARACTERS
from indicia.importers.records import MAX_RECORD_CHARACTERS, MAX_RECORD_LINES
from indicia.services.imports import Format

_PIECE: Final = 1 << 16
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LISTS: Final = ("mitre_techniques", "rbac_group_names")
_REASONS_CHARACTERS: Final = 2_000


class Record(NamedTuple):
    """One record: its first line, its bytes in UTF-8 with the line's end, its cells where they can be told apart."""

    line: int
    raw: bytes
    cells: list[str] | None = None

    @property
    def text(self) -> str:
        """What the record says, without the end of its line; bytes that were no text are shown as such."""
        return self.raw.decode("utf-8", "backslashreplace").rstrip("\r\n")

    @property
    def end(self) -> bytes:
        """How its last line ends."""
        return self.raw[len(self.raw.rstrip(b"\r\n")) :]


class Edit(NamedTuple):
    """What becomes of one cell, or with None for the column of the whole record.

    With *old* only that item of a list is replaced, and the others stay.
    """

    column: str | None
    new: str
    old: str | None = None


class Change(NamedTuple):
    """What becomes of one record."""

    line: int
    edits: Sequence[Edit]


class KeptFile:
    """A file of a format, read once from its start to its end."""

    def __init__(self, stream: BinaryIO, format: Format) -> None:
        self._stream = _as_utf8(stream)
        self._format = format
        self._line = 1
        self._again: list[bytes] = []
        self.header: list[str] = []
        self.delimiter = ","
        self.before = b""
        self.header_record: Record | None = None
        if format is Format.CSV:
            self._read_header()

    def _read_header(self) -> None:
        """Take the header, and what stands before it."""
        taken = []
        while piece := self._next():
            taken.append(piece)
            if piece.strip(b"\xef\xbb\xbf \t\r\n") or self._line > MAX_RECORD_LINES:
                break
        last = taken.pop() if taken else b""
        mark = codecs.BOM_UTF8 if not taken and last.startswith(codecs.BOM_UTF8) else b""
        self.before = b"".join([*taken, mark])
        self.header_record = Record(len(taken) + 1, last.removeprefix(mark))
        line = self.header_record.raw.decode("utf-8", "surrogateescape")
        self.delimiter = delimiter_of(line)
        self.header = [cell.strip() for cell in (_cells([line], self.delimiter) or [])]

    def parts(self, lines: Iterable[int]) -> Iterator[bytes | Record]:
        """Yield the whole file: the records that begin on *lines*, which rise, and all the rest as bytes.

        The header is a record too, without cells.
        """
        wanted = iter(lines)
        first = next(wanted, None)
        yield self.before
        if self.header_record is not None:
            asked = first == self.header_record.line
            yield self.header_record if asked else self.header_record.raw
            first = next(wanted, None) if asked else first
        for line in () if first is None else chain((first,), wanted):
            while self._line < line:
                piece = self._next()
                if not piece:
                    return
                yield piece
            if self._line == line:
                record = self._record()
                if not record.raw:
                    return
                yield record
        while piece := self._next():
            yield piece

    def place(self, column: str) -> int | None:
        """Return where the header has *column*, by whatever name it calls it."""
        field = next((field for field, name in COLUMN_NAMES.items() if name == column), None)
        for position, name in enumerate(self.header):
            if name == column or (field is not None and field_of(name) == field):
                return position
        return None

    def changed(self, record: Record, edits: Sequence[Edit]) -> bytes:
        """Return the bytes of *record* after *edits*; a column that the file has not is passed over."""
        whole = next((edit.new for edit in edits if edit.column is None or self._format is Format.TEXT), None)
        if whole is not None:
            text = whole.replace("\r\n", "\n").rstrip("\n")
            if self._format is not Format.CSV:
                text = text.replace("\n", " ")
            return text.encode("utf-8", "replace") + record.end
        if self._format is Format.NDJSON:
            return _with_properties(record, edits)
        if record.cells is None:
            return record.raw
        row = [*record.cells, *[""] * (len(self.header) - len(record.cells))]
        for edit in edits:
            position = self.place(edit.column) if edit.column else None
            if position is not None:
                row[position] = _edited(row[position], edit, field_of(self.header[position]))
        return _line(row, self.delimiter).encode("utf-8", "surrogateescape") + record.end

    def rejected(self, record: Record, reasons: Sequence[str]) -> bytes:
        """Return *record* with *reasons*, as a file that can be mended and given again."""
        why = " ".join("; ".join(reasons).split())[:_REASONS_CHARACTERS]
        if self._format is Format.TEXT:
            return f"{record.text}  # {why}\n".encode("utf-8", "replace")
        if self._format is Format.NDJSON:
            try:
                found = orjson.loads(record.raw)
            except orjson.JSONDecodeError:
                found = None
            shown = found if isinstance(found, dict) else {"_text": record.text}
            return orjson.dumps(shown | {ERROR_COLUMN: why}) + b"\n"
        known = record.cells is not None and len(record.cells) == len(self.header)
        cells = record.cells if known and record.cells is not None else [record.text, *[""] * (len(self.header) - 1)]
        own = [cell for cell, name in zip(cells, self.header, strict=True) if name != ERROR_COLUMN]
        row = [add_guard(cell.replace("\0", "\ufffd")) for cell in (*own, why)]
        return (_line(row, self.delimiter) + "\r\n").encode("utf-8", "surrogateescape")

    def rejected_header(self) -> bytes:
        """Return the first line of a file of refused rows; a text list and JSON lines have none."""
        if self._format is not Format.CSV:
            return b""
        own = [add_guard(name) for name in self.header if name != ERROR_COLUMN]
        return (_line([*own, ERROR_COLUMN], self.delimiter) + "\r\n").encode("utf-8", "surrogateescape")

    # -- lines ----------------------------------------------------------------------------------------------------

    def _next(self) -> bytes:
        """Return the next piece of a line, and count the lines."""
        piece = self._again.pop() if self._again else self._stream.readline(_PIECE)
        if piece.endswith(b"\n"):
            self._line += 1
        return piece

    def _whole_line(self) -> bytes:
        """Return the next line; of one that is too long for any record only that much is taken in."""
        taken = [self._next()]
        size = len(taken[0])
        while taken[-1] and not taken[-1].endswith(b"\n") and size <= 4 * MAX_LINE_CHARACTERS:
            taken.append(self._next())
            size += len(taken[-1])
        return b"".join(taken)

    def _record(self) -> Record:
        """Return the record that begins on the line that comes next."""
        at = self._line
        first = self._whole_line()
        if self._format is not Format.CSV:
            return Record(at, first)
        lines, size = [first], len(first)
        if first.count(b'"') & 1:
            while len(lines) <= MAX_RECORD_LINES and size <= MAX_RECORD_CHARACTERS:
                more = self._whole_line()
                if not more:
                    break
                lines.append(more)
                size += len(more)
                if more.count(b'"') & 1:
                    break
        cells = _cells([line.decode("utf-8", "surrogateescape") for line in lines], self.delimiter)
        if cells is None and len(lines) > 1:
            for line in reversed(lines[1:]):  # the quote was never closed: only its own line is this record
                self._again.append(line)
                self._line -= line.endswith(b"\n")
            lines = [first]
        return Record(at, b"".join(lines), cells)


def _cells(lines: list[str], delimiter: str) -> list[str] | None:
    """Return the cells of the one record that *lines* are, None where they are none."""
    lines[-1] = lines[-1].rstrip("\r\n")
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _line(cells: Sequence[str], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerow(cells)  # which quotes what is in its own line ends
    return text.getvalue().removesuffix("\r\n")


def _edited(cell: str, edit: Edit, field: str | None) -> str:
    if edit.old is None or field not in _LISTS:
        return edit.new
    items = [item.strip() for item in cell.split(",")]
    if edit.old in items:
        return ",".join([edit.new if item == edit.old else item for item in items])
    return cell


def _with_properties(record: Record, edits: Sequence[Edit]) -> bytes:
    try:
        found = orjson.loads(record.raw)
    except orjson.JSONDecodeError:
        return record.raw
    if not isinstance(found, dict):
        return record.raw
    names = {name.lower(): name for name in found}
    for edit in edits:
        name = names.get(str(edit.column).lower(), str(edit.column))
        there = found.get(name)
        if isinstance(there, list):
            found[name] = [edit.new if item == edit.old else item for item in there]
        else:
            field = field_of(name)
            found[name] = _edited(there, edit, field) if isinstance(there, str) else edit.new
    return orjson.dumps(found) + record.end


# -- UTF-16 -----------------------------------------------------------------------------------------------------------


def _as_utf8(stream: BinaryIO) -> BufferedReader:
    """Return *stream* with what is UTF-16 as UTF-8; everything else is given as it is."""
    head = stream.read(_PIECE)
    codec = next((name for mark, name in _UTF16.items() if head.startswith(mark)), None)
    return BufferedReader(_Recoded(head[2:] if codec else head, stream, codec), _PIECE)


class _Recoded(RawIOBase):
    """The bytes of a stream after a head that was read already, as UTF-8 where they are in another encoding."""

    def __init__(self, head: bytes, rest: BinaryIO, codec: str | None) -> None:
        self._decoder = codecs.getincrementaldecoder(codec)("replace") if codec else None
        self._head: bytes | None = head
        self._rest = rest
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            piece = self._rest.read(_PIECE) if self._head is None else self._head
            self._head = None
            if self._decoder is not None:
                self._ready = self._decoder.decode(piece, not piece).encode("utf-8", "replace")
            else:
                self._ready = piece
            if not piece:
                break
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size
