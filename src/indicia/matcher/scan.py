"""Which records of a log can hold anything that a matcher knows: the kernel sees it in the raw bytes, or all can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from indicia.matcher import _kernel


class Found(NamedTuple):
    """What a piece holds: how many lines, and where candidates are: first line (from 0), begin, end without newline."""

    lines: int
    candidates: Sequence[tuple[int, int, int]]


class Prefilter:
    """Finds the candidate records in pieces of a log; without snapshots every record is one.

    It never misses a record in which something can match, and may name some in which nothing does.
    """

    def __init__(
        self,
        snapshots: Sequence[_kernel.Snapshot] | None,
        *,
        json: bool = False,
        comments: bool = False,
        csv: bool = False,
    ) -> None:
        """*json*, *comments* and *csv* say how records are written, as `_kernel.Scanner` has it."""
        self._csv = csv
        self._scanner = None
        if snapshots is not None:
            # Who has a snapshot has the kernel; whether it is here, `lookup` alone tries.
            from indicia.matcher import _kernel  # noqa: PLC0415 see above

            self._scanner = _kernel.Scanner(snapshots, json=json, comments=comments, csv=csv)

    def whole(self, data: bytes) -> int:
        """Return how many of the bytes are whole records: up to and with the last newline that ends one."""
        if self._scanner is not None:
            return self._scanner.whole(data)
        if not self._csv:
            return data.rfind(b"\n") + 1
        end = 0
        for _line, _begin, stop, whole in _records(data, csv=True):
            end = stop + 1 if whole else end
        return end

    def scan(self, data: bytes) -> Found:
        """Return the candidates in *data*, whole records."""
        if self._scanner is None:
            records = list(_records(data, csv=self._csv))
            lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
            return Found(lines, [record[:3] for record in records if record[1] < record[2]])
        lines, numbers = self._scanner.scan(data)
        if not len(numbers):
            return Found(lines, ())
        flat = iter(numbers)
        return Found(lines, list(zip(flat, flat, flat, strict=True)))


def _records(data: bytes, *, csv: bool) -> Iterator[tuple[int, int, int, bool]]:
    """Yield line, begin and end of every record, and whether a newline ends it; only the last may lack one.

    >>> list(_records(b'a,"b' + bytes([10]) + b'c"', csv=True))
    [(0, 0, 7, False)]
    """
    line = begin = at = passed = 0
    quoted = False
    while at < len(data):
        end = data.find(b"\n", at)
        whole = end >= 0
        end = end if whole else len(data)
        quoted = csv and quoted != bool(data.count(b'"', at, end) & 1)
        at = end + 1
        passed += 1
        if not quoted or at >= len(data):
            yield line, begin, end if whole and not quoted else len(data), whole and not quoted
            begin, line = at, passed
