"""Scanning logs: chunks to records, records to candidates, candidates to events, events to hits."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.indicator import Action
from indicia.matcher.scan import Prefilter
from indicia.sensors import SENSORS, Sensor, Unreadable, recognise
from indicia.services.documents import Documents, is_document
from indicia.services.hits import ANYTHING, Decider, Hit, Question, Summary, Tell, Views
from indicia.services.hunting import PIPED_TABLE, hits_in_table
from indicia.services.indicators import group_ids_in
from indicia.services.pieces import LONGEST_RECORD, Lines, Piece, QuotedLines, Splitter, TooLong
from indicia.services.reading import Ended, Log, Source, Stopped, Tail, sentence
from indicia.services.tables import is_table
from indicia.services.unpacking import Damaged
from indicia.store.database import Database

#: By this much of its beginning a log is recognised.
_HEAD_BYTES: Final = 64 * 1024
_MOST_LINES_OF_A_HEADER: Final = 100
#: What the end of a torn line may be a part of: an address without its last digit is another address.
_TORN_VALUE: Final = re.compile(rb"[^\s\"'<>,;|]*+\Z")
_TOO_LONG: Final = f"the record is longer than {LONGEST_RECORD >> 20} MiB and was passed over"


class Scan(Iterator[Hit]):
    """The hits of a scan, one after the other, and its summary, which grows with them; may be used in a ``with``."""

    def __init__(self, hits: Iterator[Hit], summary: Summary) -> None:
        self._hits = hits
        self._at_end: Callable[[], None] | None = None
        self.summary = summary

    def then(self, at_end: Callable[[], None]) -> Self:
        """Have *at_end* called once, when the scan is over or closed."""
        self._at_end = at_end
        return self

    def close(self) -> None:
        """End the scan; there are no more hits."""
        self._hits = iter(())
        at_end, self._at_end = self._at_end, None
        if at_end is not None:
            at_end()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Hit:
        try:
            return next(self._hits)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def scan(
    sources: Sequence[Source],
    views: Views,
    *,
    now: datetime,
    question: Question = ANYTHING,
    format: str | None = None,
    tell: Tell | None = None,
    stopped: Stopped | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Scan:
    """Return the hits in *sources*, each read once: recognised by its content, or as *format* says.

    *tell* hears of the progress after each piece, and now and then while a pipe gives nothing; *stopped* is asked
    whether to end. With a *clock* each chunk is decided about by the indicators of its moment, else all by those of
    *now*. What goes wrong with one log is a problem of the summary, and the others go on. Raises
    `InvalidInput` where there is no such format, and `Unavailable` where there is no snapshot.
    """
    _check_format(format)
    summary = Summary()
    decider = Decider(views, question, now, summary)

    def told(summary: Summary) -> None:
        if clock is not None:
            decider.renew(clock())
        if tell is not None:
            tell(summary)

    reading = (_read(source, decider, format, told, stopped or _never) for source in sources)
    return Scan((hit for hits in reading for hit in hits), summary)


def follow(
    sources: Sequence[Source],
    views: Views,
    *,
    clock: Callable[[], datetime],
    wait: Callable[[], bool],
    question: Question = ANYTHING,
    format: str | None = None,
    tell: Tell | None = None,
) -> Scan:
    """Return the hits in files that grow, by the indicators of the moment at which each record is read.

    *wait* is called where there is nothing new, and says whether to go on; *tell* and errors are as with `scan`.
    """
    _check_format(format)
    summary = Summary()
    decider = Decider(views, question, clock(), summary)
    return Scan(_followed(sources, decider, format, clock, wait, tell or _tell_nobody), summary)


def check_group(database: Database, group: str | None) -> None:
    """Raise `InvalidInput` where there is no device group of this name."""
    if group is None:
        return
    with database.snapshot() as tx:
        known = group_ids_in(tx)
    if group not in known:
        message = f"there is no device group named {group[:100]!r}"
        raise InvalidInput([Problem("unknown-group", message, "group", group[:100], tuple(sorted(known))[:50])])


def actions_named(names: Iterable[str] | None) -> frozenset[Action]:
    """Return the actions of these *names*, all for None; raises `InvalidInput` where there is no such action."""
    wanted = frozenset(Action if names is None else names)
    for name in wanted - frozenset(Action):
        near = difflib.get_close_matches(name[:100], Action, n=1)
        message = f"there is no action named {name[:100]!r}"
        raise InvalidInput(
            [Problem("invalid-action", message, "action", name[:100], tuple(Action), near[0] if near else None)]
        )
    return frozenset(map(Action, wanted))


def _check_format(name: str | None) -> None:
    if name is not None and name not in SENSORS:
        near = difflib.get_close_matches(name[:100], SENSORS, n=1)
        message = f"there is no log format named {name[:100]!r}"
        raise InvalidInput(
            [Problem("unknown-format", message, "format", name[:100], tuple(SENSORS), near[0] if near else None)]
        )


def _tell_nobody(_summary: Summary) -> None:
    """Keep it to oneself."""


def _never() -> bool:
    return False


# -- logs that are read once ------------------------------------------------------------------------------------------


def _read(source: Source, decider: Decider, format: str | None, tell: Tell, stopped: Stopped) -> Iterator[Hit]:
    summary = decider.summary
    if stopped():
        return
    try:
        with Log(source, stopped) as log:
            summary.files += 1
            summary.file, summary.position = source.name, 0
            if source.path is not None and is_table(log.head(8)):
                yield from hits_in_table(source.path, decider, format, tell)
                return
            records = Records(source.name, decider, format)
            try:
                for chunk in log.chunks():
                    if chunk:
                        yield from records.feed(chunk)
                    summary.position = log.position
                    tell(summary)
                yield from records.end()
            except Damaged as error:
                yield from records.end(torn=True)
                summary.add(Problem("damaged-file", str(error), file=source.name))
            except OSError as error:
                yield from records.end(torn=True)
                summary.add(Problem("damaged-file", f"{sentence(error)}, from a place in it on", file=source.name))
    except OSError as error:
        summary.add(Problem("unreadable-file", sentence(error), file=source.name))
    tell(summary)


# -- logs that grow ---------------------------------------------------------------------------------------------------


def _followed(
    sources: Iterable[Source],
    decider: Decider,
    format: str | None,
    clock: Callable[[], datetime],
    wait: Callable[[], bool],
    tell: Tell,
) -> Iterator[Hit]:
    summary = decider.summary
    tails = [(source, Tail(source)) for source in sources]
    records = {source.name: Records(source.name, decider, format) for source in sources}
    summary.files = len(tails)
    try:
        while True:
            decider.renew(clock())
            for source, tail in tails:
                for what in tail.poll():
                    match what:
                        case bytes():
                            yield from records[source.name].feed(what)
                            decider.renew(clock())
                        case Ended():
                            yield from records[source.name].end()
                            records[source.name] = Records(source.name, decider, format)
                        case Problem():
                            summary.add(what)
                    tell(summary)
            tell(summary)
            if not wait():
                return
    finally:
        for _source, tail in tails:
            tail.close()


# -- one log ----------------------------------------------------------------------------------------------------------


class Records:
    """The records of one log as its bytes come in: recognised by the first of them, hits by and by."""

    def __init__(self, name: str, decider: Decider, format: str | None = None) -> None:
        self._name = name
        self._decider = decider
        self._summary = decider.summary
        self._sensor: Sensor | None = SENSORS[format]() if format else None
        self._splitter: Splitter | None = None
        self._prefilter: Prefilter | None = None
        self._of_matcher: object = None
        self._begun = False
        self._head = b""
        self._line = 1

    def feed(self, chunk: bytes) -> Iterator[Hit]:
        """Take *chunk* and yield the hits of the records that it completes; raises `Damaged` for no log at all."""
        self._summary.bytes += len(chunk)
        if self._splitter is None:
            chunk = self._head + chunk
            if not self._head:
                chunk = self._without_hole(chunk)
            # One whole line, however long a line may be, tells more than a part of one.
            if b"\n" not in chunk and len(chunk) <= LONGEST_RECORD:
                self._head = chunk
                return
            self._begin(chunk)
            self._head = b""
        assert self._splitter is not None
        for piece in self._splitter.feed(chunk):
            yield from self._taken(piece)

    def end(self, *, torn: bool = False) -> Iterator[Hit]:
        """Yield the hits of what is left; *torn* says that the last record is not all there."""
        if self._splitter is None:
            if not self._head:
                return
            self._begin(self._head)
        splitter, head, self._head = self._splitter, self._head, b""
        assert splitter is not None
        for piece in splitter.feed(head):
            yield from self._taken(piece)
        for piece in splitter.end():
            yield from self._taken(_untorn(piece) if torn else piece)
        if splitter.torn and not torn:
            self._summary.add(Problem("damaged-file", "the JSON ends in the middle", file=self._name))

    def _without_hole(self, chunk: bytes) -> bytes:
        """Return *chunk* without zeros before its first byte, which a writer leaves that goes on after a truncation."""
        return chunk.lstrip(b"\0")

    def _begin(self, head: bytes) -> None:
        """See what the log is by how it begins."""
        if is_table(head):
            self._head = b""
            raise Damaged(PIPED_TABLE)
        if b"\0" in head[:_HEAD_BYTES]:
            message = "it holds NUL bytes, as no text does, and is read as text; a binary log has to be exported first"
            self._summary.add(Problem("not-a-text-file", message, file=self._name, warning=True))
        as_json = self._sensor is None or self._sensor.layout.json
        if as_json and is_document(head[:_HEAD_BYTES]):
            self._splitter = Documents()
            return
        if self._sensor is None:
            self._sensor = recognise(_first_lines(head))
        self._splitter = QuotedLines(self._whole) if self._sensor.layout.csv else Lines()

    def _whole(self, data: bytes) -> int:
        return self._prefilter_now().whole(data)

    def _prefilter_now(self) -> Prefilter:
        """Return the prefilter of the indicators of now."""
        matcher = self._decider.matcher
        if self._prefilter is None or matcher is not self._of_matcher:
            assert self._sensor is not None
            layout = self._sensor.layout
            self._prefilter = Prefilter(matcher.scanners(), json=layout.json, comments=layout.comments, csv=layout.csv)
            self._of_matcher = matcher
        return self._prefilter

    def _taken(self, piece: Piece | TooLong) -> Iterator[Hit]:
        if isinstance(piece, TooLong):
            line = self._line if piece.line is None else piece.line
            self._line += piece.line is None
            self._summary.records += 1
            self._summary.add(Problem("record-too-long", _TOO_LONG, line=line, file=self._name))
            return
        if self._sensor is None:
            self._sensor = recognise(_first_lines(piece.data))
        prefilter = self._prefilter_now()
        if not self._begun:
            self._begun = True
            if self._sensor.layout.csv:
                self._sensor.header(_first_record(piece.data, prefilter))
        lines, candidates = prefilter.scan(piece.data)
        base = self._line
        self._summary.records += lines
        self._summary.candidates += len(candidates)
        for number, begin, end in candidates:
            line = base + number if piece.lines is None else piece.lines[number]
            yield from self._hits(self._sensor, line, piece.data[begin:end])
        self._line = base + lines

    def _hits(self, sensor: Sensor, line: int, record: bytes) -> Iterator[Hit]:
        try:
            event = sensor.event(record)
        except Unreadable as error:
            self._summary.add(Problem("unreadable-record", str(error), line=line, file=self._name))
            return
        if event is not None:
            yield from self._decider.hits(self._name, line, event)


def _first_lines(data: bytes) -> bytes:
    """Return the first whole lines of *data*; the first one however long it is."""
    cut = data.rfind(b"\n", 0, _HEAD_BYTES) + 1 or data.find(b"\n") + 1
    return data[: cut or None]


def _first_record(data: bytes, prefilter: Prefilter) -> bytes:
    end = 0
    for _ in range(_MOST_LINES_OF_A_HEADER):
        end = data.find(b"\n", end) + 1
        if not end or prefilter.whole(data[:end]):
            break
    return data[: end or None].rstrip(b"\r\n")


def _untorn(piece: Piece | TooLong) -> Piece | TooLong:
    return piece if isinstance(piece, TooLong) else piece._replace(data=_TORN_VALUE.sub(b"", piece.data))
