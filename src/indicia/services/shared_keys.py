"""Keys that all nodes of a server's database sign with: they are kept in the database, for nodes share nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from indicia.store.database import Database


def shared_key(database: Database, name: str, make: Callable[[], bytes], *, now: datetime) -> bytes:
    """Return the key *name*, which is made where there is none; nodes that start at once end up with one."""
    with database.snapshot() as tx:
        found = tx.nodes.secret_key(name)
    if found is not None:
        return found
    made = make()
    with database.aside() as tx:
        return tx.nodes.keep_secret_key(name, made, now)
