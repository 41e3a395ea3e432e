"""Bytes of a log cut into pieces of whole records, whatever chunks they come in; no record may fill the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

#: A longer record is passed over, and told.
LONGEST_RECORD: Final = 16 << 20
#: So many quotes that never close are looked at in what a file ends with; after that the rest is one record.
_MOST_OPEN_QUOTES: Final = 100


class Piece(NamedTuple):
    """Whole records, each ended by a newline; ``lines`` where each began, None where they follow line by line."""

    data: bytes
    lines: Sequence[int] | None = None


class TooLong(NamedTuple):
    """A record that was passed over: where it began, None for the line that comes next."""

    line: int | None = None


class Splitter(Protocol):
    """Takes chunks and gives pieces; ``torn`` after the end says that the file ends inside a record."""

    torn: bool

    def feed(self, chunk: bytes) -> Iterator[Piece | TooLong]: ...
    def end(self) -> Iterator[Piece | TooLong]: ...


class Lines:
    """A record is a line; no chunk is longer than the longest record."""

    def __init__(self, longest: int = LONGEST_RECORD) -> None:
        self.torn = False
        self._longest = longest
        self._held: list[bytes] = []
        self._size = 0
        self._passing_over = False

    def feed(self, chunk: bytes) -> Iterator[Piece | TooLong]:
        """Take *chunk* and yield the records that it completes."""
        if self._passing_over or self._size + len(chunk) > self._longest:
            first = chunk.find(b"\n")
            if self._size + (len(chunk) if first < 0 else first) > self._longest:
                self._hold()
                self._passing_over = True
            if self._passing_over:
                if first < 0:
                    return
                self._passing_over = False
                yield TooLong()
                chunk = chunk[first + 1 :]
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            self._hold(*self._held, chunk)
            return
        whole = b"".join((*self._held, chunk[:cut])) if self._held or cut < len(chunk) else chunk
        self._hold(chunk[cut:])
        yield Piece(whole)

    def end(self) -> Iterator[Piece | TooLong]:
        """Yield what is left: a last line without a newline."""
        if self._passing_over:
            yield TooLong()
        elif self._size:
            yield Piece(b"".join(self._held))
        self._hold()
        self._passing_over = False

    def _hold(self, *parts: bytes) -> None:
        self._held = [part for part in parts if part]
        self._size = sum(map(len, self._held))


class QuotedLines:
    """A record is a line, or several where a newline stands between quotes, as in CSV.

    *whole* tells how many bytes are whole records; the scanner has it. A quote that never closes must not hide the rest
    of the file: where none closes it within the longest record, its line is a record by itself.
    """

    def __init__(self, whole: Callable[[bytes], int], longest: int = LONGEST_RECORD) -> None:
        self.torn = False
        self._whole = whole
        self._longest = longest
        self._held = b""
        self._passing_over = False

    def feed(self, chunk: bytes) -> Iterator[Piece | TooLong]:
        """Take *chunk* and yield the records that it completes."""
        if self._passing_over:
            first = chunk.find(b"\n")
            if first < 0:
                return
            self._passing_over = False
            yield TooLong()
            chunk = chunk[first + 1 :]
        held = self._held + chunk
        cut = self._whole(held)
        while not cut and len(held) > self._longest:
            cut = held.find(b"\n") + 1
            if not cut or cut > self._longest:
                self._passing_over = not cut
                if cut:
                    yield TooLong()
                held, cut = held[cut:] if cut else b"", 0
                break
            yield Piece(held[:cut])
            held = held[cut:]
            cut = self._whole(held)
        self._held = held[cut:]
        if cut:
            yield Piece(held[:cut])

    def end(self) -> Iterator[Piece | TooLong]:
        """Yield what is left: a last record without a newline, or lines after a quote that never closes."""
        held, self._held = self._held, b""
        if self._passing_over:
            self._passing_over = False
            yield TooLong()
        for _ in range(_MOST_OPEN_QUOTES):
            cut = held.find(b"\n") + 1
            if not 0 < cut < len(held):
                break
            yield Piece(held[:cut])
            held = held[cut:]
            cut = self._whole(held)
            if cut:
                yield Piece(held[:cut])
                held = held[cut:]
        if held:
            yield Piece(held)
