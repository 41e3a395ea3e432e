"""`indicia proposal`, as two people type it who share a machine."""

from __future__ import annotations

import pytest

from tests.acceptance.command_line import LIST, Terminal

ALLOW = ("add", "good.example", "--action", "Allowed", "--title", "T", "--description", "D")


@pytest.fixture
def two(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal at which nobody allows a value alone."""
    monkeypatch.setenv("INDICIA_TWO_PERSON_ALLOW", "true")
    monkeypatch.setenv("INDICIA_TWO_PERSON_ROWS", "3")
    monkeypatch.setenv("LOGNAME", "ada")
    return terminal


def test_what_one_proposes_another_applies(two: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = two.call(*ALLOW)
    assert asked.code == 0, asked.err
    assert "proposal show 1" in asked.out + asked.err
    assert two.call("list", "--json").json["value"] == []
    assert "good.example" in two.ok("proposal", "show", "1").out
    own = two.call("proposal", "apply", "1")
    assert own.code == 4
    assert "somebody else has to" in own.err
    monkeypatch.setenv("LOGNAME", "ben")
    two.ok("proposal", "comment", "1", "fine with me")
    unsaid = two.call("proposal", "apply", "1")
    assert unsaid.code == 2
    assert "--yes" in unsaid.err
    done = two.ok("proposal", "apply", "1", "--yes", "--json").json
    assert (done["state"], done["decidedByName"]) == ("applied", "ben")
    assert [each["indicatorValue"] for each in two.ok("list", "--json").json["value"]] == ["good.example"]
    again = two.call("proposal", "apply", "1", "--yes")
    assert again.code == 6
    assert "applied" in again.err
    told = two.ok("audit", "list").out
    assert "proposal 1" in told


def test_a_list_that_is_long_waits_and_may_be_declined(two: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    (two.folder / "list.txt").write_text("".join(f"bad{number}.example\n" for number in range(5)))
    asked = two.call("import", str(two.folder / "list.txt"), *LIST)
    assert asked.code == 0, asked.err
    assert "proposal show 1" in asked.out + asked.err
    assert two.ok("list", "--json").json["value"] == []
    monkeypatch.setenv("LOGNAME", "ben")
    two.ok("proposal", "decline", "1", "--comment", "not ours")
    assert two.ok("proposal", "show", "1", "--json").json["state"] == "declined"
    monkeypatch.setenv("LOGNAME", "ada")
    assert two.call("proposal", "withdraw", "1").code == 6
    assert "not ours" in two.ok("proposal", "show", "1").out


def test_what_is_proposed_is_taken_back(two: Terminal) -> None:
    two.call(*ALLOW)
    two.ok("proposal", "withdraw", "1")
    assert two.ok("proposal", "list", "--json").json["proposals"] == []


def test_what_is_not_there_is_a_sentence(two: Terminal) -> None:
    done = two.call("proposal", "show", "7")
    assert (done.code, "7" in done.err) == (5, True)


def test_a_dry_run_says_that_it_takes_two(two: Terminal) -> None:
    allowing = "doing it takes two people: it allows"
    assert allowing in two.ok(*ALLOW, "--dry-run").err
    (two.folder / "list.txt").write_text("".join(f"bad{number}.example\n" for number in range(5)))
    touching = "doing it takes two people: it touches 5 indicators"
    assert touching in two.ok("import", str(two.folder / "list.txt"), *LIST, "--dry-run").err
    for number in range(4):
        two.ok("add", f"bad{number}.example", *LIST)
    assert "two people" not in two.ok("delete", "1", "2", "--dry-run").err
    assert "touches 4" in two.ok("delete", "1", "2", "3", "4", "--dry-run").err
    assert "touches 4" in two.ok("delete", "--filter", "title eq 'T'", "--dry-run").err
    assert allowing in two.ok("edit", "1", "--action", "Allowed", "--dry-run").err
    assert "two people" not in two.ok("undo", "1", "--dry-run").err
    assert two.ok("proposal", "list", "--json").json["proposals"] == []
