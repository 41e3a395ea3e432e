"""One change for many indicators, as a browser without JavaScript makes it."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from indicia.domain.indicator import Action, Severity, Status
from indicia.services import changesets
from indicia.services.groups import add_group
from tests.integration.web.portal.conftest import Portal, text_of
from tests.wire.doors import ADMIN

BULK = "/indicators/bulk"


def stored(portal: Portal) -> dict[int, Any]:
    with portal.app.database.snapshot() as tx:
        return {number: each.indicator for number, each in tx.indicators.get(list(range(1, 2_000))).items()}


def form(reply: httpx.Response, step: str = "apply") -> dict[str, list[str]]:
    """Return the fields of the form of a page that goes to *step*, as a browser sends them."""
    [text] = [each for each in re.findall(r"(?s)<form.*?</form>", reply.text) if f'value="{step}"' in each]
    fields: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", text):
        given = {name: html.unescape(value) for name, value in re.findall(r'([a-z-]+)="([^"]*)"', tag)}
        if given.get("type") not in ("checkbox", "radio") or re.search(r"\bchecked\b", tag):
            fields.setdefault(given["name"], []).append(given.get("value", "on"))
    fields.pop("csrf")
    return fields


@pytest.fixture
def filled(portal: Portal) -> Portal:
    for number in range(4):
        portal.add(f"h{number}.example", severity="Low")
    portal.add("192.0.2.17", type="IpAddress", severity="High")
    return portal


def test_from_the_selection_over_a_preview_to_the_change_and_back(filled: Portal) -> None:
    asked = filled.post(BULK, {"do": "fields", "id": ["1", "2"], "q": "severity:low"})
    assert asked.status_code == 200
    assert "Edit fields: 2 indicators" in text_of(asked)
    before = stored(filled)
    shown = filled.post(BULK, {**form(asked, "preview"), "severity": "High", "reason": "agreed in case 12"})
    assert "2 would change" in text_of(shown)
    assert "before: Low" in text_of(shown)
    assert "after: High" in text_of(shown)
    assert stored(filled) == before
    done = filled.post(BULK, form(shown))
    assert (done.status_code, done.headers["location"]) == (
        303,
        f"/indicators?q=severity%3Alow&changed={filled.heads()}",
    )
    assert [each.severity for each in stored(filled).values()].count(Severity.HIGH) == 3
    record, _ = changesets.show_changeset(filled.app.database, filled.heads(), actor=ADMIN)
    assert (record.updated, record.reason, record.source) == (2, "agreed in case 12", "Portal")
    notice = filled.get(done.headers["location"])
    assert "2 changed" in text_of(notice)
    filled.post(f"/changes/{record.id}/undo", {"next": "/indicators"})
    assert stored(filled) == before


def test_all_that_match_is_the_whole_list_and_not_its_page(filled: Portal) -> None:
    asked = filled.post(BULK, {"do": "action", "all": "1", "id": ["1"], "q": "severity:low", "tab": "urls"})
    assert "Change action: 4 indicators" in text_of(asked)
    shown = filled.post(BULK, {**form(asked, "preview"), "action": "Warn"})
    filled.post(BULK, form(shown))
    actions = [each.action for each in stored(filled).values()]
    assert (actions.count(Action.WARN), actions.count(Action.BLOCK)) == (4, 1)


def test_deleting_shows_first_what_goes(filled: Portal) -> None:
    shown = filled.post(BULK, {"do": "delete", "id": ["1", "2", "99"]})
    text = text_of(shown)
    assert "2 would be deleted" in text
    assert "there is no indicator 99 any more" in text
    assert len(stored(filled)) == 5
    filled.post(BULK, {**form(shown), "reason": "retired"})
    assert set(stored(filled)) == {3, 4, 5}


def test_a_change_that_was_not_shown_like_that_is_shown_again(filled: Portal) -> None:
    shown = filled.post(BULK, {"do": "delete", "all": "1", "q": "severity:low"})
    filled.add("h9.example", severity="Low")
    again = filled.post(BULK, form(shown))
    assert again.status_code == 409
    assert "Nothing was changed yet" in text_of(again)
    assert len(stored(filled)) == 6
    filled.post(BULK, form(again))
    assert set(stored(filled)) == {5}


def test_what_the_guard_holds_and_what_is_refused_is_told(filled: Portal) -> None:
    filled.add("co.uk", action="Audit", generate_alert=True)
    held = filled.post(BULK, {"do": "action", "id": ["6"], "step": "preview", "action": "Block"})
    assert "1 of them held for review" in text_of(held)
    refused = filled.post(BULK, {"do": "action", "id": ["1", "5"], "step": "preview", "action": "BlockAndRemediate"})
    assert "0 would change" in text_of(refused)
    assert "2 stay as they are" in text_of(refused)
    assert "allowed" in text_of(refused) or "BlockAndRemediate" in text_of(refused)
    filled.post(BULK, form(held))
    released = filled.post(BULK, {"do": "release", "id": ["6"], "step": "preview"})
    assert released.status_code == 422
    assert "a release needs a reason" in text_of(released)
    shown = filled.post(BULK, {"do": "release", "id": ["6"], "step": "preview", "reason": "ours"})
    filled.post(BULK, form(shown))
    assert stored(filled)[6].status is Status.ACTIVE


def test_an_expiry_moves_on_is_set_or_goes(filled: Portal) -> None:
    for fields in ({"how": "set", "until": "2099-01-31"}, {"how": "extend", "days": "10"}, {"how": "never"}):
        shown = filled.post(BULK, {"do": "expiry", "id": ["1"], "step": "preview", **fields})
        assert shown.status_code == 200, text_of(shown)
        filled.post(BULK, form(shown))
        expected = {
            "set": datetime(2099, 1, 31, tzinfo=UTC),
            "extend": datetime(2099, 1, 31, tzinfo=UTC) + timedelta(days=10),
            "never": None,
        }[fields["how"]]
        assert stored(filled)[1].expires_at == expected


@pytest.mark.parametrize(
    "fields, field, said",
    [
        ({"do": "expiry", "how": "extend", "days": "soon"}, "days", "a number of days"),
        ({"do": "expiry", "how": "extend", "days": "0"}, "days", "a number of days"),
        ({"do": "expiry", "how": "set", "until": "tomorrow"}, "until", "write a day"),
        ({"do": "expiry", "how": "set", "until": "2001-01-01"}, "until", "has passed"),
        ({"do": "fields", "severity": "Urgent"}, "severity", "is not one of"),
        ({"do": "fields", "mitre_techniques": "X1"}, "mitre_techniques", "not a technique"),
        ({"do": "fields", "title": "x" * 5_000}, "title", "5000"),
        ({"do": "action"}, "action", "choose the action"),
        ({"do": "scope", "scope": "groups"}, "groups", "at least one"),
        ({"do": "scope", "scope": "groups", "groups": "Nowhere"}, "groups", "Nowhere"),
        ({"do": "fields"}, "", "choose at least one field"),
        ({"do": "fields", "severity": "Low", "reason": "x" * 2_000}, "reason", "at most 1,000"),
    ],
)
def test_every_fault_stands_beside_its_field_and_nothing_typed_is_lost(
    filled: Portal, fields: dict[str, str], field: str, said: str
) -> None:
    before = filled.heads()
    for step in ("preview", "apply"):
        reply = filled.post(BULK, {"id": ["1"], "step": step, **fields})
        assert reply.status_code == 422
        place = reply.text.split(f'id="f-{field}-error"')[-1] if field else reply.text
        assert html.escape(said, quote=False) in html.unescape(place)
        for name, value in fields.items():
            if name in ("days", "until", "title", "mitre_techniques", "reason"):
                assert value in reply.text
    assert filled.heads() == before


def test_a_scope_is_set_and_taken_away(filled: Portal) -> None:
    add_group(filled.app.database, "Servers", None, actor=ADMIN, now=datetime.now(UTC))
    shown = filled.post(BULK, {"do": "scope", "id": ["1"], "step": "preview", "scope": "groups", "groups": "Servers"})
    filled.post(BULK, form(shown))
    assert stored(filled)[1].rbac_group_names == ("Servers",)
    shown = filled.post(BULK, {"do": "scope", "id": ["1"], "step": "preview", "scope": "all"})
    filled.post(BULK, form(shown))
    assert stored(filled)[1].rbac_group_names == ()


def test_many_need_their_number_typed(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indicia.web.portal.bulk.TYPED_FROM", 2)
    for number in range(3):
        portal.add(f"h{number}.example")
    shown = portal.post(BULK, {"do": "delete", "all": "1"})
    assert "Type 3 to confirm" in text_of(shown)
    for typed in ("", "2", "three"):
        refused = portal.post(BULK, {**form(shown), "typed": typed})
        assert refused.status_code == 422
        assert "type 3 to say" in text_of(refused)
    assert len(stored(portal)) == 3
    portal.post(BULK, {**form(shown), "typed": "3"})
    assert stored(portal) == {}


def test_one_row_by_its_menu_and_nothing_selected(filled: Portal) -> None:
    shown = filled.post(BULK, {"only": "delete:3", "id": ["1", "2"]})
    assert "Delete: 1 indicator" in text_of(shown)
    assert filled.post(BULK, {"only": "extend:3"}).status_code == 200
    for nothing in ({"do": "delete"}, {"do": "nonsense", "id": "1"}, {"id": "1"}, {"only": "delete:x"}):
        reply = filled.post(BULK, nothing)
        assert reply.headers["location"].endswith("said=nothing-selected")
    assert filled.get(BULK).headers["location"] == "/indicators"
    assert (
        filled.post(BULK, {"do": "delete", "all": "1", "q": "sevrity:x"}).headers["location"]
        == "/indicators?q=sevrity%3Ax"
    )


def test_a_moment_of_a_search_stays_what_it_was(filled: Portal) -> None:
    asked = filled.post(BULK, {"do": "fields", "all": "1", "q": "created:<1d"})
    kept = form(asked, "preview")
    for at in (kept["at"][0], "", "nonsense", "2001-01-01T00:00:00+00:00", "2001-01-01", "9999-12-31T23:59:59+00:00"):
        shown = filled.post(BULK, {**kept, "at": at, "severity": "Medium"})
        assert "5 would change" in text_of(shown)
