"""Brings what the portal's pages load from npm, and what their tests use; says in one line where it cannot.

`npm ci` gives what package-lock.json names by its hashes. What a browser will run is held to the hash below as well,
which a reader can compare with anybody's copy of that file; what does not fit is never put into the package.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
LOG: Final = "build/npm.log"
# Git ignores it, the wheel and the sdist carry it.
VENDOR: Final = "src/indicia/web/static/vendor"
WITHOUT: Final = "The pages work without partial updates (htmx)."
SECONDS: Final = 120
LONGEST: Final = 200


class Asset(NamedTuple):
    """One file of a package, the hash it has to have, and where it goes; one without such a place stays where it is."""

    file: str
    sha256: str
    to: str | None = None

    def place(self, root: Path) -> Path:
        """Return where the file is used."""
        return root / (self.to or self.file)


HTMX: Final = Asset(
    "node_modules/htmx.org/dist/htmx.min.js",
    "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    f"{VENDOR}/htmx.min.js",
)
AXE: Final = Asset(
    "node_modules/axe-core/axe.min.js",
    "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
)


class Missing(Exception):
    """Something that could not be brought; its text says what and why, on one line."""


def is_right(file: Path, sha256: str) -> bool:
    """Return whether *file* is there with these bytes."""
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == sha256


def bring(root: Path, *, tests: bool) -> None:
    """Bring each asset to its place, where it is not there already; raises `Missing`."""
    wanted = [HTMX, AXE] if tests else [HTMX]
    if all(is_right(asset.place(root), asset.sha256) for asset in wanted):
        return
    if not is_right(HTMX.place(root), HTMX.sha256):
        HTMX.place(root).unlink(missing_ok=True)  # a file that nobody vouches for is served to nobody
    run_npm(root, tests=tests)
    for asset in wanted:
        brought = root / asset.file
        if not is_right(brought, asset.sha256):
            raise Missing(f"{asset.file} is not the file whose SHA-256 tools/assets.py names")
        if asset.to is not None:
            asset.place(root).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(brought, asset.place(root))


def run_npm(root: Path, *, tests: bool) -> None:
    """Run `npm ci` without anybody's scripts; raises `Missing`."""
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("npm is not here (Debian: apt install npm)")
    command = [npm, "ci", "--ignore-scripts", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    log = root / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("wb") as out:
            subprocess.run(
                command if tests else [*command, "--omit=dev"],
                cwd=root,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
            )
    except subprocess.TimeoutExpired:
        raise Missing(f"npm did not end within {SECONDS} seconds") from None
    except (OSError, subprocess.CalledProcessError):
        said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        raise Missing(f"npm failed, see {LOG}: {first_fault(said)}") from None


def first_fault(said: str) -> str:
    r"""Return what npm said of its failure, without its prefix.

    >>> first_fault("npm error code ENOTFOUND\nnpm error network request to https://registry.example/x failed\n")
    'code ENOTFOUND'
    >>> first_fault("")
    'it said nothing'
    """
    for line in said.splitlines():
        if line.startswith("npm error "):
            return line.removeprefix("npm error ").strip()[:LONGEST]
    return said.strip().partition("\n")[0][:LONGEST] or "it said nothing"


def main(arguments: list[str]) -> int:
    """Bring the assets; a lack is told, and a failure only where INDICIA_ASSETS_REQUIRED says so."""
    parser = argparse.ArgumentParser(prog="assets.py", description=__doc__)
    parser.add_argument("--tests", action="store_true", help="bring also what only the tests use (axe-core)")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    try:
        bring(asked.root, tests=asked.tests)
    except Missing as missing:
        told = "" if is_right(HTMX.place(asked.root), HTMX.sha256) else f"{WITHOUT} "
        skipped = "Tests with axe-core are skipped. " if asked.tests else ""
        print(f"{told}{skipped}Because: {missing}. `make assets` tries again.")
        return 1 if os.environ.get("INDICIA_ASSETS_REQUIRED") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
