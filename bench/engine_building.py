"""A snapshot from the store: of a million indicators that were imported, and of as many as asked for."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench import child, made_up, made_up_indicators
from bench.engine import ADDRESS, MD5, NAME, SHA1, SHA256, URL, Setup, kernel, say, short
from bench.report import seconds, spread, timed

IMPORTED = 1_000_000
#: Seconds for so many indicators.
LIMITS = {1_000_000: 3.0, 10_000_000: 40.0}
_TYPES = {
    SHA256: "FileSha256",
    SHA1: "FileSha1",
    MD5: "FileMd5",
    ADDRESS: "IpAddress",
    NAME: "DomainName",
    URL: "Url",
}
_INSERT = (
    "INSERT INTO indicators (id, subject, digest, action, decision, canonical, value, title, description, expires_at, "
    "external_id, created, began) VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, NULL, 1, 1)"
)
_COPY = (
    "INSERT INTO decisions SELECT (SELECT max(id) + 1 FROM decisions), randomblob(32), ?, action, severity, category, "
    "status, generate_alert, recommended_actions, mitre_techniques, rbac_group_names, application, extras "
    "FROM decisions WHERE type = ? LIMIT 1"
)


def measure(setup: Setup) -> list[str]:
    """Measure a store that was imported into, and a bigger one that was filled by plain SQL."""
    lines = [
        "### A snapshot from the store (SQLite, page cache warm), s",
        "",
        "| indicators | store filled by | reading the rows alone | the whole, to a synced file | at most | met | MB |",
        "|---|---|---|---|---|---|---|",
    ]
    if kernel() is None:
        return ["### A snapshot from the store", "", "Not measured: the kernel was not built."]
    for size in sorted({min(IMPORTED, setup.rows), setup.rows}):
        database = setup.folder / f"store-{size}.db"
        how = "import" if size <= IMPORTED else "plain SQL"
        spent, _ = timed(_import if how == "import" else _fill, database, size)
        say(f"  {short(size)} filled by {how} in {spent:.0f} s")
        lines.append(_row(database, how, setup))
        for each in setup.folder.glob(f"{database.name}*"):
            each.unlink()
    return [*lines, ""]


def _row(database: Path, how: str, setup: Setup) -> str:
    """Return a line of the table for one store."""
    from indicia.services.engine import write_snapshot
    from indicia.store.database import Database

    store, target = Database.open(f"sqlite:///{database}"), setup.folder / "built.snapshot"

    def read() -> None:
        with store.snapshot() as tx:
            for _ in tx.entries.all():
                pass

    read()
    reading = [seconds(read) for _ in range(setup.runs)]
    found: list[Any] = []
    whole = [seconds(lambda: found.append(write_snapshot(store, target))) for _ in range(setup.runs)]
    store.close()
    count = len(found[-1])
    limit = LIMITS.get(round(count, -5))
    middle = sorted(whole)[len(whole) // 2]
    met = "" if limit is None else "yes" if middle <= limit else "**no**"
    say(f"  {short(count)}: {spread(whole, digits=2)} s")
    cells = (f"{count:,}", how, spread(reading, digits=2), spread(whole, digits=2), limit or "", met)
    return "| " + " | ".join(map(str, (*cells, f"{target.stat().st_size / 1e6:,.0f}"))) + " |"


def _import(database: Path, size: int) -> None:
    """Import a made-up file the way that anybody does."""
    source = database.with_suffix(".csv")
    made_up.write(source, size, bad_every=0)
    child.ours(str(source), str(database))
    source.unlink()


def _fill(database: Path, size: int) -> None:
    """Put *size* indicators of all types into the tables, by the decisions of a small import."""
    _import(database, 2000)
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(_COPY, (MD5, SHA1))
    decisions = dict(connection.execute("SELECT type, min(id) FROM decisions GROUP BY type"))
    actions = dict(connection.execute("SELECT id, action FROM decisions"))
    first = connection.execute("SELECT max(id) + 1 FROM indicators").fetchone()[0]
    connection.execute("BEGIN")
    connection.executemany(_INSERT, _rows(size - first + 1, decisions, actions, first))
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _rows(size: int, decisions: dict[int, int], actions: dict[int, int], first: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows in the order of their subjects, so that the index of SQLite only grows at its end."""
    values: list[str] = []
    kinds = np.empty(size, np.uint8)
    for kind, each in made_up_indicators.make(size).by_type().items():
        kinds[len(values) : len(values) + len(each)] = kind
        values += each
    subjects = bytearray()
    for kind, value in zip(kinds.tolist(), values, strict=False):
        subjects += hashlib.sha256(f"{_TYPES[kind]}\0{value}".encode()).digest()
    order = np.argsort(np.frombuffer(subjects, ">u8")[::4])
    for number, place in enumerate(order.tolist(), first):
        decision = decisions[int(kinds[place])]
        subject = bytes(subjects[32 * place : 32 * place + 32])
        expires = 4_070_908_800_000_000 + number if number % 2 else None
        yield (
            number,
            subject,
            subject[::-1],
            actions[decision],
            decision,
            values[place],
            f"Campaign {number % 500} activity",
            f"Seen in case {number}, part of campaign {number % 500}",
            expires,
        )
