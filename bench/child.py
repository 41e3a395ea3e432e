"""One measured piece of work in a process of its own, so that its time and its memory are its own."""

from __future__ import annotations

import csv
import json
import resource
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ACTOR = "bench"


def bare(source: str, database: str) -> dict[str, Any]:
    """Load the file as somebody would who checks nothing: csv.reader to executemany, one unique index."""
    connection = sqlite3.connect(database)
    columns = ",".join(f"c{number}" for number in range(12))
    connection.execute(f"CREATE TABLE t ({columns})")
    connection.execute("CREATE UNIQUE INDEX u ON t (c0, c1, c3)")
    with Path(source).open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        connection.executemany(f"INSERT OR IGNORE INTO t VALUES ({','.join('?' * 12)})", reader)
    connection.commit()
    count = connection.execute("SELECT count(*) FROM t").fetchone()[0]
    connection.close()
    return {"rows": count}


def ours(source: str, database: str) -> dict[str, Any]:
    """Import the file with everything that an import does."""
    from indicia.app import App
    from indicia.domain.access import Actor, Role, Source
    from indicia.services import imports
    from indicia.settings import Settings

    app = App.open(Settings.from_environment(url_of(database)), upgrade=True)
    actor = Actor(ACTOR, ACTOR, Source.CLI, Role.ADMINISTRATOR.permissions)
    with Path(source).open("rb") as file:
        report = imports.import_indicators(
            app.database,
            [imports.Source("bench.csv", file)],
            imports.Options(skip_bad_rows=True, apart=True),
            actor=actor,
            now=datetime.now(UTC),
            guard=app.guard,
        )
    counts = report.counts()
    app.close()
    return {name: counts[name] for name in ("created", "updated", "unchanged", "refused", "held", "changeset")}


def undo(changeset: str, database: str) -> dict[str, Any]:
    """Take an import back."""
    from indicia.app import App
    from indicia.domain.access import Actor, Role, Source
    from indicia.services import changesets
    from indicia.settings import Settings

    app = App.open(Settings.from_environment(url_of(database)))
    actor = Actor(ACTOR, ACTOR, Source.CLI, Role.ADMINISTRATOR.permissions)
    undone = changesets.undo(app.database, int(changeset), actor=actor, now=datetime.now(UTC))
    app.close()
    return {"deleted": undone.deleted}


def verify(_nothing: str, database: str) -> dict[str, Any]:
    """Prove the chain."""
    from indicia.app import App
    from indicia.services import changesets
    from indicia.settings import Settings

    app = App.open(Settings.from_environment(url_of(database)))
    _head, faults = changesets.verify_chain(app.database)
    app.close()
    return {"faults": len(faults)}


def bare_copy(source: str, url: str) -> dict[str, Any]:
    """Load rows that COPY wrote into the table ``bare``, with nothing in between."""
    import psycopg

    with psycopg.connect(url) as connection, connection.cursor() as cursor, Path(source).open("rb") as file:
        with cursor.copy("COPY bare FROM STDIN") as copy:
            while piece := file.read(1 << 20):
                copy.write(piece)
        return {"rows": cursor.rowcount}


def lookups(seconds: str, database: str) -> dict[str, Any]:
    """Look values up by the store for so many seconds, one after the other."""
    from indicia.app import App
    from indicia.domain.access import Actor, Role, Source
    from indicia.domain.query_text import parse_filter
    from indicia.services.indicators import Wanted, list_indicators
    from indicia.settings import Settings

    app = App.open(Settings.from_environment(url_of(database)))
    actor = Actor(ACTOR, ACTOR, Source.CLI, Role.ADMINISTRATOR.permissions)
    now = datetime.now(UTC)
    asked = 0
    began = time.perf_counter()
    while (spent := time.perf_counter() - began) < float(seconds):
        wanted = Wanted(parse_filter(f"indicatorValue eq 'www{asked % 5_000}.example.org'"))
        list_indicators(app.database, wanted, actor=actor, now=now, limit=10)
        asked += 1
    app.close()
    return {"rate": asked / spent}


def url_of(database: str) -> str:
    """Return the URL of a database that a file or a URL names."""
    return database if "://" in database else f"sqlite:///{database}"


WORK = {
    "bare": bare,
    "ours": ours,
    "undo": undo,
    "verify": verify,
    "bare_copy": bare_copy,
    "lookups": lookups,
}

if __name__ == "__main__":
    name, argument, database = sys.argv[1:4]
    began = time.perf_counter()
    result = WORK[name](argument, database)
    result["seconds"] = time.perf_counter() - began
    # Of a process that it started, too; what both share counts twice.
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result["peak_mb"] = sum(each.ru_maxrss for each in used) / 1024
    result["cpu_seconds"] = sum(each.ru_utime + each.ru_stime for each in used)
    print(json.dumps(result))
