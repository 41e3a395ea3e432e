"""The scan of logs, one thread: ours against DuckDB, orjson and msgspec with sets, and `wc -l`, over the same files."""

from __future__ import annotations

import gc
import itertools
import mmap
import statistics
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench import made_up_indicators, made_up_logs, scan_duckdb, scan_msgspec, scan_python
from bench.engine import Setup, build, kernel, say
from bench.made_up_indicators import Indicators
from bench.made_up_logs import APART, Log
from bench.report import Row, paired, seconds, spread, table, timed

INDICATORS, FILE_SIZE = 3_000_000, 100_000_000
PIECE = 8 << 20
TINY_LINES = 2000
DUCKDB, ORJSON, MSGSPEC, WC = "DuckDB read_json + joins", "orjson + sets", "msgspec + sets", "wc -l"
LIMITS = {DUCKDB: 6.0, ORJSON: 8.0, MSGSPEC: 6.0, WC: 0.12}
#: Of a peer that looks at less than ours does: no texts (command lines, messages, user agents, referrers).
TYPED = ", typed fields only"
PREFILTER, WHOLE = "ours, prefilter alone", "ours, with the exact stage"
#: Counts the hits of a file of a shape.
Counter = Callable[[str, Path], int]


def measure(setup: Setup) -> list[str]:
    """Measure every contender over every file, in turns."""
    count = min(INDICATORS, setup.rows)
    indicators = made_up_indicators.make(count)
    logs = made_up_logs.write(setup.folder, indicators, max(2_000_000, FILE_SIZE * count // INDICATORS))
    lines = [
        f"### NDJSON, one thread, {count:,} mixed indicators, {sum(log.size for log in logs) >> 20:,} MiB, in MB/s",
        "",
        "| file | bytes a line | lines | hits | of them in texts |",
        "|---|---|---|---|---|",
        *(
            f"| {log.shape} | {log.size / log.lines:,.0f} | {log.lines:,} | {log.hits:,} | {log.in_texts:,} |"
            for log in logs
        ),
        "",
    ]
    contenders: dict[str, Counter] = {WC: _wc}
    if kernel() is not None:
        path = build(setup.folder / f"mixed-{count}.snapshot", indicators.rows())
        lines.append(f"- ours: {path}")
        contenders |= _ours(path.path)
    for name, make in PEERS.items():
        for texts in (True, False):
            took, contenders[name if texts else name + TYPED] = timed(make, indicators, texts)
        lines.append(f"- {name}: {took:.2f} s to build")
    spent = _spent(contenders, logs, setup.runs)
    return [*lines, "", *_report(contenders, logs, spent)]


#: By name, what makes a peer ready, with or without texts.
PEERS: dict[str, Callable[[Indicators, bool], Counter]] = {
    DUCKDB: lambda indicators, texts: scan_duckdb.with_duckdb(indicators, texts=texts),
    ORJSON: lambda indicators, texts: scan_python.with_orjson(scan_python.Known(indicators), texts=texts),
    MSGSPEC: lambda indicators, texts: scan_msgspec.with_msgspec(scan_python.Known(indicators), texts=texts),
}
Spent = Mapping[tuple[str, str], list[float]]


def _spent(contenders: Mapping[str, Counter], logs: list[Log], runs: int) -> Spent:
    """Return the seconds of each round, by contender and shape; all have to find the same."""
    # Millions of strings in sets: nobody's round should pay for a look through all of them.
    gc.collect()
    gc.freeze()
    fixed = {
        (name, log.shape): _fixed(count, log)
        for name, count in contenders.items()
        if name.startswith(DUCKDB)
        for log in logs
    }
    spent: dict[tuple[str, str], list[float]] = {}
    for run in range(runs + 1):
        for log in logs:
            for name, count in contenders.items():
                took, found = timed(count, log.shape, log.path)
                _agree(name, found, log)
                # DuckDB builds tables for each query: that is taken out, as ours was built and sets were before.
                took = max(took - fixed.get((name, log.shape), 0.0), 1e-9)
                if run:  # the first round warms up: the page cache, what is imported late
                    spent.setdefault((name, log.shape), []).append(took)
        if run:
            say(f"  round {run}:", {name: f"{_rates(spent, name, logs)[-1]:.0f}" for name in contenders})
    return spent


def _agree(name: str, found: int, log: Log) -> None:
    """Raise where somebody found anything but what was put there."""
    wanted = log.lines if name == WC else log.hits - log.in_texts if name.endswith(TYPED) else log.hits
    # The prefilter may name lines that the exact stage then drops, but never misses one.
    if found < wanted if name == PREFILTER else found != wanted:
        raise AssertionError(f"{name} found {found}, not {wanted}, in {log}")


def _fixed(count: Counter, log: Log) -> float:
    """Return the seconds that the first lines of a file take, nearly all of them for the tables of the joins."""
    tiny = log.path.with_suffix(".tiny.json")
    with log.path.open("rb") as file:
        head = b"".join(itertools.islice(file, min(TINY_LINES, log.lines // 20)))
    tiny.write_bytes(head)
    return statistics.median(seconds(lambda: count(log.shape, tiny)) for _ in range(3)) * (1 - len(head) / log.size)


def _rates(spent: Spent, name: str, logs: list[Log]) -> list[float]:
    """Return MB/s over all files of the whole, by round."""
    whole = [log for log in logs if log.shape != APART]
    times = zip(*(spent[name, log.shape] for log in whole), strict=True)
    return [sum(log.size for log in whole) / sum(each) / 1e6 for each in times]


def _report(contenders: Mapping[str, Counter], logs: list[Log], spent: Spent) -> list[str]:
    """Return the table against the limits, and one of each file."""
    rates = {name: _rates(spent, name, logs) for name in contenders}
    ours = WHOLE if WHOLE in rates else PREFILTER
    rows = []
    for name in [*LIMITS, *(each for each in contenders if each.endswith(TYPED))]:
        shown = spread(rates.get(ours, []), digits=0)
        rows.append(
            Row(ours, shown, f"{spread(rates[name], digits=0)} {name}", paired(rates, ours, name), LIMITS.get(name))
        )
    shapes = [log.shape for log in logs]
    lines = [
        *table(rows),
        f"| MB/s (median; {APART} is not part of the whole) | {' | '.join(shapes)} |",
        "|---|" + "---|" * len(shapes),
    ]
    for name in contenders:
        each = [f"{log.size / statistics.median(spent[name, log.shape]) / 1e6:,.0f}" for log in logs]
        lines.append(f"| {name} | {' | '.join(each)} |")
    return [*lines, ""]


def _wc(_shape: str, path: Path) -> int:
    done = subprocess.run(["wc", "-l", str(path)], check=True, capture_output=True)
    return int(done.stdout.split()[0])


def _ours(path: Path) -> dict[str, Counter]:
    """Return our contenders: the raw scanner, and with it the sensors and verdicts where they are there."""
    module = kernel()
    snapshot = module.Snapshot.open(str(path))

    def prefilter(_shape: str, log: Path) -> int:
        return _candidates(module.Scanner([snapshot], json=True), log)

    return {PREFILTER: prefilter, WHOLE: _exact(path)}


def _candidates(scanner: Any, path: Path) -> int:
    """Return how many candidate lines a mapped file has, scanned in pieces."""
    found = at = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        whole = memoryview(mapped)
        try:
            while at < len(whole):
                piece = whole[at : at + PIECE]
                size = scanner.whole(piece) or len(piece)
                piece, last = piece[:size], piece
                last.release()
                _lines, candidates = scanner.scan(piece)
                found += candidates.nbytes // 24  # three numbers each
                at += size
                piece.release()
        finally:
            whole.release()
    return found


class _View(NamedTuple):
    matcher: Any


class _Views:
    """The one view of a snapshot file, as the engine gives it."""

    def __init__(self, path: Path) -> None:
        from indicia.matcher.lookup import open_matcher

        self._view = _View(open_matcher(path))

    def ready(self) -> Any:
        return self._view

    def distrust(self) -> None:
        """Nobody else has to hear of it."""


def _exact(path: Path) -> Counter:
    """Return what scans as `indicia scan` does, in one thread, and counts the lines with a hit."""
    from indicia.services import reading, scanning

    views = _Views(path)

    def count(_shape: str, log: Path) -> int:
        source = reading.Source(log.name, log)
        return len({hit.line for hit in scanning.scan([source], views, now=datetime.now(UTC))})

    return count
