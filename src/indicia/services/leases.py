"""Leases: of all processes that serve one database, one at a time does a piece of timed work.

A lease has a fence: a number that grows with every holder. What is written under a lease is written through a
`Fenced` database, which looks at the fence in the very transaction of the work. So a process that was stopped for
longer than its lease, and wakes up when another one has long taken over, can write nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from indicia.domain.errors import Unavailable
from indicia.services.clock import Clock
from indicia.services.nodes import Node
from indicia.store.database import Database, Transaction


class Lease(NamedTuple):
    """A piece of timed work that this process does until it is told otherwise."""

    name: str
    holder: str
    fence: int


class Fenced(Database):
    """A database that writes only while a lease is held; what is read of it is read as ever."""

    def __init__(self, database: Database, lease: Lease) -> None:
        super().__init__(database.engine)
        self._lease = lease

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction that may write; raises `Unavailable` where the lease is somebody else's by now."""
        with super().transaction() as tx:
            check(tx, self._lease)
            yield tx

    @contextmanager
    def attempt(self) -> Iterator[Transaction]:
        """Begin a transaction that waits for no other writer; raises `Unavailable` as `transaction` does."""
        with super().attempt() as tx:
            check(tx, self._lease)
            yield tx


def check(tx: Transaction, lease: Lease) -> None:
    """Raise `Unavailable` unless *lease* is held: then nobody takes it before *tx* has ended."""
    if not tx.leases.is_held(lease.name, lease.holder, lease.fence):
        raise Unavailable(f"another process has taken over the work {lease.name!r}: nothing was changed")


class Leases:
    """The leases of this process; they are prolonged as long as it lives, and are free at once when it ends."""

    def __init__(self, database: Database, node: Node, clock: Clock) -> None:
        self._database = database
        self._node = node
        self._clock = clock
        self._held: dict[str, Lease] = {}

    def hold(self, name: str) -> Lease | None:
        """Return the lease of that name, taken where it is free; None where another process does this work."""
        self._node.show()
        lease = self._held.get(name)
        now = self._clock.now()
        with self._database.snapshot() as tx:
            found = next((each for each in tx.leases.all() if each.name == name), None)
        if found is not None and lease is not None and (found.holder, found.fence) == (lease.holder, lease.fence):
            return lease  # late or not: it is ours while nobody has taken it
        self._held.pop(name, None)
        dead = []
        if found is not None and found.until > now and found.holder != self._node.id:
            if self._node.is_alive(found.holder):
                return None
            dead = [found.holder]
        try:
            with self._database.aside() as tx:
                now = tx.nodes.moment() or now
                fence = tx.leases.take(name, self._node.id, now=now, until=now + self._node.lease_time, dead=dead)
        except Unavailable:
            return None  # somebody writes, or is about to take it: there is a next time
        if fence is None:
            return None
        taken = self._held[name] = Lease(name, self._node.id, fence)
        return taken

    def holder(self, name: str) -> str | None:
        """Return the number of the process that does this work, None where nobody does."""
        with self._database.snapshot() as tx:
            return next((each.holder for each in tx.leases.all() if each.name == name), None)
