"""kill -9 at any moment of a write: all of it is there or nothing, and nothing that was acknowledged is lost."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx
import pytest

from indicia.services import changesets
from tests.acceptance.command_line import Terminal
from tests.faults.left import ALL, LITTLE, NOTHING, Before, opened, what_is_left
from tests.faults.serving import Server
from tests.faults.warm import KILLED, Moment, Run, Warm, size_of
from tests.integration.stores import ADMIN, csv_of, domains, faults, run_import, titles, url_of
from tests.wire.doors import indicator

SEED = 20_300_615
CLIENTS = 3

# -- one trial --------------------------------------------------------------------------------------------------------


def is_acknowledged(run: Run) -> bool:
    """Return whether whoever called it was told that it was done."""
    return run.code == 0 or bool(run.out)


def tried(given: Before, warm: Warm, folder: Path, moment: Moment) -> tuple[str, int]:
    """Kill the command at *moment*; return what it left, and the size of the log that it left it in."""
    file = given.trial(folder)
    if moment.file is not None:
        moment = moment._replace(file=f"{file}{moment.file}")
    run = warm.run("--database", url_of(file), *given.command, moment=moment, cache_kib=LITTLE)
    assert run.code in (0, KILLED), run.err
    log = size_of(f"{file}-wal")
    try:
        return what_is_left(given, file, acknowledged=is_acknowledged(run)), log
    except AssertionError as error:
        error.add_note(f"killed {moment}, it ended with {run.code}")
        raise


Choose = Callable[[Before, random.Random, int], list[Moment]]


def over_its_time(given: Before, chance: random.Random, number: int) -> list[Moment]:
    """Return moments from before the command begins to after it has ended."""
    anywhere = [Moment(chance.uniform(0, given.seconds * 1.3)) for _ in range(number - 2)]
    return [Moment(0), *anywhere, Moment(60)]


def as_the_log_grows(given: Before, chance: random.Random, number: int) -> list[Moment]:
    """Return moments from the first byte in the log to the last."""
    return [Moment(file="-wal", size=chance.randint(1, given.log_bytes)) for _ in range(number)]


def around_the_commit(given: Before, chance: random.Random, number: int) -> list[Moment]:
    """Return moments from when the log has its size, and is not valid yet, to a while after the commit."""
    whole = Moment(0, "-wal", given.log_bytes)
    after = [whole._replace(seconds=chance.uniform(0, given.seconds / 4)) for _ in range(number - 2)]
    return [whole, *after, whole._replace(seconds=60)]


def as_the_log_is_taken_over(given: Before, chance: random.Random, number: int) -> list[Moment]:
    """Return moments after the commit, while the pages of the log are written to their places."""
    size = given.file.stat().st_size
    return [Moment(file="", size=size + chance.randint(1, given.log_bytes // 2)) for _ in range(number)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "moments, number, expected",
    [
        (over_its_time, 24, {NOTHING, ALL}),
        (as_the_log_grows, 10, {NOTHING}),
        (around_the_commit, 12, {ALL}),
        (as_the_log_is_taken_over, 4, {ALL}),
    ],
    ids=["over its time", "as the log grows", "around the commit", "as the log is taken over"],
)
def test_a_killed_import_is_there_as_a_whole_or_not_at_all(
    importing: Before, warm: Warm, tmp_path: Path, moments: Choose, number: int, expected: set[str]
) -> None:
    chosen = moments(importing, random.Random(SEED), number)
    found = [tried(importing, warm, tmp_path, moment) for moment in chosen]
    assert {left for left, _ in found} >= expected
    if moments is as_the_log_grows:
        assert any(left == NOTHING and log for left, log in found), "no kill hit what was written and not committed"


@pytest.mark.slow
@pytest.mark.parametrize("moments", [over_its_time, around_the_commit], ids=["over its time", "around the commit"])
def test_a_killed_undo_is_there_as_a_whole_or_not_at_all(
    undoing: Before, warm: Warm, tmp_path: Path, moments: Choose
) -> None:
    found = [tried(undoing, warm, tmp_path, moment) for moment in moments(undoing, random.Random(SEED), 8)]
    assert {left for left, _ in found} >= ({NOTHING, ALL} if moments is over_its_time else {ALL})


# -- the command as people run it -------------------------------------------------------------------------------------


def killed_command(terminal: Terminal, given: Before, file: Path, moment: Moment) -> Run:
    """Kill the console script at *moment*: after so many seconds, or when a file has so many bytes."""
    out = terminal.folder / "out"
    with out.open("wb") as printed:
        process = terminal.start("--database", url_of(file), *given.command, stdout=printed, stderr=subprocess.DEVNULL)
    began = time.monotonic()
    while process.poll() is None:
        if moment.file is not None and size_of(moment.file) >= moment.size:
            break
        if moment.file is None and time.monotonic() - began >= moment.seconds:
            break
        time.sleep(0.000_2)
    process.kill()
    return Run(process.wait(30), out.read_text(), "", time.monotonic() - began)


@pytest.mark.slow
def test_the_killed_command_itself(importing: Before, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terminal, file = Terminal(tmp_path, capsys), tmp_path / "trial.db"

    def left(moment: Moment) -> tuple[str, Run]:
        run = killed_command(terminal, importing, importing.trial(tmp_path), moment)
        return what_is_left(importing, file, acknowledged=is_acknowledged(run)), run

    found, whole = left(Moment(3_600))
    assert (found, whole.code) == (ALL, 0)
    found, printed = left(Moment(file=str(tmp_path / "out"), size=1))
    assert found == ALL
    assert printed.out
    left(Moment(file=f"{file}-wal", size=1))
    chance = random.Random(SEED)
    for _ in range(3):
        left(Moment(chance.uniform(0, whole.seconds)))
    assert left(Moment(0))[0] == NOTHING


# -- the server -------------------------------------------------------------------------------------------------------


def children(number: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{number}/task/{number}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc: processes are counted there")
def test_a_long_import_that_is_killed_leaves_no_process_behind(terminal: Terminal) -> None:
    """A long file is parsed in a process of its own; 4 MiB is long."""
    long = terminal.folder / "long.csv"
    long.write_bytes(csv_of(domains(range(200_000))))
    process = terminal.start("import", str(long), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (readers := children(process.pid)):
        time.sleep(0.001)
    assert process.poll() is None
    process.kill()
    process.wait(30)
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{each}").exists() for each in readers) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(Path(f"/proc/{each}").exists() for each in readers)
    assert terminal.run("list", "--count").out == "0\n"


def submit_until_it_dies(server: Server, answered: list[str], numbers: Iterator[int]) -> None:
    """Submit one indicator after the other, and note which were answered with 200."""
    with httpx.Client(base_url=server.address, headers=server.headers, timeout=60) as http:
        for number in numbers:
            try:
                reply = http.post("/api/indicators", json=indicator(indicatorValue=f"h{number}.example.org"))
            except httpx.TransportError:
                return
            assert reply.status_code == 200, reply.text
            answered.append(reply.json()["indicatorValue"])


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(3))
def test_what_a_killed_server_has_answered_is_there(tmp_path: Path, trial: int) -> None:
    """The one that is killed has a stream of submissions from several clients under way."""
    most = random.Random(SEED + trial).randint(20, 150)
    numbers, answered = count(), []
    with Server(tmp_path) as server, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(submit_until_it_dies, server, answered, numbers) for _ in range(CLIENTS)]
        while len(answered) < most and not any(client.done() for client in clients):
            time.sleep(0.000_5)
        server.process.kill()
        for client in clients:
            client.result(60)
        assert server.process.wait(30) == KILLED
    assert len(answered) >= most
    with opened(server.file) as database:
        assert database.faults() == []
        assert faults(database) == []
        there = titles(database)
        assert set(answered) <= set(there)
        assert len(there) <= len(answered) + CLIENTS  # those whose answer was under way
        records = changesets.list_changesets(database, actor=ADMIN, limit=10_000)
        assert sum(record.created for record in records if record.kind == "submit") == len(there)
        assert run_import(database, domains([0], title="afterwards")).applied
