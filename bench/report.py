"""What was measured, as sections of RESULTS.md: each replaced on its own, with the day and the machine it ran on."""

from __future__ import annotations

import os
import platform
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

TITLE = "# What was measured"
#: Set by `--cpu`.
CPU_TIME = "INDICIA_BENCH_CPU_TIME"
Figures = Mapping[str, list[float]]
#: By name, what counts the rows that match among so many rows, and among twice as many.
Contenders = Mapping[str, tuple[Callable[[], int], Callable[[], int]]]


class Row(NamedTuple):
    """One figure beside a peer's of the same run. `limit`: the ratio that is asked for, None where it is only told."""

    work: str
    ours: str
    peer: str
    ratio: float | None
    limit: float | None

    def __str__(self) -> str:
        limit = "" if self.limit is None else f"{self.limit:g}"
        ratio = "-" if self.ratio is None else f"{self.ratio:,.0f}" if self.ratio > 100 else f"{self.ratio:.2f}"
        met = "" if self.limit is None or self.ratio is None else "yes" if self.ratio >= self.limit else "**no**"
        return f"| {self.work} | {self.ours} | {self.peer} | {ratio} | {limit} | {met} |"


TABLE_HEAD = ("| work | ours | peer | ratio | at least | met |", "|---|---|---|---|---|---|")


def table(rows: Iterable[Row]) -> list[str]:
    """Return the lines of a table of rows."""
    return [*TABLE_HEAD, *map(str, rows), ""]


def rounds(work: Mapping[str, Callable[[], float]], runs: int) -> dict[str, list[float]]:
    """Run every piece of work once a round, so that what the machine does meanwhile falls on all of them alike."""
    figures: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(runs):
        for name, run in work.items():
            figures[name].append(run())
    return figures


def seconds(work: Callable[[], Any]) -> float:
    """Return how long one call of *work* takes, by the clock on the wall unless `--cpu` was said."""
    began = clock()
    work()
    return clock() - began


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Return how long a call takes, as `seconds` does, and what it returns."""
    began = clock()
    found = work(*arguments)
    return clock() - began, found


def clock() -> float:
    """Return seconds since whenever; of the CPU, of this process and those that it waited for, with `--cpu`."""
    if CPU_TIME not in os.environ:
        return time.perf_counter()
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def paired(figures: Figures, ours: str, peer: str) -> float | None:
    """Return the median of the ratios ours / peer of each round, None where one of the two was not measured."""
    if not figures.get(ours) or not figures.get(peer):
        return None
    return statistics.median(a / b for a, b in zip(figures[ours], figures[peer], strict=True))


def best(figures: Figures, names: Iterable[str]) -> str:
    """Return which of *names* has the highest median."""
    return max((name for name in names if figures.get(name)), key=lambda name: statistics.median(figures[name]))


def spread(values: list[float], scale: float = 1.0, digits: int = 1) -> str:
    """Return the median with the least and the most, divided by *scale*."""
    if not values:
        return "-"
    low, mid, high = min(values) / scale, statistics.median(values) / scale, max(values) / scale
    return f"{mid:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def marginal(
    contenders: Contenders, count: int, hits: int, runs: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return rows a second, and the seconds that no row is to blame for, of each contender."""
    once: dict[str, list[float]] = {name: [] for name in contenders}
    twice: dict[str, list[float]] = {name: [] for name in contenders}
    for run in range(runs + 1):
        for name, (small, large) in contenders.items():
            (first, _), (second, found) = timed(small), timed(large)
            assert found == hits, (name, found, hits)
            if run:  # the first round warms up
                once[name].append(first)
                twice[name].append(second)
    # Two noisy times are taken from each other, and noise only ever adds: the least says what once costs. A slow `once`
    # would make a rate of infinity.
    rates, fixed = {}, {}
    for name in contenders:
        least = min(once[name])
        # Twice the rows in the same time is another plan, not an endless rate: of that there is nothing to tell.
        rates[name] = [count / (spent - least) for spent in twice[name] if spent > 1.05 * least]
        fixed[name] = max(0.0, 2 * least - min(twice[name]))
        print(f"    {name}: {spread(rates[name], 1e6)} M rows/s", file=sys.stderr, flush=True)
    return rates, fixed


class Machine:
    """What the machine did meanwhile: the share of the time that it spent for others, and the load at both ends."""

    def __init__(self) -> None:
        self._began = _jiffies()
        self._load = os.getloadavg()[0]
        self._clock = time.perf_counter()

    def said(self) -> str:
        """Return a sentence about the time since this was made."""
        spent = [b - a for a, b in zip(self._began, _jiffies(), strict=True)]
        total = sum(spent) or 1
        stolen = spent[7] / total if len(spent) > 7 else 0.0
        by = " Seconds of the CPU, not of the clock on the wall." if CPU_TIME in os.environ else ""
        return (
            f"{time.perf_counter() - self._clock:.0f} s; load {self._load:.1f} before, {os.getloadavg()[0]:.1f} after; "
            f"{100 * (1 - (spent[3] + spent[4]) / total):.0f} % of all cores busy, {100 * stolen:.1f} % stolen.{by}"
        )


def machine() -> str:
    """Return the day, and what the machine is."""
    cpu = _first(r"model name\s*:\s*(.+)", "/proc/cpuinfo") or platform.machine()
    memory = int(_first(r"MemTotal:\s*(\d+)", "/proc/meminfo") or 0) / 1024 / 1024
    caches = [
        f"L{level} {size}"
        for index in range(5)
        if (level := _first(r"(\d+)", f"/sys/devices/system/cpu/cpu0/cache/index{index}/level")) in ("2", "3")
        and (size := _first(r"(\w+)", f"/sys/devices/system/cpu/cpu0/cache/index{index}/size"))
    ]
    parts = [f"{datetime.now(UTC):%Y-%m-%d}", f"{platform.machine()}", cpu, f"{os.cpu_count()} cores", *caches]
    return ", ".join(
        [*parts, f"{memory:.0f} GiB", f"Linux {platform.release()}", f"Python {platform.python_version()}"]
    )


def replace(path: Path, sections: Mapping[str, list[str]], order: Iterable[str]) -> None:
    """Write *sections* to *path*; sections of other names that stand there stay as they are."""
    kept = _read(path)
    kept.update({name: "\n".join(lines).strip() for name, lines in sections.items()})
    names = [name for name in order if name in kept]
    names += [name for name in kept if name not in names]
    text = "\n\n".join([TITLE, *(f"## {name}\n\n{kept[name]}" for name in names)])
    path.write_text(text + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    parts = re.split(r"^## (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {name.strip(): body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _first(pattern: str, path: str) -> str | None:
    try:
        found = re.search(pattern, Path(path).read_text(encoding="utf-8"))
    except OSError:
        return None
    return found[1].strip() if found else None


def _jiffies() -> list[int]:
    try:
        first = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0]
    except OSError:
        return [0] * 8
    return [int(part) for part in first.split()[1:9]]
