"""The device groups that a scope may name."""

from __future__ import annotations

from datetime import datetime

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database
from indicia.store.groups import DeviceGroup

MOST_GROUPS = 2_000
NAME_CHARACTERS = 200


def list_groups(database: Database) -> list[DeviceGroup]:
    """Return every device group, the highest ranked first."""
    with database.snapshot() as tx:
        return tx.groups.all()


def scoped_to(database: Database, name: str, *, actor: Actor) -> int:
    """Return how many indicators are scoped to the device group *name*: they are in the way of removing it."""
    require(actor, Permission.TI_READ_WRITE_ALL)
    with database.snapshot() as tx:
        if all(group.name != name for group in tx.groups.all()):
            raise NotFound(f"there is no device group {name[:100]!r}")
        return tx.indicators.scoped_to(name)


def add_group(database: Database, name: str, rank: int | None, *, actor: Actor, now: datetime) -> DeviceGroup:
    """Add a device group; without a rank it is the lowest. `Conflict` where the name or the rank is taken."""
    require(actor, Permission.TI_READ_WRITE_ALL)
    name = name.strip()
    problems = []
    if not name or len(name) > NAME_CHARACTERS or not name.isprintable() or "," in name:
        message = f"a name has 1 to {NAME_CHARACTERS} characters that can be printed, and no comma"
        problems.append(Problem("invalid-name", message, "name", name[:200]))
    if rank is not None and not 1 <= rank <= 1_000_000:
        problems.append(
            Problem("invalid-rank", "a rank is a number from 1, the highest, to 1000000", "rank", str(rank))
        )
    if problems:
        raise InvalidInput(problems)
    with database.transaction() as tx:
        groups = tx.groups.all()
        if len(groups) >= MOST_GROUPS:
            raise Conflict(f"there are {MOST_GROUPS} device groups already, the most there may be")
        for group in groups:
            if group.name == name:
                raise _taken(f"there is a device group {name!r} already", "name", name)
            if group.rank == rank:
                raise _taken(f"the device group {group.name!r} has rank {rank} already", "rank", str(rank))
        made = tx.groups.add(name, rank)
        record_event(tx, Header(actor, "group.add", now), {"name": made.name, "rank": made.rank})
        return made


def remove_group(database: Database, name: str, *, actor: Actor, now: datetime) -> None:
    """Remove a device group. `Conflict` where indicators are scoped to it: they would reach other devices then."""
    require(actor, Permission.TI_READ_WRITE_ALL)
    with database.transaction() as tx:
        if all(group.name != name for group in tx.groups.all()):
            raise NotFound(f"there is no device group {name!r}")
        scoped = tx.indicators.scoped_to(name)
        if scoped:
            raise Conflict(f"{scoped} indicators are scoped to the device group {name!r}; change or delete them first")
        tx.groups.remove(name)
        record_event(tx, Header(actor, "group.remove", now), {"name": name})


def _taken(message: str, field: str, value: str) -> Conflict:
    return Conflict(message, [Problem("conflict", message, field, value)])
