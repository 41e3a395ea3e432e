"""Stories through the real console script: what a person at a terminal, a pipe or a scheduler sees."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.command_line import HEADER, LIST, SCRIPT, Terminal

FULL = Path("/dev/full")


def test_the_first_minutes(terminal: Terminal) -> None:
    sample = terminal.run("sample")
    assert sample.code == 0
    assert sample.err == ""
    (terminal.folder / "sample.csv").write_text(sample.out, encoding="utf-8", newline="")

    imported = terminal.run("import", "sample.csv")
    assert imported.code == 0
    assert "sample.csv" in imported.out
    assert "`indicia undo 1` takes it back" in imported.err

    listed = terminal.run("list")
    assert "malware.example" in listed.out
    assert listed.err == ""
    assert "\x1b" not in listed.out

    assert terminal.run("undo", "1").code == 0
    assert terminal.run("list", "--count").out == "0\n"
    assert terminal.run("verify").code == 0


def test_a_failed_import_begins_with_defenders_sentence(terminal: Terminal) -> None:
    terminal.write(
        "bad.csv", "DomainName,evil.example,,Blok,High,T,D,,,,,", "DomainName,b.example,,Block,High,T,D,,,,,"
    )
    done = terminal.run("import", "bad.csv")
    assert done.code == 3
    assert done.err.splitlines()[0] == (
        "Failed to parse CSV file. Invalid line: 2, Reason: Error in parsing field Action, value: Blok. "
        "Possible values: Allowed,Audit,BlockAndRemediate,Warn,Block"
    )
    assert "did you mean Block?" in done.err
    assert terminal.run("list", "--count").out == "0\n"


def test_stdin_is_a_file_like_others(terminal: Terminal) -> None:
    done = terminal.run("import", "-", *LIST, "--json", given="hxxps://evil[.]example/a\n# a comment\nevil.example\n")
    assert done.code == 0
    assert done.json["created"] == 2
    assert done.json["files"][0]["name"] == "stdin"
    values = terminal.run("list", "--csv").out
    assert "https://evil.example/a" in values


@pytest.mark.sqlite_only("its databases are files")
def test_the_environment_names_the_database_and_an_option_another(terminal: Terminal) -> None:
    other = terminal.folder / "other.db"
    terminal.run("add", "evil.example", *LIST)
    assert (terminal.folder / "indicia.db").exists()
    assert terminal.run("list", "--count", "--database", f"sqlite:///{other}").out == "0\n"
    assert terminal.run("--database", f"sqlite:///{other}", "list", "--count").out == "0\n"
    del terminal.environment["INDICIA_DATABASE_URL"]
    assert terminal.run("list", "--count").out == "0\n"
    assert (terminal.folder / "data" / "indicia" / "indicia.db").exists() or sys.platform != "linux"


def test_a_reader_that_stops_is_no_failure(terminal: Terminal) -> None:
    terminal.write("many.csv", *(f"DomainName,n{number}.example,,Block,High,T,D,,,,," for number in range(5_000)))
    assert terminal.run("import", "many.csv", "-q").code == 0
    with terminal.start("list", "--limit", "0", "--jsonl") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "n0.example" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


@pytest.mark.skipif(os.name != "posix", reason="signals as terminals send them")
def test_ctrl_c_leaves_nothing_behind(terminal: Terminal) -> None:
    with terminal.start("import", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(HEADER + "DomainName,evil.example,,Block,High,T,D,,,,,\n" * 40_000)
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        assert process.wait(60) == 130
        assert process.stderr.read().strip() == "interrupted: a change that was not finished is not kept"
    assert terminal.run("list", "--count").out == "0\n"


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", ["list --count", "export", "sample"])
def test_a_full_disk_is_a_sentence(terminal: Terminal, command: str) -> None:
    with FULL.open("w") as full:
        done = terminal.run(*command.split(), stdout=full)
    assert done.code == 1
    assert done.err.splitlines()[-1] == "error: the disk is full"


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_an_import_that_is_done_says_so_although_its_report_has_no_room(terminal: Terminal) -> None:
    file = terminal.write("one.csv", "DomainName,evil.example.org,,Block,High,T,D,,,,,")
    with FULL.open("w") as full:
        done = terminal.run("import", str(file), stdout=full)
    assert done.code == 1
    assert "the import is done" in done.err
    assert "`indicia undo 1` takes it back" in done.err
    assert terminal.run("list", "--count").out == "1\n"


def test_an_internal_error_is_a_sentence_with_a_reference(terminal: Terminal) -> None:
    program = (
        "import sys; from indicia.cli import listing, main\n"
        "def broken(*_): raise KeyError('of the program')\n"
        "listing.row_of = broken\n"
        "main(['add', 'evil.example', '--action', 'Block', '--title', 'T', '--description', 'D'])\n"
        "sys.exit(main(['list', *sys.argv[1:]]))\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, env=terminal.environment, capture_output=True, text=True, check=False)

    done = run()
    assert done.returncode == 1
    assert "error: internal error, please report it with this reference: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in run("--debug").stderr


def test_help_loads_nothing_that_is_slow(terminal: Terminal) -> None:
    program = (
        "import sys; from indicia.cli import main; code = main(['--help'])\n"
        "slow = {'alembic', 'fastapi', 'orjson', 'publicsuffixlist', 'pydantic', 'rich', 'sqlalchemy', 'ada_url'}\n"
        "print(sorted(slow & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "indicia import sample.csv" in done.stdout


def test_the_shell_completes_commands_options_and_names(terminal: Terminal) -> None:
    def complete(words: str, place: int) -> str:
        asked = {"_INDICIA_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(place)}
        command = [str(SCRIPT)]
        return subprocess.run(
            command, env=terminal.environment | asked, capture_output=True, text=True, check=True
        ).stdout

    assert complete("indicia im", 1) == "plain,import\n"
    assert "--on-error" in complete("indicia import --on", 2)
    assert complete("indicia add --action B", 3) == "plain,Block\nplain,BlockAndRemediate\n"


@pytest.mark.skipif(importlib.util.find_spec("indicia.web") is None, reason="no server yet")
class TestServe:
    def test_the_first_line_is_the_address(self, terminal: Terminal) -> None:
        with terminal.start("serve", "--port", "0") as process:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        assert address.startswith("http://127.0.0.1:")
        assert not address.endswith(":0")

    def test_a_port_that_is_taken_is_a_sentence(self, terminal: Terminal) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = terminal.run("serve", "--port", str(taken.getsockname()[1]))
        assert done.code in (1, 75)
        assert done.err.startswith("error: ")
