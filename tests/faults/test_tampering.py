"""Whoever writes to the database beside Indicia is found out by `verify`, but where the documentation says so."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from indicia.domain.errors import Unavailable
from indicia.domain.indicator import Status
from indicia.services import applications, changesets, expiry, groups, indicators
from indicia.store.changesets import chain_hash
from indicia.store.database import Database
from tests.acceptance.command_line import Terminal
from tests.faults.left import head_of, opened
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    CLIENT,
    NOW,
    copy_of,
    domains,
    edit,
    faults,
    listed,
    new_file,
    run_import,
    submit,
)

SEED = 20_300_615
EACH = 20
SIGNED = ("indicators", "indicator_history", "decisions", "changesets")
MINUTE = timedelta(minutes=1)
Row = dict[str, Any]


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with a past of 34 changesets of every kind."""
    file = new_file(tmp_path_factory.mktemp("past"))
    with opened(file) as database:
        live_through(database)
        newest, found = changesets.verify_chain(database)
        assert found == []
        assert newest is not None
        assert newest.id == 34
        made = changesets.list_changesets(database, actor=ADMIN)
    kinds = {"import", "submit", "edit", "delete", "release", "undo", "expiry", "app.add", "group.add"}
    assert {record.kind for record in made} == kinds
    return file


def live_through(database: Database) -> None:
    groups.add_group(database, "Servers", None, actor=ADMIN, now=NOW)
    applications.add_application(database, "soar", [], actor=ADMIN, now=NOW)
    run_import(database, domains(range(60)), reason="the first list")
    scoped = domains(range(40, 70), severity="Low", rbac_group_names=["Servers"], mitre_techniques=["T1566"])
    run_import(database, scoped, actor=ADMIN)
    run_import(database, domains(range(100, 110), expires=NOW + 2 * MINUTE, external_id="case 12"))
    rare = {"recommended_actions": "call us", "generate_alert": "true", "category": "Malware", "application": "soar"}
    submit(database, *domains(range(110, 115), **rare))
    submit(database, BLOCK._replace(value="co.uk"), BLOCK._replace(value="2001:db8::/32", type="IpRange"))
    held = next(each for each in listed(database) if each.indicator.status is Status.HELD)
    indicators.release(database, [held.id], actor=ADMIN, now=NOW, reason="it is meant")
    for number in range(8):
        edit(database, 1 + 5 * number, title=f"edited {number}", reason="a better title")
    for number in range(4):
        indicators.delete(database, [2 + 7 * number, 3 + 7 * number], actor=ADMIN, now=NOW)
    for number in range(6):
        submit(database, *domains(range(200 + 3 * number, 203 + 3 * number)), actor=CLIENT)
    run_import(database, domains(range(55, 80), title="later"))
    changesets.undo(database, 5, actor=ADMIN, now=NOW)
    changesets.undo(database, 27, actor=ADMIN, now=NOW, keep_later=True)
    changesets.undo(database, 29, actor=ADMIN, now=NOW)
    submit(database, *domains([300, 301], expires=NOW + MINUTE))
    expiry.remove_expired(database, now=NOW + 3 * MINUTE)
    run_import(database, domains(range(400, 420)), now=NOW + 3 * MINUTE)
    indicators.delete(database, [50, 51], actor=ADMIN, now=NOW + 3 * MINUTE)


# -- what somebody does who has the file ------------------------------------------------------------------------------


class Intruder:
    """Somebody who changes a database by SQL, at random but the same each time."""

    def __init__(self, file: Path, seed: object) -> None:
        self.chance = random.Random(f"{SEED} {seed}")
        self._connection = sqlite3.connect(file, isolation_level=None)

    def close(self) -> None:
        self._connection.close()

    def run(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)

    def rows(self, table: str, where: str = "1") -> list[Row]:
        found = self._connection.execute(f"SELECT rowid AS at_row, * FROM {table} WHERE {where}")
        names = [each[0] for each in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def row(self, table: str, where: str = "1") -> Row:
        return self.chance.choice(self.rows(table, where))

    def everything(self) -> list[list[Row]]:
        return [self.rows(table) for table in SIGNED]

    def set(self, table: str, row: Row, column: str, value: object) -> None:
        self.run(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", value, row["at_row"])

    def add(self, table: str, row: Row) -> None:
        names = [name for name in row if name != "at_row"]
        marks = ", ".join("?" * len(names))
        self.run(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", *(row[name] for name in names))

    def take(self, table: str, row: Row) -> None:
        self.run(f"DELETE FROM {table} WHERE rowid = ?", row["at_row"])

    def other(self, table: str, row: Row, column: str) -> object:
        """Return something that might stand in *column* of *row* instead of what does."""
        old = row[column]
        neighbour = self.row(table)[column]
        near: list[object] = [neighbour, neighbour, None, 0, 1, 2**62, "x", b"x", "", 1.5]
        if isinstance(old, int):
            near += [old + 1, old - 1, old + 0.5, -old, str(old) + "x", str(old).encode()]
        elif isinstance(old, str):
            near += [
                old + " ",
                old.upper(),
                f"x{old[1:]}",
                f"{old[:-1]}x",
                old.encode(),
                f"{old}\x1e",
                old + "\x1e\x18",
            ]
        elif isinstance(old, bytes):
            flipped = bytes([old[0] ^ 1]) + old[1:]
            near += [flipped, old[:-1], old + b"\0", old.hex(), bytes(32)]
        return self.chance.choice(near)


def change_a_field(table: str, intruder: Intruder) -> None:
    row = intruder.row(table)
    column = intruder.chance.choice([name for name in row if name != "at_row"])
    intruder.set(table, row, column, intruder.other(table, row, column))


def take_a_row(table: str, intruder: Intruder) -> None:
    intruder.take(table, intruder.row(table))


def add_a_row(table: str, intruder: Intruder) -> None:
    """Another one like one that is there, with a number of its own and perhaps of another changeset."""
    row = intruder.row(table)
    row["id"] = intruder.chance.choice([-1, 0, 99, 10_000])
    if table == "decisions":
        row["key"] = intruder.chance.randbytes(32)
    elif table != "changesets":
        row["subject"] = intruder.chance.randbytes(32)
        row["began"] = intruder.chance.choice([row["began"], 0, 1, 35, 10_000])
        row["created"] = intruder.chance.choice([row["created"], row["began"]])
    intruder.add(table, row)


def swap_two_fields(table: str, intruder: Intruder) -> None:
    one, two = intruder.row(table), intruder.row(table)
    column = intruder.chance.choice([name for name in one if name not in {"at_row", "id"}])
    intruder.set(table, one, column, two[column])
    intruder.set(table, two, column, one[column])


def swap_two_rows(table: str, intruder: Intruder) -> None:
    """Each gets the number of the other."""
    one, two = intruder.row(table), intruder.row(table)
    intruder.take(table, one)
    intruder.take(table, two)
    intruder.add(table, one | {"id": two["id"]})
    intruder.add(table, two | {"id": one["id"]})


def retire_an_indicator(_table: str, intruder: Intruder) -> None:
    """It goes to history, as if a changeset had ended it: one that there is not, or one that ended none."""
    row = intruder.row("indicators")
    intruder.take("indicators", row)
    intruder.add("indicator_history", row | {"ended": intruder.chance.choice([0, 1, 2, 3, 17, 34, 35, 10_000])})


def bring_an_indicator_back(_table: str, intruder: Intruder) -> None:
    row = intruder.row("indicator_history")
    intruder.take("indicator_history", row)
    del row["ended"]
    intruder.add("indicators", row)


def cut_the_end_off(_table: str, intruder: Intruder) -> None:
    """Only the changesets go, and what they did to the indicators stays."""
    intruder.run("DELETE FROM changesets WHERE id > ?", intruder.chance.randrange(2, 34))


def sign_a_changeset_again(table: str, intruder: Intruder) -> None:
    """Anybody can: there is no secret in it. But the next one signed what was there."""
    row = intruder.row(table, "id < 34")
    row["actor"] = f"not {row['actor']}"
    row["hash"] = chain_hash(row["prev_hash"], row, row["rows_digest"])
    intruder.set(table, row, "actor", row["actor"])
    intruder.set(table, row, "hash", row["hash"])


def decide_otherwise(table: str, intruder: Intruder) -> None:
    """Two decisions change their keys, so that what is imported next gets what was decided about something else."""
    one, two = intruder.rows(table)[:2]
    intruder.set(table, one, "key", bytes(32))
    intruder.set(table, two, "key", one["key"])
    intruder.set(table, one, "key", two["key"])


Tamper = Callable[[str, Intruder], None]
WAYS: list[tuple[Tamper, str]] = [
    *((change_a_field, table) for table in SIGNED),
    *((take_a_row, table) for table in SIGNED),
    *((add_a_row, table) for table in SIGNED),
    *((swap_two_fields, table) for table in SIGNED),
    *((swap_two_rows, table) for table in SIGNED),
    (retire_an_indicator, ""),
    (bring_an_indicator_back, ""),
    (cut_the_end_off, ""),
    (sign_a_changeset_again, "changesets"),
    (decide_otherwise, "decisions"),
]


def tampered(past: Path, folder: Path, tamper: Tamper, table: str, seed: object) -> Path:
    """Return a copy of the database in which something is not as it was."""
    file = copy_of(past, folder / "tampered.db")
    with closing(Intruder(file, seed)) as intruder:
        before = intruder.everything()
        while intruder.everything() == before:
            intruder.run("BEGIN")
            try:
                tamper(table, intruder)
            except sqlite3.IntegrityError:  # no table takes this; so something else
                intruder.run("ROLLBACK")
            else:
                intruder.run("COMMIT")
    return file


def differences(past: Path, file: Path) -> Iterator[tuple[Row | None, Row | None]]:
    """Yield what tells two databases apart, so that a failure says what was not found."""
    with closing(Intruder(past, "")) as before, closing(Intruder(file, "")) as after:
        for was, now in zip(before.everything(), after.everything(), strict=True):
            yield from ((row, None) for row in was if row not in now)
            yield from ((None, row) for row in now if row not in was)


@pytest.mark.slow
@pytest.mark.parametrize("tamper, table", WAYS, ids=[f"{each.__name__} {table}".strip() for each, table in WAYS])
def test_tampering_is_found(past: Path, tmp_path: Path, tamper: Tamper, table: str) -> None:
    for trial in range(EACH):
        file = tampered(past, tmp_path, tamper, table, f"{tamper.__name__} {table} {trial}")
        with opened(file) as database:
            assert faults(database) != [], list(differences(past, file))


@pytest.mark.slow
@pytest.mark.parametrize("table", SIGNED)
def test_tampering_with_any_column_is_found(past: Path, tmp_path: Path, table: str) -> None:
    with closing(Intruder(past, "")) as intruder:
        columns = [name for name in intruder.row(table) if name != "at_row"]
    for column in columns:

        def change(table: str, intruder: Intruder, column: str = column) -> None:
            row = intruder.row(table)
            intruder.set(table, row, column, intruder.other(table, row, column))

        for trial in range(6):
            file = tampered(past, tmp_path, change, table, f"{table} {column} {trial}")
            with opened(file) as database:
                assert faults(database) != [], list(differences(past, file))


def test_a_text_that_is_none_is_told_as_damage(past: Path, tmp_path: Path) -> None:
    """The driver does not even give it out, so that nothing can be compared."""
    file = copy_of(past, tmp_path / "tampered.db")
    with closing(Intruder(file, "")) as intruder:
        intruder.run("UPDATE indicators SET title = CAST(X'ff' AS TEXT) WHERE id = 1")
    with opened(file) as database, pytest.raises(Unavailable, match="is damaged"):
        faults(database)


@pytest.mark.parametrize(
    "statement, told",
    [
        ("UPDATE indicators SET title = 'harmless' WHERE id = 1", "indicator 1 (indicators) was altered"),
        ("UPDATE changesets SET details = 'no JSON' WHERE id = 34", "changeset 34 was altered"),
        ("UPDATE changesets SET at = 'no time' WHERE id = 34", "changeset 34 was altered"),
        ("UPDATE changesets SET hash = 'no hash' WHERE id = 17", "changeset 17 was altered"),
        ("DELETE FROM changesets WHERE id = 17", "changesets 17 to 17 are missing"),
        ("DELETE FROM changesets WHERE id = 34", "the changesets leave"),
    ],
)
def test_the_command_says_what_it_found(terminal: Terminal, past: Path, statement: str, told: str) -> None:
    file = copy_of(past, terminal.folder / "indicia.db")
    assert terminal.call("verify").code == 0
    with closing(Intruder(file, "")) as intruder:
        intruder.run(statement)
    done = terminal.call("verify")
    assert done.code == 1
    assert all(line.startswith("error: ") for line in done.err.splitlines())
    assert f"error: {told}" in done.err
    assert terminal.call("verify", "--json").json["ok"] is False


# -- what is not found ------------------------------------------------------------------------------------------------


def undo_the_last(intruder: Intruder) -> None:
    """Take the newest changeset away, and what it did with it."""
    intruder.run(
        "INSERT INTO indicators SELECT id, subject, digest, action, decision, canonical, value, title, description, "
        "expires_at, external_id, created, began FROM indicator_history WHERE ended = 34"
    )
    intruder.run("DELETE FROM indicator_history WHERE ended = 34")
    intruder.run("DELETE FROM changesets WHERE id = 34")


def sign_the_last_again(intruder: Intruder) -> None:
    row = intruder.rows("changesets", "id = 34")[0] | {"actor": "somebody else"}
    row["hash"] = chain_hash(row["prev_hash"], row, row["rows_digest"])
    for column in ("actor", "hash"):
        intruder.set("changesets", row, column, row[column])


def sign_all_again(intruder: Intruder) -> None:
    """Make the whole chain anew, by somebody else."""
    prev_hash = bytes(32)
    for row in sorted(intruder.rows("changesets"), key=lambda row: row["id"]):
        row |= {"actor": "somebody else", "prev_hash": prev_hash}
        row["hash"] = prev_hash = chain_hash(prev_hash, row, row["rows_digest"])
        for column in ("actor", "prev_hash", "hash"):
            intruder.set("changesets", row, column, row[column])


@pytest.mark.parametrize("rewrite", [undo_the_last, sign_the_last_again, sign_all_again])
def test_what_only_a_hash_that_was_kept_elsewhere_finds(
    past: Path, tmp_path: Path, rewrite: Callable[[Intruder], None]
) -> None:
    """The known limit: there is no secret in the chain, so that whoever makes its end anew can sign it too."""
    file = copy_of(past, tmp_path / "tampered.db")
    head = head_of(file)
    with closing(Intruder(file, "")) as intruder:
        rewrite(intruder)
    with opened(file) as database:
        assert faults(database) == []
        assert len(faults(database, head)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE applications SET permissions = 'Ti.ReadWrite.All'",
        "UPDATE applications SET secret_sha256 = zeroblob(32)",
        "UPDATE device_groups SET name = 'Clients'",
        "DELETE FROM device_groups",
    ],
)
def test_what_is_no_indicator_is_not_signed(past: Path, tmp_path: Path, statement: str) -> None:
    """The known limit: that a client or a group was added is in the chain, what its row holds is not."""
    file = copy_of(past, tmp_path / "tampered.db")
    with closing(Intruder(file, "")) as intruder:
        intruder.run(statement)
    with opened(file) as database:
        assert faults(database) == []
