"""`indicia audit` and `verify` with what was kept elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.command_line import Terminal

pytestmark = pytest.mark.sqlite_only("it alters the file of the database")


@pytest.fixture
def stocked(terminal: Terminal) -> Terminal:
    """Return a terminal with three changes, an export, and checkpoints and the public key in files."""
    (terminal.folder / "sample.csv").write_bytes(terminal.ok("sample").out.encode())
    terminal.ok("import", "sample.csv")
    terminal.ok("delete", "1", "--yes")
    terminal.ok("export", "-o", "indicators.csv")
    (terminal.folder / "checkpoints.jsonl").write_text(terminal.ok("audit", "checkpoint").out)
    (terminal.folder / "audit.pub").write_text(terminal.ok("audit", "key").out)
    return terminal


def alter(terminal: Terminal, *statements: str) -> None:
    with closing(sqlite3.connect(terminal.folder / "indicia.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_list_and_filters(stocked: Terminal) -> None:
    kinds = [each["kind"] for each in stocked.ok("audit", "list", "--json").json["entries"]]
    assert kinds == ["audit.key", "export", "delete", "import"]
    assert "indicators" in stocked.ok("audit", "list", "--kind", "export").out
    assert stocked.ok("audit", "list", "--actor", "nobody", "--json").json["entries"] == []
    assert "--before 3" in stocked.ok("audit", "list", "--limit", "2").err
    assert stocked.call("audit", "list", "--since", "7").code == 2


def test_events_are_in_no_list_of_changes(stocked: Terminal) -> None:
    kinds = [each["kind"] for each in stocked.ok("history", "--json").json["changesets"]]
    assert kinds == ["delete", "import"]


def test_what_is_exported_is_proved_without_the_database(stocked: Terminal) -> None:
    text = stocked.ok("audit", "export").out
    file = stocked.folder / "audit.jsonl"
    file.write_text(text)
    assert stocked.ok("audit", "check", str(file)).out.strip() in text
    file.write_text(text.replace('"delete"', '"submit"'))
    done = stocked.call("audit", "check", str(file))
    assert done.code == 1
    assert "changeset 2 was altered" in done.err
    lines = text.splitlines(keepends=True)
    file.write_text("".join(lines[1:]))
    assert stocked.call("audit", "check", str(file)).code == 1
    assert stocked.call("audit", "check", "--partial", str(file)).code == 0
    file.write_text("no entry\n")
    assert stocked.call("audit", "check", str(file)).code == 2
    cef = stocked.ok("audit", "export", "--format", "cef", "--kind", "delete").out
    assert cef.startswith("CEF:0|Indicia|Indicia|")
    assert cef.count("\n") == 1


def verify(terminal: Terminal, *more: str) -> tuple[int, str]:
    done = terminal.call("verify", "--checkpoints", "checkpoints.jsonl", "--public-key", "audit.pub", *more)
    return done.code, done.err


def test_verify_with_what_was_kept_elsewhere(stocked: Terminal) -> None:
    assert verify(stocked)[0] == 0
    alter(
        stocked,
        "DELETE FROM changesets WHERE id > 1",
        "DELETE FROM indicator_history WHERE ended = 2",
        "DELETE FROM checkpoints",
        "UPDATE changesets SET created = (SELECT count(*) FROM indicators)",
    )
    code, told = verify(stocked)
    assert code == 1
    assert "of changesets 1 to 4 the end was cut off" in told


def test_verify_with_another_key(stocked: Terminal, tmp_path: Path) -> None:
    (stocked.folder / "indicia.audit.key").unlink()
    (stocked.folder / "audit.pub").write_text(stocked.ok("audit", "key").out)
    code, told = verify(stocked)
    assert code == 1
    assert "none of those that are trusted" in told
    (tmp_path / "nothing.pub").write_text("no key")
    done = stocked.call("verify", "--public-key", str(tmp_path / "nothing.pub"))
    assert done.code == 2
    assert "no public key" in done.err
