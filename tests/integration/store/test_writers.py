"""The threads that write to one embedded database queue for it, and who may not wait is told at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from indicia.domain.errors import Unavailable
from indicia.store.database import Database

WAITERS = 6


def embedded(folder: Path, *, busy_timeout_s: float) -> Database:
    """Return an empty database in a file, whichever one the other tests run on."""
    opened = Database.open(f"sqlite:///{folder / 'indicia.db'}", busy_timeout_s=busy_timeout_s)
    opened.upgrade()
    return opened


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    opened = embedded(tmp_path, busy_timeout_s=0.2)
    yield opened
    opened.close()


def test_who_may_not_wait_is_told_of_a_writer_in_this_process_and_in_another(file: Database) -> None:
    other = Database.open(str(file.url), busy_timeout_s=0.2)
    for writing in (file, other):
        with writing.transaction():
            for begin in (file.attempt, file.aside):
                with pytest.raises(Unavailable, match="busy with another writer"), begin():
                    pass
        with file.attempt() as tx:
            assert tx.writable
    other.close()


def test_who_waits_is_told_after_the_time_that_a_writer_is_waited_for(file: Database) -> None:
    with file.transaction(), pytest.raises(Unavailable, match="busy with another writer"), file.transaction():
        pass
    with file.transaction() as tx:
        assert tx.writable


def test_a_writer_that_fails_lets_the_next_one_go(file: Database) -> None:
    for begin in (file.transaction, file.attempt, file.aside):
        with pytest.raises(ZeroDivisionError), begin():
            raise ZeroDivisionError
    with file.attempt() as tx:
        assert tx.writable


def test_writers_go_one_by_one_and_readers_do_not_wait(tmp_path: Path) -> None:
    file = embedded(tmp_path, busy_timeout_s=30)
    inside, most, done = 0, 0, []

    def write(number: int) -> None:
        nonlocal inside, most
        for _ in range(5):
            with file.transaction() as tx:
                inside += 1
                most = max(most, inside)
                tx.changesets.head()
                inside -= 1
        done.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WAITERS)]
    with file.transaction():
        for thread in threads:
            thread.start()
        with file.snapshot() as tx:  # while one writes, and the others wait
            assert tx.changesets.head() is None
        assert not done
    for thread in threads:
        thread.join(30)
    assert sorted(done) == list(range(WAITERS))
    assert most == 1
    file.close()
