"""Installs the Debian programs that tests need, where that may be done; says what stays missing where not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Program(NamedTuple):
    """One line of the list: what is run, what brings it, why it is needed."""

    name: str
    package: str
    why: str


def programs(text: str) -> list[Program]:
    r"""Return the programs that *text* lists, one a line; ``#`` begins a comment.

    Raises `ValueError` naming the line that has not three parts.

    >>> programs("# comment\n\nnft  nftables  the exported rule sets are loaded\n")
    [Program(name='nft', package='nftables', why='the exported rule sets are loaded')]
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(maxsplit=2)
        if len(parts) != 3:
            raise ValueError(f"line {number}: {line!r} is not 'program  package  why'")
        found.append(Program(*parts))
    return found


def missing(wanted: list[Program]) -> list[Program]:
    """Return those of the programs that cannot be run here."""
    return [program for program in wanted if shutil.which(program.name) is None]


def install(packages: list[str]) -> None:
    """Install Debian packages; raises `subprocess.CalledProcessError` where apt-get refuses."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        command = ["apt-get", "-qq", *arguments]
        subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def main(arguments: list[str]) -> int:
    """Install what the list at ``arguments[0]`` names and this machine lacks; a lack is told, never a failure."""
    wanted = programs(Path(arguments[0]).read_text(encoding="utf-8"))
    lacking = missing(wanted)
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        try:
            install(sorted({program.package for program in lacking}))
        except subprocess.CalledProcessError as error:
            print(f"apt-get failed with status {error.returncode}", file=sys.stderr)
        lacking = missing(wanted)
    for name, package, why in lacking:
        print(f"not here: {name} ({why}); its tests are skipped. Debian: apt install {package}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
