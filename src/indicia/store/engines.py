"""What differs between SQLite and PostgreSQL in how a connection is opened and a transaction begun."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Executable, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from indicia.store import loading, postgresql

# One number for "the head of the chain": who writes holds it, so that writers queue (PostgreSQL only).
_WRITE_LOCK: Final = 0x1D1C1A
# Times and ids of plain lists fit in a few pages; a bulk load wants the whole unique index in memory.
_CACHE_KIB: Final = 96 * 1024
# Reading through a mapping saves a fifth of a long scan; it counts as memory of the process, so not too much of it.
_MAPPED_BYTES: Final = 64 << 20
# SQLite allows 32,766 values a statement since 3.32; our widest table has 23 columns.
_ROWS_AT_ONCE: Final = 1_000
_KEYS_AT_ONCE: Final = 1_000
# After each journey this process has to get Python's lock back, which takes longer than a thousand keys.
_KEYS_A_JOURNEY: Final = 20_000
#: Threads that a store has and that sleep, but when a server has not answered for seconds (`store.watching`).
SLEEPING_THREADS: Final = frozenset({"indicia-watch"})
_WRITER: Final = "indicia_writer"
_WAITS_S: Final = "indicia_waits_s"
# From here on COPY is the faster one, which asks for the types of the columns first.
_COPIED_ROWS: Final = 20


def engine(url: URL, *, busy_timeout_s: float) -> Engine:
    """Return the engine for *url*, set up for durability: what is committed survives a power cut."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, busy_timeout_s)
    return postgresql.engine(url, busy_timeout_s=busy_timeout_s)


def file_of(url: URL) -> Path | None:
    """Return the file of an embedded database, None where there is none."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _sqlite(url: URL, busy_timeout_s: float) -> Engine:
    file = file_of(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Indicators and the hashes of secrets are nobody else's to read; SQLite gives its -wal and -shm the same mode.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    made = create_engine(
        url,
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
        execution_options={_WRITER: threading.Lock(), _WAITS_S: busy_timeout_s},
        **({"poolclass": QueuePool} if file is not None else {}),
    )

    @event.listens_for(made, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # We begin transactions ourselves: the driver's own BEGIN is DEFERRED, and a deferred reader that
        # turns writer gets SQLITE_BUSY at once, whatever the timeout.
        connection.isolation_level = None
        for pragma in (
            "page_size = 8192",  # takes effect in a new file only; a tenth faster to fill than 4096
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"cache_size = -{_CACHE_KIB}",
            "temp_store = FILE",
            f"mmap_size = {_MAPPED_BYTES}",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("indicia_begin", "BEGIN"))

    return made


@contextmanager
def begin_write(connection: Connection, *, wait: bool = True) -> Iterator[None]:
    """Begin a transaction that writes; commits at the end, rolls back on an error.

    It waits for other writers first; where it may not *wait*, another writer is an `OperationalError` or, on SQLite
    and in this process, `OtherWriter`.
    """
    with _in_turn(connection, wait=wait), nullcontext() if wait else _impatient(connection):
        if connection.dialect.name == "sqlite":
            connection.execution_options(indicia_begin="BEGIN IMMEDIATE")
        with _committed(connection):
            if connection.dialect.name == "postgresql":
                if not wait:
                    connection.execute(text("SET LOCAL lock_timeout = '1ms'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITE_LOCK})
            yield


class OtherWriter(Exception):
    """Another thread of this process writes, and went on for too long, or nobody was to wait."""


@contextmanager
def _in_turn(connection: Connection, *, wait: bool) -> Iterator[None]:
    """Let the threads that write to one file queue before they try; raises `OtherWriter`.

    SQLite lets a writer try again after pauses that grow, and whoever comes just then goes first: among many threads
    some would wait a hundred times as long as others.
    """
    options = connection.engine.get_execution_options()
    writer: threading.Lock | None = options.get(_WRITER)
    if writer is None:
        yield
        return
    if not writer.acquire(timeout=options[_WAITS_S] if wait else 0):
        raise OtherWriter
    try:
        yield
    finally:
        writer.release()


class CommitUnknown(Exception):
    """The connection was lost while a transaction was being committed: it was, or it was not."""


@contextmanager
def _committed(connection: Connection) -> Iterator[None]:
    """Commit what was done in a transaction; raises `CommitUnknown` where nobody can say whether that was done."""
    transaction = connection.begin()
    try:
        yield
        if connection.dialect.name == "postgresql":
            loading.settle(connection)
    except BaseException:
        transaction.rollback()
        raise
    try:
        transaction.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise CommitUnknown(str(error.orig).strip()) from error
        raise
    if connection.dialect.name == "postgresql":
        loading.tidy(connection)


@contextmanager
def begin_aside(connection: Connection) -> Iterator[None]:
    """Begin a transaction that writes beside a writer of the chain: small rows of its own, and no others.

    On PostgreSQL it waits for nobody but who has the same row, and not for the disk: what is written after it, and is
    waited for, makes it last too. SQLite has one writer: another one is an `OperationalError`.
    """
    if connection.dialect.name != "postgresql":
        with begin_write(connection, wait=False):
            yield
        return
    with _committed(connection):
        connection.execute(
            text(
                "SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '5s', true), "
                "set_config('synchronous_commit', 'off', true)"
            )
        )
        yield


@contextmanager
def _impatient(connection: Connection) -> Iterator[None]:
    """Let SQLite wait for nobody; what a connection waits at other times is set again after that."""
    driver = connection.connection.driver_connection if connection.dialect.name == "sqlite" else None
    if driver is None:
        yield
        return
    usual = int(driver.execute("PRAGMA busy_timeout").fetchone()[0])
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {usual}")


@contextmanager
def begin_read(connection: Connection) -> Iterator[None]:
    """Begin a transaction that reads one moment of the database and is always rolled back."""
    if connection.dialect.name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ")
    else:
        connection.execution_options(indicia_begin="BEGIN")
    transaction = connection.begin()
    try:
        yield
    finally:
        transaction.rollback()


def faults(connection: Connection) -> list[str]:
    """Return what SQLite finds wrong with its file; a server looks after its own."""
    if connection.dialect.name != "sqlite":
        return []
    return [row[0] for row in connection.exec_driver_sql("PRAGMA quick_check(20)") if row[0] != "ok"]


def busy(where: str) -> str:
    """Return a sentence for who cannot write to the database at *where* because somebody else does."""
    return f"the database {where} is busy with another writer; try again when it is done"


def explain(error: DBAPIError, where: str) -> str:
    """Return a sentence on why the database at *where* cannot be used and what to do."""
    if hasattr(error.orig, "sqlstate"):
        return postgresql.explain(error, where)
    reason = str(error.orig).strip()
    lowered = reason.lower()
    if "locked" in lowered or "busy" in lowered:
        return busy(where)
    if "disk is full" in lowered or "full" in lowered:
        return f"the disk of the database {where} is full: nothing was changed; free some space and try again"
    if "disk i/o" in lowered:
        why = "its disk may be full or failing, or the size of files limited"
        return f"the database {where} could not be read or written: nothing was changed; {why}"
    if "no such table" in lowered or "does not exist" in lowered:
        return f"the database {where} has no tables of this version yet; run `indicia db upgrade`"
    if "unable to open" in lowered:
        return f"the database {where} cannot be opened: does its folder exist, and may you write there?"
    if any(sign in lowered for sign in ("not a database", "malformed", "could not decode")):
        return f"{where} is not an Indicia database, or is damaged: restore a backup, or name another file"
    if "readonly" in lowered or "read-only" in lowered:
        return f"the database {where} may only be read by this user"
    return f"the database {where} cannot be used: {reason}"


def parts(
    connection: Connection,
    query: Executable,
    rows: int = 10_000,
    *,
    values: Mapping[str, Any] | None = None,
    few: bool = False,
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of *query* in lists of up to *rows*, as the driver gives them: for numbers and bytes.

    *values* are those of its parameters. A server keeps what it has found and sends it in parts, which takes several
    journeys, unless there are *few*.
    """
    if connection.dialect.name != "sqlite":
        result = connection.execute(query, values, execution_options={} if few else {"yield_per": rows})
        # As below: the rows as the driver gives them, without SQLAlchemy's own around each.
        while part := result.cursor_strategy.fetchmany(result, result.cursor, rows):
            yield list(part)
        return
    # SQLite's cursor gives rows as they are asked for, and twice as fast as through SQLAlchemy's.
    cursor = connection.execute(query, values).cursor
    while part := cursor.fetchmany(rows):
        yield list(part)


def stream(connection: Connection, select: str, rows: int) -> Iterator[list[Any]]:
    """Yield the rows of *select*, our own text, in lists of up to *rows* as the driver gives them, however many."""
    if connection.dialect.name == "postgresql":
        yield from loading.stream(connection, select, rows)
        return
    cursor = connection.exec_driver_sql(select).cursor
    try:
        while part := cursor.fetchmany(rows):
            yield list(part)
    finally:
        cursor.close()


def bulk_insert(connection: Connection, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Insert *rows* into *table* by the driver itself; *table* and *columns* are names of our schema, never input."""
    if connection.dialect.name == "postgresql" and len(rows) >= _COPIED_ROWS:
        loading.copy_rows(connection, table, columns, rows)
        return
    if not rows:
        return
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    marks = f"({', '.join([mark] * len(columns))})"
    start = 0
    if connection.dialect.name == "sqlite":
        # Many rows a statement: a third faster than one each, and Python's lock is free meanwhile.
        many = f"INSERT OR ROLLBACK INTO {table} ({', '.join(columns)}) VALUES {', '.join([marks] * _ROWS_AT_ONCE)}"  # noqa: S608 our own names
        while len(rows) - start >= _ROWS_AT_ONCE:
            values = tuple(chain.from_iterable(rows[start : start + _ROWS_AT_ONCE]))
            connection.exec_driver_sql(many, values)
            start += _ROWS_AT_ONCE
        rows = rows[start:]
    if rows:
        connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}", rows)  # noqa: S608 our own names


@contextmanager
def by_index(connection: Connection) -> Iterator[None]:
    """Let the statements within go through an index in their order until they have enough, whatever a planner expects.

    SQLite does so anyway. PostgreSQL, told of conditions that next to no row meets, reads and sorts all that could.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.exec_driver_sql(loading.IN_ORDER)
    try:
        yield
    finally:
        with suppress(DBAPIError):  # of a transaction that has failed nothing is left to set
            connection.exec_driver_sql(loading.AS_USUAL)


def temporary_copy(connection: Connection, table: str, name: str) -> None:
    """Make an empty temporary table *name* with the columns of *table*, gone with the transaction's rollback."""
    # There may have been one on this connection before: another part of the same transaction.
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {name} AS SELECT * FROM {table} WHERE 1 = 0")  # noqa: S608 our own names


def held(connection: Connection, table: str) -> Sequence[Sequence[Any]]:
    """Return the rows of the last `bulk_insert` into *table* that the engine has not written yet: SQLite has all."""
    return loading.held(connection, table) if connection.dialect.name == "postgresql" else ()


def send(connection: Connection) -> None:
    """Let the engine begin to write what is held, until somebody asks it for anything."""
    if connection.dialect.name == "postgresql":
        loading.send(connection)


def keys_at_once(connection: Connection) -> int:
    """Return how many keys `rows_in` looks up best at once: of SQLite not too many, of a server in few journeys."""
    return _KEYS_AT_ONCE if connection.dialect.name == "sqlite" else _KEYS_A_JOURNEY


def rows_in(connection: Connection, select: str, values: list[Any], *, but_held: bool = False) -> list[tuple[Any, ...]]:
    """Return the rows of ``select … IN (values)`` by the driver itself; *select* is our own text, never input.

    With *but_held* what `held` gives may be missing among them.
    """
    # The driver's own tuples: a million of SQLAlchemy's rows cost seconds.
    if connection.dialect.name == "postgresql":
        return loading.rows_in(connection, select, values, but_held=but_held)
    cursor = connection.exec_driver_sql(f"{select} IN ({','.join('?' * len(values))})", tuple(values)).cursor
    return list(cursor.fetchall())


def numbers_of(connection: Connection, decision: int, after: int | None, most: int, *, down: bool) -> list[int]:
    """Return the numbers of up to *most* indicators with a *decision*, past *after*, by its index and nothing else."""
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    sign, direction = ("<", "DESC") if down else (">", "ASC")
    further, values = ("", (decision, most)) if after is None else (f"AND id {sign} {mark}", (decision, after, most))
    # Many times for one page: the driver's own cursor costs a tenth of SQLAlchemy's result.
    query = f"SELECT id FROM indicators WHERE decision = {mark} {further} ORDER BY id {direction} LIMIT {mark}"  # noqa: S608 our own names
    return [row[0] for row in connection.exec_driver_sql(query, values).cursor.fetchall()]
