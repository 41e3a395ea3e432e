"""The moment that everybody goes by: a server's database has the one clock that counts, whatever a node's own says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.domain.errors import Unavailable
from indicia.store.database import Database

#: A measurement that is older is made again by whoever keeps the clock; until then it goes on by itself.
MEASURED_EVERY_S: Final = 60.0
_NOTHING: Final = timedelta(0)


class _Measured(NamedTuple):
    """At *at* of `Clock.elapsed` the database's clock said *said*, give or take *give*."""

    at: float
    said: datetime
    give: timedelta


class Clock:
    """Says what the database's clock says; where that has none, as an embedded one, what this machine's says.

    Between two measurements it goes on by a clock that nobody can set: a node whose own time is an hour off, or is
    set back meanwhile, gives the same verdict at an indicator's expiry as any other.
    """

    def __init__(self, database: Database, own: Callable[[], datetime], elapsed: Callable[[], float]) -> None:
        """Nothing is read yet; *own* is this machine's clock, and *elapsed* gives seconds that nobody can set."""
        #: Seconds that go on, whatever is done to the machine's clock.
        self.elapsed = elapsed
        self._own = own
        self._database = database
        self._lock = threading.Lock()
        self._measured: _Measured | None = None
        self._shared = database.file is None and database.engine.dialect.name == "postgresql"

    def now(self) -> datetime:
        """Return the moment; raises `Unavailable` where a server's database never answered yet."""
        if not self._shared:
            return self._own()
        measured = self._measured or self.measure()
        assert measured is not None, "a server has a clock"
        return measured.said + timedelta(seconds=self.elapsed() - measured.at)

    def off_by(self) -> timedelta:
        """Return how far this machine's own clock is ahead of the one that counts."""
        return self._own() - self.now() if self._shared else _NOTHING

    def measure(self) -> _Measured | None:
        """Ask the database once more; returns None where it has no clock of its own. Raises `Unavailable`."""
        if not self._shared:
            return None
        with self._lock, self._database.snapshot() as tx:
            tx.nodes.moment()  # the connection is made, and whatever comes first with it
            began = self.elapsed()
            said = tx.nodes.moment()
            ended = self.elapsed()
            assert said is not None, "a server has a clock"
            give = timedelta(seconds=(ended - began) / 2)
            found = _Measured((began + ended) / 2, said, give)
            known = self._measured
            if known is not None:
                expected = known.said + timedelta(seconds=found.at - known.at)
                if abs(expected - said) <= known.give + give and known.give <= give:
                    return known  # what is known is better than what was just found out
            self._measured = found
            return found

    def keep(self) -> None:
        """Measure anew where that is due; a database that does not answer is no reason to stop."""
        measured = self._measured
        if self._shared and (measured is None or self.elapsed() - measured.at > MEASURED_EVERY_S):
            try:
                self.measure()
            except Unavailable:
                return
