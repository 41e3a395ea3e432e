"""Many rows at once on PostgreSQL: written by COPY, and looked up by their keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

# What is looked up by a thousand keys is read by their index, whatever is known of a table that has just been filled:
# it was read from end to end for every thousand before.
_AVOIDED: Final = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
_SORTED: Final = (*_AVOIDED, "enable_sort", "enable_bitmapscan")
_BY_KEY: Final = "SELECT " + ", ".join(f"set_config('{name}', 'off', true)" for name in _AVOIDED)
_AS_USUAL: Final = _BY_KEY.replace("off", "on")
#: Let statements go through an index in their order, and let them go as the planner likes again.
IN_ORDER: Final = "SELECT " + ", ".join(f"set_config('{name}', 'off', true)" for name in _SORTED)
AS_USUAL: Final = IN_ORDER.replace("off", "on")
# From here on it is worth a thread: the server writes its indexes while the next rows are made ready here.
_BESIDE_ROWS: Final = 2_000
_HELD: Final = "indicia_held"
_UNDER_WAY: Final = "indicia_copy"
# What changes a table by so many rows makes its statistics anew, which autovacuum would do within a minute.
_ANALYZED_ROWS: Final = 10_000
_COPIED: Final = "indicia_copied"

# So few keys every planner looks up by an index.
_FEW_KEYS: Final = 50

Rows = Sequence[Sequence[Any]]


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Rows) -> None:
    """Insert *rows* into *table* by COPY; *table* and *columns* are names of our schema, never input.

    Many rows are held until `send`, or until the next statement of the connection or its commit: that waits until they
    are written, and raises what was wrong with them.
    """
    settle(connection)
    driver = _driver(connection)
    copied = connection.info.setdefault(_COPIED, Counter())
    copied[table] += len(rows)
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    with _raised(connection, statement):
        asked = "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass"
        types = dict(driver.execute(asked, (table,)).fetchall())
        work = driver, statement, [types[name] for name in columns], rows
        if len(rows) < _BESIDE_ROWS:
            _copy(*work)
            return
    connection.info[_HELD] = table, work


def held(connection: Connection, table: str) -> Rows:
    """Return the rows for *table* that are not sent yet."""
    found, work = connection.info.get(_HELD, ("", ((),)))
    return work[-1] if found == table else ()


def send(connection: Connection) -> None:
    """Begin to write the rows that are held, beside whatever is done here without the connection."""
    _table, work = connection.info.pop(_HELD, ("", None))
    if work is not None:
        beside = ThreadPoolExecutor(1, thread_name_prefix="indicia-copy")
        connection.info[_UNDER_WAY] = beside.submit(_copy, *work)
        beside.shutdown(wait=False)


def settle(connection: Connection) -> None:
    """Wait until every row is written."""
    if connection.invalidated:  # they are lost with it, which was said already
        return
    send(connection)
    _wait(connection)


def _wait(connection: Connection) -> None:
    under_way: Future[None] | None = connection.info.pop(_UNDER_WAY, None)
    if under_way is not None:
        with _raised(connection, "COPY"):
            under_way.result()


def settle_before_statements(engine: Engine) -> None:
    """See to it that no statement of SQLAlchemy's meets rows that are still on their way."""

    @event.listens_for(engine, "before_cursor_execute")
    def _before(connection: Connection, *_: Any) -> None:
        settle(connection)

    @event.listens_for(engine, "commit")
    def _commit(connection: Connection) -> None:
        settle(connection)

    @event.listens_for(engine, "rollback")
    def _rollback(connection: Connection) -> None:
        if not connection.invalidated:
            connection.info.pop(_COPIED, None)
            connection.info.pop(_HELD, None)
        if connection.invalidated:
            return  # it is lost, and whatever was on its way over it
        with suppress(DBAPIError):  # what they failed of is rolled back with them
            settle(connection)


def tidy(connection: Connection) -> None:
    """After a commit: make the statistics of the tables anew that many rows were copied into."""
    copied: Counter[str] = connection.info.pop(_COPIED, Counter())
    for table in (name for name, rows in copied.items() if rows >= _ANALYZED_ROWS):
        with suppress(DBAPIError), connection.begin():  # somebody else may be at it
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            connection.exec_driver_sql(f"ANALYZE {table}")


def rows_in(
    connection: Connection, select: str, values: Sequence[Any], *, but_held: bool = False
) -> list[tuple[Any, ...]]:
    """Return the rows of ``select … = ANY (values)``; *select* is our own text, never input.

    With *but_held* the rows that are held stay so: the caller knows them, and has more to look up first.
    """
    if but_held:
        _wait(connection)
    else:
        settle(connection)
    driver = _driver(connection)
    statement = f"{select} = ANY (%b)"
    with _raised(connection, statement):
        if len(values) <= _FEW_KEYS:
            return list(driver.execute(statement, (list(values),), binary=True).fetchall())
        with driver.pipeline():  # one journey for all three
            driver.execute(_BY_KEY)
            cursor = driver.execute(statement, (list(values),), binary=True)
            driver.execute(_AS_USUAL)
        return list(cursor.fetchall())


def stream(connection: Connection, select: str, rows: int) -> Iterator[list[Any]]:
    """Yield the rows of *select*, our own text, in lists of up to *rows*, however many."""
    settle(connection)
    # A cursor with a name stays on the server; one without would bring all rows at once.
    cursor = _driver(connection).cursor("indicia_stream")
    try:
        with _raised(connection, select):
            cursor.execute(select)
        while part := _next_part(connection, cursor, select, rows):
            yield part
    finally:
        with suppress(connection.dialect.loaded_dbapi.Error):
            cursor.close()
        cursor.close()  # of a connection that was lost by that, this is what ends it


def _next_part(connection: Connection, cursor: Any, select: str, rows: int) -> list[Any]:
    with _raised(connection, select):
        return list(cursor.fetchmany(rows))


def _copy(driver: Any, statement: str, types: list[str], rows: Rows) -> None:
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        write = copy.write_row
        for row in rows:
            write(row)


def _driver(connection: Connection) -> Any:
    """Return the driver's connection, in the transaction of *connection*."""
    return connection.connection.driver_connection


@contextmanager
def _raised(connection: Connection, statement: str) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy does for its own statements."""
    base = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        driver = _driver(connection)
        lost = bool(driver.closed)
        told = DBAPIError.instance(
            statement, None, error, base, connection_invalidated=lost, dialect=connection.dialect
        )
        if lost:
            connection.invalidate()
        raise told from error
