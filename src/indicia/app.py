"""The composition root: from settings to the parts that every door works with."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from indicia.domain.errors import InvalidInput, Problem, Unavailable
from indicia.domain.guard import Guard, parse_list
from indicia.services.census import Census
from indicia.services.engine import Engine
from indicia.services.import_jobs import ImportJobs
from indicia.services.writing import Policy
from indicia.settings import Settings, default_folder
from indicia.store.database import Database


@dataclass(frozen=True, slots=True)
class App:
    """The parts of one process; close it when done."""

    settings: Settings
    database: Database
    guard: Guard
    engine: Engine
    imports: ImportJobs
    census: Census = field(default_factory=Census)

    @classmethod
    def open(cls, settings: Settings, *, upgrade: bool = False, busy_timeout_s: float = 120.0) -> Self:
        """Open the database and read the guard's lists; with *upgrade* an old or empty database is brought up to date.

        Raises `Unavailable` where the database cannot be used, or is not of this version.
        """
        _tune_collector()
        guard = open_guard(settings)
        database = Database.open(settings.database_url, busy_timeout_s=busy_timeout_s)
        try:
            if upgrade:
                database.upgrade()
            elif not database.schema_is_current():
                raise Unavailable("the database has not the tables of this version; run `indicia db upgrade`")
        except BaseException:
            database.close()
            raise
        engine = Engine(database, _snapshot_file(settings, database))
        imports = ImportJobs(database, guard, _policy(settings), lambda: datetime.now(UTC))
        return cls(settings, database, guard, engine, imports)

    @property
    def policy(self) -> Policy:
        """What the settings say about all writes."""
        return _policy(self.settings)

    @property
    def key_file(self) -> Path:
        """Where the key that signs tokens is: beside the database, or in the user's own folder for one on a server."""
        return self.settings.key_file or _beside(self.database, ".key")

    def close(self) -> None:
        """Stop the imports that are under way, and close every connection."""
        self.imports.close()
        self.database.close()


def _policy(settings: Settings) -> Policy:
    return Policy(settings.max_active_indicators, settings.network_precedence)


def _snapshot_file(settings: Settings, database: Database) -> Path:
    return settings.snapshot_file or _beside(database, ".snapshot")


def _beside(database: Database, suffix: str) -> Path:
    file = database.file or default_folder() / "indicia"
    return file.with_suffix(suffix)


def _tune_collector() -> None:
    """Let the collector run rarely: imports make millions of objects and no cycles, and it took a third of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def open_guard(settings: Settings) -> Guard:
    """Return the guard with the user's own list; raises `InvalidInput` naming every bad line of it."""
    own = [name.strip() for name in settings.own_names.split(",") if name.strip()]
    if settings.guard_file is None:
        return Guard.default(own_names=own)
    try:
        text = settings.guard_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput([Problem("unreadable-guard-file", f"{settings.guard_file}: {error}")]) from None
    found = parse_list(text.splitlines())
    faults = [problem.at(file=str(settings.guard_file)) for problem in found.problems if not problem.warning]
    if faults:
        raise InvalidInput(faults)
    return Guard.default(found.entries, own)
