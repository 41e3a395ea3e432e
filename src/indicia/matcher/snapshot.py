"""Snapshots as files: written aside, verified, and put in place in one step; one process at a time."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from indicia.matcher.lookup import Filled, Mapped, open_matcher, verify

if sys.platform != "win32":
    import fcntl


class Signature(NamedTuple):
    """What tells one file in a place from the next one that was put there."""

    inode: int
    changed: int
    size: int


def signature(file: Path) -> Signature | None:
    """Return what tells the snapshot in *file* from others, None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return Signature(found.st_ino, found.st_mtime_ns, found.st_size)


def write(filled: Filled, target: Path) -> Mapped:
    """Write what is *filled* to *target*, where readers see the old snapshot or the new one, and nothing between.

    Returns the matcher over it. Raises `OSError`; and `DamagedSnapshot` where what was written does not read back.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # In a folder of its own, which only this user may enter: no moment in which others could read the new file.
    folder = target.with_name(f".{target.name}.{os.getpid()}.new")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        made = folder / target.name
        filled.write(made)
        made.chmod(0o600)
        matcher = open_matcher(made)
        verify(matcher)
        made.replace(target)
        _sync(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return matcher


@contextmanager
def alone(target: Path, *, wait: bool) -> Iterator[bool]:
    """Give true while no other process writes *target*; with *wait* that may take a while, without it is false."""
    if sys.platform == "win32":  # without these locks whoever is last wins, and nothing else is lost
        yield True
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(target.with_name(f".{target.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:  # a folder that may not be written: then nobody writes the snapshot either
        yield True
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
            return
        _remove_leftovers(target)
        yield True
    finally:
        os.close(lock)


def _remove_leftovers(target: Path) -> None:
    """Remove what processes that were killed while they wrote have left; nobody else writes now."""
    for folder in target.parent.glob(f".{target.name}.*.new"):
        shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Let the new name survive a power cut, where the system can do that to folders."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
