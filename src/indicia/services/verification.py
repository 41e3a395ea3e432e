"""Verifying the whole history while somebody waits, or does something else: one run at a time, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import IndiciaError
from indicia.services.changesets import verify_chain, work_of
from indicia.store.database import Database

#: Faults that are kept to be shown; an altered table may have a million.
MOST_FAULTS: Final = 100


@dataclass(frozen=True, slots=True)
class Verified:
    """How the last run ended: ``head`` is the hash to write down, and ``trouble`` why there is no result."""

    at: datetime
    by: str
    changeset: int | None = None
    head: str | None = None
    faults: tuple[str, ...] = ()
    faults_total: int = 0
    given: str | None = None
    trouble: str | None = None

    @property
    def intact(self) -> bool:
        """Whether all is as it was written."""
        return self.trouble is None and not self.faults_total


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run is doing: ``done`` of ``work`` rows. ``since`` is None where none is under way."""

    since: datetime | None = None
    last: Verified | None = None
    done: int = 0
    work: int = 0

    @property
    def percent(self) -> int:
        """How much of the rows was read; never all of them before the end."""
        return min(99, 100 * self.done // self.work) if self.work else 0

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self.since is not None


class Verification:
    """Runs `verify_chain` in a thread of its own, and remembers how it ended for as long as the process lives."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._progress = Progress()
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> Progress:
        """What is under way, and what was found last."""
        return self._progress

    def start(self, *, actor: Actor, head: str | None = None) -> bool:
        """Begin a run, where none is under way; return whether one was begun.

        *head* is a hash that was written down earlier: it has to be part of the chain.
        """
        require(actor, Permission.TI_READ_WRITE_ALL)
        with self._lock:
            if self._progress.running:
                return False
            self._progress = replace(self._progress, since=self._clock())
        self._thread = threading.Thread(target=self._run, args=(actor.name, head), name="indicia-verify", daemon=True)
        self._thread.start()
        return True

    def wait(self, seconds: float) -> Progress:
        """Wait until the run under way has ended, or for *seconds*: most histories are short."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return self._progress

    def _work(self) -> int:
        try:
            return work_of(self._database)
        except IndiciaError:  # counts that were altered: verifying goes on without knowing how long
            return 0

    def _advance(self, rows: int) -> None:
        self._progress = replace(self._progress, done=self._progress.done + rows)

    def _run(self, by: str, head: str | None) -> None:
        found = Verified(self._clock(), by, given=head, trouble="it ended before it was done; the log says why")
        try:
            self._progress = replace(self._progress, done=0, work=self._work())
            newest, faults = verify_chain(self._database, head=head, hear=self._advance)
            found = Verified(
                self._clock(),
                by,
                newest.id if newest is not None else None,
                newest.hash.hex() if newest is not None else None,
                tuple(faults[:MOST_FAULTS]),
                len(faults),
                head,
            )
        except IndiciaError as error:
            found = Verified(self._clock(), by, given=head, trouble=str(error))
        finally:
            # Whatever happened, the next run can begin.
            with self._lock:
                self._progress = Progress(None, found)
