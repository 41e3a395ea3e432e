"""One record per element, out of JSON that is not one record a line: arrays, wrapped exports, pretty prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from indicia.services.pieces import LONGEST_RECORD, Piece, TooLong

#: Everything up to the next bracket, strings passed over whole; stops before a string that has no end yet.
#: A string ends with its line at the latest, as JSON has it: a torn one must not turn inside and outside round.
_PLAIN: Final = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+["\n][^"\[\]{}]*+)*+')
_IN_STRING: Final = re.compile(rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+')
#: The properties of an object that hold the records of an export: Defender, Graph, Elasticsearch, CloudTrail …
_CONTAINER: Final = re.compile(rb'"(?i:results|value|records|events|hits)"\s{0,64}:\s{0,64}\Z')
_NESTING: Final = re.compile(rb'"hits"\s{0,64}:\s{0,64}\Z')
_WRAPPED: Final = re.compile(rb'"(?i:results|value|records|events|hits)"\s{0,64}:\s{0,64}\[\s{0,64}\{')
_EXPORT: Final = re.compile(rb'\{\s{0,64}"(?:@odata\.|(?i:schema)"\s{0,64}:\s{0,64}\[|took"|Stats"|Results")')
_ARRAY: Final = re.compile(rb"\[\s*+(?:\{|\]|\Z)")
_OF_A_KEY: Final = 160
_BLANK: Final = b" \t\r\n,"
_ENDS: Final[frozenset[bytes]] = frozenset((b'"', b"\n"))


def is_document(head: bytes) -> bool:
    r"""Return whether *head*, how a file begins, begins JSON that is not one record a line.

    >>> is_document(b'[{"a": 1},'), is_document(b'{\n "a": 1'), is_document(b'{"a": 1}\n{"a": 2}')
    (True, True, False)
    >>> is_document(b'{"Results": [{"a": 1}, {"a": 2}]}')
    True
    """
    text = head.lstrip()
    if not text.startswith(b"{"):
        return bool(_ARRAY.match(text))
    line, newline, more = text.partition(b"\n")
    if _EXPORT.match(line):
        return bool(_WRAPPED.search(text)) or bool(newline)
    more = more.lstrip()
    depth = _depth(line)
    if depth is None or depth == 0:  # the line ends within a string, being torn or longer than the head; or is a record
        return not more and bool(_WRAPPED.search(line))
    return more.startswith((b'"', b"}")) if newline else bool(_WRAPPED.search(line))


def _depth(line: bytes) -> int | None:
    """Return how many brackets are open at the end of *line*, None where a string is."""
    depth = at = 0
    while True:
        at = _end(_PLAIN, line, at)
        if at >= len(line):
            return depth
        if line[at : at + 1] == b'"':
            return None
        depth += 1 if line[at : at + 1] in b"[{" else -1
        at += 1


def _end(pattern: re.Pattern[bytes], data: bytes | bytearray, at: int) -> int:
    found = pattern.match(data, at)
    return found.end() if found else at


class _Around(NamedTuple):
    """The object around an array of records, as far as it was read."""

    text: bytes
    depth: int
    line: int
    dropped: bool


class Documents:
    """A record is a value, an element of an array, or an element of the array that an object wraps.

    Of a wrapping object the rest is a record too, so that nothing that a file holds is left out.
    """

    def __init__(self, longest: int = LONGEST_RECORD) -> None:
        self.torn = False
        self._longest = longest
        self._data = bytearray()
        self._at = 0  # what is before was walked over
        self._start = 0  # of the record, or of what is between two of them
        self._before = b""  # the text of the record before that: of one that wraps others
        self._depth = 0  # of brackets inside the record; 0: between records
        self._in_array = False  # of which each element is a record
        self._around: _Around | None = None
        self._nesting = False
        self._in_string = False
        self._dropped = False  # what was read of the record, being too long
        self._begun = 1  # the line on which the record begins
        self._line, self._counted = 1, 0
        self._found: list[bytes] = []
        self._lines: list[int] = []

    def feed(self, chunk: bytes) -> Iterator[Piece | TooLong]:
        """Take *chunk* and yield the records that it completes."""
        self._data += chunk
        while self._walk():
            at = self._at
            self._at += 1
            if self._data[at] in b"[{":
                yield from self._open(at)
            else:
                yield from self._close(at)
        yield from self._piece()
        self._forget()

    def end(self) -> Iterator[Piece | TooLong]:
        """Yield what is left, a record that is torn included."""
        self.torn = self._depth > 0 or self._in_array or self._in_string or self._dropped
        yield from self._emit(len(self._data))
        if self._around is not None:
            self._before, self._depth, self._begun, self._dropped = self._around
            yield from self._emit(len(self._data))
        yield from self._piece()

    def _walk(self) -> bool:
        """Go on to the next bracket; return whether there is one."""
        data = self._data
        self._at = _end(_PLAIN, data, self._at) if not self._in_string else self._at
        while self._in_string or (self._dropped and data[self._at : self._at + 1] == b'"'):
            # Of a string that is too long, nothing is kept.
            self._at = _end(_IN_STRING, data, self._at if self._in_string else self._at + 1)
            self._in_string = bytes(data[self._at : self._at + 1]) not in _ENDS
            if self._in_string:
                return False
            self._at = _end(_PLAIN, data, self._at + 1)
        return self._at < len(data) and data[self._at] != 0x22

    def _open(self, at: int) -> Iterator[TooLong]:
        if self._depth and self._wraps(at):
            text = self._before + self._data[self._start : at + 1]
            self._around = _Around(b"" if self._dropped else text, self._depth, self._begun, self._dropped)
            self._before, self._start, self._depth, self._dropped = b"", at + 1, 0, False
            self._in_array = True
        elif self._depth:
            self._depth += 1
        else:
            yield from self._emit(at)
            if self._data[at] == 0x5B and not self._in_array:
                self._in_array, self._start = True, at + 1
            else:
                self._start, self._depth, self._begun = at, 1, self._line_at(at)

    def _close(self, at: int) -> Iterator[TooLong]:
        if self._depth:
            self._depth -= 1
            self._nesting = self._nesting and self._depth > 1
            if not self._depth:
                self._depth = 1
                yield from self._emit(at + 1)
        elif self._in_array and self._data[at] == 0x5D:
            yield from self._emit(at)
            self._in_array, self._start = False, at + 1
            if self._around is not None:
                self._before, self._depth, self._begun, self._dropped = self._around
                self._around, self._start = None, at

    def _wraps(self, at: int) -> bool:
        """Return whether the bracket at *at* opens the array of records of an export."""
        if self._in_array or self._depth > 2:
            return False
        key = self._data[max(self._start, at - _OF_A_KEY) : at]
        if self._data[at] == 0x7B:
            self._nesting = self._nesting or (self._depth == 1 and bool(_NESTING.search(key)))
            return False
        return (self._depth == 1 or self._nesting) and bool(_CONTAINER.search(key))

    def _emit(self, at: int) -> Iterator[TooLong]:
        """End at *at* the record, or what stands between two of them; blanks and commas are nothing."""
        text = self._before + self._data[self._start : at]
        if not self._depth and not self._dropped and (text := text.lstrip(_BLANK)):
            self._begun = self._line_at(at - len(text))
            text = text.rstrip(_BLANK)
        if self._dropped or len(text) > self._longest:
            yield TooLong(self._begun)
        elif text:
            self._found.append(text.replace(b"\n", b" "))
            self._lines.append(self._begun)
        self._before, self._start, self._depth, self._dropped = b"", at, 0, False

    def _piece(self) -> Iterator[Piece]:
        if self._found:
            yield Piece(b"\n".join((*self._found, b"")), tuple(self._lines))
            self._found, self._lines = [], []

    def _line_at(self, at: int) -> int:
        self._line += self._data.count(b"\n", self._counted, at)
        self._counted = at
        return self._line

    def _forget(self) -> None:
        """Let go of what is no part of the record at hand, and of a record that is too long."""
        if not self._depth and not self._data[self._start : self._at].strip(_BLANK):
            self._start = self._at
        if not self._dropped and len(self._before) + len(self._data) - self._start > self._longest:
            if not self._depth:
                self._begun = self._line_at(self._start)
            self._dropped, self._before = True, b""
            self._walk()
        if self._dropped:
            self._start = self._at
        self._line_at(self._start)
        del self._data[: self._start]
        self._at -= self._start
        self._counted = self._start = 0
