"""Announcing that the chain has moved: PostgreSQL tells every process that listens, at the commit itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, func, select

from indicia.domain.errors import Unavailable

#: The channel's name; channels are the database's own, so that two installations on one server do not mix.
CHANNEL: Final = "indicia_changes"


def announce(connection: Connection, number: int) -> None:
    """Tell who listens that there is the changeset *number*, when this transaction commits and only then."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, str(number))))


class Listening:
    """A connection that hears announcements."""

    def __init__(self, driver: Any, errors: type[Exception]) -> None:
        self._driver = driver
        self._errors = errors

    def wait(self, seconds: float) -> int:
        """Wait for an announcement, at most so long; return how many came together. Raises `Unavailable`."""
        try:
            return sum(1 for _ in self._driver.notifies(timeout=seconds, stop_after=1))
        except self._errors as error:
            raise Unavailable(f"the connection that hears announcements is lost: {error}") from error


@contextmanager
def listening(connection: Connection) -> Iterator[Listening]:
    """Let *connection*, which is taken out of the pool for good, hear announcements; it is closed afterwards."""
    driver = connection.connection.driver_connection  # nobody tells any more once it is out of the pool
    connection.detach()
    connection.exec_driver_sql(f"LISTEN {CHANNEL}")
    yield Listening(driver, connection.dialect.loaded_dbapi.Error)
