"""Matchers for scans, and the slow way to find hits: every record parsed, every observable looked up."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from indicia.domain.event import Event
from indicia.domain.indicator import Action, Status
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType
from indicia.domain.verdict import Match, Outcome, resolve
from indicia.matcher.lookup import Contents, Matcher, in_memory
from indicia.matcher.reference import Reference
from indicia.matcher.rules import TYPES, Decision, Ruling, Rulings
from indicia.matcher.scan import Prefilter
from indicia.sensors import Sensor, Unreadable, recognise
from indicia.services.hits import Hit, Question
from indicia.services.reading import Source, expand
from indicia.services.scanning import Scan, scan

NOW = datetime(2030, 6, 15, 12, 30, 45, tzinfo=UTC)
ACTIONS = (Action.BLOCK, Action.WARN, Action.ALLOWED, Action.AUDIT)
SECRET = bytes(range(16))

Told = tuple[str, int, datetime | None, str | None, str, str, int]


class Views:
    """An engine whose view never changes."""

    def __init__(self, known: Sequence[Observable], *, compiled: bool = True) -> None:
        """Know indicators about *known*, numbered from 1, of all actions in turn."""
        kinds = list(TYPES)
        decisions = [
            Decision(10 * place + number, kind, Ruling(action, Status.ACTIVE, False, ()))
            for place, kind in enumerate(kinds)
            for number, action in enumerate(ACTIONS)
        ]
        rulings, numbers = Rulings.of(decisions)
        rows = [
            (10 * kinds.index(one.type) + number % len(ACTIONS), one.value, number + 1, None)
            for number, one in enumerate(known)
        ]
        self.reference = Reference.of_rows([rows], rulings, numbers)
        self.matcher: Matcher = self.reference
        if compiled:
            self.matcher = in_memory(Contents(1, bytes(32), rulings, numbers, [rows]), SECRET)

    def ready(self) -> Views:
        return self

    def distrust(self) -> None:
        raise AssertionError("nothing here is damaged")


def scanned(path: Path | Source, views: Views, *, format: str | None = None) -> Scan:
    source = path if isinstance(path, Source) else Source(str(path), path)
    return scan([source], views, now=NOW, question=Question(), format=format)


def told(hits: Iterable[Hit]) -> list[Told]:
    return [(hit.file, hit.line, hit.time, hit.device, hit.observable, str(hit.type), hit.indicator.id) for hit in hits]


# -- the oracle -------------------------------------------------------------------------------------------------------


class Parsed(NamedTuple):
    """A record that was parsed, with its place."""

    file: str
    line: int
    event: Event


def parse_everything(path: Path, format: Sensor | None = None) -> Iterator[Parsed]:
    """Yield the event of every record of a log, or of a file that is one JSON array, in the plainest of ways."""
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    if data.lstrip().startswith(b"[") and data.lstrip()[1:].lstrip().startswith(b"{"):
        records = list(_elements(data.decode()))
        head = b"".join(record.replace(b"\n", b" ") + b"\n" for _line, record in records)[: 64 * 1024]
    else:
        head = data[: 64 * 1024]
        head = head[: head.rfind(b"\n") + 1] or head
        records = list(enumerate(data.removesuffix(b"\n").split(b"\n"), 1))
    sensor = format or recognise(head)
    if sensor.layout.csv:
        records = [(line + 1, data[begin:end]) for line, begin, end in Prefilter(None, csv=True).scan(data).candidates]
        sensor.header(records[0][1])
    for line, record in records:
        try:
            event = sensor.event(record)
        except Unreadable:
            continue
        if event is not None and event.subjects:
            yield Parsed(str(path), line, event)


def _elements(text: str) -> Iterator[tuple[int, bytes]]:
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    while (begin := text.find("{", at)) >= 0:
        _value, at = decoder.raw_decode(text, begin)
        yield text.count("\n", 0, begin) + 1, text[begin:at].encode()


def expected(parsed: Iterable[Parsed], reference: Reference) -> list[Told]:
    """Return the hits in what was *parsed*."""
    hits: set[Told] = set()
    for file, line, event in parsed:
        for subject in event.subjects:
            found: dict[Match, Observable] = {}
            for seen in subject:
                for part in parts_of(seen.observable):
                    for rule in reference.match(part):
                        match = Match(rule, part)
                        if match not in found or part == seen.observable:
                            found[match] = seen.observable
            for match, outcome, _because in resolve(found, group=None, now=NOW).considered:
                if outcome is Outcome.WON:
                    one = found[match]
                    hits.add((file, line, event.time, event.device, one.value, str(one.type), match.rule.id))
    return sorted(hits, key=str)


def drawn(parsed: Iterable[Parsed], chance: random.Random, share: float) -> list[Observable]:
    """Return indicators about a *share* of what was seen, at least some of every type, and about what covers it."""
    seen = {each.observable for one in parsed for subject in one.event.subjects for each in subject}
    chosen: dict[Observable, None] = {}
    some: dict[ObservableType, int] = {}
    for one in sorted(seen, key=lambda each: (each.type, each.value)):
        if chance.random() < share or some.get(one.type, 0) < 5:
            some[one.type] = some.get(one.type, 0) + 1
            chosen[one] = None
        if chance.random() < share:
            chosen[chance.choice([key for part in parts_of(one) for key in keys_of(part)])] = None
    return [one for one in chosen if one.type is not ObservableType.IP_RANGE or int(one.value.partition("/")[2]) >= 20]


def agree(paths: Sequence[Path], parsed: Sequence[Parsed], known: Sequence[Observable]) -> int:
    """Assert that a scan of *paths* and the oracle find the same, each once; return how many hits."""
    views = Views(known)
    wanted = expected(parsed, views.reference)
    sources, problems = expand(map(str, paths))
    assert not problems
    found = sorted(told(scan(sources, views, now=NOW)), key=str)
    assert sorted(set(wanted) - set(found), key=str)[:5] == []
    assert sorted(set(found) - set(wanted), key=str)[:5] == []
    assert len(found) == len(wanted)
    return len(found)
