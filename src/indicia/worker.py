"""Timed work beside the server: a thread that removes what has expired, and makes snapshots anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from structlog.typing import FilteringBoundLogger

from indicia.app import App
from indicia.services import expiry

STOP_SECONDS: Final = 30.0

#: What one job does at a moment; it returns whether there may be more to do at once.
Job = Callable[[App, datetime], bool]


def sweep(app: App, now: datetime) -> bool:
    """Remove some of what has expired; return whether anything was left to remove (SPEC 9.19)."""
    return expiry.remove_expired(app.database, now=now) > 0


def publish(app: App, _now: datetime) -> bool:
    """Make a new snapshot where the one that there is has fallen too far behind; requests are answered meanwhile."""
    app.engine.tend()
    return False


JOBS: Final[Mapping[str, Job]] = {"expiry": sweep, "snapshot": publish}


class Worker:
    """Runs every job again and again while it is entered; leaving it waits for the job under way, and no longer."""

    def __init__(self, app: App, log: FilteringBoundLogger, jobs: Mapping[str, Job] = JOBS) -> None:
        self._app = app
        self._log = log
        self._jobs = jobs
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="indicia-worker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._app.settings.sweep_seconds):
            for name, job in self._jobs.items():
                self._guarded(name, job)

    def _guarded(self, name: str, job: Job) -> None:
        """Do *job* until nothing is left; a fault in it is logged, and stops neither other jobs nor its next run."""
        try:
            while not self._stopping.is_set() and job(self._app, datetime.now(UTC)):
                pass
        except Exception as error:
            self._log.error("worker.job_failed", job=name, error=str(error), exc_info=error)
