"""The door by terminal: one module per group of commands, each loaded when it is called for."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; without *arguments* those of this process."""
    from indicia.cli.running import run

    return run(arguments)
