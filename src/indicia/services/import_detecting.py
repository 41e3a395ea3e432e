"""What a file of indicators is, told by its first bytes: format, encoding, delimiter, or why it cannot be one."""

from __future__ import annotations

import codecs
from typing import Final, NamedTuple

from indicia.domain.errors import Problem
from indicia.importers.defender_csv import REQUIRED, delimiter_of, field_of
from indicia.services.imports import Format

HEAD_BYTES: Final = 64 * 1024
_PACKED: Final = {
    b"\x1f\x8b": "gzip -dc",
    b"BZh": "bzip2 -dc",
    b"\xfd7zXZ\0": "xz -dc",
    b"\x28\xb5\x2f\xfd": "zstd -dc",
    b"PK\x03\x04": "unzip -p",
}
_MARKS: Final = {
    codecs.BOM_UTF8: ("utf-8", "UTF-8 with a byte order mark"),
    codecs.BOM_UTF16_LE: ("utf-16-le", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16-be", "UTF-16"),
}
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Detected(NamedTuple):
    """What the first bytes of a file say; ``format`` is None where they say nothing, ``unpack`` names what unpacks it.

    ``problem`` is why the file cannot hold indicators as it is.
    """

    format: Format | None
    encoding: str = "UTF-8"
    delimiter: str | None = None
    problem: Problem | None = None
    unpack: str | None = None


def detect(head: bytes) -> Detected:
    """Return what a file is that begins with *head*."""
    codec, encoding = next((names for mark, names in _MARKS.items() if head.startswith(mark)), ("utf-8", "UTF-8"))
    for mark, unpack in _PACKED.items():
        if head.startswith(mark):
            message = f"the file is compressed; unpack it first, as with {unpack}, and give what comes out"
            return Detected(None, problem=Problem("compressed-file", message), unpack=unpack)
    if b"\0" in head and not head.startswith(_UTF16):
        return Detected(None, problem=Problem("not-a-text-file", "the file is not a text: it holds NUL bytes"))
    text = head.decode(codec, "replace").lstrip("\ufeff \t\r\n")
    if not text.strip():
        return Detected(None, encoding)
    if text.startswith("["):
        message = "the file is a JSON array; one object a line is wanted: jq -c '.[]' makes that of it"
        return Detected(Format.NDJSON, encoding, problem=Problem("json-array", message))
    first = text.split("\n", 1)[0]
    if not text.startswith("{") and _is_header(first):
        return Detected(Format.CSV, encoding, delimiter_of(first))
    return Detected(Format.NDJSON if text.startswith("{") else Format.TEXT, encoding)


def _is_header(line: str) -> bool:
    """Return whether *line* names columns: the type, or most of what is required where that one is misspelled."""
    if "indicatortype" in line.lower().replace(" ", "").replace("_", ""):
        return True
    fields = {field_of(name.strip().strip('"')) for name in line.split(delimiter_of(line))}
    return len(fields.intersection(REQUIRED)) > len(REQUIRED) / 2
