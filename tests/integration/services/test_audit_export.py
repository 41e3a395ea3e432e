"""The audit taken away: whole, in order, in bounded pieces, and provable without the database."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from indicia.domain.access import Actor, Permission, Source
from indicia.domain.errors import Forbidden, InvalidInput
from indicia.services import audit_export
from indicia.services.audit_export import KINDS, Format, Sought, check_lines
from indicia.services.auditing import Audit
from indicia.store.changesets import EVENTS
from indicia.store.database import Database
from tests.integration.stores import ADMIN, CLIENT, NOW, domains, run_import, submit

ROOT = Path(__file__).resolve().parents[3]
ADA = Actor("ada", "Ada", Source.PORTAL, frozenset())
SECOND = timedelta(seconds=1)


@pytest.fixture
def past(database: Database) -> Database:
    """Return a database with changes, denials one by one and denials together."""
    run_import(database, domains(range(3)), reason="pipe | equals = back \\ slash\nnew line")
    audit = Audit(database)
    for number in range(5):
        audit.note("access.denied", actor=ADA, now=NOW + number * SECOND, details={"address": "192.0.2.7", "n": number})
    audit.flush()
    for number in range(40):
        audit.note("sign-in.refused", actor=None, now=NOW + number * SECOND, details={"address": f"2001:db8::{number}"})
    audit.flush()
    submit(database, *domains([7]))
    return database


def jsonl(database: Database, **sought: Any) -> list[bytes]:
    records = audit_export.walk(database, Sought(**sought), actor=ADMIN)
    return [line.encode() for line in audit_export.lines_of(records, Format.JSONL)]


def test_every_entry_is_there_once_and_in_order(past: Database) -> None:
    lines = jsonl(past)
    assert [orjson.loads(line)["id"] for line in lines] == list(range(1, 9))
    assert check_lines(lines) == (8, orjson.loads(lines[-1])["hash"], [])


def test_filters_are_exact_for_what_was_written_together_too(past: Database) -> None:
    assert len(jsonl(past, kind="access.denied")) == len(jsonl(past, actor="ada")) == 5
    [together] = map(orjson.loads, jsonl(past, kind="sign-in.refused"))
    assert len(together["details"]["lines"]) == 40
    assert len(jsonl(past, since=NOW + 3 * SECOND)) < 8
    assert check_lines(jsonl(past, kind="access.denied"), partial=True)[2] == []
    assert check_lines(jsonl(past, kind="access.denied"))[2] != []


def test_cef_has_a_line_for_each_of_what_was_written_together(past: Database) -> None:
    records = audit_export.walk(past, Sought(), actor=ADMIN)
    lines = list(audit_export.lines_of(records, Format.CEF))
    assert len(lines) == 1 + 5 + 40 + 1
    assert all(line.startswith("CEF:0|Indicia|Indicia|") and line.count("\n") == 1 for line in lines)
    assert r"reason=pipe | equals \= back \\ slash\nnew line" in lines[0]
    assert "src=192.0.2.7" in lines[1]
    assert "c6a2=2001:db8::" in lines[10]
    assert len({re.search(r"rt=(\d+)", line)[1] for line in lines[6:46]}) > 1  # type: ignore[index]  # each has one


@pytest.mark.parametrize(
    "actor", [CLIENT, ADA, Actor("x", "X", Source.PORTAL, frozenset({Permission.INDICATORS_READ}))]
)
def test_it_is_for_who_reads_the_audit(past: Database, actor: Actor) -> None:
    with pytest.raises(Forbidden):
        audit_export.walk(past, Sought(), actor=actor)
    with pytest.raises(Forbidden):
        audit_export.page(past, Sought(), actor=actor, limit=10)


def test_who_is_limited_to_groups_does_not_read_the_audit_of_others(past: Database) -> None:
    limited = Actor("x", "X", Source.PORTAL, frozenset(Permission), frozenset({"Servers"}))
    with pytest.raises(Forbidden, match="limited to device groups"):
        audit_export.page(past, Sought(), actor=limited, limit=10)


def altered(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield what somebody might do to an export."""
    for number, line in enumerate(lines):
        entry = orjson.loads(line)
        for name, value in entry.items():
            if name in ("hash", "prevHash", "rowsDigest"):
                new: Any = "00" * 32
            elif isinstance(value, dict):
                new = {**value, "x": 1}
            elif isinstance(value, int):
                new = value + 1
            else:
                new = "2026-02-02T00:00:00Z" if name == "at" else f"{value}x"
            yield f"{name} of {number}", [*lines[:number], orjson.dumps({**entry, name: new}), *lines[number + 1 :]]
        if number:
            yield f"without {number - 1}", lines[: number - 1] + lines[number:]
            yield f"{number} swapped", [*lines[: number - 1], line, lines[number - 1], *lines[number + 1 :]]
        yield f"twice {number}", [*lines[:number], line, line, *lines[number + 1 :]]


def test_whatever_is_altered_in_an_export_is_found(past: Database) -> None:
    lines = jsonl(past)
    for what, tampered in altered(lines):
        if list(map(orjson.loads, tampered)) == list(map(orjson.loads, lines)):
            continue  # the first follows nothing already
        assert check_lines(tampered)[2] != [], what


def test_what_is_no_entry_is_told_with_its_line(past: Database) -> None:
    good = jsonl(past)[0]
    for line in (b"{", b"[]", b"{}", b'{"id":1}', b"x" * (1 << 21), b'{"id":"1","hash":"x"}'):
        with pytest.raises(InvalidInput) as caught:
            check_lines([good, line])
        assert caught.value.problems[0].line == 2


def test_pages_lead_through_all(past: Database) -> None:
    seen: list[int] = []
    before = None
    for _page in itertools.count():
        found = audit_export.page(past, Sought(), actor=ADMIN, limit=3, before=before)
        if not found:
            break
        seen += [record.id for record in found]
        before = seen[-1]
    assert seen == list(range(8, 0, -1))
    assert audit_export.kinds_of(past, actor=ADMIN) == ["access.denied", "import", "sign-in.refused", "submit"]


# -- kinds ------------------------------------------------------------------------------------------------------------


def kinds_in_the_source() -> Iterator[str]:
    """Yield every kind that the source spells where it makes an entry."""
    places = {"Header": 1, "note": 0, "note_first": 0}
    for file in (ROOT / "src" / "indicia").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            place = places.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
            if place is None or len(node.args) <= place:
                continue
            given = node.args[place]
            choices = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
            for each in choices:
                if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value:
                    yield each.value


def test_every_kind_has_words() -> None:
    unknown = set(kinds_in_the_source()) - KINDS.keys()
    assert not unknown, "say in KINDS of services/audit_export.py what it is, and in docs/reference/audit-kinds.md"
    assert KINDS.keys() >= EVENTS


def test_every_kind_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "audit-kinds.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| `([a-z.-]+)` \| ([^|]+?) \|", page, re.MULTILINE))
    assert documented == KINDS
