"""Imports in the background: a file is kept, planned, looked at, mended, and applied as it was shown."""

from __future__ import annotations

import logging
import secrets
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final

from indicia.domain.access import Actor, Permission, require_unlimited
from indicia.domain.circumstances import Circumstances
from indicia.domain.draft import COLUMN_NAMES
from indicia.domain.errors import Conflict, IndiciaError, InvalidInput, NotFound, Problem, Unavailable
from indicia.domain.guard import Guard
from indicia.domain.rules import Strictness
from indicia.services import planned_imports
from indicia.services.drafting import nameable
from indicia.services.import_correcting import Correction, write_corrected
from indicia.services.import_detecting import HEAD_BYTES, detect
from indicia.services.import_findings import Findings
from indicia.services.import_job import UNDER_WAY, Job, Phase, Progress, State, Wish, idle, job_of
from indicia.services.import_report import ImportReport
from indicia.services.import_running import Ear, Run, Stopped
from indicia.services.import_sharing import Owned, Sharing
from indicia.services.nodes import Node
from indicia.services.planned_imports import Decided
from indicia.services.policy import Policy
from indicia.store.database import Database
from indicia.store.import_jobs import ImportJobRecord
from indicia.store.joined import Joined

#: How many imports of one process are worked on at once; writers of one database queue anyway.
THREADS: Final = 2
#: More that wait are refused.
MOST_WAITING: Final = 100
JOBS_ARE_KEPT: Final = timedelta(days=30)
_NAME_CHARACTERS: Final = 200

_UNFORESEEN: Final = "something went wrong that nobody foresaw; nothing was changed, and the server's log says more"

_log = logging.getLogger(__name__)


class ImportJobs:
    """The imports of one process. Each change of state is committed; what is only progress is held in memory.

    What another process has under way is shown with what that said last, and can be stopped. Where that process is no
    more it is shown as interrupted: nothing was written, for an import is one transaction, and it can be begun again.
    """

    def __init__(
        self, database: Database, guard: Guard, policy: Policy, clock: Callable[[], datetime], node: Node
    ) -> None:
        self._database = database
        self._guard = guard
        self._policy = policy
        self._clock = clock
        self._node = node
        self._owner = node.id
        self._lock = threading.Lock()
        self._running: dict[str, Run] = {}
        self._sharing = Sharing(database, node, self._running)
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    # -- looking --------------------------------------------------------------------------------------------------

    def get(self, job_id: str, *, actor: Actor) -> Job:
        """Return one import; `NotFound` where there is none (any more), or it is not for this actor to see."""
        require_unlimited(actor, Permission.INDICATORS_READ)
        progress = self.progress_of(job_id)  # looked at first: what ends meanwhile has its end in the database
        with self._database.snapshot() as tx:
            record = tx.import_jobs.get(job_id)
            kept = record is not None and tx.imports.has_body(job_id)
        if record is None or not (actor.sees_all or record.actor == actor.id):
            raise NotFound(f"there is no import {job_id[:100]}; they are kept for {JOBS_ARE_KEPT.days} days")
        return self._shown(record, progress, kept=kept)

    def newest(self, *, actor: Actor, limit: int = 50) -> list[Job]:
        """Return the newest imports, the newest first; to whoever is limited to device groups only its own."""
        require_unlimited(actor, Permission.INDICATORS_READ)
        running = {job_id: run.progress for job_id, run in list(self._running.items())}
        with self._database.snapshot() as tx:
            records = tx.import_jobs.newest(limit)
        own = [record for record in records if actor.sees_all or record.actor == actor.id]
        return [self._shown(record, running.get(record.id), kept=False) for record in own]

    def progress_of(self, job_id: str) -> Progress | None:
        """Return how far an import has got that is under way here, None for any other; reads nothing."""
        run = self._running.get(job_id)
        return run.progress if run is not None else None

    def wait(self, job_id: str, seconds: float) -> bool:
        """Wait until an import is not under way any more, at most so long; return whether it is not."""
        run = self._running.get(job_id)
        if run is not None and run.future is not None:
            wait([run.future], timeout=seconds)
        return job_id not in self._running

    def _shown(self, record: ImportJobRecord, progress: Progress | None, *, kept: bool) -> Job:
        progress = progress if record.owner == self._owner else self._sharing.of_another(record)
        left = record.state in UNDER_WAY and progress is None
        return job_of(record, progress, interrupted=left, kept=kept)

    @staticmethod
    def require_may_begin(actor: Actor) -> None:
        """Raise `Forbidden` where *actor* may begin no import: asked before a file of any length is read."""
        require_unlimited(actor, Permission.INDICATORS_WRITE)

    # -- asking for work ------------------------------------------------------------------------------------------

    def start(self, name: str, stream: BinaryIO, wish: Wish, *, actor: Actor) -> Job:
        """Keep the file that *stream* is, which can be read twice, and plan its import; nothing is changed by that."""
        require_unlimited(actor, Permission.INDICATORS_WRITE)
        self._check_room()
        now = self._clock()
        size = stream.seek(0, 2)
        stream.seek(0)
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        if not size:
            message = f"the file {name[:_NAME_CHARACTERS]} is empty; choose one that holds indicators"
            raise InvalidInput([Problem("empty-file", message, "file")])
        job_id = secrets.token_hex(8)
        wish = wish.for_file(detect(head))
        planned_imports.keep_body(self._database, stream, import_id=job_id, actor=actor, now=now)
        record = ImportJobRecord(
            job_id,
            actor.id,
            actor.name,
            now,
            name[:_NAME_CHARACTERS],
            size,
            State.PLANNING,
            now,
            self._owner,
            wish.as_dict(),
            {},
            None,
        )
        with self._database.transaction() as tx:
            tx.import_jobs.forget_before(now - JOBS_ARE_KEPT)
            tx.import_jobs.add(record)
        self._submit(record, lambda run: self._plan(record.id, record.name, wish, run, actor))
        return self.get(record.id, actor=actor)

    def plan_again(
        self, job_id: str, *, actor: Actor, wish: Wish | None = None, correction: Correction | None = None
    ) -> Job:
        """Plan a kept file once more: with other options, or after a correction in it."""
        require_unlimited(actor, Permission.INDICATORS_WRITE)
        job = self.get(job_id, actor=actor)
        self._check_free(job)
        if not job.kept:
            raise Conflict("the file is not kept any more: files are kept for a day; choose it again")
        self._check_room()
        with planned_imports.body_of(self._database, job_id) as body:
            wish = (wish or job.wish).for_file(detect(body.read(HEAD_BYTES)))
        moved = self._begun(State.PLANNING, wish)
        with self._database.transaction() as tx:
            if not tx.import_jobs.move(job_id, among=idle(job), held_by=job.record.owner, **moved):
                raise Conflict("this import is done already, or somebody else began something with it")
        record = job.record._replace(**moved)
        self._submit(record, lambda run: self._plan(job_id, job.name, wish, run, actor, correction))
        return self.get(record.id, actor=actor)

    def apply(self, job_id: str, *, plan: str, skip_bad_rows: bool, reason: str | None, actor: Actor) -> Job:
        """Apply what was shown: *plan* is the digest of it, and where there is another plan by now it is `Conflict`."""
        require_unlimited(actor, Permission.INDICATORS_WRITE)
        job = self.get(job_id, actor=actor)
        self._check_free(job)
        if job.state is not State.PLANNED or job.plan != plan:
            raise Conflict("this is not the plan that you saw any more: look at it again, then import")
        if job.counts["refused"] and not skip_bad_rows:
            message = "rows are refused: correct them, or import the good rows only"
            raise InvalidInput([Problem("refused-rows", message, "on_error")])
        self._check_room()
        wish = job.wish._replace(skip_bad_rows=skip_bad_rows, reason=reason)
        moved = self._begun(State.APPLYING, wish)
        with self._database.transaction() as tx:
            if not tx.import_jobs.move(job_id, among=[State.PLANNED], **moved):
                raise Conflict("somebody else began something with this import; look at it again")
        record = job.record._replace(**moved)
        self._submit(record, lambda run: self._apply(record, wish, run, actor))
        return self.get(record.id, actor=actor)

    def stop(self, job_id: str, *, actor: Actor) -> Job:
        """Stop an import that is under way, or give up one that waits to be applied; nothing of it is written."""
        require_unlimited(actor, Permission.INDICATORS_WRITE)
        job = self.get(job_id, actor=actor)
        run = self._running.get(job_id)
        if run is not None:
            run.stop.set()
            return job
        if job.under_way:
            self._sharing.ask_to_stop(job.record, self._clock())
            return job
        values: dict[str, Any] = {"state": State.CANCELLED, "state_at": self._clock(), "owner": None}
        with self._database.transaction() as tx:
            if not tx.import_jobs.move(job_id, among=idle(job), held_by=job.record.owner, **values):
                raise Conflict("this import is done already; undo it where that is wanted")
        return self.get(job_id, actor=actor)

    def close(self) -> None:
        """Stop what is under way and wait for it; what is not done by then is shown as interrupted next time."""
        with self._lock:
            self._closed = True
            running = list(self._running.values())
            pool = self._pool
        for run in running:
            run.stop.set()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _begun(self, state: State, wish: Wish) -> dict[str, Any]:
        """Return what is kept of a job that this process begins to work on."""
        mine = {"state": state, "state_at": self._clock(), "owner": self._owner, "options": wish.as_dict()}
        return {**mine, "progress": None, "stop_asked_at": None}

    def _check_free(self, job: Job) -> None:
        if job.id in self._running or job.under_way:
            raise Conflict("this import is under way; wait until it is done, or stop it")
        if job.state is State.APPLIED:
            raise Conflict("this import is done already; undo it where that is wanted")

    def _check_room(self) -> None:
        self._node.show()
        if len(self._running) >= MOST_WAITING:
            raise Unavailable(f"{MOST_WAITING} imports are waiting already; try again when some are done")

    # -- the work, in threads of the pool -------------------------------------------------------------------------

    def _submit(self, record: ImportJobRecord, work: Callable[[Run], None]) -> None:
        rows = record.summary.get("rows")
        with self._lock:
            if self._closed:
                raise Unavailable("the server is stopping; try again when it is back")
            if record.id in self._running:
                raise Conflict("this import is under way; wait until it is done, or stop it")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="imports")
            run = self._running[record.id] = Run(self._clock(), record.size, rows)
            run.future = self._pool.submit(self._guarded, record, work, run)

    def _guarded(self, record: ImportJobRecord, work: Callable[[Run], None], run: Run) -> None:
        """Do *work*; however it ends, the job says so."""
        said: dict[str, Any] | None = {"state": State.FAILED, "message": _UNFORESEEN}
        try:
            if run.stop.is_set():
                raise Stopped
            work(run)
            said = None
        except Stopped:
            said = {"state": State.CANCELLED, "message": "it was stopped; nothing was changed"}
        except Conflict as error:
            applying = record.state == State.APPLYING
            said = {"state": State.PLANNED if applying else State.FAILED, "message": str(error), "stale": applying}
        except IndiciaError as error:
            said = {"state": State.FAILED, "message": str(error)}
        except OSError as error:
            said = {"state": State.FAILED, "message": f"the server has no room to work: {error.strerror}"}
        finally:
            try:
                if said is not None:
                    self._say(record, said, run)
            finally:
                self._running.pop(record.id, None)

    def _say(self, record: ImportJobRecord, said: dict[str, Any], run: Run) -> None:
        if self._closed and run.stop.is_set():
            return  # whoever looks next sees that it was interrupted
        if said["message"] == _UNFORESEEN:
            _log.error("import %s failed", record.id, exc_info=True)
        failure = {
            "message": said["message"],
            "stale": said.get("stale", False),
            "applying": record.state == State.APPLYING,
        }
        values: dict[str, Any] = {"state": said["state"], "state_at": self._clock(), "owner": None}
        with self._database.transaction() as tx:
            now = tx.import_jobs.get(record.id)
            summary = dict(now.summary if now else {}) | {"failure": failure}
            tx.import_jobs.move(record.id, among=UNDER_WAY, held_by=self._owner, summary=summary, **values)

    def _plan(
        self, job_id: str, name: str, wish: Wish, run: Run, actor: Actor, correction: Correction | None = None
    ) -> None:
        began, database = self._clock(), Owned(self._database, job_id, self._owner)
        if correction is not None:
            run.progress = run.progress._replace(phase=Phase.CORRECTING)
            self._correct(database, job_id, wish, correction, run)
        ear = Ear(run, Phase.PLANNING, self._clock)
        try:
            with database.transaction() as tx:
                tx.import_jobs.forget_findings(job_id)
            faults = wish.faults(self._circumstances(wish, actor, began))
            if faults:
                report = ImportReport(fatal=True)
                report.problems.extend(faults)
            else:
                report = planned_imports.plan_kept(
                    database,
                    job_id,
                    name,
                    wish.options(began),
                    actor=actor,
                    now=began,
                    guard=self._guard,
                    listener=ear,
                    policy=self._policy,
                )
            with report.problems:
                summary = self._summary(database, job_id, report, ear, began)
        finally:
            ear.close()
        state = State.REFUSED if report.fatal else State.PLANNED
        values: dict[str, Any] = {"state": state, "state_at": self._clock(), "owner": None, "summary": summary}
        with database.transaction() as tx:
            tx.import_jobs.move(job_id, among=[State.PLANNING], held_by=self._owner, **values)

    def _circumstances(self, wish: Wish, actor: Actor, now: datetime) -> Circumstances:
        with self._database.snapshot() as tx:
            groups = nameable(tx, actor)
        strictness = Strictness.STRICT if wish.strict else Strictness.NATIVE
        may_release = actor.may(Permission.INDICATORS_RELEASE)
        return Circumstances(now, self._guard, groups, strictness, COLUMN_NAMES, may_release=may_release)

    def _summary(
        self, database: Database, job_id: str, report: ImportReport, ear: Findings, began: datetime
    ) -> dict[str, Any]:
        names = ("rows", "created", "updated", "unchanged", "refused", "held", "conflicts")
        return {
            **{name: report.total(name) for name in names},
            "fatal": [problem.as_dict() for problem in report.problems.first(20) if not problem.warning]
            if report.fatal
            else [],
            "plan": report.plan_digest.hex(),
            "takes_two": [reason._asdict() for reason in report.takes_two],
            **ear.keep(database, job_id, report),
            "planned_in": (self._clock() - began).total_seconds(),
        }

    def _correct(self, database: Database, job_id: str, wish: Wish, correction: Correction, run: Run) -> None:
        with tempfile.TemporaryFile() as mended:
            with planned_imports.body_of(database, job_id) as body:
                write_corrected(database, job_id, body, wish.format, correction, mended)
            if run.stop.is_set():
                raise Stopped
            size = mended.tell()
            mended.seek(0)
            with database.transaction() as tx:
                tx.imports.change_body(job_id, mended)
                tx.import_jobs.move(job_id, among=[State.PLANNING], held_by=self._owner, size=size)
        run.progress = run.progress._replace(size=size)

    def _apply(self, record: ImportJobRecord, wish: Wish, run: Run, actor: Actor) -> None:
        began = self._clock()
        ear = Ear(run, Phase.APPLYING, self._clock)
        try:
            with self._database.transaction() as tx:
                report = planned_imports.apply_import(
                    Joined(tx),
                    record.id,
                    actor=actor,
                    now=began,
                    guard=self._guard,
                    policy=self._policy,
                    listener=ear,
                    decided=Decided(wish.skip_bad_rows, wish.reason, keep_body=True),
                )
                report.problems.close()
                if run.stop.is_set():
                    raise Stopped
                now = self._clock()
                seconds = (now - began).total_seconds()
                done = {"applied_by": actor.name, "applied_in": seconds, "failure": None}
                values: dict[str, Any] = {
                    "state": State.APPLIED,
                    "state_at": now,
                    "owner": None,
                    "changeset": report.changeset or 0,
                }
                if not tx.import_jobs.move(
                    record.id,
                    among=[State.APPLYING],
                    held_by=self._owner,
                    summary=dict(record.summary) | done,
                    **values,
                ):
                    raise Stopped
        finally:
            ear.close()
