"""A database before a change and after it, and what is left of the change where it was stopped in the middle."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from indicia.services import changesets
from indicia.store.database import Database
from tests.faults.warm import Warm, size_of
from tests.integration.stores import ADMIN, NOW, contents, copy_of, csv_of, domains, faults, run_import, url_of

OLD = 500
ROWS = 3_000
NOTHING, ALL = "nothing", "all"
#: So little memory that the import goes to the log bit by bit, as one does that is larger than memory.
LITTLE = 64

_INDICATORS = "SELECT id, canonical, title, created, began FROM indicators ORDER BY id"
_HISTORY = "SELECT id, canonical, title, created, began, ended FROM indicator_history ORDER BY id, began"
_CHANGESETS = "SELECT id, kind, undoes, created, updated, deleted, first_id, next_id FROM changesets ORDER BY id"


class Left(NamedTuple):
    """Everything that a database holds, but for times."""

    indicators: list[tuple[object, ...]]
    history: list[tuple[object, ...]]
    changesets: list[tuple[object, ...]]

    @property
    def sizes(self) -> tuple[int, int, int]:
        return len(self.indicators), len(self.history), len(self.changesets)


def left_in(file: Path) -> Left:
    """Return what *file* holds, read without Indicia."""
    with closing(sqlite3.connect(file)) as connection:
        return Left(*(connection.execute(query).fetchall() for query in (_INDICATORS, _HISTORY, _CHANGESETS)))


@contextmanager
def opened(file: Path) -> Iterator[Database]:
    database = Database.open(url_of(file))
    try:
        yield database
    finally:
        database.close()


def head_of(file: Path) -> str:
    """Return the hash of the newest changeset, as somebody writes it down."""
    with opened(file) as database:
        newest, found = changesets.verify_chain(database)
    assert found == []
    assert newest is not None
    return newest.hash.hex()


def check_intact(database: Database, head: str) -> None:
    """Check that *database* opens, is sound, reads, and still has the changeset whose hash is *head*."""
    assert database.faults() == []
    assert faults(database, head) == []
    contents(database)


class Before(NamedTuple):
    """A database with an acknowledged past, a command that changes it, and what there is before and after that."""

    file: Path
    head: str
    command: tuple[str, ...]
    before: Left
    after: Left
    seconds: float
    log_bytes: int

    def trial(self, folder: Path) -> Path:
        """Return a copy of the database to try it on."""
        for ending in ("", "-wal", "-shm"):
            Path(folder, f"trial.db{ending}").unlink(missing_ok=True)
        return copy_of(self.file, folder / "trial.db")


def rows() -> bytes:
    return csv_of(domains(range(ROWS), title="new"))


def measured(warm: Warm, file: Path, command: tuple[str, ...]) -> Before:
    """Run *command* on copies of *file* to its end: that is what there is to compare with."""
    head, before = head_of(file), left_in(file)
    durations, logs, after = [], [], before
    for number in range(3):
        whole = copy_of(file, file.with_name(f"whole-{number}.db"))
        with closing(sqlite3.connect(whole)) as reader:  # who else has it open keeps the log from being cleared away
            reader.execute("SELECT count(*) FROM changesets").fetchall()
            done = warm.run("--database", url_of(whole), *command, cache_kib=LITTLE)
            logs.append(size_of(f"{whole}-wal"))
        assert done.code == 0, done.err
        durations.append(done.seconds)
        after = left_in(whole)
    assert after != before
    return Before(file, head, command, before, after, sorted(durations)[1], min(logs))


def what_is_left(given: Before, file: Path, *, acknowledged: bool) -> str:
    """Check what a command left in *file*, do it again, and return whether it had left all or nothing."""
    with opened(file) as database:
        check_intact(database, given.head)
        found = left_in(file)
        # First the sizes: they tell more than thousands of rows do.
        assert found.sizes in {given.before.sizes, given.after.sizes}
        assert found in (given.before, given.after)
        if acknowledged:
            assert found == given.after, "it was acknowledged, and it is not there"
        do_again(given, database, done=found == given.after)
        assert faults(database, given.head) == []
    assert left_in(file) == given.after
    return ALL if found == given.after else NOTHING


def do_again(given: Before, database: Database, *, done: bool) -> None:
    """Do the whole command again, as whoever saw it die would."""
    if given.command[0] == "undo":
        if not done:
            assert changesets.undo(database, int(given.command[1]), actor=ADMIN, now=NOW).changeset is not None
        return
    report = run_import(database, rows())
    assert report.applied
    assert report.total("unchanged") == (ROWS if done else 0)
