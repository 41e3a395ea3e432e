"""Imports in the background: what is shown is what runs, nothing is half done, a file can be mended in its place."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from indicia.domain.access import Actor, Role, Source
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Unavailable
from indicia.services import import_correcting, import_findings, import_jobs
from indicia.services.clock import Clock as SharedClock
from indicia.services.import_correcting import Correction
from indicia.services.import_findings import Alike
from indicia.services.import_job import Job, State, Wish
from indicia.services.import_jobs import ImportJobs
from indicia.services.import_records import Edit
from indicia.services.imports import Format
from indicia.services.nodes import Node
from indicia.services.writing import NO_POLICY
from indicia.store.database import Database
from tests.integration.stores import BLOCK, CLIENT, NOW, contents, guard, run_import, submit, titles

PERSON = Actor("p1", "Pia", Source.PORTAL, Role.ADMINISTRATOR.permissions)
HEADER = "IndicatorType,IndicatorValue,Action,Title,Description,Note\r\n"
GOOD = HEADER + "DomainName,a.example,Block,t,d,\r\nIpAddress,45.1.2.3,Audit,t,d,\r\n"
BAD = (
    HEADER
    + 'DomainName,a.example,Block,t,"two\r\nlines",kept as it is\r\n'
    + "IpAddress,45.1.2.3,Blok,t,d,x\r\n"
    + "IpAddress,45.1.2.4,Blok,=t,d,y\r\n"
    + "DomainName,b.example,Block,,d,z\r\n"
    + 'DomainName,"c.example,Block,t,d,open\r\n'
    + "DomainName,d.example,Block,t,d,z\r\n"
)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Any:
        self.now += timedelta(milliseconds=10)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def node_of(database: Database) -> Node:
    return Node(database, SharedClock(database, lambda: datetime.now(UTC), time.monotonic))


@pytest.fixture
def jobs(database: Database, clock: Clock) -> Iterator[ImportJobs]:
    node = node_of(database)
    opened = ImportJobs(database, guard(), NO_POLICY, clock, node)
    yield opened
    opened.close()
    node.close()


def done(jobs: ImportJobs, job: Job) -> Job:
    assert jobs.wait(job.id, 30)
    return jobs.get(job.id, actor=PERSON)


def start(jobs: ImportJobs, body: str | bytes, wish: Wish | None = None, name: str = "list.csv") -> Job:
    data = body.encode() if isinstance(body, str) else body
    return done(jobs, jobs.start(name, io.BytesIO(data), wish or Wish(), actor=PERSON))


def apply(jobs: ImportJobs, job: Job, *, skip: bool = False, reason: str | None = None) -> Job:
    return done(jobs, jobs.apply(job.id, plan=job.plan, skip_bad_rows=skip, reason=reason, actor=PERSON))


def correct(jobs: ImportJobs, job: Job, **what: Any) -> Job:
    return done(jobs, jobs.plan_again(job.id, actor=PERSON, correction=Correction(**what)))


def body_of(database: Database, job: Job) -> bytes:
    with database.snapshot() as tx:
        return b"".join(tx.imports.body(job.id))


def counted(job: Job) -> dict[str, int]:
    return {name: number for name, number in job.counts.items() if number}


def kind(job: Job, code: str) -> int:
    return next(each.number for each in job.kinds if each.code == code)


# -- planned, then applied --------------------------------------------------------------------------------------------


def test_what_was_shown_is_what_runs(database: Database, jobs: ImportJobs) -> None:
    job = start(jobs, GOOD)
    assert (job.state, counted(job), job.writes, job.rows) == (State.PLANNED, {"created": 2}, 2, 2)
    assert [row.value for row in job.samples["created"]] == ["a.example", "45.1.2.3"]
    assert contents(database) == {}
    applied = apply(jobs, job, reason="case 7")
    assert (applied.state, applied.record.changeset, applied.kept) == (State.APPLIED, 1, False)
    assert set(titles(database)) == {"a.example", "45.1.2.3"}
    with database.snapshot() as tx:
        record = tx.changesets.get(1)
    assert record is not None
    assert (record.actor, record.source, record.reason, record.kind) == ("p1", "Portal", "case 7", "import")
    with pytest.raises(Conflict, match="done already"):
        jobs.apply(job.id, plan=job.plan, skip_bad_rows=False, reason=None, actor=PERSON)


def test_a_plan_that_somebody_did_not_see_is_not_applied(jobs: ImportJobs, database: Database) -> None:
    job = start(jobs, BAD)
    correct(jobs, job, line=4, edits=(Edit("Action", "Block"),))
    with pytest.raises(Conflict, match="look at it again"):
        jobs.apply(job.id, plan=job.plan, skip_bad_rows=True, reason=None, actor=PERSON)
    assert contents(database) == {}


def test_what_is_stored_has_changed_since(jobs: ImportJobs, database: Database) -> None:
    job = start(jobs, GOOD)
    submit(database, BLOCK._replace(value="a.example", title="faster"))
    late = apply(jobs, job)
    assert late.state is State.PLANNED
    assert late.failure is not None
    assert late.failure.stale
    assert titles(database) == {"a.example": "faster"}
    again = done(jobs, jobs.plan_again(job.id, actor=PERSON))
    assert (again.failure, counted(again)) == (None, {"created": 1, "updated": 1})
    assert apply(jobs, again).state is State.APPLIED


def test_bad_rows_stop_all_or_are_left_out(jobs: ImportJobs, database: Database) -> None:
    job = start(jobs, BAD)
    assert counted(job) == {"created": 2, "refused": 4}
    with pytest.raises(InvalidInput, match="good rows only"):
        jobs.apply(job.id, plan=job.plan, skip_bad_rows=False, reason=None, actor=PERSON)
    applied = apply(jobs, job, skip=True)
    assert applied.state is State.APPLIED
    assert set(titles(database)) == {"a.example", "d.example"}
    assert applied.kept  # so that the others can be downloaded
    assert b"".join(import_correcting.rejected_rows(database, applied)).count(b"\r\n") == 5


def test_a_file_that_is_none_is_refused_with_what_to_do(jobs: ImportJobs) -> None:
    for body, words in (
        (b"\x1f\x8b\x08\0\0", "unpack it first"),
        (b"PK\x03\x04...", "unpack it first"),
        (b"MZ\0\0\1\2", "NUL bytes"),
        (b'[{"a": 1}]', "one object a line"),
        (b"IndicatorType,Value\nDomainName,x\n", "IndicatorValue is required"),
    ):
        job = start(jobs, body)
        assert job.state is State.REFUSED
        assert any(words in each["message"] for each in job.fatal), job.fatal
        assert done(jobs, jobs.plan_again(job.id, actor=PERSON)).state is State.REFUSED
    with pytest.raises(InvalidInput, match="is empty"):
        jobs.start("nothing.csv", io.BytesIO(b""), Wish(), actor=PERSON)


def test_a_misspelled_header_is_corrected_in_its_place(jobs: ImportJobs) -> None:
    job = start(jobs, GOOD.replace("IndicatorType", "IndicatorTyp"))
    assert (job.state, job.wish.format, job.fatal[0]["line"]) == (State.REFUSED, Format.CSV, 1)
    job = correct(jobs, job, line=1, edits=(Edit(None, HEADER.strip()),))
    assert counted(job) == {"created": 2}


def test_a_text_list_waits_for_what_all_of_it_gets(jobs: ImportJobs, database: Database) -> None:
    job = start(jobs, "# names\nhxxp://evil[.]example/a\n45.1.2.3  # seen\n", name="names.txt")
    assert (job.wish.format, job.needs_options) == (Format.TEXT, True)
    wish = job.wish._replace(defaults=Draft(action="Block", title="t", description="d", expires="30d"))
    job = done(jobs, jobs.plan_again(job.id, actor=PERSON, wish=wish))
    assert counted(job) == {"created": 2}
    assert apply(jobs, job).state is State.APPLIED
    assert {each.expires_at for each in contents(database).values()} != {None}
    wrong = start(jobs, "x.example\n", Wish(defaults=Draft(action="Blok", title="t", description="d")), "n.txt")
    assert [(each["column"], each["suggestion"]) for each in wrong.fatal] == [("Action", "Block")]


def test_other_formats_and_encodings(jobs: ImportJobs, database: Database) -> None:
    semicolons = BAD.replace(",", ";").encode("utf-16")
    job = start(jobs, semicolons)
    assert (job.wish.encoding, job.wish.delimiter, counted(job)["refused"]) == ("UTF-16", ";", 4)
    job = correct(jobs, job, kind=kind(job, "invalid-action"), value="Blok", replacement="Block")
    assert counted(job)["refused"] == 2
    line = (
        b'{"indicatorType":"DomainName","indicatorValue":"n.example","action":"Blok","title":"t","description":"d"}\n'
    )
    job = start(jobs, line * 1, name="n.jsonl")
    assert (job.wish.format, counted(job)) == (Format.NDJSON, {"refused": 1})
    assert counted(correct(jobs, job, line=1, edits=(Edit("action", "Block"),))) == {"created": 1}


def test_only_somebody_who_manages_all_may(jobs: ImportJobs) -> None:
    for call in (
        lambda: jobs.newest(actor=CLIENT),
        lambda: jobs.get("x", actor=CLIENT),
        lambda: jobs.start("a", io.BytesIO(b"x"), Wish(), actor=CLIENT),
    ):
        with pytest.raises(Exception, match=r"Ti\.ReadWrite\.All"):
            call()
    with pytest.raises(NotFound):
        jobs.get("nothing", actor=PERSON)


# -- everything that was found ----------------------------------------------------------------------------------------


def test_every_problem_can_be_reached(jobs: ImportJobs, database: Database) -> None:
    rows = "".join(f"DomainName,h{n}.example,{'Block' if n % 3 else 'Blok'},t,d,\r\n" for n in range(7_000))
    job = start(jobs, HEADER + rows)
    number = kind(job, "invalid-action")
    found = next(each for each in job.kinds if each.number == number)
    assert (found.count, found.alike) == (2_334, (Alike("Blok", 2_334, "Block"),))
    pages = [import_findings.page_of(database, job.id, number, page) for page in range(25)]
    assert [len(page) for page in pages] == [100] * 23 + [34, 0]
    assert [each.line for page in pages for each in page] == [n + 2 for n in range(7_000) if n % 3 == 0]
    row = import_correcting.row_at(database, job, 7_001)
    assert [each.column for each in row.cells if each.problems] == ["Action"]
    job = correct(jobs, job, kind=number)
    assert counted(job) == {"created": 7_000}


def test_a_correction_changes_what_it_names_and_nothing_else(jobs: ImportJobs, database: Database) -> None:
    job = start(jobs, BAD)
    steps: list[tuple[dict[str, Any], Callable[[str], str]]] = [
        ({"line": 4, "edits": (Edit("Action", "Block"),)}, lambda t: t.replace("45.1.2.3,Blok", "45.1.2.3,Block")),
        (
            {"kind": kind(job, "invalid-action"), "value": "Blok", "replacement": "Audit"},
            lambda t: t.replace("Blok,=t", "Audit,=t"),
        ),
        ({"line": 6, "edits": (Edit("Title", 'a, "b"'),)}, lambda t: t.replace("Block,,d", 'Block,"a, ""b""",d')),
        (
            {"line": 7, "edits": (Edit(None, "DomainName,c.example,Block,t,d,open"),)},
            lambda t: t.replace('"c.example', "c.example"),
        ),
        ({"line": 2, "edits": (Edit("Description", "one"),)}, lambda t: t.replace('"two\r\nlines"', "one")),
    ]
    text = BAD
    for what, expected in steps:
        job = correct(jobs, job, **{**what, "kind": kind(job, "invalid-action")} if "kind" in what else what)
        text = expected(text)
        assert body_of(database, job).decode() == text
    assert counted(job) == {"created": 6}


def test_of_a_list_only_the_item_that_is_wrong_is_replaced(jobs: ImportJobs, database: Database) -> None:
    header = HEADER.replace("Note", "MitreTechniques")
    rows = 'DomainName,a.example,Block,t,d,"T1566,t1071,t1204"\r\nDomainName,b.example,Block,t,d,t1071\r\n'
    job = start(jobs, header + rows)
    number = kind(job, "invalid-technique")
    job = correct(jobs, job, kind=number)
    assert counted(job) == {"created": 2}
    assert body_of(database, job).decode().endswith('"T1566,T1071,T1204"\r\nDomainName,b.example,Block,t,d,T1071\r\n')


def test_a_row_is_shown_with_what_is_wrong_in_it(jobs: ImportJobs, database: Database) -> None:
    job = start(jobs, BAD)
    row = import_correcting.row_at(database, job, 4)
    assert [(cell.column, cell.text) for cell in row.cells][:3] == [
        ("IndicatorType", "IpAddress"),
        ("IndicatorValue", "45.1.2.3"),
        ("Action", "Blok"),
    ]
    assert [cell.column for cell in row.cells if cell.problems] == ["Action"]
    torn = import_correcting.row_at(database, job, 7)
    assert (torn.cells, torn.text, len(torn.problems)) == ((), 'DomainName,"c.example,Block,t,d,open', 1)
    with pytest.raises(NotFound):
        import_correcting.row_at(database, job, 999)
    with pytest.raises(InvalidInput, match="at most"):
        Correction(line=1, edits=(Edit("Title", "x" * 20_000),)).check()


def test_refused_rows_come_back_mendable_and_safe(jobs: ImportJobs, database: Database) -> None:
    job = start(jobs, BAD)
    text = b"".join(import_correcting.rejected_rows(database, job)).decode()
    lines = text.split("\r\n")
    assert lines[0] == "IndicatorType,IndicatorValue,Action,Title,Description,Note,_error"
    assert lines[2].startswith("IpAddress,45.1.2.4,Blok,'=t,d,y,")
    assert "did you mean Block" in lines[2]
    assert lines[4].startswith('"DomainName,""c.example,Block,t,d,open"')
    mended = start(jobs, "\r\n".join(lines[:3]).replace("Blok", "Block") + "\r\n")
    assert counted(mended) == {"created": 2}
    assert {each.code for each in mended.kinds} == {"unknown-column"}  # Note, which it had before
    apply(jobs, mended)
    assert "=t" in titles(database).values()
    defaults = Draft(action="Block", title="t", description="d")
    words = start(jobs, "ok.example\nno such thing\n", Wish(defaults=defaults), "n.txt")
    back = b"".join(import_correcting.rejected_rows(database, words)).decode()
    assert back.startswith("no such thing  # ")
    objects = start(jobs, '{"indicatorType": "DomainName"}\nnone\n', name="n.jsonl")
    back = b"".join(import_correcting.rejected_rows(database, objects)).decode()
    assert back.count('"_error"') == 2


# -- stopped, killed, forgotten ---------------------------------------------------------------------------------------


def test_stopped_while_it_is_applied_nothing_is_written(jobs: ImportJobs, database: Database) -> None:
    job = start(jobs, GOOD)
    with database.transaction():  # holds up every writer, so that the import waits to begin
        with_lock = threading.Thread(
            target=lambda: jobs.apply(job.id, plan=job.plan, skip_bad_rows=False, reason=None, actor=PERSON)
        )
        with_lock.start()
        with_lock.join(0.3)
    with_lock.join(30)
    jobs.stop(job.id, actor=PERSON) if jobs.progress_of(job.id) else None
    found = done(jobs, job)
    written = len(contents(database))
    assert (found.state, written) in ((State.CANCELLED, 0), (State.APPLIED, 2))


def test_stopped_in_the_middle_of_its_transaction(
    jobs: ImportJobs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(jobs, GOOD)
    heard = import_jobs.Ear.progress

    def stop(self: Any, file: str, position: int, rows: int) -> None:
        if rows:
            jobs.stop(job.id, actor=PERSON)
        heard(self, file, position, rows)

    monkeypatch.setattr(import_jobs.Ear, "progress", stop)
    stopped = apply(jobs, job)
    monkeypatch.undo()
    assert (stopped.state, contents(database), stopped.kept) == (State.CANCELLED, {}, True)
    again = done(jobs, jobs.plan_again(job.id, actor=PERSON))
    assert apply(jobs, again).state is State.APPLIED


def test_given_up_and_taken_up_again(jobs: ImportJobs) -> None:
    job = start(jobs, GOOD)
    assert jobs.stop(job.id, actor=PERSON).state is State.CANCELLED
    again = done(jobs, jobs.plan_again(job.id, actor=PERSON))
    assert apply(jobs, again).state is State.APPLIED
    with pytest.raises(Conflict, match="undo it"):
        jobs.stop(job.id, actor=PERSON)


@pytest.mark.parametrize("state", [State.PLANNING, State.APPLYING])
def test_what_a_killed_server_left_behind_is_told_and_begun_again(
    jobs: ImportJobs, database: Database, clock: Clock, state: State
) -> None:
    job = start(jobs, GOOD)
    with database.transaction() as tx:
        assert tx.import_jobs.move(job.id, among=[State.PLANNED], state=state, owner="a process that was killed")
    found = jobs.get(job.id, actor=PERSON)
    assert (found.state, found.kept, contents(database)) == (State.INTERRUPTED, True, {})
    assert [each.state for each in jobs.newest(actor=PERSON)] == [State.INTERRUPTED]
    again = done(jobs, jobs.plan_again(job.id, actor=PERSON))
    assert apply(jobs, again).state is State.APPLIED


def test_whoever_lost_an_import_to_another_process_writes_nothing(
    jobs: ImportJobs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(jobs, GOOD)
    heard = import_jobs.Ear.progress

    def lose(self: Any, file: str, position: int, rows: int) -> None:
        heard(self, file, position, rows)
        jobs._owner = "another"

    monkeypatch.setattr(import_jobs.Ear, "progress", lose)
    apply(jobs, job)
    assert contents(database) == {}


def test_closing_stops_what_is_under_way(database: Database, clock: Clock) -> None:
    node = node_of(database)
    jobs = ImportJobs(database, guard(), NO_POLICY, clock, node)
    rows = "".join(f"DomainName,h{n}.example,Block,t,d,\r\n" for n in range(60_000))
    job = jobs.start("long.csv", io.BytesIO((HEADER + rows).encode()), Wish(), actor=PERSON)
    jobs.close()
    node.close()
    with pytest.raises(Unavailable, match="stopping"):
        jobs.start("more.csv", io.BytesIO(GOOD.encode()), Wish(), actor=PERSON)
    later = ImportJobs(database, guard(), NO_POLICY, clock, node_of(database))
    assert later.get(job.id, actor=PERSON).state in (State.INTERRUPTED, State.PLANNED)
    later.close()


def test_files_are_kept_for_a_day_and_what_became_of_them_for_a_month(
    jobs: ImportJobs, database: Database, clock: Clock
) -> None:
    old = start(jobs, GOOD)
    clock.now += timedelta(hours=25)
    start(jobs, GOOD)
    found = jobs.get(old.id, actor=PERSON)
    assert (found.state, found.kept) == (State.PLANNED, False)
    with pytest.raises(Conflict, match="choose it again"):
        jobs.plan_again(old.id, actor=PERSON)
    gone = apply(jobs, found)
    assert (gone.state, contents(database)) == (State.FAILED, {})
    clock.now += timedelta(days=31)
    start(jobs, GOOD)
    with pytest.raises(NotFound):
        jobs.get(old.id, actor=PERSON)


def test_progress_is_told_in_rows_bytes_and_time_left(
    jobs: ImportJobs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    heard = import_jobs.Ear.progress

    def look(self: Any, file: str, position: int, rows: int) -> None:
        heard(self, file, position, rows)
        seen.append(self._run.progress)

    monkeypatch.setattr(import_jobs.Ear, "progress", look)
    rows = "".join(f"DomainName,h{n}.example,Block,t,d,\r\n" for n in range(30_000))
    job = start(jobs, HEADER + rows)
    assert job.rows == 30_000
    assert [each.rows for each in seen] == sorted(each.rows for each in seen)
    last = seen[-1]
    assert (last.rows, last.share) == (30_000, 1.0)
    assert last.rate is not None
    assert last.remaining_s == 0.0


def test_an_import_of_the_api_is_not_disturbed(jobs: ImportJobs, database: Database) -> None:
    run_import(database, [BLOCK])
    job = start(jobs, GOOD)
    assert counted(job) == {"created": 2}
