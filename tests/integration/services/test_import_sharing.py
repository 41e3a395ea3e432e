"""Imports that another process has under way: they are shown as they go, can be stopped, and are free when it dies."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from indicia.domain.errors import Conflict, Unavailable
from indicia.services import import_jobs
from indicia.services.clock import Clock
from indicia.services.import_job import Phase, State, Wish
from indicia.services.import_jobs import ImportJobs
from indicia.services.nodes import Node
from indicia.services.policy import NO_POLICY
from indicia.store.database import Database
from tests.integration.stores import ADMIN, contents, csv_of, domains, faults, guard

BODY = csv_of(domains(range(12_000)))


class Process:
    """What one process has of imports."""

    def __init__(self, database: Database) -> None:
        clock = Clock(database, lambda: datetime.now(UTC), time.monotonic)
        self.node = Node(database, clock)
        self.jobs = ImportJobs(database, guard(), NO_POLICY, clock.now, self.node)

    def start(self) -> str:
        return self.jobs.start("list.csv", io.BytesIO(BODY), Wish(), actor=ADMIN).id

    def state(self, job_id: str) -> State:
        return self.jobs.get(job_id, actor=ADMIN).state


@pytest.fixture
def two(database: Database) -> Iterator[tuple[Process, Process]]:
    made = Process(database), Process(database)
    yield made
    for each in made:
        each.jobs.close()
        each.node.close()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold imports where they have read some rows, until this is set."""
    go_on = threading.Event()
    heard = import_jobs.Ear.progress

    def progress(self: import_jobs.Ear, file: str, position: int, rows: int) -> None:
        heard(self, file, position, rows)
        if rows:
            go_on.wait(20)

    monkeypatch.setattr(import_jobs.Ear, "progress", progress)
    yield go_on
    go_on.set()


def until(found: Callable[[], object]) -> None:
    last = time.monotonic() + 20
    while not found():
        assert time.monotonic() < last
        time.sleep(0.02)


def test_another_process_shows_how_far_it_is(two: tuple[Process, Process], held: threading.Event) -> None:
    one, other = two
    job_id = one.start()
    until(lambda: (told := one.jobs.progress_of(job_id)) and told.rows)
    for beat in one.node.at_each_beat:
        beat()
    job = other.jobs.get(job_id, actor=ADMIN)
    assert job.state is State.PLANNING
    assert job.under_way
    assert job.progress is not None
    assert (job.progress.phase, job.progress.rows > 0) == (Phase.PLANNING, True)
    assert [each.state for each in other.jobs.newest(actor=ADMIN)] == [State.PLANNING]
    with pytest.raises(Conflict, match="under way"):
        other.jobs.plan_again(job_id, actor=ADMIN)
    held.set()
    assert one.jobs.wait(job_id, 30)
    assert other.state(job_id) is State.PLANNED


def test_what_one_planned_another_applies(two: tuple[Process, Process], database: Database) -> None:
    one, other = two
    job_id = one.start()
    assert one.jobs.wait(job_id, 30)
    job = other.jobs.get(job_id, actor=ADMIN)
    other.jobs.apply(job_id, plan=job.plan, skip_bad_rows=False, reason=None, actor=ADMIN)
    assert other.jobs.wait(job_id, 30)
    assert one.state(job_id) is State.APPLIED
    assert len(contents(database)) == 12_000
    assert faults(database) == []


def test_another_process_stops_it(two: tuple[Process, Process], held: threading.Event, database: Database) -> None:
    one, other = two
    job_id = one.start()
    until(lambda: (told := one.jobs.progress_of(job_id)) and told.rows)
    assert other.jobs.stop(job_id, actor=ADMIN).state is State.PLANNING
    for beat in one.node.at_each_beat:
        beat()
    held.set()
    assert one.jobs.wait(job_id, 30)
    assert other.state(job_id) is State.CANCELLED
    assert contents(database) == {}


def test_what_a_dead_process_had_under_way_is_taken_over_and_it_can_write_nothing_when_it_was_only_asleep(
    two: tuple[Process, Process], held: threading.Event, database: Database
) -> None:
    one, other = two
    job_id = one.start()
    assert _ended(one, job_id, held)
    plan = one.jobs.get(job_id, actor=ADMIN).plan
    held.clear()
    one.jobs.apply(job_id, plan=plan, skip_bad_rows=False, reason=None, actor=ADMIN)
    if database.file is None:
        until(lambda: (told := one.jobs.progress_of(job_id)) and told.rows)
    one.node.close()  # nobody hears of it any more
    assert other.state(job_id) is State.INTERRUPTED

    def take() -> None:
        with suppress(Conflict):  # it was in time: all of it is there
            other.jobs.plan_again(job_id, actor=ADMIN)

    taking = threading.Thread(target=take)
    taking.start()
    if database.file is None:
        time.sleep(0.5)
    held.set()
    taking.join(30)
    assert one.jobs.wait(job_id, 30)
    assert other.jobs.wait(job_id, 30)
    assert one.state(job_id) in (State.PLANNED, State.APPLIED)
    assert len(contents(database)) in (0, 12_000), "it was too late, or in time: never half"
    assert faults(database) == []


def _ended(process: Process, job_id: str, held: threading.Event) -> bool:
    held.set()
    return process.jobs.wait(job_id, 30)


def test_two_that_begin_at_once_do_not_both_begin(two: tuple[Process, Process]) -> None:
    one, _other = two
    job_id = one.start()
    assert one.jobs.wait(job_id, 30)
    began: list[bool] = []
    start = threading.Barrier(2)

    def begin(process: Process) -> None:
        start.wait()
        try:
            process.jobs.plan_again(job_id, actor=ADMIN)
        except (Conflict, Unavailable):
            began.append(False)
        else:
            began.append(True)

    threads = [threading.Thread(target=begin, args=(each,)) for each in two]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in two:
        assert each.jobs.wait(job_id, 30)
    assert any(began)
    assert one.state(job_id) is State.PLANNED
