"""Removing what has expired (SPEC 9.19); until then it is inert all the same."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from indicia.domain.access import system_actor
from indicia.services.writing import Writing
from indicia.store.changesets import Header
from indicia.store.database import Database

# Small enough that writers who wait behind a sweep wait for well under a second.
SWEEP_ROWS: Final = 5_000


def remove_expired(database: Database, *, now: datetime, most: int = SWEEP_ROWS) -> int:
    """Remove up to *most* indicators that have expired at *now*; return how many.

    They end with a changeset of the actor ``expiry``, so that history shows it.
    """
    with database.snapshot() as tx:
        if not tx.indicators.expired(now, 1):
            return 0
    with database.transaction() as tx:
        actor = system_actor("expiry")
        ids = tx.indicators.expired(now, most)
        writing = Writing(tx, actor, now)
        writing.remove(ids)
        writing.finish(Header(actor, "expiry", now))
    return len(ids)
