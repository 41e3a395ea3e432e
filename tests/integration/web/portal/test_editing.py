"""Editing without JavaScript: only what was changed changes, and nobody overwrites unseen what another changed."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.differences import differences
from indicia.domain.indicator import Action, Status, StoredIndicator
from indicia.services import indicators
from indicia.services.groups import add_group
from tests.integration.web.portal.conftest import Portal, text_of
from tests.integration.web.portal.test_adding import beside, field
from tests.wire.doors import ADMIN


def read(portal: Portal, number: int) -> StoredIndicator:
    return indicators.show_indicator(portal.app.database, number, actor=ADMIN, now=datetime.now(UTC))[0]


def form_of(reply: httpx.Response) -> dict[str, Any]:
    """Return what a browser sends when somebody presses Save on the form in *reply*."""
    [text] = re.findall(r'(?s)<form id="edit".*?</form>', reply.text.replace("\r\n", "\n"))
    fields: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", text):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        kind, name = attributes.get("type", "text"), attributes.get("name")
        if not name or (kind in ("radio", "checkbox") and not re.search(r"\schecked[\s>]", tag)):
            continue
        value = html.unescape(attributes.get("value", "on"))
        value = value if kind == "hidden" else value.replace("\n", "")
        if kind == "checkbox" and name == "groups":
            fields.setdefault(name, []).append(value)
        else:
            fields[name] = value
    for name, body in re.findall(r'(?s)<textarea[^>]* name="(\w+)"[^>]*>\n?(.*?)</textarea>', text):
        fields[name] = html.unescape(body)
    for name, body in re.findall(r'(?s)<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', text):
        [chosen] = re.findall(r'value="(\w*)" selected', body) or [""]
        fields[name] = chosen
    return fields


def edit(portal: Portal, number: int, **changed: Any) -> httpx.Response:
    path = f"/indicators/{number}/edit"
    return portal.post(path, form_of(portal.get(path)) | changed)


RARE = {
    "educate_url": "https://help.example/",
    "bypass_duration_hours": 5,
    "notification_id": "n-1",
    "notification_body": "call us",
    "historical_detection": True,
    "look_back_period": "30",
    "version": "2",
    "certificate_info": "CN=x",
    "additional_info": "{}",
    "application": "An application",
    "external_id": "INC-7",
}
FULL = RARE | {
    "severity": "Medium",
    "category": "Malware",
    "mitre_techniques": ["T1566.001", "T1204"],
    "recommended_actions": "Call us.\nAt once.",
    "generate_alert": True,
    "rbac_group_names": ["Servers", "Kiosks"],
    "title": " a title\nwith blanks ",
    "description": "two\r\nlines\n",
}


@pytest.mark.parametrize("action", ["Block", "Warn", "Allowed", "Audit"])
def test_saving_what_was_shown_changes_nothing(portal: Portal, action: str) -> None:
    for name in ("Servers", "Kiosks", "Labs"):
        add_group(portal.app.database, name, None, actor=ADMIN, now=datetime.now(UTC))
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    number = portal.add("Evil.Example", action=action, expires=ends, **FULL)
    saved = edit(portal, number)
    assert saved.headers.get("location") == f"/indicators/{number}?said=unchanged", text_of(saved)
    before = read(portal, number).indicator
    saved = edit(portal, number, severity="High", reason="it spreads")
    assert saved.status_code == 303
    after = read(portal, number).indicator
    assert [each.field for each in differences(before, after)] == ["Severity"]
    assert "it spreads" in text_of(portal.get(saved.headers["location"]))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changed=st.fixed_dictionaries(
        {},
        optional={
            "title": st.text("abc &<>\"'", min_size=1).filter(str.strip),
            "description": st.text("abc \n&<>", min_size=1).filter(str.strip),
            "severity": st.sampled_from(["Low", "High"]),
            "category": st.sampled_from(["", "Exploit"]),
            "external_id": st.sampled_from(["", "INC-8"]),
            "expiry": st.sampled_from(["24h", "never"]),
            "action": st.sampled_from([each.value for each in Action if each != "BlockAndRemediate"]),
        },
    )
)
def test_what_was_changed_and_nothing_else(portal: Portal, changed: dict[str, str]) -> None:
    number = portal.add("evil.example", action="Warn", **{**FULL, "rbac_group_names": []})
    try:
        before = read(portal, number).indicator
        assert edit(portal, number, **changed).status_code == 303
        after = read(portal, number).indicator
        names = {"external_id": "External id", "expiry": "Expires"}
        may = {names.get(name, name.capitalize()) for name in changed} | {"Generate alert"} & {"Generate alert"}
        assert {each.field for each in differences(before, after)} <= may
        if "title" in changed:
            assert after.title == changed["title"].strip()
    finally:
        indicators.delete(portal.app.database, [number], actor=ADMIN, now=datetime.now(UTC))


def test_value_and_action_change_in_place(portal: Portal) -> None:
    number = portal.add("evil.example")
    assert edit(portal, number, values="203[.]0.113.9", type="IpAddress", action="Audit").status_code == 303
    now = read(portal, number).indicator
    assert (now.type.value, now.canonical, now.action) == ("IpAddress", "203.0.113.9", Action.AUDIT)
    edit(portal, number, values="co.uk", type="", action="Block")
    assert read(portal, number).indicator.status is Status.HELD


def test_what_is_wrong_comes_back_as_it_was_typed(portal: Portal) -> None:
    number = portal.add("evil.example")
    reply = edit(portal, number, values="not a name", title="", mitre_techniques="T1", description="<b>kept</b>")
    assert reply.status_code == 422
    assert field(reply, "values") == "not a name"
    assert field(reply, "description") == "<b>kept</b>"
    assert beside(reply, "values")
    reply = edit(portal, number, title="", mitre_techniques="T1")
    assert "give a title" in beside(reply, "title")
    assert "technique" in beside(reply, "mitre_techniques")
    assert "changed, was" in text_of(reply)
    for many in ("", "a.example\nb.example"):
        assert "value" in beside(edit(portal, number, values=many), "values")


def test_what_another_changed_meanwhile_is_shown_and_what_was_typed_is_kept(portal: Portal) -> None:
    number = portal.add("evil.example", severity="Low")
    opened = form_of(portal.get(f"/indicators/{number}/edit"))
    edit(portal, number, title="by the other", severity="High")
    reply = portal.post(f"/indicators/{number}/edit", opened | {"title": "by me", "description": "by me too"})
    assert reply.status_code == 409
    text = text_of(reply)
    assert "changed this indicator while you were editing it" in text
    assert "Meanwhile changed by somebody else to by the other" in text
    assert field(reply, "title") == "by me"
    again = form_of(reply)
    assert again["severity"] == "High"  # not touched here: what is stored now
    assert portal.post(f"/indicators/{number}/edit", again).status_code == 303
    now = read(portal, number).indicator
    assert (now.title, now.description, now.severity) == ("by me", "by me too", "High")


def test_what_was_typed_for_a_deleted_one_can_be_added_anew(portal: Portal) -> None:
    number = portal.add("evil.example")
    opened = form_of(portal.get(f"/indicators/{number}/edit"))
    indicators.delete(portal.app.database, [number], actor=ADMIN, now=datetime.now(UTC))
    reply = portal.post(f"/indicators/{number}/edit", opened | {"title": "by me"})
    assert reply.status_code == 409
    assert "It was deleted" in text_of(reply)
    added = portal.post("/indicators/new", form_of(reply) | {"go": "summary"})
    assert added.status_code == 200, text_of(added)
    assert field(added, "title") == "by me"
    assert "1 new" in text_of(added)
    assert portal.get(f"/indicators/{number}/edit").status_code == 404


def test_an_identity_that_is_taken_is_refused_by_name(portal: Portal) -> None:
    number, other = portal.add("evil.example"), portal.add("evil.example", action="Warn")
    reply = edit(portal, number, action="Warn")
    assert reply.status_code == 409
    assert f"indicator {other} is this value with the action Warn already" in beside(reply, "action")


def test_while_editing_it_is_told_what_others_will_say(portal: Portal) -> None:
    number = portal.add("evil.example")
    other = portal.add("example", action="Allowed", title="t")
    path = f"/indicators/{number}/edit"
    assert text_of(portal.post(f"{path}/notes", form_of(portal.get(path)))) == ""
    told = text_of(portal.post(f"{path}/notes", form_of(portal.get(path)) | {"action": "Warn"}))
    assert f"indicator {other} (Allowed example) beats this one" in told
    told = text_of(portal.post(f"{path}/notes", form_of(portal.get(path)) | {"values": "co.uk"}))
    assert "public suffix" in told


@pytest.mark.parametrize("number", [99, 2**63, 10**30])
def test_there_is_no_such_indicator(portal: Portal, number: int) -> None:
    assert portal.get(f"/indicators/{number}/edit").status_code == 404
    assert portal.post(f"/indicators/{number}/edit", {"title": "x"}).status_code == 404
