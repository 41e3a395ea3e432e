"""`indicia scan`: logs in, one line of JSON per hit out; everything that goes wrong is a sentence."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import indicia
from indicia.domain.errors import InvalidInput
from indicia.services.hits import Hit
from tests.acceptance.command_line import Finished, Terminal

EVE = (
    '{"timestamp":"2018-03-24T14:37:19.037299-0600","event_type":"dns","host":"sensor-1","src_ip":"10.0.0.5",'
    '"dest_ip":"9.9.9.9","dns":{"type":"query","rrname":"%s"}}\n'
)


@pytest.fixture
def stocked(terminal: Terminal) -> Terminal:
    """Return a terminal over a name that is blocked, one with a warning, and one that is audited on some devices."""
    terminal.ok("group", "add", "Lab")
    for value, action, *more in (
        ("evil.example", "Block"),
        ("odd.example", "Warn"),
        ("lab.example", "Audit", "--group", "Lab"),
    ):
        terminal.ok("add", value, "--action", action, "--title", "T", "--description", "D", *more)
    return terminal


def write(terminal: Terminal, name: str, *names: str) -> Path:
    path = terminal.folder / name
    path.write_text("".join(EVE % each for each in names), encoding="utf-8")
    return path


def hits(done: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def seen(done: Finished) -> list[str]:
    return [hit["observable"] for hit in hits(done)]


class TestWhatIsPrinted:
    def test_a_hit_in_its_shape_and_a_summary(self, stocked: Terminal) -> None:
        path = write(stocked, "eve.json", "good.example", "www.evil.example")
        done = stocked.ok("scan", path)
        assert hits(done) == [
            {
                "file": str(path),
                "line": 2,
                "time": "2018-03-24T20:37:19.037299Z",
                "device": "10.0.0.5",
                "observable": "www.evil.example",
                "type": "DomainName",
                "action": "Block",
                "indicator": {"id": 1, "type": "DomainName", "value": "evil.example"},
            }
        ]
        assert done.err.splitlines()[-1] == "scanned 1 file, 2 records, 0.0 MB: 1 hit (1 Block)"

    def test_quiet_is_quiet(self, stocked: Terminal) -> None:
        done = stocked.ok("scan", "-q", write(stocked, "eve.json", "evil.example"))
        assert (seen(done), done.err) == (["evil.example"], "")

    def test_several_files_packed_by_a_pattern_and_stdin(
        self, stocked: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(stocked, "a.json", "a.evil.example")
        (stocked.folder / "b.json.gz").write_bytes(gzip.compress((EVE % "b.evil.example").encode()))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"c.evil.example\n")))
        assert seen(stocked.ok("scan", "?.json*", "-")) == ["a.evil.example", "b.evil.example", "c.evil.example"]

    def test_groups_actions_and_how_many(self, stocked: Terminal) -> None:
        path = write(stocked, "eve.json", "lab.example", "evil.example", "odd.example", "x.evil.example")
        assert seen(stocked.ok("scan", path)) == ["evil.example", "odd.example", "x.evil.example"]
        assert seen(stocked.ok("scan", path, "--group", "Lab"))[0] == "lab.example"
        assert seen(stocked.ok("scan", path, "--action", "warn")) == ["odd.example"]
        assert seen(stocked.ok("scan", path, "--max-hits", "2")) == ["evil.example", "odd.example"]

    def test_an_edit_counts_in_the_next_scan(self, stocked: Terminal) -> None:
        path = write(stocked, "eve.json", "evil.example", "new.example")
        assert seen(stocked.ok("scan", path)) == ["evil.example"]
        stocked.ok("add", "new.example", "--action", "Block", "--title", "T", "--description", "D")
        stocked.ok("delete", "1", "--yes")
        assert seen(stocked.ok("scan", path)) == ["new.example"]

    def test_it_says_the_same_as_check(self, stocked: Terminal) -> None:
        values = ["https://evil.example/a", "x.odd.example", "good.example", "lab.example"]
        (stocked.folder / "some.log").write_text("\n".join(values))
        found = {hit["observable"]: hit["action"] for hit in hits(stocked.ok("scan", "some.log"))}
        checked = {each["canonical"]: each["action"] for each in stocked.ok("check", *values, "--json").json}
        assert found == {value: action for value, action in checked.items() if action}


class TestHowItEnds:
    @pytest.mark.parametrize(
        "names, code", [(["evil.example", "odd.example"], 10), (["odd.example"], 11), (["good.example"], 0)]
    )
    def test_by_exit_code_where_asked(self, stocked: Terminal, names: list[str], code: int) -> None:
        path = write(stocked, "eve.json", *names)
        assert stocked.call("scan", "--exit-code", path).code == code
        assert stocked.call("scan", path).code == 0

    def test_a_file_that_is_not_there(self, stocked: Terminal) -> None:
        done = stocked.call("scan", "nowhere.log", write(stocked, "eve.json", "evil.example"), stocked.folder)
        assert done.code == 1
        assert seen(done) == ["evil.example"]
        assert "error: nowhere.log: there is no such file" in done.err
        assert "it is a folder; name its files" in done.err

    def test_records_that_are_none(self, stocked: Terminal) -> None:
        path = write(stocked, "eve.json", "evil.example", *['" evil.example'] * 12)
        done = stocked.call("scan", path)
        assert done.code == 3
        assert done.err.count("line ") == 5
        assert "error: 7 more records were not to be read" in done.err

    @pytest.mark.parametrize(
        "options, says",
        [
            (("--format", "eva"), "did you mean eve?"),
            (("--group", "Labb"), "there is no device group named 'Labb'"),
            (("--action", "Blok"), "did you mean Block?"),
            (("--max-hits", "0"), "--max-hits"),
        ],
    )
    def test_what_is_unknown_is_told(self, stocked: Terminal, options: tuple[str, ...], says: str) -> None:
        done = stocked.call("scan", *options, write(stocked, "eve.json", "evil.example"))
        assert done.code == 2
        assert says in done.err

    def test_nothing_to_scan_and_stdin_followed_beside_files(self, stocked: Terminal) -> None:
        assert stocked.call("scan").code == 2
        assert "cannot be followed" in stocked.call("scan", "--follow", "-", write(stocked, "a", "x.example")).err

    def test_a_reader_that_stops(self, stocked: Terminal) -> None:
        write(stocked, "eve.json", *["evil.example"] * 20_000)
        shell = f"{sys.executable} -m indicia scan eve.json | head -1; echo ${{PIPESTATUS[0]}}"
        ran = subprocess.run(
            ["bash", "-c", shell],
            cwd=stocked.folder,
            env=stocked.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert ran.stdout.splitlines()[1:] == ["141"]
        assert ran.stderr == ""

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_may_not_be_read(self, stocked: Terminal) -> None:
        path = write(stocked, "eve.json", "evil.example")
        path.chmod(0)
        assert "you may not read it" in stocked.call("scan", path).err


@contextmanager
def following(terminal: Terminal, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with terminal.start("scan", "--follow", *arguments) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
class TestFollowing:
    @pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
    def test_hits_come_at_once_edits_count_and_a_signal_ends_it(self, stocked: Terminal, by: signal.Signals) -> None:
        path = write(stocked, "eve.json", "evil.example")
        with following(stocked, path) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["line"] == 1
            stocked.ok("add", "new.example", "--action", "Block", "--title", "T", "--description", "D")
            with path.open("a") as log:
                log.write(EVE % "new.example")
            assert json.loads(process.stdout.readline())["observable"] == "new.example"
            path.rename(path.with_suffix(".1"))
            write(stocked, "eve.json", "x.evil.example")
            assert json.loads(process.stdout.readline())["line"] == 1
            process.send_signal(by)
            out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert err.splitlines()[-1] == "scanned 1 file, 3 records, 0.0 MB: 3 hits (3 Block)"

    def test_stdin(self, stocked: Terminal) -> None:
        with terminal_with_pipe(stocked) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(EVE % "evil.example")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["observable"] == "evil.example"
            stocked.ok("add", "new.example", "--action", "Warn", "--title", "T", "--description", "D")
            time.sleep(0.5)
            process.stdin.write(EVE % "new.example")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["observable"] == "new.example"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        assert process.returncode == 0


def terminal_with_pipe(terminal: Terminal) -> subprocess.Popen[str]:
    return terminal.start("scan", "--follow", "-", stdin=subprocess.PIPE)


class TestFromPython:
    def test_hits_and_the_summary(self, stocked: Terminal) -> None:
        path = write(stocked, "eve.json", "www.evil.example", "odd.example")
        with indicia.scan([path, "nowhere"], database=stocked.url) as found:
            first, second = found
        assert isinstance(first, Hit)
        assert (first.observable, first.action, first.indicator.value) == ("www.evil.example", "Block", "evil.example")
        assert [first.as_dict(), second.as_dict()] == hits(stocked.ok("scan", path))
        assert [problem.message for problem in found.summary.problems] == ["there is no such file"]
        assert found.summary.hits == 2

    def test_one_path_and_actions(self, stocked: Terminal) -> None:
        path = write(stocked, "eve.json", "evil.example", "odd.example")
        found = indicia.scan(str(path), database=stocked.url, actions=["Warn"])
        assert [hit.observable for hit in found] == ["odd.example"]
        with pytest.raises(StopIteration):
            next(found)

    def test_what_is_unknown_is_an_outcome(self, stocked: Terminal) -> None:
        path = write(stocked, "eve.json", "evil.example")
        for wrong in ({"group": "Labb"}, {"format": "eva"}, {"actions": ["Blok"]}):
            with pytest.raises(InvalidInput):
                indicia.scan(path, database=stocked.url, **wrong)  # type: ignore[arg-type]  # texts, all of them

    def test_importing_it_is_cheap(self) -> None:
        code = "import sys, indicia; print(sorted(name for name in sys.modules if name.startswith('indicia')))"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "['indicia']"
