"""An import while it is under way in this process: how far it has got, and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime

from indicia.services.import_findings import Findings
from indicia.services.import_job import Phase, Progress


class Stopped(Exception):
    """Leaves an import that somebody stopped, before anything of it is committed."""


class Run:
    """One import that is under way in this process."""

    def __init__(self, began: datetime, size: int, rows: int | None = None) -> None:
        self.stop = threading.Event()
        self.progress = Progress(Phase.WAITING, began, began, size, rows_expected=rows)
        self.future: Future[None] | None = None


class Ear(Findings):
    """Hears how far an import has got, tells it, and stops it where that is asked for."""

    def __init__(self, run: Run, phase: Phase, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._run = run
        self._clock = clock
        run.progress = run.progress._replace(phase=phase, began=clock())

    def progress(self, file: str, position: int, rows: int) -> None:
        if self._run.stop.is_set():
            raise Stopped
        super().progress(file, position, rows)
        self._run.progress = self._run.progress._replace(bytes=position, rows=rows, at=self._clock())
