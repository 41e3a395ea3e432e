"""Following what other nodes write, as soon as it is committed: so that no question has to pay for it first.

An answer is never older than its question, with or without this: each looks at the newest place of the chain itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from indicia.domain.errors import IndiciaError
from indicia.services.census import Census
from indicia.services.clock import Clock
from indicia.services.engine import Engine
from indicia.store.changesets import Tip
from indicia.store.database import Database

#: How often the chain is looked at where nothing is announced: behind a pooler, say, that lets nobody listen.
LOOK_SECONDS: Final = 1.0
#: Where one change follows another, they are followed together: each by itself would take as long as to write it.
REST_SECONDS: Final = 0.1
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_STOP_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Follower:
    """A thread that brings the engine and the census forward whenever the chain moves, whoever moved it.

    It hears of that by a connection of its own, looks for itself every second all the same, and where that connection
    breaks makes another one, after pauses that grow.
    """

    def __init__(self, database: Database, engine: Engine, census: Census, clock: Clock) -> None:
        """Nothing is read before `start`."""
        self._database = database
        self._engine = engine
        self._census = census
        self._clock = clock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._at: Tip | None = None
        #: Whether announcements are heard just now.
        self.hears = False
        #: How many announcements were heard.
        self.heard = 0

    @property
    def needed(self) -> bool:
        """Whether other machines can write: an embedded database has none."""
        return self._database.file is None and self._database.engine.dialect.name == "postgresql"

    @property
    def started(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None

    def start(self) -> None:
        """Begin to follow, where that is needed."""
        if self.needed and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="indicia-follower", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def follow(self) -> bool:
        """Bring forward what has fallen behind; return whether anything had."""
        with self._database.snapshot() as tx:
            tip = tx.changesets.tip()
            if tip == self._at:
                return False
            self._engine.within(tx)
            self._census.counts(tx, self._clock.now())
        self._at = tip
        return True

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            began = self._clock.elapsed()
            self._guarded(self._listen)
            self.hears = False
            # One that held for a while is made again at once; one that never comes about is tried ever more seldom.
            pause = _FIRST_PAUSE if self._clock.elapsed() - began > _LONGEST_PAUSE else min(pause * 2, _LONGEST_PAUSE)
            until = self._clock.elapsed() + pause
            while not self._stopping.wait(min(LOOK_SECONDS, max(0.0, until - self._clock.elapsed()))):
                self._guarded(self.follow)
                if self._clock.elapsed() >= until:
                    break

    def _listen(self) -> None:
        with self._database.listening() as connection:
            self.hears = True
            self._guarded(self.follow)  # what was written before anybody listened
            while not self._stopping.is_set():
                self.heard += connection.wait(LOOK_SECONDS)
                if self.follow():
                    self._stopping.wait(REST_SECONDS)

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except IndiciaError as error:
            _log.warning("what other nodes write is not followed just now: %s", error)
