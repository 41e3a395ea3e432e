"""The scanner names every record in which a sensor finds what an indicator is about, however that is written."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType
from indicia.sensors import Unreadable
from indicia.store.codes import TYPES
from tests.integration.hostile_records import Log, some_log

kernel: Any = pytest.importorskip("indicia.matcher._kernel", reason="without the kernel every record is parsed anyway")

RULINGS = {code: (code, 0) for code in TYPES.values()}
RECORDS = 60
FILLERS = [b'{"ts":1521911721.25,"n":"svchost.exe"}', b"x", b"-", b"1\t2\t3", b"k=v; " * 11]


class Miss(AssertionError):
    """A record that the scanner did not name."""


def snapshot_of(*known: Observable) -> Any:
    builder = kernel.Builder(os.urandom(16), RULINGS)
    builder.add([(TYPES[each.type], each.value, number, None) for number, each in enumerate(known)])
    return kernel.Snapshot.from_bytes(builder.to_bytes(1, bytes(32), b""))


def keys_in(log: Log, chance: random.Random) -> dict[Observable, set[int]]:
    """Return what indicators could be about in the records of *log*, and the numbers of those records."""
    found: dict[Observable, set[int]] = {}
    for number, record in enumerate(log.records):
        try:
            event = log.sensor.event(record)
        except Unreadable:
            continue
        for seen in dict.fromkeys(seen.observable for subject in event.subjects for seen in subject) if event else ():
            for part in parts_of(seen):
                keys = keys_of(part)
                if part.type in (ObservableType.IP_ADDRESS, ObservableType.URL):
                    keys = [keys[0], *chance.sample(keys, min(2, len(keys)))]
                for key in keys:
                    found.setdefault(key, set()).add(number)
    return found


def laid_out(log: Log, chance: random.Random) -> tuple[bytes, dict[int, int]]:
    """Return a file with lines of nothing between the records, and which record begins where."""
    data, begins = bytearray(log.header), {}
    for number, record in enumerate(log.records):
        if chance.random() < 0.3 and not log.sensor.layout.csv:
            data += chance.choice(FILLERS) + b"\n"
        if chance.random() < 0.03:
            data += b" " * (chance.randrange(1, 3) * 16_384 - len(data) % 16_384 - chance.randrange(200)) + b"\n"
        begins[len(data)] = number
        data += record + chance.choice([b"\n", b"\n", b"\r\n"])
    return bytes(data), begins


def missed(log: Log, chance: random.Random) -> Iterator[tuple[bytes, Observable]]:
    """Yield each record of *log* that the scanner does not name, and what it holds."""
    keys = keys_in(log, chance)
    data, begins = laid_out(log, chance)
    layout = log.sensor.layout._asdict()
    some = chance.sample(list(keys), min(len(keys), 80))
    asked = [[[one]] for one in some]
    asked += [[[*chance.sample(some, len(some) // 2)], [*chance.sample(some, len(some) // 3)]] for _ in range(2)]
    code = chance.choice(["baseline", "avx2", "avx512"][: 1 + ["baseline", "avx2", "avx512"].index(kernel.CODE)])
    for overlaid in asked:
        scanner = kernel.Scanner([snapshot_of(*known) for known in overlaid], code=code, **layout)
        _, numbers = scanner.scan(data)
        named = {begins[begin] for begin in numbers.tolist()[1::3] if begin in begins}
        for one in dict.fromkeys(one for known in overlaid for one in known):
            for number in sorted(keys[one] - named):
                yield log.records[number], one


def is_missed(log: Log, record: bytes, one: Observable) -> bool:
    """Return whether the scanner does not name *record* alone, though *one* is about something in it."""
    try:
        event = log.sensor.event(record)
    except Unreadable:
        return False
    seen = {seen.observable for subject in event.subjects for seen in subject} if event else set()
    if not any(one in keys_of(part) for each in seen for part in parts_of(each)):
        return False
    _, numbers = kernel.Scanner([snapshot_of(one)], **log.sensor.layout._asdict()).scan(log.header + record)
    return len(log.header) not in numbers.tolist()[1::3]


def reduced(log: Log, record: bytes, one: Observable) -> bytes:
    """Return the smallest record that can be made of *record* by leaving bytes out and is missed, too."""
    size = len(record) // 2
    while size:
        at = 0
        while at < len(record):
            shorter = record[:at] + record[at + size :]
            if is_missed(log, shorter, one):
                record = shorter
            else:
                at += size
        size //= 2
    return record


def search(seed: int, seconds: float) -> int:
    """Raise `Miss` for the first record that is missed; else return how many were tried."""
    until, tried = time.monotonic() + seconds, 0
    for number in range(1 << 30):
        chance = random.Random(f"{seed} {number}")
        log = some_log(chance, RECORDS)
        for record, one in islice(missed(log, chance), 1):
            least = reduced(log, record, one) if is_missed(log, record, one) else record
            raise Miss(f"{log.sensor.name}, log {number} of seed {seed}: {one} in {log.header!r} {least!r}")
        tried += RECORDS
        if time.monotonic() > until:
            break
    return tried


def test_what_is_written_strangely_is_not_missed() -> None:
    assert search(seed=1, seconds=3) > 100


@pytest.mark.slow
def test_it_is_not_missed_for_long() -> None:
    assert search(seed=random.randrange(1 << 30), seconds=60) > 100
