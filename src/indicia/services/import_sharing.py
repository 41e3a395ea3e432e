"""What one process tells the others of the imports that it has under way, and what they ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from indicia.services.import_job import UNDER_WAY, Phase, Progress
from indicia.services.import_running import Run, Stopped
from indicia.services.nodes import Node
from indicia.store.database import Database, Transaction
from indicia.store.import_jobs import ImportJobRecord


class Owned(Database):
    """A database that writes only while this process has an import under way: another one may have taken it over."""

    def __init__(self, database: Database, job_id: str, owner: str) -> None:
        super().__init__(database.engine)
        self._job_id = job_id
        self._owner = owner

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction that may write; raises `Stopped` where the import is another process's by now."""
        with super().transaction() as tx:
            found = tx.import_jobs.get(self._job_id)
            if found is None or found.owner != self._owner:
                raise Stopped
            yield tx


class Sharing:
    """Keeps the other processes informed, at each beat of this one's heart; while nothing runs it costs nothing."""

    def __init__(self, database: Database, node: Node, running: Mapping[str, Run]) -> None:
        self._database = database
        self._node = node
        self._running = running
        self._told: dict[str, Progress] = {}
        node.at_each_beat.append(self.beat)

    def beat(self) -> None:
        """Tell how far each import has got that is under way here, and stop those that somebody wants stopped."""
        running = dict(self._running)
        self._told = {job_id: told for job_id, told in self._told.items() if job_id in running}
        if not running:
            return
        with self._database.snapshot() as tx:
            for job_id in tx.import_jobs.to_be_stopped(self._node.id):
                if job_id in running:
                    running[job_id].stop.set()
        news = {job_id: run.progress for job_id, run in running.items() if self._told.get(job_id) != run.progress}
        if news:
            with self._database.aside() as tx:
                for job_id, progress in news.items():
                    tx.import_jobs.tell(job_id, self._node.id, _kept(progress))
            self._told |= news

    def of_another(self, record: ImportJobRecord) -> Progress | None:
        """Return how far an import has got that another process has under way; None where none has."""
        if record.state not in UNDER_WAY or record.owner == self._node.id or not self._node.is_alive(record.owner):
            return None
        if record.progress is None:
            return Progress(Phase.WAITING, record.state_at, record.state_at, record.size)
        return _progress(record.progress)

    def ask_to_stop(self, record: ImportJobRecord, now: datetime) -> None:
        """Ask the process that has an import under way to stop it; it looks at each beat of its heart."""
        with self._database.aside() as tx:
            tx.import_jobs.ask_to_stop(record.id, now)


def _kept(progress: Progress) -> dict[str, Any]:
    times = {"began": progress.began.isoformat(), "at": progress.at.isoformat()}
    return {**progress._asdict(), **times}


def _progress(kept: Mapping[str, Any]) -> Progress:
    times = {name: datetime.fromisoformat(kept[name]) for name in ("began", "at")}
    return Progress(**{**kept, **times, "phase": Phase(kept["phase"])})
