"""Several units of work that count together: a database as seen from inside one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from indicia.store.database import Database, Transaction


class Joined(Database):
    """The database of *outer*: what begins on it becomes a part of that transaction, and is committed with it.

    A part that fails takes back what it did, and only that.
    """

    def __init__(self, outer: Transaction) -> None:
        super().__init__(outer.connection.engine)
        self._outer = outer

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a part of the outer transaction that may write."""
        with self._outer.connection.begin_nested():
            yield Transaction(self._outer.connection, writable=True)

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """Begin a part of the outer transaction that only reads; it sees what the parts before it wrote."""
        yield Transaction(self._outer.connection, writable=False)
