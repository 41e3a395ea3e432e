"""Backing up, restoring and moving, as somebody does it at a command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest

from indicia.cli.database import db_command
from indicia.store.changesets import ChangeSetRecord
from tests.acceptance.command_line import Terminal
from tests.faults.left import opened

pytestmark = pytest.mark.sqlite_only("it restores files; of PostgreSQL test_copying makes backups and restores them")

ROWS = [f"DomainName,h{number}.example.org,,Block,High,T,D,,,,,FALSE" for number in range(20)]


@pytest.fixture
def filled(terminal: Terminal) -> Terminal:
    terminal.ok("import", terminal.write("rows.csv", *ROWS))
    return terminal


def newest(terminal: Terminal) -> ChangeSetRecord:
    """Return the newest entry of the history, also one that changed no indicators."""
    with opened(terminal.folder / terminal.url.rpartition("/")[2]) as database, database.snapshot() as tx:
        found = tx.changesets.head()
    assert found is not None
    return found


def head(terminal: Terminal, url: str) -> str:
    return terminal.run("verify", "--database", url).out.strip()


def test_a_backup_is_restored(filled: Terminal) -> None:
    made = filled.ok("backup", "b.backup", "--json").json
    file = filled.folder / "b.backup"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made["changeset"] == 1
    assert made["rows"]["indicators"] == 20
    assert made["keys"] == []
    event = newest(filled)
    assert (event.kind, event.details["name"], event.details["head"]) == ("backup", "b.backup", made["head"])
    checked = filled.ok("restore", "b.backup", "--check", "--json").json
    assert checked["restored"] is False
    assert checked["rows"] == made["rows"]
    filled.url = f"sqlite:///{filled.folder / 'new.db'}"
    done = filled.ok("restore", "b.backup", "--head", made["head"])
    assert "restored, " in done.out
    assert made["head"] in done.out
    assert "revoked or changed after the backup" in done.err
    assert filled.ok("list", "--count").out.strip() == "20"
    assert filled.ok("verify", "--head", made["head"]).code == 0
    assert stat.S_IMODE((filled.folder / "new.db").stat().st_mode) == 0o600


def test_a_folder_gets_a_file_named_after_the_moment(filled: Terminal) -> None:
    (filled.folder / "backups").mkdir()
    filled.ok("backup", "backups/")
    [file] = (filled.folder / "backups").iterdir()
    assert file.name.startswith("indicia-2")
    assert file.name.endswith("Z.backup")


def test_nothing_is_written_over(filled: Terminal) -> None:
    (filled.folder / "b.backup").write_text("mine")
    done = filled.call("backup", "b.backup")
    assert done.code == 6
    assert "is there already" in done.err
    assert (filled.folder / "b.backup").read_text() == "mine"
    assert not list(filled.folder.glob("*.partial"))


def test_a_full_database_is_let_go_only_when_asked(filled: Terminal) -> None:
    filled.ok("backup", "b.backup")
    done = filled.call("restore", "b.backup")
    assert done.code == 6
    assert "is not empty" in done.err
    done = filled.run("restore", "b.backup", "--replace")
    assert done.code == 2
    assert "say --yes" in done.err
    filled.ok("delete", "--filter", "id gt 3", "--yes")
    filled.ok("restore", "b.backup", "--replace", "--yes")
    assert filled.ok("list", "--count").out.strip() == "20"
    event = newest(filled)
    assert event.kind == "restore"
    assert event.details["replaced"]["changeset"] == 3


def test_keys_come_along_when_asked(filled: Terminal) -> None:
    key = filled.folder / "indicia.key"
    key.write_bytes(b"a key")
    assert "not in it" in filled.ok("backup", "without.backup").err
    filled.ok("backup", "with.backup", "--with-keys")
    key.unlink()
    assert "are not used: tokens" in filled.ok("restore", "with.backup", "--replace", "--yes").err
    assert not key.exists()
    filled.ok("restore", "with.backup", "--replace", "--yes", "--with-keys")
    assert key.read_bytes() == b"a key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_another_key_is_not_written_over(filled: Terminal) -> None:
    key = filled.folder / "indicia.key"
    key.write_bytes(b"a key")
    filled.ok("backup", "with.backup", "--with-keys")
    key.write_bytes(b"another")
    (filled.folder / "indicia.db").unlink()
    done = filled.call("restore", "with.backup", "--with-keys")
    assert done.code == 6
    assert "holds another key already: nothing was restored" in done.err
    assert key.read_bytes() == b"another"


def test_what_is_wrong_with_a_backup_is_told_before_anything_is_made(filled: Terminal) -> None:
    filled.ok("backup", "b.backup")
    file = filled.folder / "b.backup"
    file.write_bytes(file.read_bytes()[:-40])
    filled.url = f"sqlite:///{filled.folder / 'new.db'}"
    done = filled.call("restore", "b.backup")
    assert done.code == 2
    assert "b.backup: line" in done.err
    assert "ends too early" in done.err
    assert not (filled.folder / "new.db").exists()
    done = filled.call("restore", filled.folder / "rows.csv")
    assert done.code == 2
    assert "no backup that Indicia made" in done.err
    assert filled.call("restore", "nowhere").code == 1


def test_a_backup_goes_through_a_pipe(filled: Terminal) -> None:
    import subprocess

    from tests.acceptance.command_line import SCRIPT

    target = f"sqlite:///{filled.folder / 'new.db'}"
    piped = f"'{SCRIPT}' backup - | '{SCRIPT}' restore - --database '{target}'"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", piped], env=filled.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert head(filled, target)


def test_a_backup_needs_a_database(terminal: Terminal) -> None:
    done = terminal.call("backup", "b.backup")
    assert done.code == 5
    assert "there is no database" in done.err
    assert not (terminal.folder / "indicia.db").exists()
    assert not (terminal.folder / "b.backup").exists()


def test_a_backup_that_is_broken_off_leaves_nothing(filled: Terminal) -> None:
    filled.ok(
        "import",
        filled.write("more.csv", *(f"DomainName,m{n}.example.org,,Block,High,T,D,,,,,FALSE" for n in range(60_000))),
    )
    process = filled.start("backup", "b.backup")
    until = time.monotonic() + 30
    while not (filled.folder / "b.backup.partial").exists() and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert not list(filled.folder.glob("b.backup*"))


def test_copying_to_postgres_and_on_from_there(filled: Terminal, postgres_url: str) -> None:
    before = head(filled, filled.url)
    done = filled.ok("db", "copy", filled.url, postgres_url, "--json").json
    assert done["head"] == before == head(filled, postgres_url)
    assert "indicia@" in done["target"]
    assert done["rows"]["indicators"] == 20
    again = filled.call("db", "copy", filled.url, postgres_url)
    assert again.code == 6
    assert "name a new database" in again.err
    filled.url = postgres_url
    filled.ok("add", "new.example.org", "--action", "Block", "--title", "T", "--description", "D")
    filled.ok("backup", "pg.backup")
    filled.url = f"sqlite:///{filled.folder / 'back.db'}"
    filled.ok("restore", "pg.backup")
    assert filled.ok("list", "--count").out.strip() == "21"


def test_a_source_that_is_not_there_is_not_made(terminal: Terminal) -> None:
    done = terminal.call("db", "copy", "sqlite:///nothing.db", "sqlite:///target.db")
    assert done.code == 5
    assert "there is no database" in done.err
    assert not list(terminal.folder.glob("*.db"))


def test_a_copy_that_is_killed_leaves_the_target_empty(filled: Terminal, postgres_url: str) -> None:
    filled.ok(
        "import",
        filled.write("more.csv", *(f"DomainName,m{n}.example.org,,Block,High,T,D,,,,,FALSE" for n in range(60_000))),
    )
    for target in (postgres_url, f"sqlite:///{filled.folder / 'target.db'}"):
        for seconds in (0.8, 1.2, 1.6):
            process = filled.start("db", "copy", filled.url, target)
            time.sleep(seconds)
            process.kill()
            process.communicate(timeout=30)
            if process.returncode == 0:
                break
            shown = filled.run("db", "status", "--database", target, "--json")
            assert shown.code != 0 or not any(shown.json["rows"].values())
        if process.returncode:
            done = filled.run("db", "copy", filled.url, target)
            assert done.code == 0, done.err
        assert head(filled, target) == head(filled, filled.url)


def test_status_says_what_there_is(filled: Terminal) -> None:
    found = filled.ok("db", "status", "--json").json
    assert found["usable"]
    assert found["changeset"] == 1
    assert found["newestBackup"] is None
    filled.ok("backup", "b.backup")
    assert filled.ok("db", "status", "--json").json["newestBackup"]
    assert "indicators" in filled.ok("db", "status").out


def test_doctor_knows_how_old_the_newest_backup_is(filled: Terminal) -> None:
    def backup() -> dict[str, str]:
        checks = {each["name"]: each for each in json.loads(filled.call("doctor", "--json").out)["checks"]}
        return checks["backup"]

    assert backup()["state"] == "warn"
    assert "indicia backup FILE" in backup()["message"]
    filled.ok("backup", "b.backup")
    assert backup()["state"] == "ok"
    assert "0 days ago" in backup()["message"]


def test_doctor_asks_a_server(filled: Terminal) -> None:
    done = filled.call("doctor", "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert "does not answer" in done.out
    assert filled.call("doctor", "--url", "ftp://x").code == 2


def test_a_disk_that_is_full_leaves_no_half_backup(filled: Terminal) -> None:
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small disk can be mounted by root only")
    import subprocess

    small = filled.folder / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", small], check=False, capture_output=True
    ).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        filled.ok(
            "import",
            filled.write("more.csv", *(f"DomainName,m{n}.example.org,,Block,High,T,D,,,,,FALSE" for n in range(2_000))),
        )
        done = filled.call("backup", small / "b.backup")
        assert done.code == 1
        assert "the disk is full" in done.err
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_every_command_of_the_database_has_examples() -> None:
    assert all(command.examples for command in db_command.commands.values())  # type: ignore[attr-defined]  # ours have


def test_paths_are_not_made_up(filled: Terminal) -> None:
    done = filled.call("backup", Path("nowhere") / "b.backup")
    assert done.code == 1
    assert "no such file" in done.err
