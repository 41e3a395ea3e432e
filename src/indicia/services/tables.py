"""Parquet and Arrow files as batches of rows: the columns that can hold observables first, all of a row on demand."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

#: How such files begin.
_PARQUET: Final = b"PAR1"
_ARROW: Final = b"ARROW1"
_ROWS_AT_ONCE: Final = 1 << 16
#: A column whose values take less than this in the file repeats itself: then it is read as the distinct values of it.
_REPEATING_BYTES: Final = 12
_DEEPEST: Final = 32
_WRITTEN: Final = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_DIGITS: Final = b"0123456789abcdefABCDEF"
_PRINTABLE: Final = frozenset(range(0x20, 0x7F))

Batch = Any  # pyarrow has no types of its own


class UnreadableTable(ValueError):
    """The file is no table that can be read; the text is a sentence that says why."""


class Group(NamedTuple):
    """Rows that lie together: with the columns that can hold observables, and with all of them."""

    narrow: Callable[[], Iterable[Batch]]
    wide: Callable[[], Iterable[Batch]]


def is_table(head: bytes) -> bool:
    """Return whether *head* begins a Parquet or an Arrow file."""
    return head.startswith((_PARQUET, _ARROW))


class Table:
    """A table in a file, which is read group by group."""

    def __init__(self, path: Path) -> None:
        """Open it; raises `UnreadableTable`, `OSError`, and `ImportError` where pyarrow is not installed."""
        self.arrow: Any = importlib.import_module("pyarrow")
        self.compute: Any = importlib.import_module("pyarrow.compute")
        with path.open("rb") as file:
            self._is_parquet = file.read(len(_PARQUET)) == _PARQUET
        with self.reading():
            if self._is_parquet:
                self._file = self._parquet(path)
                schema = self._file.schema_arrow
            else:
                self._file = importlib.import_module("pyarrow.ipc").open_file(self.arrow.memory_map(str(path)))
                schema = self._file.schema
        if any(_depth(field.type) > _DEEPEST for field in schema):
            raise UnreadableTable("its columns are nested too deeply")
        self.texts = [field.name for field in schema if self.holds_text(field.type)]

    def _parquet(self, path: Path) -> Any:
        parquet = importlib.import_module("pyarrow.parquet")
        metadata = parquet.read_metadata(path)
        repeating = _repeating(metadata) if metadata.num_row_groups else []
        return parquet.ParquetFile(path, metadata=metadata, read_dictionary=repeating, memory_map=True)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Make `UnreadableTable` of all that the library raises where a file is damaged."""
        try:
            yield
        except (self.arrow.ArrowException, ValueError, LookupError, TypeError, OverflowError) as error:
            said = (str(error).splitlines() or [""])[0]
            raise UnreadableTable(f"the table is damaged: {said[:200]}") from error

    def groups(self) -> Iterator[Group]:
        """Yield the groups in their order."""
        if self._is_parquet:
            for number in range(self._file.num_row_groups):
                yield Group(partial(self._read, number, self.texts), partial(self._read, number, None))
            return
        for number in range(self._file.num_record_batches):
            with self.reading():
                batch = self._file.get_batch(number)
                batch.validate(full=True)  # what is mapped is believed otherwise, whatever places it points at
            rows = [batch.slice(at, _ROWS_AT_ONCE) for at in range(0, batch.num_rows, _ROWS_AT_ONCE)]
            yield Group(partial(_selected, rows, self.texts), partial(iter, rows))

    def _read(self, group: int, columns: list[str] | None) -> Iterator[Batch]:
        with self.reading():
            yield from self._file.iter_batches(_ROWS_AT_ONCE, [group], columns=columns, use_threads=False)

    def records(self, batch: Batch, rows: Sequence[int]) -> Iterator[bytes]:
        """Yield *rows* of *batch* as they would stand in a file of JSON lines."""
        columns = [(name, batch.column(number)) for number, name in enumerate(batch.schema.names)]
        for row in rows:
            with self.reading():
                record = {name: _value(column[row]) for name, column in columns}
                written = orjson.dumps(record, default=_plain, option=_WRITTEN)
            yield written

    def holds_text(self, kind: Any) -> bool:
        """Return whether values of the type *kind* can hold an observable."""
        types = self.arrow.types
        if types.is_dictionary(kind):
            return self.holds_text(kind.value_type)
        inner = range(kind.num_fields)
        return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_string_view)) or (
            self.is_binary(kind) or any(self.holds_text(kind.field(number).type) for number in inner)
        )

    def holds_only_digits(self, array: Any, width: int) -> bool:
        """Return whether all texts of *array* are *width* hexadecimal digits; not told of the rarer types of texts."""
        if not self.arrow.types.is_string(array.type):
            return False
        shortest = self.compute.min_max(self.compute.binary_length(array))
        if shortest["min"].as_py() != width or shortest["max"].as_py() != width:
            return False
        _valid, offsets, data = array.buffers()
        places = memoryview(offsets).cast("i")
        begin, end = places[array.offset], places[array.offset + len(array)]
        if end - begin != width * (len(array) - array.null_count):  # what is null may lie there all the same
            return False
        return not bytes(memoryview(data)[begin:end]).translate(None, _DIGITS)

    def is_binary(self, kind: Any) -> bool:
        """Return whether values of the type *kind* are bytes."""
        types = self.arrow.types
        tests = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
        return any(test(kind) for test in tests)


def _selected(rows: Sequence[Batch], columns: Sequence[str]) -> Iterator[Batch]:
    return (batch.select([name for name in batch.schema.names if name in columns]) for batch in rows)


def _depth(kind: Any) -> int:
    deepest = level = 0
    kinds = [kind]
    while kinds and level <= _DEEPEST:
        kinds = [each.field(number).type for each in kinds for number in range(each.num_fields)]
        deepest, level = level, level + 1
    return deepest


def _repeating(metadata: Any) -> list[str]:
    """Return the columns of the first group that have few values, often: as bytes of text, far more than they take."""
    group = metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    return [
        column.path_in_schema
        for column in columns
        if column.physical_type == "BYTE_ARRAY"
        and any("DICTIONARY" in encoding for encoding in column.encodings)
        and column.total_uncompressed_size < _REPEATING_BYTES * column.num_values
    ]


# -- rows as records --------------------------------------------------------------------------------------------------


def _value(scalar: Any) -> Any:
    """Return what a cell holds; of what Python cannot hold, such as a time in the year 300000, as text."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes().decode("utf-8", "replace") if hasattr(scalar, "as_buffer") else None
    except (ValueError, OverflowError):
        return str(scalar.cast("string")) if hasattr(scalar, "cast") else None


def _plain(value: object) -> object:
    """Return what JSON can hold for *value*: bytes are text where they can be read, and else digits, as of a digest."""
    if isinstance(value, bytes):
        return text_of(value)
    return str(value)


def text_of(value: bytes) -> str:
    """Return bytes of a table as text.

    >>> text_of(b"evil.example"), text_of(bytes([0, 255]))
    ('evil.example', '00ff')
    """
    return value.decode("ascii") if _PRINTABLE.issuperset(value) else value.hex()
