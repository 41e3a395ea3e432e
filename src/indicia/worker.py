"""Timed work beside the server: a thread that removes what has expired, and makes snapshots anew.

Several processes may serve one database: what changes it is done by one of them at a time, which holds the lease of
that work, and what each needs for itself by each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from structlog.typing import FilteringBoundLogger

from indicia.app import App
from indicia.domain.errors import Unavailable
from indicia.services import deciding, expiry
from indicia.services.leases import Fenced

STOP_SECONDS: Final = 30.0

#: What one job does at a moment; it returns whether there may be more to do at once.
Job = Callable[[App, datetime], bool]


def sweep(app: App, now: datetime) -> bool:
    """Remove some of what has expired; return whether anything was left to remove (SPEC 9.19)."""
    return expiry.remove_expired(app.database, now=now) > 0


def close_proposals(app: App, now: datetime) -> bool:
    """Close some of the proposals for which nobody had time; return whether there may be more."""
    return deciding.expire(app.database, now=now) > 0


def publish(app: App, _now: datetime) -> bool:
    """Make a new snapshot where the one that there is has fallen too far behind; requests are answered meanwhile."""
    app.engine.tend()
    return False


def sign(app: App, now: datetime) -> bool:
    """Sign where the chain of changesets is, where it is time, and send that to where it is kept."""
    app.checkpoints.make(app.database, now)
    app.checkpoints.post(app.database, now)
    return False


def keep_checkpoints(app: App, _now: datetime) -> bool:
    """Append new checkpoints to this node's file."""
    app.checkpoints.append(app.database)
    return False


#: What one node does for all: it is given a database that writes only while this node holds the lease of that name.
JOBS: Final[Mapping[str, Job]] = {"expiry": sweep, "proposals": close_proposals, "checkpoint": sign}
#: What every node does for itself.
OWN_JOBS: Final[Mapping[str, Job]] = {"snapshot": publish, "checkpoint-file": keep_checkpoints}


class Worker:
    """Runs every job again and again while it is entered; leaving it waits for the job under way, and no longer."""

    def __init__(
        self,
        app: App,
        log: FilteringBoundLogger,
        jobs: Mapping[str, Job] = JOBS,
        own_jobs: Mapping[str, Job] = OWN_JOBS,
    ) -> None:
        self._app = app
        self._log = log
        self._jobs = jobs
        self._own_jobs = own_jobs
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="indicia-worker", daemon=True)

    def __enter__(self) -> Self:
        self._app.node.show()
        self._app.follower.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._app.follower.stop()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._app.settings.sweep_seconds):
            for name, job in self._own_jobs.items():
                self._guarded(name, lambda job=job: self._done(job, self._app))  # type: ignore[misc] # it is bound
            for name, job in self._jobs.items():
                self._guarded(name, lambda name=name, job=job: self._leased(name, job))  # type: ignore[misc] # as above

    def _leased(self, name: str, job: Job) -> None:
        """Do *job* where this node holds its lease; what it writes counts only as long as that is so."""
        lease = self._app.leases.hold(name)
        if lease is not None:
            self._done(job, replace(self._app, database=Fenced(self._app.database, lease)))

    def _done(self, job: Job, app: App) -> None:
        while not self._stopping.is_set() and job(app, app.now()):
            pass

    def _guarded(self, name: str, work: Callable[[], None]) -> None:
        """Do *work*; a fault in it is logged, and stops neither other jobs nor its next run."""
        try:
            work()
        except Unavailable as error:
            self._log.warning("worker.job_put_off", job=name, why=str(error))
        except Exception as error:
            self._log.error("worker.job_failed", job=name, error=str(error), exc_info=error)
