"""`indicia check`: what would happen to a value, why, and what scripts get to know of it."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from indicia.web import api_verdicts
from tests.acceptance.command_line import Finished, Terminal
from tests.wire.doors import open_door

BLOCKED, WARNED, AUDITED, ALLOWED = "blocked.example", "warned.example", "audited.example", "allowed.example"


def add(terminal: Terminal, value: str, action: str, *more: str, title: str = "T") -> None:
    terminal.ok("add", value, "--action", action, "--title", title, "--description", "D", *more)


@pytest.fixture
def stocked(terminal: Terminal) -> Terminal:
    """Return a terminal over one indicator of each action, and one that the guard holds."""
    for value, action in ((BLOCKED, "Block"), (WARNED, "Warn"), (AUDITED, "Audit"), (ALLOWED, "Allowed")):
        add(terminal, value, action, title=f"Title of {value}")
    add(terminal, "org", "Block", "--type", "DomainName")
    return terminal


@pytest.fixture
def scoped(terminal: Terminal) -> Terminal:
    """Return a terminal over a name that is blocked, and allowed in one of two device groups."""
    terminal.ok("group", "add", "Servers")
    terminal.ok("group", "add", "Lab")
    add(terminal, "evil.example", "Block")
    add(terminal, "evil.example", "Allowed", "--group", "Lab")
    return terminal


def given_on_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def values_of(done: Finished) -> list[tuple[str, str | None]]:
    return [(each["value"], each["action"]) for each in done.json]


ABOVE = "above it or by another scheme"


class TestWhatIsPrinted:
    def test_the_winner_the_losers_and_how_the_value_was_read(self, terminal: Terminal) -> None:
        add(terminal, "evil.example", "Block", "--generate-alert", title="Phishing kit")
        add(terminal, "login.evil.example", "Warn", "--generate-alert", title="Fake login")
        done = terminal.ok("check", "hxxps://login[.]evil[.]example/a")
        assert done.out.splitlines() == [
            "hxxps://login[.]evil[.]example/a  (Url https://login.evil.example/a)",
            "  Warn, by indicator 2: Fake login, with an alert",
            f"  tried   https://login.evil.example/a and 5 URLs {ABOVE}; login.evil.example, evil.example, example",
            "  won     2 Warn login.evil.example: it comes first of the 2 that count",
            "  lost    1 Block evil.example: Warn beats Block among names, addresses and URLs",
            "  note    read as https://login.evil.example/a (hxxps -> https, [.] -> .)",
        ]
        assert done.err == ""

    def test_nothing_matches_and_nothing_decides_are_told_apart(self, stocked: Terminal) -> None:
        assert stocked.ok("check", "good.example").out.splitlines()[1:] == [
            "  nothing: no indicator matches",
            "  tried   good.example, example",
        ]
        lines = stocked.ok("check", "some.name.org").out.splitlines()[1:]
        assert lines == [
            "  nothing: no indicator decides",
            "  tried   some.name.org, name.org, org",
            "  ignored 5 Block org: it is held by the guard until somebody releases it",
        ]

    def test_what_is_released_decides(self, stocked: Terminal) -> None:
        stocked.ok("release", "5", "--reason", "agreed")
        assert stocked.ok("check", "some.name.org", "--json").json[0]["action"] == "Block"

    def test_the_guard_says_what_it_thinks_of_the_value(self, terminal: Terminal) -> None:
        [verdict] = terminal.ok("check", "10.0.0.1", "--json").json
        assert [(note["code"], note["severity"]) for note in verdict["notes"]] == [("held-private-address", "warning")]

    def test_several_values_stay_in_their_order(self, stocked: Terminal) -> None:
        done = stocked.ok("check", WARNED, "good.example", BLOCKED, WARNED, "--json")
        assert values_of(done) == [(WARNED, "Warn"), ("good.example", None), (BLOCKED, "Block"), (WARNED, "Warn")]

    def test_a_hash_may_be_that_of_a_file_or_of_a_certificate(self, terminal: Terminal) -> None:
        digits = "ab" * 20
        add(terminal, digits, "Block", "--type", "CertificateThumbprint", title="Stolen certificate")
        add(terminal, digits, "Allowed")
        out = terminal.ok("check", digits.upper()).out
        assert "Block, by indicator 1: Stolen certificate" in out
        assert "Block beats Allowed between a file and its certificate" in out

    def test_a_type_that_is_said_is_not_detected(self, terminal: Terminal) -> None:
        add(terminal, "corp", "Allowed", "--type", "DomainName")
        assert "of no type" in terminal.run("check", "corp").out
        assert (
            terminal.ok("check", "corp", "--type", "domainname").out.splitlines()[1] == "  Allowed, by indicator 1: T"
        )
        wrong = terminal.run("check", "not/a/name", "--type", "DomainName")
        assert wrong.code == 3
        assert "a DomainName has no scheme and no path" in wrong.out

    def test_nothing_acts_on_the_terminal(self, terminal: Terminal) -> None:
        add(terminal, "evil.example", "Block", title="a\u009b31mb\tc[red]")
        out = terminal.ok("check", "evil.example").out
        assert "Block, by indicator 1: a\\x9b31mb c[red]" in out
        hostile = terminal.call("check", "a\x1b]0;title\x07\u202e.example")
        assert all(line.isprintable() for line in (hostile.out + hostile.err).splitlines())
        assert "\\x1b]0;title\\x07\\u202e" in hostile.out

    def test_the_setting_lets_the_narrowest_name_win(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        add(terminal, "evil.example", "Allowed")
        add(terminal, "login.evil.example", "Block")
        assert values_of(terminal.ok("check", "login.evil.example", "--json")) == [("login.evil.example", "Allowed")]
        monkeypatch.setenv("INDICIA_NETWORK_PRECEDENCE", "most-specific")
        assert values_of(terminal.ok("check", "login.evil.example", "--json")) == [("login.evil.example", "Block")]
        monkeypatch.setenv("INDICIA_NETWORK_PRECEDENCE", "strictest")
        done = terminal.call("check", "login.evil.example")
        assert done.code == 2
        assert "INDICIA_NETWORK_PRECEDENCE" in done.err


class TestJson:
    def test_its_shape_is_that_of_the_api(self, stocked: Terminal) -> None:
        asked = [f"hxxp://www[.]{BLOCKED}/x", AUDITED, "some.name.org", "nonsense", "10.0.0.1", ""]
        with open_door(stocked.folder) as door:
            printed = stocked.call("check", *asked, "--json").json
            assert printed == door.post("/v1/verdicts", {"values": asked}).json()["verdicts"]
        for each in printed:
            api_verdicts.Verdict.model_validate(each)

    def test_the_keys_are_those_of_the_reference(self, stocked: Terminal) -> None:
        [verdict] = stocked.ok("check", BLOCKED, "--json").json
        assert list(verdict) == [
            "value", "type", "canonical", "action", "winner", "considered", "alert", "snapshot", "notes",
        ]  # fmt: skip
        [considered] = verdict["considered"]
        assert list(considered) == ["indicator", "matched_on", "outcome", "because"]
        assert considered["indicator"] == verdict["winner"]
        assert verdict["snapshot"] == 5

    def test_bytes_that_are_no_text_can_be_printed(self, terminal: Terminal) -> None:
        done = terminal.run("check", "\udcff\udcfe", "--json")
        assert done.code == 3
        assert done.json[0]["value"] == "\\udcff\\udcfe"


class TestFile:
    def test_comments_marks_and_line_ends_are_passed_over(self, stocked: Terminal) -> None:
        content = f"\ufeff# seen\r\n\r\n  {BLOCKED}\r\n#{WARNED}\n\t\n{ALLOWED}"
        (stocked.folder / "seen.txt").write_bytes(content.encode())
        done = stocked.ok("check", "--file", "seen.txt", "--json")
        assert values_of(done) == [(BLOCKED, "Block"), (ALLOWED, "Allowed")]

    def test_stdin_and_arguments_go_together(self, stocked: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        given_on_stdin(monkeypatch, f"{BLOCKED}\n".encode())
        assert values_of(stocked.ok("check", ALLOWED, "-f", "-", "--json")) == [
            (ALLOWED, "Allowed"),
            (BLOCKED, "Block"),
        ]

    def test_stdin_of_a_process_of_its_own(self, stocked: Terminal) -> None:
        done = stocked.run("check", "-f", "-", "--json", "--exit-code", given=f"# none\n{WARNED}\n")
        assert done.code == 11
        assert values_of(done) == [(WARNED, "Warn")]

    def test_hostile_bytes_are_values_of_no_type(self, stocked: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        given_on_stdin(monkeypatch, b"\xff\xfe\n" + b"a" * 200_000 + b"\n\0\n" + BLOCKED.encode() + b"\n")
        done = stocked.call("check", "-f", "-", "--json")
        assert done.code == 3
        assert [each["type"] for each in done.json] == [None, None, None, "DomainName"]
        assert all(len(note["value"]) <= 200 for each in done.json for note in each["notes"])

    def test_the_rest_of_a_long_line_is_no_value(self, stocked: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        given_on_stdin(monkeypatch, b"#" * 65_536 + BLOCKED.encode() + b"\n" + ALLOWED.encode())
        assert values_of(stocked.ok("check", "-f", "-", "--json")) == [(ALLOWED, "Allowed")]

    @pytest.mark.parametrize(
        "name, message", [("nowhere.txt", "there is no such file"), (".", "it is a folder, not a file")]
    )
    def test_what_cannot_be_read_is_a_sentence(self, terminal: Terminal, name: str, message: str) -> None:
        done = terminal.call("check", "--file", name)
        assert (done.code, done.out, done.err) == (1, "", f"error: {name}: {message}\n")

    @pytest.mark.skipif(shutil.which("yes") is None, reason="no `yes`: apt install coreutils")
    def test_a_file_without_an_end_is_refused_too(self, terminal: Terminal) -> None:
        with subprocess.Popen(["yes", "evil.example"], stdout=subprocess.PIPE) as endless:
            done = terminal.run("check", "--file", "-", stdin=endless.stdout)
            endless.kill()
        assert done.code == 2
        assert "more than 10,000 values" in done.err

    def test_more_than_ten_thousand_are_refused(self, terminal: Terminal) -> None:
        lines = [f"n{number}.example" for number in range(10_001)]
        path = terminal.write("many.txt", *lines, header="")
        done = terminal.call("check", "-f", path)
        assert done.code == 2
        assert "more than 10,000 values are given; allowed: 1 to 10,000" in done.err
        terminal.write("many.txt", *lines[1:], header="")
        assert len(terminal.ok("check", "-f", path, "--json").json) == 10_000


class TestDevices:
    @pytest.mark.parametrize("group, action", [(None, "Block"), ("Servers", "Block"), ("Lab", "Allowed")])
    def test_a_scoped_indicator_counts_in_its_group_only(
        self, scoped: Terminal, group: str | None, action: str
    ) -> None:
        [verdict] = scoped.ok("check", "evil.example", "--json", *(["--group", group] if group else [])).json
        assert verdict["action"] == action
        [allowed] = [each for each in verdict["considered"] if each["indicator"]["action"] == "Allowed"]
        assert allowed["outcome"] == ("won" if action == "Allowed" else "ignored")

    @pytest.mark.parametrize("group", ["Kiosks", "lab", "", "\x1b[31m"])
    def test_an_unknown_group_names_those_that_there_are(self, scoped: Terminal, group: str) -> None:
        done = scoped.call("check", "evil.example", "--group", group)
        assert (done.code, done.out) == (2, "")
        assert "there is no device group named" in done.err
        assert "allowed: Lab, Servers" in done.err
        assert "\x1b" not in done.err


class TestThePast:
    @pytest.mark.sqlite_only("the clock of this process is moved, and on PostgreSQL the one of the server counts")
    def test_a_changeset_a_time_or_how_long_ago(self, terminal: Terminal) -> None:
        with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
            add(terminal, "evil.example", "Block")
            clock.shift(timedelta(days=2))
            terminal.ok("edit", "1", "--action", "Warn")
            clock.shift(timedelta(days=2))
            for at, action in {
                "1": "Block",
                "2": "Warn",
                "2026-01-02": "Block",
                "2026-01-03T12:00:00Z": "Warn",
                "3d": "Block",
                "1d": "Warn",
                "30d": None,
            }.items():
                done = terminal.ok("check", "evil.example", "--at", at, "--json")
                assert values_of(done) == [("evil.example", action)], at

    def test_expiry_counts_to_the_second_and_also_in_times_to_come(self, terminal: Terminal) -> None:
        add(terminal, "evil.example", "Block", "--expires", "2099-01-01T00:00:00Z")
        before = terminal.ok("check", "evil.example", "--at", "2098-12-31T23:59:59Z", "--json").json[0]
        after = terminal.ok("check", "evil.example", "--at", "2099-01-01T00:00:00Z", "--json").json[0]
        assert (before["action"], after["action"]) == ("Block", None)
        assert [each["because"] for each in after["considered"]] == ["it expired at 2099-01-01T00:00:00Z"]

    def test_what_was_deleted_still_decides_then(self, stocked: Terminal) -> None:
        stocked.ok("delete", "1")
        assert values_of(stocked.ok("check", BLOCKED, "--json")) == [(BLOCKED, None)]
        assert values_of(stocked.ok("check", BLOCKED, "--json", "--at", "1")) == [(BLOCKED, "Block")]

    def test_what_is_no_moment_is_a_sentence(self, stocked: Terminal) -> None:
        assert stocked.call("check", BLOCKED, "--at", "99").code == 5
        for at in ("yesterday", "", "2026-13-01", "0001-01-01T00:00:00+14:00"):
            done = stocked.call("check", BLOCKED, "--at", at)
            assert (done.code, done.out) == (2, "")
            assert "is neither a changeset" in done.err


class TestExitCodes:
    @pytest.mark.parametrize(
        "values, code",
        [
            ([ALLOWED], 0),
            (["good.example"], 0),
            ([AUDITED], 12),
            ([WARNED], 11),
            ([BLOCKED], 10),
            ([ALLOWED, AUDITED, WARNED, BLOCKED], 10),
            ([AUDITED, WARNED], 11),
            (["nonsense", ALLOWED], 3),
            (["nonsense", AUDITED], 12),
            (["some.name.org"], 0),
        ],
    )
    def test_they_say_the_worst_of_all_verdicts(self, stocked: Terminal, values: list[str], code: int) -> None:
        assert stocked.call("check", "--exit-code", *values).code == code
        assert stocked.call("check", *values).code == (3 if "nonsense" in values else 0)

    def test_files_that_are_remediated_are_blocked(self, terminal: Terminal) -> None:
        add(terminal, "ab" * 32, "BlockAndRemediate")
        assert terminal.call("check", "--exit-code", "ab" * 32).code == 10

    @pytest.mark.parametrize("arguments", [[], ["--json"], ["--exit-code"], ["-f", "empty.txt"]])
    def test_nothing_given_is_a_fault_of_usage(self, terminal: Terminal, arguments: list[str]) -> None:
        terminal.write("empty.txt", "# nothing", header="")
        done = terminal.call("check", *arguments)
        assert (done.code, done.out) == (2, "")
        assert "give a value, or --file with one a line" in done.err

    @pytest.mark.parametrize(
        "value",
        ["nonsense", "", " ", "com", "http://", "ftp://evil.example/", "1.2.3.4:80", "1.2.3.999", "*.evil.example"],
    )
    def test_nonsense_is_told_and_does_not_stop_the_others(self, stocked: Terminal, value: str) -> None:
        done = stocked.call("check", "--json", "--", value, BLOCKED)
        assert done.code == 3
        assert done.err == "1 value is of no type that is known\n"
        nonsense, blocked = done.json
        assert nonsense == nonsense | {
            "value": value,
            "type": None,
            "canonical": None,
            "action": None,
            "considered": [],
        }
        assert [note["code"] for note in nonsense["notes"]] == ["type-not-detected"]
        assert "--type" not in nonsense["notes"][0]["message"]
        assert blocked["action"] == "Block"
        assert "of no type" in stocked.call("check", "--", value).out
        assert stocked.call("check", "-q", "--", value).err == ""

    def test_it_changes_nothing(self, stocked: Terminal) -> None:
        before = history(stocked)
        stocked.ok("check", BLOCKED, "--at", "1")
        assert history(stocked) == before


def history(terminal: Terminal) -> Any:
    return terminal.ok("history", "--json").json["changesets"]
