"""How this installation is doing: its database, its engine, and the head of its chain."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import Unavailable
from indicia.domain.sight import in_sight_of, owner_for
from indicia.services.engine import Engine
from indicia.store.changesets import ORIGIN, Tip
from indicia.store.database import NEWEST_SCHEMA, Database, shown
from indicia.store.selection import Selection

_LITTLE_ROOM: Final = 2 << 30
_HARDLY_ANY: Final = 200 << 20


class Check(NamedTuple):
    """What one look found: ``state`` is ok, warning or error."""

    name: str
    state: str
    text: str


class Health(NamedTuple):
    """What there is to know of an installation, and what was looked at."""

    database: str
    schema: str
    file_bytes: int | None
    active: int
    head: Tip
    snapshot_file: str
    snapshot_bytes: int | None
    snapshot_at: datetime | None
    in_engine: int | None
    compiled: bool
    checks: list[Check]


def active_indicators(database: Database, *, actor: Actor, now: datetime) -> int:
    """Return how many indicators are active at the moment, held ones included: what the limit is about."""
    require(actor, Permission.SYSTEM_READ)
    with database.snapshot() as tx:
        return tx.indicators.count(Selection(now, in_sight_of(actor, None), owner_for(actor)))


def health(database: Database, engine: Engine, *, actor: Actor, now: datetime) -> Health:
    """Look at everything that takes no long time; `indicia doctor` and `indicia verify` look at more."""
    require(actor, Permission.SYSTEM_READ)
    with database.snapshot() as tx:
        head = tx.changesets.tip() or ORIGIN
        active = tx.indicators.count(Selection(now, in_sight_of(actor, None), owner_for(actor)))
        newest = tx.changesets.head()
    checks = [Check("Database", "ok", "it answers, and has the tables of this version"), *_room(database)]
    if newest is not None and newest.at > now:
        checks.append(Check("Clock", "warning", "the newest change is yet to come: the clock was set back"))
    try:
        view = engine.current()
    except Unavailable as error:
        view = None
        checks.append(Check("Engine", "error", str(error)))
    else:
        checks.append(_engine(engine, follows=view is not None))
    kernel = engine.slow_because
    checks.append(
        Check("Kernel", "warning", f"answers come from plain Python, which is slower: {kernel}")
        if kernel
        else Check("Kernel", "ok", "answers come from compiled code")
    )
    at, size = _stat(engine)
    return Health(
        database=shown(database.url),
        schema=NEWEST_SCHEMA,
        file_bytes=_size(database),
        active=active,
        head=head,
        snapshot_file=str(engine.file),
        snapshot_bytes=size,
        snapshot_at=at,
        in_engine=None if view is None else len(view.matcher),
        compiled=kernel is None,
        checks=checks,
    )


def _engine(engine: Engine, *, follows: bool) -> Check:
    if engine.trouble is not None:
        return Check("Engine", "warning", engine.trouble)
    if follows:
        return Check("Engine", "ok", "it knows every change")
    return Check("Engine", "ok", "a new snapshot is being made; until then the database answers, which is slower")


def _room(database: Database) -> list[Check]:
    if database.file is None:
        return []
    try:
        free = shutil.disk_usage(database.file.parent).free
    except OSError as error:
        return [Check("Disk", "warning", f"it cannot be asked for its room: {error.strerror}")]
    text = f"{free / (1 << 30):,.1f} GiB are free"
    return [Check("Disk", "ok" if free >= _LITTLE_ROOM else "warning" if free >= _HARDLY_ANY else "error", text)]


def _size(database: Database) -> int | None:
    try:
        return None if database.file is None else database.file.stat().st_size
    except OSError:
        return None


def _stat(engine: Engine) -> tuple[datetime | None, int | None]:
    try:
        found = engine.file.stat()
    except OSError:
        return None, None
    return datetime.fromtimestamp(found.st_mtime, UTC), found.st_size
