"""Bytes to lines, in bounded memory whatever the bytes: encodings, line ends, lines that never end."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

MAX_LINE_CHARACTERS: Final = 64 * 1024
BLOCK_BYTES: Final = 1 << 20
#: Stands in a block for a line that was too long to keep; no decoded text contains it.
TOO_LONG: Final = "\ud800too long"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Block(NamedTuple):
    """Consecutive lines without their LF: the number of the first, the bytes consumed so far.

    A CR before the LF stays: inside quotes it belongs to the text, elsewhere every format passes over it.
    """

    first: int
    lines: list[str]
    position: int


def blocks(source: BinaryIO) -> Iterator[Block]:
    """Yield the lines of *source*; UTF-8 with or without a mark, UTF-16 with one; LF, CRLF.

    Bytes that are no text of the encoding become lone surrogates, so that the record they stand in can be
    refused instead of the file. A line of over 64 KiB characters is given as `TOO_LONG`.
    """
    data = source.read(BLOCK_BYTES)
    encoding = "utf-8"
    position = len(data)
    for mark, name in _MARKS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8" else "replace")
    number, rest, skipping = 1, "", False
    while data or rest or decoder.getstate()[0]:
        final = not data
        text = rest + decoder.decode(data, final)
        lines = text.split("\n")
        rest = "" if final else lines.pop()
        if final and not lines[-1]:
            lines.pop()
        if skipping and lines:
            lines[0], skipping = TOO_LONG, False
        if len(rest) > MAX_LINE_CHARACTERS:
            rest, skipping = rest[:0], True
        elif skipping:
            rest = ""
        if lines:
            _tidy(lines)
            yield Block(number, lines, position)
            number += len(lines)
        if final:
            if skipping:
                yield Block(number, [TOO_LONG], position)
            return
        data = source.read(BLOCK_BYTES)
        position += len(data)
    if skipping:
        yield Block(number, [TOO_LONG], position)


def _tidy(lines: list[str]) -> None:
    if max(map(len, lines)) > MAX_LINE_CHARACTERS:
        lines[:] = [line if len(line) <= MAX_LINE_CHARACTERS else TOO_LONG for line in lines]
