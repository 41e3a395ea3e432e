"""One question at a time from Python: `Snapshot.check` with strings never seen before, against `in` on a set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench import made_up_indicators
from bench.engine import Setup, build, digests, hash_snapshot, hexes, kernel
from bench.report import Row, paired, rounds, seconds, spread, table

TABLE, CALLS = 3_000_000, 300_000


def measure(setup: Setup) -> list[str]:
    """Measure hashes, and for information names and addresses."""
    size = min(TABLE, setup.rows)
    raw = digests(1, size)
    known = set(hexes(raw))
    indicators = made_up_indicators.make(size)
    names, addresses = set(indicators.names), set(indicators.addresses)
    fresh: dict[str, tuple[Callable[[int], list[str]], set[str]]] = {
        "hash": (lambda run: hexes(digests(100 + run, CALLS)), known),
        "name": (lambda run: [f"www.ok{run}-{number:x}.example.com" for number in range(CALLS)], names),
        "address": (
            lambda run: [f"{24 + run}.{number >> 16}.{number >> 8 & 255}.{number & 254}" for number in range(CALLS)],
            addresses,
        ),
    }
    checks: dict[str, Any] = {}
    if kernel() is not None:
        hashes = hash_snapshot(setup.folder, raw)[0]
        mixed = build(setup.folder / f"mixed-{size}.snapshot", indicators.rows())
        others = kernel().Snapshot.open(str(mixed.path))
        assert hashes.check(hexes(raw[:1])[0]) and others.check(indicators.names[0])
        checks = {"hash": hashes.check, "name": others.check, "address": others.check}
    rows = []
    for kind, (make, values) in fresh.items():
        figures = _figures(make, values, checks.get(kind), max(setup.runs, 5))
        shown = f"{spread(figures['set'], 1e-9, 0)} exact value `in` a set of {len(values):,}"
        ratio = paired(figures, "set", "ours")
        rows.append(Row(kind, spread(figures.get("ours", []), 1e-9, 0), shown, ratio, 1.0 if kind == "hash" else None))
    lines = [
        "### One value at a time from Python, fresh strings, no hit, ns a call with the loop around it",
        "",
        f"{CALLS:,} strings, whose hash Python has not computed, each once. `check` also tells the type, and looks at",
        "the parents of a name and the networks of an address; the set does not.",
        "",
    ]
    return [*lines, *table(rows)]


def _figures(make: Callable[[int], list[str]], known: set[str], check: Any, runs: int) -> dict[str, list[float]]:
    """Return seconds a call; both get new strings each time, for a string keeps its hash once it was asked."""
    numbers = iter(range(1_000_000))

    def ask_set() -> float:
        values = make(next(numbers))
        return seconds(lambda: _in_set(values, known)) / CALLS

    def ask_us() -> float:
        values = make(next(numbers))
        return seconds(lambda: _call(values, check)) / CALLS

    return rounds({"set": ask_set} | ({"ours": ask_us} if check else {}), runs)


def _in_set(values: list[str], known: set[str]) -> None:
    for value in values:
        value in known  # noqa: B015 the question itself is what is timed


def _call(values: list[str], check: Any) -> None:
    for value in values:
        check(value)
