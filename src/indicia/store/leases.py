"""The leases of timed work: who holds one until when, and the number by which a holder that slept is known."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from indicia.store.schema_nodes import leases


class LeaseRecord(NamedTuple):
    """Who holds a lease; ``fence`` is greater with every holder."""

    name: str
    holder: str
    fence: int
    until: datetime


class Leases:
    """Reads and writes leases."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[LeaseRecord]:
        """Return every lease that was ever taken, by name."""
        return [LeaseRecord(*row) for row in self._connection.execute(select(leases).order_by(leases.c.name))]

    def take(self, name: str, holder: str, *, now: datetime, until: datetime, dead: Collection[str] = ()) -> int | None:
        """Give the lease to *holder* and return its fence; None where somebody holds it who is not *dead*."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        free = or_(leases.c.until <= now, leases.c.holder == holder, leases.c.holder.in_(dead))
        made = insert(leases).values(name=name, holder=holder, fence=1, until=until)
        taken = made.on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={"holder": holder, "fence": leases.c.fence + 1, "until": until},
            where=free,
        )
        found: int | None = self._connection.execute(taken.returning(leases.c.fence)).scalar_one_or_none()
        return found

    def renew(self, holder: str, until: datetime) -> None:
        """Prolong what *holder* holds; what is being worked under is left alone, for nobody can take that."""
        mine = select(leases.c.name).where(leases.c.holder == holder)
        if self._connection.dialect.name == "postgresql":
            mine = mine.with_for_update(skip_locked=True)
        self._connection.execute(update(leases).where(leases.c.name.in_(mine)).values(until=until))

    def is_held(self, name: str, holder: str, fence: int) -> bool:
        """Return whether *holder* still holds that *fence*: then nobody takes it before this transaction ends.

        How late it is does not matter: while nobody else has taken it, nobody else does the work.
        """
        query = select(leases.c.fence).where(leases.c.name == name, leases.c.holder == holder)
        if self._connection.dialect.name == "postgresql":
            query = query.with_for_update()
        return self._connection.execute(query).scalar_one_or_none() == fence

    def give_back(self, holder: str, now: datetime) -> None:
        """Let others take at once what *holder* holds."""
        self._connection.execute(update(leases).where(leases.c.holder == holder).values(until=now))

    def forget(self, name: str) -> None:
        """Remove a lease; its fences begin anew."""
        self._connection.execute(delete(leases).where(leases.c.name == name))
