"""Runs measurements, prints each as a ratio against a peer of the same run, writes them to RESULTS.md (README.md)."""

from __future__ import annotations

import argparse
import functools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import devices, moving, portal, postgresql, report, requests, store

RESULTS = Path(__file__).parent / "RESULTS.md"
#: By name, as on the command line, the module that measures it; each is a section of RESULTS.md.
ENGINE = {name: f"engine_{name}" for name in ("hashes", "scan", "parquet", "names", "points", "opening", "building")}
STORE = ("imports", "pages", "portal", "moving", "requests")
#: 200,000 devices by 2,000 groups, the most that SPEC 1.6 has.
DEVICES, GROUPS = 200_000, 2_000
GROUPING = "devices"
POSTGRESQL = "postgresql"
DEFAULT_ROWS, LONG_ROWS = 10_000_000, 100_000_000
LONG = "hashes-long"


def part(name: str, folder: Path, rows: int, runs: int) -> list[str]:
    """Measure one part of the engine in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.part", ENGINE[name], str(folder), str(rows), str(runs)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        # One thread each: libraries read these as they are loaded.
        env=os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"},
    )
    return list(json.loads(done.stdout))


def of_store(folder: Path, wanted: set[str], rows: int, runs: int) -> dict[str, list[str]]:
    """Measure imports, and of what was imported pages: in process, and as the portal serves them."""
    head = [f"{report.machine()}, SQLite {sqlite3.sqlite_version}.", ""]
    found = {}
    if "imports" in wanted:
        imports, database = store.measure_imports(folder, rows, runs)
        found["imports"] = [*head, *imports]
    else:
        database = store.imported(folder, rows)
    if "pages" in wanted:
        found["pages"] = [*head, *store.measure_lists(database)]
    if "portal" in wanted:
        meanwhile = report.Machine()
        lines = portal.measure(database)
        found["portal"] = [f"{rows:,} rows. {head[0]}", "", *lines, f"Meanwhile: {meanwhile.said()}"]
    if "moving" in wanted:
        meanwhile = report.Machine()
        lines = moving.measure(folder, database, rows)
        found["moving"] = [*head, *lines, f"Meanwhile: {meanwhile.said()}"]
    if "requests" in wanted:
        meanwhile = report.Machine()
        lines = requests.measure(folder, database, seconds=10)
        found["requests"] = [f"{rows:,} rows. {head[0]}", "", *lines, f"Meanwhile: {meanwhile.said()}"]
    return found


def main() -> int:
    """Run the measurements that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = ("engine", "store", *ENGINE, *STORE, POSTGRESQL, GROUPING)
    parser.add_argument("names", nargs="*", help=f"what to measure, all by default: {', '.join(names)}")
    parser.add_argument("--rows", type=int, help="of the largest table (engine: 10,000,000; imports: 1,000,000)")
    parser.add_argument("--long", action="store_true", help="the table of 100,000,000 hashes, and nothing else")
    parser.add_argument("--runs", type=int, help="rounds of each (engine: 5; imports: 3)")
    parser.add_argument("--cpu", action="store_true", help="count seconds of the CPU: while others use the machine too")
    parser.add_argument("--only-print", action="store_true", help="leave RESULTS.md as it is")
    parser.add_argument("--folder", type=Path, help="where to work and to keep snapshots; by default a temporary one")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in names]:
        parser.error(f"there is no measurement named {', '.join(unknown)}: {', '.join(names)}")
    groups = {"engine": [*ENGINE], "store": [*STORE, POSTGRESQL, GROUPING]}
    tell = functools.partial(write, only_print=arguments.only_print)
    asked = [each for name in arguments.names or groups for each in groups.get(name, [name])]
    if arguments.cpu:
        os.environ[report.CPU_TIME] = "1"
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = arguments.folder or Path(temporary)  # --folder keeps what the next run can use
        if arguments.long:
            tell({LONG: part("hashes", folder, arguments.rows or LONG_ROWS, arguments.runs or 5)})
            return 0
        if wanted := set(asked) & set(STORE):
            tell(of_store(Path(temporary), wanted, arguments.rows or 1_000_000, arguments.runs or 3))
        if GROUPING in asked:
            meanwhile = report.Machine()
            lines = devices.measure(Path(temporary), DEVICES, GROUPS, arguments.runs or 3)
            head = f"{report.machine()}, SQLite {sqlite3.sqlite_version}."
            tell({GROUPING: [head, "", *lines, f"Meanwhile: {meanwhile.said()}"]})
        if POSTGRESQL in asked:
            meanwhile = report.Machine()
            lines = postgresql.measure(Path(temporary), arguments.rows or 1_000_000, arguments.runs or 3)
            tell({POSTGRESQL: [f"{report.machine()}, PostgreSQL 16.", "", *lines, f"Meanwhile: {meanwhile.said()}"]})
        for name in dict.fromkeys(name for name in asked if name in ENGINE):
            print(f"{name} ...", file=sys.stderr, flush=True)
            tell({name: part(name, folder, arguments.rows or DEFAULT_ROWS, arguments.runs or 5)})
    return 0


def write(sections: dict[str, list[str]], *, only_print: bool) -> None:
    """Print sections, and put each in its place in RESULTS.md: what was measured stays, whatever fails after it."""
    for name, lines in sections.items():
        print("\n".join([f"## {name}", "", *lines, ""]), flush=True)
    if not only_print:
        report.replace(RESULTS, sections, [*STORE, POSTGRESQL, GROUPING, *ENGINE, LONG])


if __name__ == "__main__":
    sys.exit(main())
