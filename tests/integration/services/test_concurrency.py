"""Many who write at once: they queue, nobody is refused, nothing is lost; a reader sees all of a change or nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indicia.domain.errors import Conflict
from indicia.services import changesets
from indicia.store.database import Database
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    NOW,
    contents,
    domains,
    edit,
    faults,
    listed,
    run_import,
    submit,
    titles,
    url_of,
)

IMPORTERS = 8
ROWS = 400
OVERLAP = 100


def rows_of(importer: int) -> range:
    """Return which rows an importer has: the first ones are everybody's."""
    return range(ROWS * importer, ROWS * (importer + 1))


def import_all(database: Database, importer: int) -> None:
    everybodys = domains(range(-OVERLAP, 0), title=f"by {importer}")
    report = run_import(
        database, [*everybodys, *domains(rows_of(importer), title=f"by {importer}")], reason=str(importer)
    )
    assert report.applied, list(report.problems)


def submit_some(database: Database, client: int) -> None:
    for number in range(10):
        written = submit(
            database, *domains([100_000 + client * 10 + number, -1 - number], title=f"submitted by {client}")
        )
        assert all(each.stored is not None for each in written)


def at_once(*work: Callable[[], None]) -> None:
    begin = threading.Barrier(len(work))

    def one(do: Callable[[], None]) -> None:
        begin.wait(30)
        do()

    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(one, do) for do in work]:
            done.result(120)


def check_what_is_there(database: Database) -> None:
    assert faults(database) == []
    found = titles(database)
    for importer in range(IMPORTERS):
        assert all(found[f"h{number}.example.org"] == f"by {importer}" for number in rows_of(importer))
    # Everybody's rows are those of the last import or submission that touched them: the chain says which.
    for stored in listed(database)[:OVERLAP]:
        record, _ = changesets.show_changeset(database, stored.began, actor=ADMIN)
        by = f"by {record.reason}" if record.kind == "import" else "submitted by"
        assert stored.indicator.title.startswith(by)


def test_threads_that_write_at_once(database: Database) -> None:
    imports = [lambda importer=importer: import_all(database, importer) for importer in range(IMPORTERS)]
    submits = [lambda client=client: submit_some(database, client) for client in range(4)]
    at_once(*imports, *submits)
    check_what_is_there(database)
    assert len(contents(database)) == IMPORTERS * ROWS + OVERLAP + 4 * 10
    assert len(changesets.list_changesets(database, actor=ADMIN, limit=1_000)) == IMPORTERS + 4 * 10


WRITER = """
import sys
from indicia.store.database import Database
from tests.integration.services.test_concurrency import import_all
database = Database.open(sys.argv[1], busy_timeout_s=60)
import_all(database, int(sys.argv[2]))
database.close()
"""


@pytest.mark.slow
def test_processes_that_write_at_once(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = url_of(tmp_path / "indicia.db")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(importer)],
            cwd=request.config.rootpath,
            stderr=subprocess.PIPE,
            text=True,
        )
        for importer in range(IMPORTERS)
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=120)
        assert writer.returncode == 0, said
    check_what_is_there(database)
    assert len(contents(database)) == IMPORTERS * ROWS + OVERLAP


def test_a_reader_sees_all_of_an_import_or_nothing(database: Database) -> None:
    done = threading.Event()
    seen: set[tuple[int, frozenset[str]]] = set()

    def read() -> None:
        while not done.is_set():
            found = titles(database)
            seen.add((len(found), frozenset(found.values())))

    def write() -> None:
        try:
            run_import(database, domains(range(800), title="one"))
            run_import(database, domains(range(800), title="two"))
            changesets.undo(database, 2, actor=ADMIN, now=NOW)
            changesets.undo(database, 1, actor=ADMIN, now=NOW, keep_later=True)
        finally:
            done.set()

    at_once(read, write)
    assert seen <= {(0, frozenset()), (800, frozenset({"one"})), (800, frozenset({"two"}))}
    assert len(seen) > 1


def test_an_edit_that_lost_the_race_is_told(database: Database) -> None:
    """Of several who change the same version, one does."""
    submit(database, BLOCK)
    outcomes: list[bool] = []

    def change(title: str) -> None:
        try:
            edit(database, 1, title=title, version=1)
            outcomes.append(True)
        except Conflict:
            outcomes.append(False)

    at_once(*[lambda title=title: change(title) for title in "abcdef"])
    assert sorted(outcomes) == [False] * 5 + [True]
    assert len(changesets.list_changesets(database, actor=ADMIN)) == 2
