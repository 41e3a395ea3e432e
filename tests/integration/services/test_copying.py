"""A database is moved whole: every row of every table, as of one moment, in any direction, or not at all."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from indicia.domain.access import Permission
from indicia.domain.errors import Conflict, Forbidden, InvalidInput
from indicia.services import applications, backup, people
from indicia.services.archive import Contents, digest_of
from indicia.services.copying import Silent, copy_database
from indicia.store import copying
from indicia.store.database import NEWEST_SCHEMA, Database
from tests.integration.stores import ADMIN, BLOCK, NOW, domains, edit, faults, new_file, run_import, submit, url_of


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database of each kind to move to."""
    url = f"sqlite:///{tmp_path / 'other.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = Database.open(url)
    yield opened
    opened.close()


def fill(database: Database) -> None:
    """Put something in as many tables as can be reached, with history and texts of every kind."""
    run_import(database, domains(range(300), description="quoted \"'\\ \t, ünïcödé 💀"))
    submit(database, BLOCK._replace(expires="2031-01-01T00:00:00Z", external_id="x-1"))
    edit(database, 1, title="changed")
    applications.add_application(database, "soar", [], actor=ADMIN, now=NOW)
    people.add_person(database, "Grace", actor=ADMIN, now=NOW)


def dump(database: Database) -> dict[str, tuple[int, bytes]]:
    """Return rows and digest of every table."""
    found = {}
    with database.snapshot() as tx:
        for shape in copying.shapes():
            with copying.reading(tx, shape) as parts:
                digest = digest_of(shape, parts)
            found[shape.name] = (digest.rows, digest.value)
    return found


def made(database: Database, **more: object) -> tuple[io.BytesIO, backup.Made]:
    out = io.BytesIO()
    return out, backup.back_up(database, out, actor=ADMIN, now=NOW, program="0.1.0", **more)


def restored(database: Database, out: io.BytesIO, **more: object) -> Contents:
    out.seek(0)
    contents = backup.check_backup(out, "b")
    backup.restore(database, out, contents, name="b", actor=ADMIN, now=NOW, **more)
    return contents


def test_every_row_of_every_table_is_copied(database: Database, other: Database) -> None:
    fill(database)
    before = dump(database)
    assert before["people"][0] == before["applications"][0] == 1
    assert before["indicators"][0] == 301
    assert before["indicator_history"][0] == 1
    copied = copy_database(database, other, actor=ADMIN)
    assert dump(other) == before == dump(database)
    assert {name: rows for name, (rows, _) in before.items()} == copied.rows
    assert faults(other, head=copied.tip.hash.hex()) == []
    # Numbers go on where they were.
    assert [each.stored.id for each in submit(other, BLOCK._replace(value="new.example.org"))] == [302]


def test_a_copy_of_a_copy_is_the_same(database: Database, other: Database, tmp_path: Path) -> None:
    fill(database)
    copy_database(database, other, actor=ADMIN)
    back = Database.open(f"sqlite:///{tmp_path / 'back.db'}")
    copy_database(other, back, actor=ADMIN)
    assert dump(back) == dump(database)
    back.close()


def test_a_target_that_is_not_empty_is_refused(database: Database, other: Database) -> None:
    fill(database)
    other.upgrade()
    submit(other, BLOCK)
    before = dump(other)
    with pytest.raises(Conflict, match=r"is not empty: it has rows in .*changesets \(1\)"):
        copy_database(database, other, actor=ADMIN)
    assert dump(other) == before


@pytest.mark.parametrize("found, told", [("0004", "older version"), ("9999", "later version")])
def test_another_version_is_refused_on_either_side(database: Database, tmp_path: Path, found: str, told: str) -> None:
    other = Database.open(url_of(new_file(tmp_path, "other.db")))
    with other.transaction() as tx:
        tx.connection.execute(text(f"UPDATE alembic_version SET version_num = '{found}'"))
    for source, target in ((database, other), (other, database)):
        with pytest.raises(Conflict, match=told):
            copy_database(source, target, actor=ADMIN)
    other.close()


def test_what_is_no_database_of_ours_is_refused(database: Database, tmp_path: Path) -> None:
    other = Database.open(f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(Conflict, match="none of its tables"):
        copy_database(other, database, actor=ADMIN)
    other.close()


class Breaking(Silent):
    """Ends the work after so many reports."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, rows: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


# What reads the history leaves the server's cursor to the connection, which is about to go.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whenever_it_is_broken_off_the_target_stays_empty(database: Database, other: Database) -> None:
    fill(database)
    broken = 0
    for after in range(100):
        try:
            copy_database(database, other, actor=ADMIN, listener=Breaking(after))
        except KeyboardInterrupt:
            broken += 1
            with other.snapshot() as tx:
                assert not any(copying.counts(tx).values())
        else:
            break
    assert broken > 10
    assert dump(other) == dump(database)


def test_an_altered_history_is_refused_or_comes_along_as_it_is(database: Database, other: Database) -> None:
    fill(database)
    with database.transaction() as tx:
        tx.connection.execute(text("UPDATE indicators SET title = 'mine' WHERE id = 7"))
    with pytest.raises(Conflict, match="altered before it came here") as told:
        copy_database(database, other, actor=ADMIN)
    assert told.value.problems
    copied = copy_database(database, other, actor=ADMIN, despite_faults=True)
    assert list(copied.faults) == faults(other) == faults(database)


@pytest.mark.sqlite_only("a column of PostgreSQL takes nothing of another kind")
def test_what_somebody_else_wrote_into_a_column_is_named(tmp_path: Path, other: Database) -> None:
    database = Database.open(url_of(new_file(tmp_path)))
    fill(database)
    with database.transaction() as tx:
        tx.connection.execute(text("UPDATE indicators SET title = x'00ff' WHERE id = 7"))
    with pytest.raises(Conflict, match="table indicators, column title: str was expected, and bytes is there"):
        copy_database(database, other, actor=ADMIN)
    with pytest.raises(Conflict, match="table indicators, column title"):
        made(database)
    assert not any(rows for rows, _ in dump(other).values())
    database.close()


def test_only_who_may_change_the_system_may(database: Database, other: Database) -> None:
    somebody = ADMIN.__class__("x", "x", ADMIN.source, ADMIN.permissions - {Permission.SYSTEM_WRITE})
    with pytest.raises(Forbidden):
        copy_database(database, other, actor=somebody)
    with pytest.raises(Forbidden):
        backup.back_up(database, io.BytesIO(), actor=somebody, now=NOW, program="")


def test_what_is_left_out_is_named_as_it_is() -> None:
    assert set(copying.metadata.tables) >= copying.LEFT_OUT
    kept = {shape.name for shape in copying.shapes()}
    assert kept == set(copying.metadata.tables) - copying.LEFT_OUT
    assert kept >= backup.NOT_KEPT | {"secret_keys"}


def test_nothing_is_numbered_by_the_database_itself() -> None:
    """A sequence would go on from 1 in a copy."""
    assert not [table.name for table in copying.metadata.sorted_tables if table.autoincrement_column is not None]


# -- backups ----------------------------------------------------------------------------------------------------------


def test_a_backup_is_restored_to_either_kind(database: Database, other: Database) -> None:
    fill(database)
    before = dump(database)
    out, said = made(database)
    contents = restored(other, out)
    after = dump(other)
    assert contents.manifest == said.manifest
    assert contents.rows == said.rows
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"changesets", *backup.NOT_KEPT, "secret_keys"}
    with other.snapshot() as tx:
        event = tx.changesets.head()
    assert event is not None
    assert event.kind == "restore"
    assert event.details["head"] == said.manifest.head
    assert event.prev_hash.hex() == said.manifest.head
    assert faults(other, head=said.manifest.head) == []


def test_who_is_signed_in_is_not_in_a_backup(database: Database) -> None:
    fill(database)
    _, said = made(database)
    assert {name: said.rows[name] for name in backup.NOT_KEPT} == dict.fromkeys(backup.NOT_KEPT, 0)


def test_keys_are_in_it_only_when_asked_for(database: Database, other: Database) -> None:
    out, said = made(database, keys={"tokens": b"secret"})
    assert restored(other, out).keys == {"tokens": b"secret"}
    assert said.keys == ("tokens",)
    out, _ = made(database)
    out.seek(0)
    assert backup.check_backup(out, "b").keys == {}


def test_a_backup_while_an_import_runs_is_of_one_moment(database: Database, tmp_path: Path) -> None:
    """Whatever is in it, it is what the database was before or after each of the changes, and never in between."""
    moments = {}
    fill(database)
    moments[dump(database)["changesets"]] = dump(database)
    stop = threading.Event()

    def change() -> None:
        for number in range(12):
            run_import(database, domains(range(number * 40, number * 40 + 400), title=f"round {number}"))
            moments[dump(database)["changesets"]] = dump(database)
        stop.set()

    writer = threading.Thread(target=change)
    writer.start()
    taken = []
    while not stop.is_set() or len(taken) < 3:
        taken.append(made(database)[0])
    writer.join()
    for number, out in enumerate(taken[-12:]):
        opened = Database.open(f"sqlite:///{tmp_path / f'{number}.db'}")
        contents = restored(opened, out)
        rows = {name: (contents.rows[name], contents.digests[name]) for name in contents.rows}
        kept = moments[rows["changesets"]]
        assert {name: kept[name] for name in kept if name not in backup.NOT_KEPT} == {
            name: rows[name] for name in rows if name not in backup.NOT_KEPT
        }
        opened.close()


def test_replacing_says_what_was_there(database: Database, other: Database) -> None:
    fill(database)
    out, said = made(database)
    other.upgrade()
    submit(other, BLOCK)
    with other.snapshot() as tx:
        lost = copying.tip(tx)
    out.seek(0)
    with pytest.raises(Conflict, match="is not empty"):
        restored(other, out)
    restored(other, out, replace=True)
    with other.snapshot() as tx:
        event = tx.changesets.head()
    assert event is not None
    assert event.details["replaced"] == {"changeset": 1, "head": lost.hash.hex()}
    assert faults(other, head=said.manifest.head) == []


def test_what_was_written_down_has_to_be_in_it(database: Database, other: Database) -> None:
    fill(database)
    out, said = made(database)
    with pytest.raises(Conflict, match="no changeset in this backup has the hash"):
        restored(other, out, head="ab" * 32)
    restored(other, out, head=said.manifest.head)


def test_a_backup_of_another_version_says_what_to_do(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "NEWEST_SCHEMA", "0011")
    out, _ = made(database)
    monkeypatch.setattr(backup, "NEWEST_SCHEMA", NEWEST_SCHEMA)
    out.seek(0)
    with pytest.raises(InvalidInput, match="upgrade first"):
        backup.check_backup(out, "b")
