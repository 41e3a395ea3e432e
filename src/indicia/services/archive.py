"""The form of a backup: lines of JSON in a zstandard stream, with a digest for each table and an end that says so."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO, Final, NamedTuple

import orjson
import zstandard

from indicia.domain.errors import InvalidInput, Problem
from indicia.store.copying import Row, Shape, shapes

FORMAT: Final = 1
_LEVEL: Final = 3
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
# One row may be the answer to a request, or a piece of a file; in hexadecimal, twice as long.
_LONGEST_LINE: Final = 512 << 20
_BUFFER: Final = 1 << 20
_LARGEST_WINDOW: Final = 1 << 27


class Manifest(NamedTuple):
    """What the first line of a backup says of it: ``head`` is the hash of the newest changeset, in hexadecimal."""

    format: int
    schema: str
    program: str
    made_at: str
    changeset: int
    head: str


class Contents(NamedTuple):
    """What a backup was found to hold: rows by table, and the names of the keys with what is in each."""

    manifest: Manifest
    rows: Mapping[str, int]
    digests: Mapping[str, bytes]
    keys: Mapping[str, bytes]


class Digest:
    """SHA-256 over the rows of a table, written as they are in a backup: the same whatever database holds them."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    def lines(self, shape: Shape, rows: list[Row]) -> bytes:
        """Return *rows* as lines, which count from now on."""
        encoded = _encoded(shape, rows)
        self._hash.update(encoded)
        self.rows += len(rows)
        return encoded

    def line(self, line: bytes) -> None:
        """Count one line that was read."""
        self._hash.update(line)
        self.rows += 1

    @property
    def value(self) -> bytes:
        """The digest of all that counted."""
        return self._hash.digest()


def _encoded(shape: Shape, rows: list[Row]) -> bytes:
    columns = list(zip(*rows, strict=True))
    for place, kind in enumerate(shape.kinds):
        if kind is bytes:
            columns[place] = tuple(None if each is None else each.hex() for each in columns[place])
    lines: Iterable[Row] = zip(*columns, strict=True)
    return b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in lines])


class Writer:
    """Writes one backup to *out*, from the manifest to the end."""

    def __init__(self, out: BinaryIO, manifest: Manifest) -> None:
        # Without its own checksum: a stream that lacks the end of that reads like a whole one.
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False)
        self._out = compressor.stream_writer(out, closefd=False, write_size=_BUFFER)
        self._hash = hashlib.sha256()
        self._line({"indicia": "backup", **manifest._asdict()})

    def table(self, shape: Shape, parts: Iterator[list[Row]]) -> Digest:
        """Write a table, and return the digest of its rows."""
        self._line({"table": shape.name, "columns": shape.columns})
        digest = Digest()
        for part in parts:
            self._out.write(digest.lines(shape, part))
        self._line({"end of": shape.name, "rows": digest.rows, "sha256": digest.value.hex()})
        return digest

    def key(self, name: str, data: bytes) -> None:
        """Write a file that holds a key."""
        text = base64.b64encode(data).decode()
        self._line({"key": name, "base64": text, "sha256": hashlib.sha256(data).hexdigest()})

    def close(self) -> None:
        """Write the line that says that this was all."""
        self._line({"end of": "backup", "sha256": self._hash.hexdigest()})
        self._out.close()  # type: ignore[no-untyped-call]  # the library says too little

    def _line(self, document: Mapping[str, Any]) -> None:
        line = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
        self._hash.update(line)  # the digests of all rows are in such lines
        self._out.write(line)


class Reader:
    """Reads a backup line by line, and finds whatever is not as it was written: `InvalidInput` names the place."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        self._name = name
        self._line = 0
        self._hash = hashlib.sha256()
        if source.read(len(_MAGIC)) != _MAGIC:
            raise self._fault("not-a-backup", "this is no backup that Indicia made: `indicia backup` makes one")
        source.seek(-len(_MAGIC), io.SEEK_CUR)
        stream = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).stream_reader(
            source, read_across_frames=True, closefd=False
        )
        self._stream = io.BufferedReader(stream, _BUFFER)
        self.manifest = self._manifest()

    def tables(self, use: Callable[[Shape, Iterator[list[Row]]], None]) -> Contents:
        """Give every table to *use* and see that all of it is read; return what there was."""
        known = {shape.name: shape for shape in shapes()}
        rows: dict[str, int] = {}
        digests: dict[str, bytes] = {}
        keys: dict[str, bytes] = {}
        while True:
            before = self._hash.hexdigest()
            document = self._next("the next table")
            if document.get("end of") == "backup":
                if document.get("sha256") != before:
                    raise self._fault("altered-backup", "what it says of itself is not what was written")
                break
            if "key" in document:
                keys[str(document["key"])] = self._key(document)
                continue
            name = str(document.get("table"))[:100]
            shape = known.get(name)
            if shape is None or tuple(document.get("columns", ())) != shape.columns or name in rows:
                raise self._fault("altered-backup", f"table {name!r} was not expected here")
            digest = Digest()
            use(shape, parts := self._rows(shape, digest))
            deque(parts, maxlen=0)  # what is wrong with the table shows at its end
            rows[name], digests[name] = digest.rows, digest.value
        if missing := sorted(known.keys() - rows.keys()):
            raise self._fault("altered-backup", f"it says that it is complete, and lacks {', '.join(missing)}")
        if self._raw():
            raise self._fault("altered-backup", "something follows after its end")
        return Contents(self.manifest, rows, digests, keys)

    def _rows(self, shape: Shape, digest: Digest) -> Iterator[list[Row]]:
        part: list[Row] = []
        while True:
            line = self._raw()
            if not line.startswith(b"["):
                break
            digest.line(line)
            part.append(self._row(shape, line))
            if len(part) >= shape.rows_at_once:
                yield part
                part = []
        if part:
            yield part
        where = f"table {shape.name} after {digest.rows:,} rows"
        document = self._document(line, where)
        if document.get("end of") != shape.name or document.get("rows") != digest.rows:
            raise self._fault("altered-backup", f"in {where}, rows are missing or were added")
        if document.get("sha256") != digest.value.hex():
            raise self._fault("altered-backup", f"the rows of table {shape.name} are not those that were written")

    def _row(self, shape: Shape, line: bytes) -> Row:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise self._fault("altered-backup", f"in table {shape.name}, this is no row: {error}") from None
        try:
            return [
                bytes.fromhex(value) if kind is bytes and value is not None else _checked(value, kind)
                for value, kind in zip(row, shape.kinds, strict=True)
            ]
        except (ValueError, TypeError):
            raise self._fault("altered-backup", f"in table {shape.name}, this row is of another form") from None

    def _manifest(self) -> Manifest:
        document = self._next("its first line")
        if document.get("indicia") != "backup":
            raise self._fault("not-a-backup", "this is no backup that Indicia made: `indicia backup` makes one")
        if document.get("format") != FORMAT:
            raise self._fault("newer-backup", f"its form is {document.get('format')!r}; this version reads {FORMAT}")
        try:
            return Manifest(**{name: document[name] for name in Manifest._fields})
        except KeyError as error:
            raise self._fault("altered-backup", f"its first line does not say {error}") from None

    def _key(self, document: Mapping[str, Any]) -> bytes:
        try:
            data = base64.b64decode(str(document.get("base64")), validate=True)
        except binascii.Error:
            data = b""
        if hashlib.sha256(data).hexdigest() != document.get("sha256"):
            raise self._fault("altered-backup", f"key {str(document['key'])[:100]!r} is not the one that was written")
        return data

    def _next(self, what: str) -> Mapping[str, Any]:
        return self._document(self._raw(), what)

    def _document(self, line: bytes, where: str) -> Mapping[str, Any]:
        if not line:
            raise self._fault("incomplete-backup", f"it ends too early, at {where}: only a part of it is here")
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise self._fault("altered-backup", f"at {where}, this is not what Indicia writes")
        self._hash.update(line)
        return document

    def _raw(self) -> bytes:
        try:
            line = self._stream.readline(_LONGEST_LINE)
        except zstandard.ZstdError as error:
            raise self._fault("altered-backup", f"it is damaged after this: {error}") from None
        if line and not line.endswith(b"\n"):
            if len(line) < _LONGEST_LINE:
                return b""  # the file ends in the middle of a line
            raise self._fault("altered-backup", "a line is longer than any that Indicia writes")
        self._line += 1
        return line

    def _fault(self, code: str, message: str) -> InvalidInput:
        return InvalidInput([Problem(code, message, line=self._line or None, file=self._name)])


def manifest(schema: str, program: str, made_at: datetime, changeset: int, head: bytes) -> Manifest:
    """Return the first line of a backup made now."""
    return Manifest(FORMAT, schema, program, made_at.isoformat(timespec="seconds"), changeset, head.hex())


def digest_of(shape: Shape, parts: Iterator[list[Row]]) -> Digest:
    """Return the digest of rows that are only looked at."""
    digest = Digest()
    for part in parts:
        digest.lines(shape, part)
    return digest


def _checked(value: Any, kind: type) -> Any:
    if value is not None and type(value) is not kind:
        raise TypeError
    return value
