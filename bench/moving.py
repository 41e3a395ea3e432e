"""How long a backup, coming back from it, and moving to PostgreSQL take, with everything that is proven meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

#: What an administrator may wait for a million rows, in seconds.
LIMIT_S = 300
_CHILD = """
import json, resource, sys, time
from indicia.cli import main
began = time.perf_counter()
code = main(["-q", *sys.argv[1:]])
spent = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"code": code, "seconds": spent, "peak": peak}), file=sys.stderr)
"""


class Step(NamedTuple):
    """One command, and what it does."""

    name: str
    arguments: tuple[str, ...]


def measure(folder: Path, database: Path, rows: int) -> list[str]:
    """Measure each way once, one after the other, each in a process of its own."""
    from tests import postgres

    url, backup = f"sqlite:///{database}", str(folder / "moving.backup")
    steps = [
        Step("backup of SQLite", ("--database", url, "backup", backup)),
        Step("restore to SQLite", ("--database", f"sqlite:///{folder / 'restored.db'}", "restore", backup)),
    ]
    with ExitStack() as stack:
        if postgres.binaries() is not None:
            there = stack.enter_context(postgres.cluster({"shared_buffers": "512MB"})).url()
            steps += [
                Step("copy from SQLite to PostgreSQL", ("db", "copy", url, there)),
                Step("backup of PostgreSQL", ("--database", there, "backup", str(folder / "second.backup"))),
                Step("restore to PostgreSQL", ("--database", there, "restore", backup, "--replace", "--yes")),
                Step("copy from PostgreSQL to SQLite", ("db", "copy", there, f"sqlite:///{folder / 'back.db'}")),
            ]
        lines = ["| work | s | limit, s | met | peak memory, MB |", "|---|---|---|---|---|"]
        for step in steps:
            done = subprocess.run([sys.executable, "-c", _CHILD, *step.arguments], stderr=subprocess.PIPE, check=True)
            found = json.loads(done.stderr.splitlines()[-1])
            if found["code"]:
                raise RuntimeError(f"{step.name}: {done.stderr.decode()}")
            limit = LIMIT_S * max(1.0, rows / 1_000_000)
            met = "yes" if found["seconds"] <= limit else "**no**"
            lines.append(f"| {step.name} | {found['seconds']:.1f} | {limit:.0f} | {met} | {found['peak']:.0f} |")
            print(lines[-1], file=sys.stderr, flush=True)
    for file in ("moving.backup", "second.backup", "restored.db", "back.db"):
        (folder / file).unlink(missing_ok=True)
    told = f"{rows:,} rows. Copies and restores read every row back and verify the history before they count."
    return [told, "", *lines, ""]
