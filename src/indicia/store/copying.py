"""Whole tables, row by row, as of one moment: what a backup holds and what a database is moved by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Table,
    TypeDecorator,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from indicia.store.changesets import ORIGIN, Tip
from indicia.store.database import Transaction
from indicia.store.schema import metadata

#: What only the processes of one installation know: who runs, who holds which lease, what the tables are fit for.
LEFT_OUT: Final = frozenset({"leases", "node_notes", "nodes", "schema_floor"})
# What is read or written at once: of short rows many, of those that may hold a document or a file few.
_SHORT_ROWS, _DOCUMENTS, _FILES = 2_000, 50, 2

Row = Sequence[Any]


class Shape(NamedTuple):
    """A table, as far as copying it goes: ``kinds`` tells of each column whether it holds bytes, bool, int or str."""

    name: str
    columns: tuple[str, ...]
    kinds: tuple[type, ...]
    required: tuple[bool, ...]
    rows_at_once: int


class Unfit(Exception):
    """A row cannot be stored: something in it is not of its column's kind, or belongs to no row that is there."""


def shapes() -> list[Shape]:
    """Return every table that is copied, each after those that it refers to."""
    return [_shape(table) for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def counts(tx: Transaction) -> dict[str, int]:
    """Return how many rows each table has."""
    return {
        shape.name: tx.connection.execute(select(func.count()).select_from(_table(shape))).scalar_one()
        for shape in shapes()
    }


def tip(tx: Transaction) -> Tip:
    """Return where the chain of changesets is."""
    return tx.changesets.tip() or ORIGIN


@contextmanager
def reading(tx: Transaction, shape: Shape) -> Iterator[Iterator[list[Row]]]:
    """Give the rows of a table in the order of their keys, some at once; the same from every kind of database.

    Raises `Unfit` where a column holds something of another kind: somebody else wrote it.
    """
    table = _table(shape)
    on_postgres = tx.connection.dialect.name == "postgresql"
    # How PostgreSQL orders texts depends on the database's locale: by their bytes, as SQLite does.
    keys = [each.collate("C") if on_postgres and _kind(each) is str else each for each in table.primary_key.columns]
    query = str(select(*table.columns).order_by(*keys).compile(dialect=tx.connection.dialect))
    if on_postgres:
        # A cursor with a name stays on the server; one without would bring all rows at once.
        cursor = tx.connection.connection.cursor(f"copy_{shape.name}", binary=True)
        cursor.execute(query)
    else:
        cursor = tx.connection.exec_driver_sql(query).cursor
    try:
        yield (_of_kinds(shape, part) for part in iter(lambda: cursor.fetchmany(shape.rows_at_once), []))
    finally:
        cursor.close()


def write(tx: Transaction, shape: Shape, parts: Iterator[list[Row]]) -> int:
    """Add *parts* of rows to a table, and return how many; raises `Unfit` where one cannot be stored.

    After that nothing more can be done in this transaction.
    """
    try:
        if tx.connection.dialect.name == "postgresql":
            return _copy_in(tx.connection, shape, parts)
        return _insert(tx.connection, shape, parts)
    except (IntegrityError, OverflowError) as error:
        raise Unfit(f"table {shape.name}: {_first_line(getattr(error, 'orig', error))}") from error


def empty(tx: Transaction) -> None:
    """Remove every row of every table that is copied."""
    if tx.connection.dialect.name == "postgresql":
        names = ", ".join(_quoted(tx.connection, shape.name) for shape in shapes())
        tx.connection.execute(text(f"TRUNCATE {names}"))
        return
    for shape in reversed(shapes()):
        tx.connection.execute(delete(_table(shape)))


def settle(tx: Transaction) -> None:
    """Let PostgreSQL know what it holds now: plans made for empty tables are bad ones for full tables."""
    if tx.connection.dialect.name == "postgresql":
        tx.connection.execute(text("ANALYZE"))


def _copy_in(connection: Connection, shape: Shape, parts: Iterator[list[Row]]) -> int:
    import psycopg  # noqa: PLC0415 only where the database is PostgreSQL

    names = ", ".join(_quoted(connection, name) for name in shape.columns)
    types = [_postgres_type(column) for column in _table(shape).columns]
    statement = f"COPY {_quoted(connection, shape.name)} ({names}) FROM STDIN (FORMAT BINARY)"
    count = 0
    try:
        driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # it is one
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(types)
            for part in parts:
                for row in part:
                    copy.write_row(row)
                count += len(part)
    except (psycopg.DataError, psycopg.IntegrityError, OverflowError) as error:
        raise Unfit(f"table {shape.name}: {_first_line(error)}") from error
    except psycopg.Error as error:
        raise DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect) from error
    return count


def _insert(connection: Connection, shape: Shape, parts: Iterator[list[Row]]) -> int:
    statement = str(insert(_table(shape)).compile(dialect=connection.dialect))
    count = 0
    for part in parts:
        connection.exec_driver_sql(statement, [tuple(row) for row in part])
        count += len(part)
    return count


def _of_kinds(shape: Shape, rows: Sequence[Row]) -> list[Row]:
    """Return *rows* with what each column is said to hold; SQLite keeps truth as 0 and 1."""
    columns = list(zip(*rows, strict=True))
    for place, (name, kind, required) in enumerate(zip(shape.columns, shape.kinds, shape.required, strict=True)):
        found = set(map(type, columns[place]))
        if kind is bool and int in found:
            columns[place] = tuple(None if each is None else bool(each) for each in columns[place])
            found = found - {int} | {bool}
        if found <= {kind} or (not required and found <= {kind, type(None)}):
            continue
        wrong = next(iter(found - {kind})).__name__.replace("NoneType", "nothing")
        raise Unfit(f"table {shape.name}, column {name}: {kind.__name__} was expected, and {wrong} is there")
    return list(zip(*columns, strict=True))


def _shape(table: Table) -> Shape:
    columns = list(table.columns)
    return Shape(
        table.name,
        tuple(column.name for column in columns),
        tuple(_kind(column) for column in columns),
        tuple(not column.nullable for column in columns),
        _rows_at_once(columns, next(iter(table.primary_key.columns))),
    )


def _rows_at_once(columns: Sequence[Column[Any]], key: Column[Any]) -> int:
    if any(isinstance(each.type, LargeBinary) and each.type.length is None for each in columns):
        return _FILES
    return _SHORT_ROWS if _kind(key) is int else _DOCUMENTS


def _kind(column: Column[Any]) -> type:
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(kind, LargeBinary):
        return bytes
    if isinstance(kind, Boolean):
        return bool
    return int if isinstance(kind, Integer) else str


def _postgres_type(column: Column[Any]) -> str:
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    names = {bytes: "bytea", bool: "bool", str: "text"}
    sizes = {"small_integer": "int2", "integer": "int4", "big_integer": "int8"}
    return names.get(_kind(column)) or sizes[kind.__visit_name__]


def _table(shape: Shape) -> Table:
    return metadata.tables[shape.name]


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().split("\n", 1)[0]
