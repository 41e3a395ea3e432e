"""The composition root: from settings to the parts that every door works with."""

from __future__ import annotations

import gc
import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from indicia.domain.approval import Rule
from indicia.domain.errors import InvalidInput, Problem, Unavailable
from indicia.domain.guard import Guard, parse_list
from indicia.services.announcing import Follower
from indicia.services.auditing import Audit
from indicia.services.census import Census
from indicia.services.checkpoints import Checkpoints, Shipping
from indicia.services.clock import Clock
from indicia.services.engine import Engine
from indicia.services.import_jobs import ImportJobs
from indicia.services.leases import Leases
from indicia.services.nodes import Node
from indicia.services.policy import Policy
from indicia.services.regrouping import Grouping
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
    audit: Audit
    checkpoints: Checkpoints
    clock: Clock
    node: Node
    leases: Leases
    follower: Follower
    census: Census
    grouping: Grouping = field(default_factory=Grouping)

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
        clock, census = Clock(database, _own_clock, _elapsed), Census()
        node = Node(database, clock)
        imports = ImportJobs(database, guard, _policy(settings), clock.now, node)
        return cls(
            settings,
            database,
            guard,
            engine,
            imports,
            Audit(database),
            Checkpoints(_shipping(settings, database)),
            clock,
            node,
            Leases(database, node, clock),
            Follower(database, engine, census, clock),
            census,
        )

    def now(self) -> datetime:
        """Return the moment: by the database's clock where it is a server's, so that all nodes go by one."""
        return self.clock.now()

    @property
    def policy(self) -> Policy:
        """What the settings say about all writes."""
        return _policy(self.settings)

    @property
    def drain_seconds(self) -> float:
        """For how long a node that is told to stop says so before it does; one that is alone has nobody to tell."""
        if self.settings.drain_seconds is not None:
            return self.settings.drain_seconds
        return 3.0 if self.database.file is None else 0.0

    @property
    def nodes_share_key(self) -> bool:
        """Whether the key that signs tokens is in the database: a server's, and no file was named that all have."""
        return self.settings.key_file is None and self.database.file is None

    @property
    def key_file(self) -> Path:
        """Where the key that signs tokens is: beside the database, or in the user's own folder for one on a server."""
        return key_files(self.settings, self.database)["tokens"]

    def close(self) -> None:
        """Stop the imports that are under way, write what was noted for the audit, and close every connection."""
        self.imports.close()
        try:
            self.audit.close()
        finally:
            self.node.close()
            self.database.close()


def _policy(settings: Settings) -> Policy:
    rule = Rule(settings.two_person_release, settings.two_person_allow, settings.two_person_rows)
    lasting = timedelta(hours=settings.proposal_hours)
    return Policy(settings.max_active_indicators, settings.network_precedence, rule, lasting)


def _shipping(settings: Settings, database: Database) -> Shipping:
    return Shipping(
        settings.audit_key_file or _beside(database, ".audit.key"),
        settings.checkpoint_entries,
        settings.checkpoint_seconds,
        settings.checkpoint_file,
        settings.checkpoint_url or None,
    )


def _snapshot_file(settings: Settings, database: Database) -> Path:
    if settings.snapshot_file is not None or database.file is not None:
        return settings.snapshot_file or _beside(database, ".snapshot")
    # Two servers' databases that are used from here shall not take each other's snapshot for their own.
    place = hashlib.sha256(database.url.set(password=None).render_as_string().encode()).hexdigest()[:16]
    return default_folder() / f"indicia-{place}.snapshot"


def key_files(settings: Settings, database: Database) -> dict[str, Path]:
    """Return where each file with a key is, whether or not it is there: what a backup may take along."""
    return {
        "tokens": settings.key_file or _beside(database, ".key"),
        "audit": settings.audit_key_file or _beside(database, ".audit.key"),
    }


def _beside(database: Database, suffix: str) -> Path:
    file = database.file or default_folder() / "indicia"
    return file.with_suffix(suffix)


def _own_clock() -> datetime:
    return datetime.now(UTC)


def _elapsed() -> float:
    """Return seconds that go on while the machine sleeps, where the system tells; nobody can set them."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


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
