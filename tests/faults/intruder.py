"""Somebody who changes a database by SQL, at random but the same each time; on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, inspect, text

from indicia.store.changesets import chain_hash
from indicia.store.schema import metadata

SIGNED: Final = ("changesets", "indicators", "indicator_history", "decisions", "checkpoints")
#: What tells the rows of a table apart, whatever else is altered in them.
_PLACE: Final = {"sqlite": "rowid", "postgresql": "ctid"}
Row = dict[str, Any]


class Intruder:
    """Works inside one transaction, which is never committed."""

    def __init__(self, connection: Connection, seed: object) -> None:
        self.chance = random.Random(str(seed))
        self.connection = connection
        self.typed = connection.dialect.name == "postgresql"
        self._place = _PLACE[connection.dialect.name]

    def run(self, statement: str, **values: object) -> Any:
        return self.connection.execute(text(statement), values)

    def rows(self, table: str, where: str = "1 = 1") -> list[Row]:
        place = f"{self._place}::text" if self.typed else self._place
        order = "number" if table == "checkpoints" else "id, ended" if table == "indicator_history" else "id"
        found = self.run(f"SELECT {place} AS at_row, * FROM {table} WHERE {where} ORDER BY {order}")
        return [dict(row) for row in found.mappings()]

    def row(self, table: str, where: str = "1 = 1") -> Row:
        return self.chance.choice(self.rows(table, where))

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """Return all that is signed, wherever it stands; 1 and 1.0 are two things here."""
        return [
            [tuple((type(value), value) for name, value in row.items() if name != "at_row") for row in self.rows(table)]
            for table in SIGNED
        ]

    def set(self, table: str, row: Row, column: str, value: object) -> None:
        found = self.run(
            f"UPDATE {table} SET {column} = :value WHERE {self._here} RETURNING {self._told}",
            value=value,
            at_row=row["at_row"],
        )
        row["at_row"] = found.scalar_one()

    def add(self, table: str, row: Row) -> None:
        names = [name for name in row if name != "at_row"]
        marks = ", ".join(f":{name}" for name in names)
        self.run(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", **{name: row[name] for name in names})

    def take(self, table: str, row: Row) -> None:
        self.run(f"DELETE FROM {table} WHERE {self._here}", at_row=row["at_row"])

    @property
    def _here(self) -> str:
        return "ctid = CAST(:at_row AS tid)" if self.typed else "rowid = :at_row"

    @property
    def _told(self) -> str:
        return "ctid::text" if self.typed else "rowid"

    def other(self, table: str, row: Row, column: str) -> object:
        """Return something that might stand in *column* of *row* instead of what does."""
        old = row[column]
        neighbour = self.row(table)[column]
        near: list[object] = [neighbour, neighbour, None]
        if not self.typed:
            near += [0, 1, 2**62, "x", b"x", "", 1.5]
        if isinstance(old, bool):
            near += [not old]
        elif isinstance(old, int):
            near += [old + 1, old - 1, -old, 0, 1]
            near += [] if self.typed else [old + 0.5, f"{old}x", str(old).encode()]
        elif isinstance(old, str):
            near += [old + " ", old.upper(), f"x{old[1:]}", f"{old[:-1]}x", "", f"{old}\x1e", f"{old}\x1e\x18"]
            near += [] if self.typed else [old.encode()]
        elif isinstance(old, bytes):
            near += [bytes([old[0] ^ 1]) + old[1:] if old else b"x", old[:-1], old + b"\0", bytes(32)]
            near += [] if self.typed else [old.hex()]
        else:
            near += [b"x"] if self._is_bytes(table, column) else [1, "x"]
        return self.chance.choice(near)

    def _is_bytes(self, table: str, column: str) -> bool:
        return isinstance(metadata.tables[table].c[column].type, LargeBinary)


# -- ways -------------------------------------------------------------------------------------------------------------


def columns_of(row: Row) -> list[str]:
    return [name for name in row if name != "at_row"]


def change_a_cell(table: str, intruder: Intruder) -> Row:
    row = intruder.row(table)
    column = intruder.chance.choice(columns_of(row))
    value = intruder.other(table, row, column)
    intruder.set(table, dict(row), column, value)
    return row


def take_a_row(table: str, intruder: Intruder) -> Row:
    row = intruder.row(table)
    intruder.take(table, row)
    return row


def add_a_row(table: str, intruder: Intruder) -> Row:
    """Another one like one that is there, with a number of its own and perhaps of another changeset."""
    row = intruder.row(table)
    last = len(intruder.rows("changesets"))
    row["number" if table == "checkpoints" else "id"] = intruder.chance.choice([-1, 0, 99, 10_000])
    if table == "decisions":
        row["key"] = intruder.chance.randbytes(32)
    elif table.startswith("indicator"):
        row["subject"] = intruder.chance.randbytes(32)
        row["began"] = intruder.chance.choice([row["began"], 0, 1, last + 1, 10_000])
        row["created"] = intruder.chance.choice([row["created"], row["began"]])
    intruder.add(table, row)
    return row


def swap_two_cells(table: str, intruder: Intruder) -> Row:
    one, two = intruder.row(table), intruder.row(table)
    column = intruder.chance.choice([name for name in columns_of(one) if name not in {"id", "number"}])
    old, is_one = one[column], one["at_row"] == two["at_row"]
    intruder.set(table, one, column, two[column])
    if not is_one:
        intruder.set(table, two, column, old)
    return one


def swap_two_rows(table: str, intruder: Intruder) -> Row:
    """Each gets the number of the other."""
    one, two = intruder.row(table), intruder.row(table)
    key = "number" if table == "checkpoints" else "id"
    intruder.take(table, one)
    intruder.take(table, two)
    intruder.add(table, one | {key: two[key]})
    if one["at_row"] != two["at_row"]:
        intruder.add(table, two | {key: one[key]})
    return one


def retire_an_indicator(_table: str, intruder: Intruder) -> Row:
    """It goes to history, as if a changeset had ended it: one that there is not, or one that ended none."""
    row = intruder.row("indicators")
    last = len(intruder.rows("changesets"))
    intruder.take("indicators", row)
    intruder.add("indicator_history", row | {"ended": intruder.chance.choice([0, 1, 2, 3, last, last + 1, 10_000])})
    return row


def bring_an_indicator_back(_table: str, intruder: Intruder) -> Row:
    row = intruder.row("indicator_history")
    intruder.take("indicator_history", row)
    intruder.add("indicators", {name: value for name, value in row.items() if name != "ended"})
    return row


def sign_a_changeset_again(_table: str, intruder: Intruder) -> Row:
    """Anybody can: there is no secret in it. But the next one signed what was there, and so did a checkpoint."""
    row = intruder.row("changesets")
    again = row | {"actor": f"not {row['actor']}"}
    again["hash"] = chain_hash(again["prev_hash"], again, again["rows_digest"])
    intruder.set("changesets", again, "actor", again["actor"])
    intruder.set("changesets", again, "hash", again["hash"])
    return row


def make_the_end_anew(_table: str, intruder: Intruder) -> Row:
    """Say of one changeset that somebody else made it, and make every hash from there on fit again."""
    rows = intruder.rows("changesets")
    start = intruder.chance.randrange(len(rows))
    prev_hash = rows[start]["prev_hash"]
    for position, row in enumerate(rows[start:], start):
        new = row | {"prev_hash": prev_hash}
        if position == start:
            new["actor"] = f"not {row['actor']}"
        new["hash"] = prev_hash = chain_hash(prev_hash, new, new["rows_digest"])
        for column in ("actor", "prev_hash", "hash"):
            intruder.set("changesets", new, column, new[column])
    return rows[start]


def cut_the_end_off(_table: str, intruder: Intruder) -> Row:
    """The newest changesets go, and with them all that they did: versions, counts, checkpoints. Nothing looks odd."""
    rows = intruder.rows("changesets")
    last = rows[-intruder.chance.randint(1, min(30, len(rows) - 1))]
    number = last["id"]
    intruder.run("DELETE FROM indicators WHERE began >= :number", number=number)
    back = [name for name in columns_of(intruder.rows("indicator_history")[0]) if name != "ended"]
    names = ", ".join(back)
    intruder.run(
        f"INSERT INTO indicators ({names}) "
        f"SELECT {names} FROM indicator_history WHERE ended >= :number AND began < :number",
        number=number,
    )
    intruder.run("DELETE FROM indicator_history WHERE ended >= :number", number=number)
    intruder.run("DELETE FROM changesets WHERE id >= :number", number=number)
    intruder.run("DELETE FROM checkpoints WHERE changeset >= :number", number=number)
    return last


def tables_there(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())
