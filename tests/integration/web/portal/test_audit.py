"""The page of the audit: everything that happened, narrowed, page by page, and taken away."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from indicia.domain.access import Actor, Source
from indicia.services.audit_export import check_lines
from tests.integration.stores import NOW
from tests.integration.web.portal.conftest import Portal, text_of

ADA = Actor("ada-id", "Ada <b>", Source.PUBLIC_API, frozenset())


def deny(portal: Portal, times: int, **details: Any) -> None:
    for number in range(times):
        portal.app.audit.note("access.denied", actor=ADA, now=NOW, details={"route": f"/v1/{number}", **details})
        if number % 10 == 9:
            portal.app.audit.flush()
    portal.app.audit.flush()


def test_changes_and_denials_stand_beside_each_other(portal: Portal) -> None:
    portal.add("one.example")
    deny(portal, 1, why="this needs <audit.read>", address="192.0.2.9", method="GET")
    reply = portal.get("/audit")
    text = text_of(reply)
    for each in ("Access denied", "Ada <b>", "API", "192.0.2.9", "this needs <audit.read>", "GET", "1 added"):
        assert each in text
    assert "<audit.read>" not in reply.text


def test_it_is_narrowed(portal: Portal) -> None:
    portal.add("one.example")
    deny(portal, 2)
    assert "Access denied" in text_of(portal.get("/audit?kind=access.denied"))
    assert "1 added" not in text_of(portal.get("/audit?kind=access.denied"))
    assert "Access denied" not in text_of(portal.get(f"/audit?actor={portal.person.id}")).split("Entry")[1]
    assert "No entry is like that" in text_of(portal.get("/audit?actor=nobody"))
    reply = portal.get("/audit?since=someday")
    assert reply.status_code == 400
    assert "is no day" in text_of(reply)


def test_pages_lead_there_and_back(portal: Portal) -> None:
    deny(portal, 120)
    first = portal.get("/audit?kind=access.denied")
    older = next(part for part in first.text.split('"') if part.startswith("/audit?") and "before=" in part)
    second = portal.get(older.replace("&amp;", "&"))
    newer = next(part for part in second.text.split('"') if part.startswith("/audit?") and "after=" in part)
    assert "/v1/119" in first.text
    assert "/v1/119" not in second.text
    assert "/v1/119" in portal.get(newer.replace("&amp;", "&")).text


@pytest.mark.parametrize("form", ["jsonl", "cef"])
def test_it_is_taken_away_and_that_is_an_entry(portal: Portal, form: str) -> None:
    portal.add("one.example")
    deny(portal, 3)
    reply = portal.get(f"/audit/export?format={form}")
    assert reply.status_code == 200
    assert f'.{form}"' in reply.headers["content-disposition"]
    lines = reply.content.splitlines(keepends=True)
    if form == "jsonl":
        assert check_lines(lines)[2] == []
    portal.app.audit.flush()
    exports = portal.get("/audit/export?kind=export")
    [entry] = map(orjson.loads, exports.content.splitlines())
    assert (entry["kind"], entry["actor"], entry["details"]["rows"]) == ("export", portal.person.id, len(lines))


def test_what_is_wrong_with_the_filter_is_told_by_the_list(portal: Portal) -> None:
    for query in ("format=xml", "since=someday"):
        assert portal.get(f"/audit/export?{query}").status_code == 303


def test_the_export_of_indicators_is_an_entry(portal: Portal) -> None:
    portal.add("one.example")
    assert portal.get("/indicators/export").status_code == 200
    portal.app.audit.flush()
    assert "indicators · /indicators/export · " in text_of(portal.get("/audit?kind=export"))


def test_checkpoints_are_shown(portal: Portal) -> None:
    portal.add("one.example")
    assert "There is none yet" in text_of(portal.get("/audit"))
    made = portal.app.checkpoints.make(portal.app.database, portal.app.now())
    assert made is not None
    text = text_of(portal.get("/audit"))
    assert made.key_id in text
    assert "INDICIA_CHECKPOINT_FILE" in text


def test_the_list_of_changes_has_changes_only(portal: Portal) -> None:
    portal.add("one.example")
    deny(portal, 2)
    for path in ("/changes", "/changes?show=all"):
        text = text_of(portal.get(path))
        assert "Access denied" not in text
        assert "one.example" in text or "Added" in text
    assert "Person added" not in text_of(portal.get("/changes")).split("Changeset")[1]
    assert "Person added" in text_of(portal.get("/changes?show=all")).split("Changeset")[1]


def test_an_entry_of_the_audit_has_its_page(portal: Portal) -> None:
    deny(portal, 1, why="because")
    portal.app.audit.flush()
    with portal.app.database.snapshot() as tx:
        newest = tx.changesets.head()
    assert newest is not None
    text = text_of(portal.get(f"/changes/{newest.id}"))
    assert "because" in text
