"""Adding indicators without JavaScript: nothing that was typed is lost, and what the summary says is what is done."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.indicator import Action, Status
from indicia.domain.observable import ObservableType
from indicia.domain.rules import ALLOWED_ACTIONS
from indicia.services.indicators import list_indicators
from indicia.services.pasting import MOST_VALUES, read_values
from tests.integration.services.test_certificates import certificate
from tests.integration.stores import EVERYTHING
from tests.integration.web.portal.conftest import Portal, text_of
from tests.wire.doors import ADMIN

GOOD: dict[str, Any] = {
    "values": "evil.example",
    "action": "Block",
    "title": "C2 of the campaign",
    "description": "seen in case 7",
    "severity": "High",
    "expiry": "never",
    "scope": "all",
}
TEXTS = ("title", "description", "mitre_techniques", "recommended_actions", "application", "external_id", "reason")


def post(portal: Portal, go: str = "save", at: str = "summary", **fields: Any) -> httpx.Response:
    return portal.post("/indicators/new", GOOD | {"go": go, "at": at} | fields)


def stored(portal: Portal) -> list[Any]:
    return list_indicators(portal.app.database, EVERYTHING, actor=ADMIN, now=datetime.now(UTC), limit=10_000).items


def field(reply: httpx.Response, name: str) -> str:
    """Return what stands in a text field of the form that came back."""
    area = re.search(rf'<textarea[^>]* name="{name}"[^>]*>\n?([^<]*)</textarea>', reply.text)
    if area:
        return html.unescape(area[1])
    found = re.search(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', reply.text)
    assert found, f"no field {name}"
    return html.unescape(found[1])


def current(reply: httpx.Response) -> str:
    found = re.search(r'<section class="step" id="step-(\w+)"[^>]*data-current', reply.text)
    assert found
    return found[1]


def beside(reply: httpx.Response, name: str) -> str:
    """Return what is said to be wrong with a field, beside it, where its control refers to it."""
    found = re.search(rf'(?s)<div class="errors" id="f-{name}-error">(.*?)</div>', reply.text)
    assert found, f"nothing is said beside {name}"
    return text_of(httpx.Response(200, text=found[1]))


def test_one_value_is_saved(portal: Portal) -> None:
    assert current(portal.get("/indicators/new")) == "indicator"
    saved = post(portal, reason="found by Ada")
    assert saved.status_code == 303, text_of(saved)
    page = portal.get(saved.headers["location"])
    assert page.status_code == 200
    assert "evil.example" in text_of(page)
    assert "1 added" in text_of(page)
    assert "found by Ada" in text_of(page)
    [only] = stored(portal)
    assert (only.created_by_name, only.created_source) == ("alice", "Portal")
    again = post(portal)
    assert again.headers["location"].endswith("?said=unchanged")
    assert len(stored(portal)) == 1


def test_a_link_fills_it_in(portal: Portal) -> None:
    page = portal.get("/indicators/new?value=hxxp%3A%2F%2Fevil%5B.%5Dexample&action=Warn&title=A+title&expiry=7d")
    assert field(page, "values") == "hxxp://evil[.]example"
    assert field(page, "title") == "A title"
    assert re.search(r'value="Warn" checked', page.text)
    assert "http://evil.example/" in text_of(page)


def test_step_by_step_only_what_was_passed_is_wrong(portal: Portal) -> None:
    nothing = dict.fromkeys(("values", "action", "title", "description"), "")
    first = post(portal, "next", "indicator", **nothing)
    assert (first.status_code, current(first)) == (422, "indicator")
    assert "at least one value" in beside(first, "values")
    assert "give a title" not in text_of(first)
    second = post(portal, "next", "indicator", **nothing | {"values": "evil.example"})
    assert (second.status_code, current(second)) == (200, "action")
    third = post(portal, "next", "action", **nothing | {"values": "evil.example"})
    assert (third.status_code, current(third)) == (422, "action")
    for name, says in {"title": "give a title", "description": "give a description", "action": "choose what"}.items():
        assert says in beside(third, name)
    back = post(portal, "indicator", "action", **nothing | {"values": "evil.example"})
    assert (back.status_code, current(back)) == (200, "indicator")
    assert current(post(portal, "next", "action")) == "scope"
    assert current(post(portal, "next", "scope")) == "summary"
    assert not stored(portal)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    typed=st.fixed_dictionaries(
        {name: st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60) for name in TEXTS}
    ),
    go=st.sampled_from(["next", "indicator", "action", "scope", "summary"]),
    at=st.sampled_from(["indicator", "action", "scope", "summary"]),
    values=st.lists(st.sampled_from(["evil.example", "1.2.3.4", "junk junk", "<b>"]), max_size=4),
)
def test_whatever_was_typed_comes_back(
    portal: Portal, typed: dict[str, str], go: str, at: str, values: list[str]
) -> None:
    reply = post(portal, go, at, **typed | {"values": "\n".join(values)})
    assert reply.status_code in (200, 422)
    for name, text in typed.items():
        assert field(reply, name) == text
    assert field(reply, "values") == "\n".join(values)
    assert not stored(portal)


def test_every_error_is_beside_its_field(portal: Portal) -> None:
    wrong = {
        "values": "evil.example",
        "title": "t" * 4_001,
        "description": "a\x01b",
        "mitre_techniques": "T12",
        "recommended_actions": "r" * 8_001,
        "application": "a" * 1_001,
        "external_id": "e" * 1_001,
        "action": "BlockAndRemediate",
        "severity": "Awful",
        "category": "Nonsense",
        "expiry": "at",
        "expires_at": "2001-01-01T00:00",
        "scope": "groups",
        "groups": "Nobody",
        "reason": "r" * 1_001,
    }
    reply = post(portal, **wrong)
    assert (reply.status_code, current(reply)) == (422, "indicator")
    for name in set(wrong) - {"values", "expiry", "scope"}:
        assert beside(reply, name), name
    assert not stored(portal)
    other = post(portal, action="Warn", bypass_duration_hours="a week", educate_url="x")
    assert "number of hours" in beside(other, "bypass_duration_hours")


@pytest.mark.parametrize("kind, value", [("FileSha256", "0f" * 32), ("IpAddress", "1.2.3.4"), ("Url", "http://a.b/c")])
def test_only_the_actions_of_the_type_are_offered(portal: Portal, kind: str, value: str) -> None:
    page = post(portal, "next", "indicator", values=value, type=kind)
    offered = set(re.findall(r'name="action" value="(\w+)"', page.text))
    assert offered == {action.value for action in ALLOWED_ACTIONS[ObservableType(kind)]}  # it was found
    both = post(portal, "next", "indicator", values=f"{value}\n{'1e' * 20}")
    assert set(re.findall(r'name="action" value="(\w+)"', both.text)) == {a.value for a in Action} & offered


def test_many_are_one_changeset_and_each_has_its_outcome(portal: Portal) -> None:
    portal.add("old.example", title="C2 of the campaign", description="seen in case 7", severity="High")
    portal.add("other.example", title="another")
    before = portal.heads()
    values = "new.example\nold.example\nother.example\nco.uk\nNEW.example\nfoo bar"
    refused = post(portal, values=values)
    assert refused.status_code == 422
    assert "1 of 5 values cannot be used" in beside(refused, "values")
    assert "line 6" in text_of(refused)
    summary = text_of(post(portal, "summary", values=values, leave_out="on"))
    assert "1 new 1 changed 1 held by the guard 1 unchanged" in summary
    done = post(portal, values=values, leave_out="on")
    assert done.status_code == 200
    text = text_of(done)
    assert "1 added, 1 changed, 1 held, 1 unchanged, 1 left out" in text
    assert "co.uk is a public suffix" in text
    assert portal.heads() == before + 1
    assert {each.indicator.canonical for each in stored(portal)} == {
        *("new.example", "old.example", "other.example", "co.uk")
    }


def test_what_the_guard_holds_can_be_released_at_once(portal: Portal) -> None:
    summary = post(portal, "summary", values="co.uk")
    assert "This one is held by the guard" in text_of(summary)
    assert field(summary, "override_reason") == ""
    back = post(portal, "action", "summary", values="co.uk", override_reason="agreed with Bo")
    assert field(back, "override_reason") == "agreed with Bo"
    post(portal, values="co.uk", override_reason="agreed with Bo")
    [only] = stored(portal)
    assert only.indicator.status is Status.ACTIVE
    assert only.indicator.extras.override_reason == "agreed with Bo"


def test_the_summary_foretells(portal: Portal) -> None:
    number = portal.add("example.org", action="Allowed")
    text = text_of(post(portal, "summary", values="evil.example.org"))
    assert "Shadowed" in text
    assert f"indicator {number} (Allowed example.org) decides" in text
    assert "Beats this one" in text
    same = portal.add("evil.example", title="before")
    text = text_of(post(portal, "summary"))
    assert "It is stored already; saving changes it" in text
    assert "Title before C2 of the campaign" in text
    post(portal)
    assert {each.id for each in stored(portal)} == {number, same}


def test_fields_that_do_not_apply_are_not_saved(portal: Portal) -> None:
    extra = {"educate_url": "https://help.example/", "bypass_duration_hours": "8", "generate_alert": "on"}
    post(portal, values="http://evil.example/a\nevil.example", action="Warn", **extra)
    by_value = {each.indicator.canonical: each.indicator for each in stored(portal)}
    assert by_value["evil.example"].extras.educate_url is None
    assert by_value["http://evil.example/a"].extras.educate_url == "https://help.example/"
    assert by_value["evil.example"].extras.bypass_duration_hours == 8
    post(portal, values="other.example", action="Allowed", **extra)
    allowed = next(each.indicator for each in stored(portal) if each.indicator.canonical == "other.example")
    assert (allowed.generate_alert, allowed.extras.bypass_duration_hours) == (False, None)


def test_a_certificate_is_read_and_not_kept(portal: Portal) -> None:
    der = certificate().public_bytes(Encoding.DER)
    read = portal.post("/indicators/new", GOOD | {"go": "certificate"}, files={"certificate_file": ("evil.cer", der)})
    assert read.status_code == 200
    assert "CN=Evil Software Ltd" in text_of(read)
    thumbprint = field(read, "values").split("\n")[1]
    [certificates] = re.findall(r'name="certificates" value="([^"]*)"', read.text)
    saved = post(portal, values=thumbprint, action="Block", certificates=html.unescape(certificates))
    assert saved.status_code == 303, text_of(saved)
    [only] = stored(portal)
    assert only.indicator.type.value == "CertificateThumbprint"
    assert only.indicator.extras.certificate_info.startswith("CN=Evil Software Ltd; issued by CN=An authority")
    junk = portal.post("/indicators/new", GOOD | {"go": "next"}, files={"certificate_file": ("evil.cer", b"junk")})
    assert junk.status_code == 422
    assert "evil.cer: this is no certificate" in beside(junk, "certificate_file")
    assert field(junk, "title") == GOOD["title"]


def test_there_is_an_end_to_how_many(portal: Portal) -> None:
    many = "\n".join(f"h{number}.example" for number in range(MOST_VALUES + 1))
    reply = post(portal, values=many)
    assert reply.status_code == 422
    assert "import them as a file" in beside(reply, "values")
    assert len(re.findall('class="seen-row', reply.text)) <= 202
    assert read_values("a.example\n" * 100_000).over


def test_the_most_that_may_be_active_is_said_in_the_summary(portal: Portal) -> None:
    object.__setattr__(portal.app.settings, "max_active_indicators", 1)
    reply = post(portal, values="a.example\nb.example")
    assert reply.status_code == 422
    assert "at most 1 indicators may be active" in text_of(reply)
    assert field(reply, "values") == "a.example\nb.example"


def test_while_typing_it_is_told_what_is_known(portal: Portal) -> None:
    number = portal.add("example.org", action="Allowed")
    part = portal.post("/indicators/new/values", {"values": "a.example.org\nhxxp://x[.]example/\njunk"})
    text = text_of(part)
    assert "<html" not in part.text
    assert "2 indicators recognised, 1 not" in text
    assert f"by indicator {number}" in text
    assert "exact host" in text
    notes = text_of(portal.post("/indicators/new/notes", {"values": "a.example.org", "action": "Block"}))
    assert "Allowed" in notes
    assert f"indicator {number}" in notes
    assert text_of(portal.post("/indicators/new/notes", {"values": "a.example.org", "action": "Allowed"})) == ""
    assert text_of(portal.post("/indicators/new/notes", {})) == ""


@pytest.mark.parametrize("fields", [{"go": "?"}, {"at": "?"}, {"expiry": "?"}, {"scope": "?"}, {"type": "?"}])
def test_a_form_of_somebody_elses_making_breaks_nothing(portal: Portal, fields: dict[str, str]) -> None:
    reply = portal.post("/indicators/new", GOOD | {"go": "summary", "at": "indicator"} | fields)
    assert reply.status_code in (200, 422)
