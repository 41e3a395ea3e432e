"""The disk fills in the middle of a write: one sentence, nothing half applied, and with room again it works."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.command_line import Terminal
from tests.faults.left import ALL, NOTHING, Before, left_in, opened, rows, what_is_left
from tests.faults.serving import Server
from tests.faults.warm import Run, Warm
from tests.integration.stores import csv_of, domains, faults, titles, url_of
from tests.wire.doors import error_of, indicator

SEED = 20_300_615
UNAVAILABLE = 75
FULL = Path("/dev/full")
PAGE = 4_096
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def check_told(run: Run) -> None:
    """Check that a command that found no room said so, in one line."""
    assert run.code == UNAVAILABLE, run
    assert run.out == ""
    assert len(run.err.splitlines()) == 1, run.err
    assert run.err.startswith("error: the ")
    assert "nothing was changed" in run.err


def check_told_or_intact(run: Run) -> None:
    """Check a proof of the chain while there is no room: even a reader needs a page for what readers share."""
    if run.code != 0:
        check_told(run)


@pytest.fixture(params=["import", "undo"])
def change(request: pytest.FixtureRequest) -> Before:
    """Return a database and a change to it."""
    found: Before = request.getfixturevalue("importing" if request.param == "import" else "undoing")
    return found


# -- by a limit on the size of files: the system lets nobody write past it --------------------------------------------


@pytest.mark.slow
def test_where_files_may_not_grow_a_change_is_made_as_a_whole_or_not_at_all(
    change: Before, warm: Warm, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    enough = 2 * (change.file.stat().st_size + change.log_bytes)
    found = []
    for most in (0, PAGE, *(chance.randrange(enough // 2) for _ in range(12)), enough):
        file = change.trial(tmp_path)
        run = warm.run("--database", url_of(file), *change.command, most_bytes=most)
        if run.code != 0 and most >= PAGE:  # else there is no room for the sentence either
            check_told(run)
        found.append(what_is_left(change, file, acknowledged=run.code == 0))
        assert (found[-1] == ALL) is (run.code == 0)
    assert found[0] == NOTHING
    assert found[-1] == ALL


def test_a_first_command_that_finds_no_room_does_not_stand_in_the_way_of_the_next(warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(csv_of(domains(range(3))))
    for most in (PAGE, 10 * PAGE, 40 * PAGE):
        file = tmp_path / f"{most}.db"
        command = ("--database", url_of(file), "import", tmp_path / "rows.csv")
        check_told(warm.run(*command, most_bytes=most))
        again = warm.run(*command)
        assert again.code == 0, again.err
        with opened(file) as database:
            assert len(titles(database)) == 3
            assert faults(database) == []


# -- by a disk that is really small -----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give the folder of a disk of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this system lets root mount nothing: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, room: int) -> Path:
    """Leave *room* bytes of the disk, or a page less."""
    file = folder / "something else"
    free = shutil.disk_usage(folder).free
    with file.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, max(1, free - room))
    return file


@pytest.mark.slow
def test_on_a_full_disk_a_change_is_made_as_a_whole_or_not_at_all(change: Before, warm: Warm, small_disk: Path) -> None:
    chance = random.Random(SEED)
    enough = 2 * (change.file.stat().st_size + change.log_bytes)
    found = []
    for room in (0, PAGE, *(chance.randrange(enough // 2) for _ in range(12)), enough):
        file = change.trial(small_disk)
        filler = fill(small_disk, room)
        run = warm.run("--database", url_of(file), *change.command)
        if run.code != 0:
            check_told(run)
            assert "full" in run.err
            check_told_or_intact(warm.run("--database", url_of(file), "verify", "--head", change.head))
        filler.unlink()
        found.append(what_is_left(change, file, acknowledged=run.code == 0))
        assert (found[-1] == ALL) is (run.code == 0)
    assert found[0] == NOTHING
    assert found[-1] == ALL


# -- files beside the database ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("option", ["--rejects", "--plan"])
def test_an_import_whose_rejects_or_plan_find_no_room_is_not_made(terminal: Terminal, option: str) -> None:
    """Its refused rows would be lost, and it would say that it failed."""
    good = [f"DomainName,h{number}.example.org,,Block,High,t,d,,,,," for number in range(3)]
    terminal.write("rows.csv", *good, "DomainName,no name,,Block,High,t,d,,,,,")
    done = terminal.call("import", "rows.csv", "--on-error", "skip", option, FULL)
    assert done.code == 1
    assert done.err.splitlines()[-1] == "error: the disk is full"
    assert terminal.ok("history", "--json").json == {"changesets": []}
    assert terminal.call("import", "rows.csv", "--on-error", "skip").code == 3
    assert len(terminal.ok("history", "--json").json["changesets"]) == 1


# -- the server -------------------------------------------------------------------------------------------------------


def limit(server: Server, most: int | None) -> None:
    """Let the server write no file past *most* bytes, or as much as it likes again."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, NO_LIMIT if most is None else (most, NO_LIMIT[1]))


@pytest.mark.slow
def test_a_server_without_room_says_so_and_goes_on_with_room(tmp_path: Path) -> None:
    csv = {"Content-Type": "text/csv"}
    with Server(tmp_path) as server, httpx.Client(base_url=server.address, headers=server.headers, timeout=60) as http:
        assert http.post("/api/indicators", json=indicator()).status_code == 200
        before = left_in(server.file)
        limit(server, Path(f"{server.file}-wal").stat().st_size + PAGE)

        refused = http.post("/v1/imports", content=rows(), headers=csv)
        told = refused.json()
        assert refused.status_code == told["status"] == 503, told
        assert refused.headers["retry-after"]
        assert "nothing was changed" in told["detail"]
        assert "Traceback" not in refused.text
        once = http.post("/v1/imports", content=rows(), headers=csv | {"Idempotency-Key": "one"})
        assert once.status_code == 503, once.text
        compat = http.post("/api/indicators", json=indicator(indicatorValue="other.example"))
        assert compat.status_code == 503, compat.text
        assert "nothing was changed" in error_of(compat)["message"]
        large = http.post("/v1/imports", content=b"# nothing\n" * 300_000, headers={"Content-Type": "text/plain"})
        assert large.status_code == 503, large.text
        assert "nothing was changed" in large.json()["detail"]
        assert len(http.get("/api/indicators").json()["value"]) == 1
        assert left_in(server.file) == before

        limit(server, None)
        done = http.post("/v1/imports", content=rows(), headers=csv | {"Idempotency-Key": "one"})
        assert done.status_code == 200, done.text
        assert done.json()["created"] == len(rows().splitlines()) - 1
        assert http.get("/v1/verification").json()["intact"]
