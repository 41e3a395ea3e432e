"""From nothing to the first answer: opening a snapshot file against building the Python set of the same hashes."""

from __future__ import annotations

import statistics

import numpy as np

from bench.engine import Setup, digests, hash_snapshot, hexes, kernel
from bench.report import Row, paired, rounds, seconds, spread, table

LIMIT = 1000.0


def measure(setup: Setup) -> list[str]:
    """Measure both in turns; the strings of the set are there already, and new in each round."""
    raw = digests(1, setup.rows)
    asked = hexes(digests(9, 1))[0]
    work = {"set": lambda: _set(raw)}
    lines = [f"### Opening {setup.rows:,} SHA-256 hashes, ms", ""]
    if kernel() is not None:
        _snapshot, built = hash_snapshot(setup.folder, raw)
        path = str(built.path)
        lines += [f"- the snapshot: {built}", ""]
        work["ours"] = lambda: statistics.median(seconds(lambda: kernel().Snapshot.open(path)) for _ in range(25))
        work["ours, with a first look-up"] = lambda: statistics.median(
            seconds(lambda: kernel().Snapshot.open(path).check(asked)) for _ in range(25)
        )
    figures = rounds(work, setup.runs)
    peer = f"{spread(figures['set'], 1e-3, 0)} set() of strings that are there already"
    rows = [
        Row(
            name.replace("ours", "open"),
            spread(figures.get(name, []), 1e-3, 4),
            peer,
            paired(figures, "set", name),
            limit,
        )
        for name, limit in (("ours", LIMIT), ("ours, with a first look-up", None))
    ]
    return [*lines, *table(rows)]


def _set(raw: np.ndarray) -> float:
    values = hexes(raw)
    return seconds(lambda: set(values))
