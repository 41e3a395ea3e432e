"""How fast PostgreSQL takes indicators: imports against a bare COPY into the same table, and who asks meanwhile."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench import made_up, report
from bench.store import child
from tests import postgres

#: What is asked for: an import takes at most so many times a bare COPY; lookups keep at least so much of their rate.
MOST_OF_COPY, LEAST_OF_IDLE = 3.0, 0.8
LOOKED_UP_SECONDS = 8.0
_SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "wal_compression": "on"}


def measure(folder: Path, rows: int, runs: int) -> list[str]:
    """Return the lines of a report on imports of so many rows, in rounds with the COPY that each is held against."""
    source = folder / "made-up.csv"
    bad = made_up.write(source, rows)
    figures: dict[str, list[float]] = {}
    peak = 0.0
    with postgres.cluster(_SETTINGS) as server:
        for run in range(runs):
            with _database(server, f"run_{run}") as url:
                (first, cost), (again, cost_again) = (_counted(server, "ours", source, url) for _ in range(2))
                assert first["refused"] == bad and again["created"] == 0 and again["changeset"] is None, (first, again)
                bare, cost_bare = _bare(server, url, folder / "rows.copy")
                assert child("verify", "", url)["faults"] == 0
                peak = max(peak, first["peak_mb"], again["peak_mb"])
            for name, value in (
                ("bare COPY of its rows into the same table and indexes, s", bare),
                ("import, s", first["seconds"]),
                ("import again, all unchanged, s", again["seconds"]),
                ("ratio import / bare COPY", first["seconds"] / bare),
                ("bare COPY, s of the CPU, the server's too", cost_bare),
                ("import, s of the CPU, the server's too", cost),
                ("import again, s of the CPU, the server's too", cost_again),
            ):
                figures.setdefault(name, []).append(value)
            print(f"run {run + 1}: " + ", ".join(f"{name} {values[-1]:.2f}" for name, values in figures.items()))
        idle, busy = _lookups(server, source)
    lines = [f"| {name} | {min(v):.2f} | {statistics.median(v):.2f} | {max(v):.2f} |" for name, v in figures.items()]
    ratio, kept = statistics.median(figures["ratio import / bare COPY"]), busy / idle
    met = "met" if ratio <= MOST_OF_COPY else "**not met**"
    return [
        f"### Import of {rows:,} rows, {bad:,} of them bad ({source.stat().st_size >> 20} MiB), fsync on",
        "",
        "| figure | min | median | max |",
        "|---|---|---|---|",
        *lines,
        f"| peak memory of an import, MB | | {peak:.0f} | |",
        "",
        f"At most {MOST_OF_COPY:g} times a bare COPY: {ratio:.2f}, {met}.",
        "",
        f"### Lookups of one value in {rows:,} rows, one client, while another process imports as many again",
        "",
        *report.table([report.Row("lookups a second", f"{busy:,.0f}", f"idle {idle:,.0f}", kept, LEAST_OF_IDLE)]),
    ]


@contextmanager
def _database(server: postgres.Cluster, name: str) -> Iterator[str]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server.url(name)
    postgres.drop_database(server, name)


def _counted(server: postgres.Cluster, work: str, source: Path, url: str) -> tuple[dict[str, Any], float]:
    """Run a piece of work in a process of its own; return also what it cost of the CPU, in the server too."""
    before = _used(server)
    done = child(work, source, url)
    return done, done["cpu_seconds"] + _used(server) - before


def _bare(server: postgres.Cluster, url: str, kept: Path) -> tuple[float, float]:
    """Load the rows that were imported as somebody would who checks nothing; return seconds, and those of the CPU."""
    with psycopg.connect(url, autocommit=True) as connection:
        with kept.open("wb") as file, connection.cursor().copy("COPY indicators TO STDOUT") as rows:
            for piece in rows:
                file.write(piece)
        connection.execute("CREATE TABLE bare (LIKE indicators INCLUDING ALL)")
        connection.execute("CHECKPOINT")
    before = _used(server)
    done = child("bare_copy", kept, url)
    return done["seconds"], done["cpu_seconds"] + _used(server) - before


def _used(server: postgres.Cluster) -> float:
    """Return the seconds of the CPU that a server's processes have used so far, those that have ended included."""
    assert server.process is not None
    used = 0
    for process in (server.process.pid, *postgres.children(server)):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        used += sum(map(int, fields[11:15] if process == server.process.pid else fields[11:13]))
    return used / 100


def _lookups(server: postgres.Cluster, source: Path) -> tuple[float, float]:
    """Return how many lookups a second one client has, alone and while another process imports."""
    with _database(server, "asked") as url:
        child("ours", source, url)
        idle = child("lookups", str(LOOKED_UP_SECONDS), url)["rate"]
        more = source.with_name("more.csv")
        more.write_text(source.read_text(encoding="utf-8").replace("example.", "sample."), encoding="utf-8")
        importing = threading.Thread(target=child, args=("ours", more, url))
        importing.start()
        time.sleep(2.0)
        busy = child("lookups", str(LOOKED_UP_SECONDS), url)["rate"]
        importing.join()
    return idle, busy


def main() -> None:
    """Measure by itself: ``python -m bench.postgresql ROWS RUNS``."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(measure(Path(folder), int(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
