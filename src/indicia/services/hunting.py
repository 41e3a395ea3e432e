"""Scanning tables: columns to candidate rows, and those as the records that they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from indicia.domain.errors import Problem
from indicia.domain.observable import ObservableType
from indicia.matcher.rules import TYPES
from indicia.matcher.scan import Prefilter
from indicia.sensors import SENSORS, Sensor, Unreadable, recognise
from indicia.services.hits import Decider, Hit, Tell
from indicia.services.reading import sentence
from indicia.services.tables import Batch, Group, Table, UnreadableTable, text_of

PIPED_TABLE: Final = "a Parquet or Arrow file has to be a plain file on a disk: its end is read first"
_NO_PYARROW: Final = "to read Parquet and Arrow files, install the extra hunt: pip install 'indicia[hunt]'"
#: Cells that are looked at in one go hold no more than this, unless one of them alone does.
_BYTES_AT_ONCE: Final = 32 << 20
_ROWS_TO_TELL: Final = 20
_SHA256: Final = ObservableType.FILE_SHA256
_SHA256_DIGITS: Final = 64


def hits_in_table(path: Path, decider: Decider, format: str | None, tell: Tell) -> Iterator[Hit]:
    """Yield the hits in the table in *path*, the same as if each row was a line of JSON; the line is the row."""
    name, summary = str(path), decider.summary
    try:
        table = Table(path)
        yield from _Rows(name, table, decider, format).hits(tell)
    except ImportError:
        summary.add(Problem("unreadable-file", _NO_PYARROW, file=name))
    except UnreadableTable as error:
        summary.add(Problem("damaged-file", str(error), file=name))
    except OSError as error:
        summary.add(Problem("damaged-file", sentence(error), file=name))


class _Wide:
    """All columns of a group, read only as far as there is a candidate."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._batches: Iterator[Batch] | None = None
        self._passed = 0

    def batch_at(self, row: int) -> Batch:
        """Return the batch that begins with *row* of the group; raises `UnreadableTable`."""
        if self._batches is None:
            self._batches = iter(self._group.wide())
        for batch in self._batches:
            begins = self._passed
            self._passed += batch.num_rows
            if begins == row:
                return batch
        raise UnreadableTable("the table is damaged: its columns are not of one length")


class _Rows:
    """The rows of one table on their way to hits."""

    def __init__(self, name: str, table: Table, decider: Decider, format: str | None) -> None:
        self._name = name
        self._table = table
        self._decider = decider
        self._summary = decider.summary
        self._sensor: Sensor | None = SENSORS[format]() if format else None
        self._snapshots = decider.matcher.scanners()
        self._prefilter = None if self._snapshots is None else Prefilter(self._snapshots)
        self._passed = 0
        self._known: dict[int, tuple[Any, list[int]]] = {}

    def hits(self, tell: Tell) -> Iterator[Hit]:
        """Yield the hits, group by group."""
        first = 1
        for group in self._table.groups():
            yield from self._group(group, first, tell)
            first += self._passed

    def _group(self, group: Group, first: int, tell: Tell) -> Iterator[Hit]:
        wide = _Wide(group)
        self._passed = 0
        for batch in group.narrow():
            with self._table.reading():
                found = self._candidates(batch)
            self._summary.records += batch.num_rows
            self._summary.bytes += batch.nbytes
            self._summary.candidates += len(found)
            if found:
                yield from self._decided(wide.batch_at(self._passed), found, first + self._passed)
            self._passed += batch.num_rows
            tell(self._summary)

    def _decided(self, batch: Batch, rows: list[int], first: int) -> Iterator[Hit]:
        if self._sensor is None:
            beginning = range(min(_ROWS_TO_TELL, batch.num_rows))
            self._sensor = recognise(b"".join(record + b"\n" for record in self._table.records(batch, beginning)))
        for row, record in zip(rows, self._table.records(batch, rows), strict=True):
            try:
                event = self._sensor.event(record)
            except Unreadable as error:
                self._summary.add(Problem("unreadable-record", str(error), line=first + row, file=self._name))
                continue
            if event is not None:
                yield from self._decider.hits(self._name, first + row, event)

    # -- candidates -----------------------------------------------------------------------------------------------

    def _candidates(self, batch: Batch) -> list[int]:
        """Return the rows of *batch* that can hold anything that the matcher knows, in order."""
        if self._prefilter is None:
            return list(range(batch.num_rows))
        found: set[int] = set()
        for place, column in enumerate(batch.columns):
            found.update(self._rows(place, column))
        return sorted(found)

    def _rows(self, place: int, array: Any) -> list[int]:
        """Return the places in *array* under which a candidate value lies; *place* tells columns apart."""
        arrow = self._table.arrow
        types = arrow.types
        kind = array.type
        if not self._table.holds_text(kind):
            return []
        if types.is_dictionary(kind):
            values = self._distinct(place, array.dictionary)
            if not values:
                return []
            chosen = self._table.compute.is_in(array.indices, arrow.array(values, array.indices.type))
            return _as_list(self._table.compute.indices_nonzero(chosen))
        if types.is_struct(kind):
            return [row for child in array.flatten() for row in self._rows(-1, child)]
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            found = self._rows(-1, array.flatten())
            parents = self._table.compute.list_parent_indices(array)
            return _as_list(parents.take(arrow.array(found, arrow.int64())))
        if kind.num_fields:  # maps and the like are rare: all their rows are looked at
            return list(range(len(array)))
        return self._values(array)

    def _distinct(self, place: int, values: Any) -> list[int]:
        """Return the candidates in a dictionary, which is mostly the same from batch to batch."""
        known = self._known.get(place)
        if known is None or place < 0 or not known[0].equals(values):
            known = values, self._rows(-1, values)
            self._known[place] = known
        return known[1]

    def _values(self, array: Any) -> list[int]:
        """Return the candidates among texts or bytes."""
        if array.nbytes > _BYTES_AT_ONCE and len(array) > 1:
            half = len(array) // 2
            return self._values(array.slice(0, half)) + [half + place for place in self._values(array.slice(half))]
        if self._table.holds_only_digits(array, _SHA256_DIGITS):
            # No name has a part that long: these can be nothing but hashes, which are looked up where they lie.
            found = [snapshot.match_many(TYPES[_SHA256], array)[0] for snapshot in self._snapshots or ()]
            return sorted({row for rows in found for row in rows})
        arrow = self._table.arrow
        if self._table.is_binary(array.type):
            array = arrow.array([value and text_of(value) for value in array.to_pylist()], arrow.large_string())
        array = self._table.compute.fill_null(array.cast(arrow.large_string()), "")
        assert self._prefilter is not None
        lines, candidates = self._prefilter.scan(self._lines(array))
        if lines > len(array):
            # Some value holds a line break: a blank parts tokens as well.
            array = self._table.compute.replace_substring(array, "\n", " ")
            lines, candidates = self._prefilter.scan(self._lines(array))
        return [line for line, _begin, _end in candidates]

    def _lines(self, array: Any) -> Any:
        """Return the values of *array* in one buffer, each on a line of its own."""
        arrow = self._table.arrow
        values = arrow.concat_arrays([array, arrow.array([""], arrow.large_string())])
        whole = arrow.ListArray.from_arrays(arrow.array([0, len(values)], arrow.int32()), values)
        return self._table.compute.binary_join(whole, arrow.scalar("\n", arrow.large_string()))[0].as_buffer()


def _as_list(array: Any) -> list[int]:
    found: list[int] = array.to_pylist()
    return found
