"""One part of the measurements in a process of its own, so that its memory and its threads are its own."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from bench.engine import Setup, kernel
from bench.report import Machine, machine


def main(module: str, folder: str, rows: str, runs: str) -> None:
    """Measure, and write the lines of the report as JSON."""
    meanwhile = Machine()
    lines = importlib.import_module(f"bench.{module}").measure(Setup(Path(folder), int(rows), int(runs)))
    code = kernel().CODE if kernel() is not None else "not built, so that only the peers were measured"
    print(json.dumps([f"{machine()}. The kernel: {code}.", "", *lines, "", f"Meanwhile: {meanwhile.said()}"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
