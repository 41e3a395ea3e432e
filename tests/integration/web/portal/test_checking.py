"""Check a value: the verdict first, everything that explains it after, and no value is ever a link that leads there."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from indicia.domain.observable import ObservableType
from indicia.services import groups
from indicia.web.portal.checking import EXAMPLES, MOST_VALUES
from tests.integration.web.portal.conftest import Portal, text_of
from tests.wire.doors import ADMIN


def group(portal: Portal, name: str) -> None:
    from datetime import UTC, datetime

    groups.add_group(portal.app.database, name, None, actor=ADMIN, now=datetime.now(UTC))


def verdict_of(portal: Portal, path: str) -> str:
    """Return the line of the verdict."""
    page = portal.get(path)
    assert page.status_code == 200, text_of(page)
    found = re.search(r'<h2 id="verdict-title".*?</h2>', page.text, re.DOTALL)
    assert found, text_of(page)
    return " ".join(re.sub(r"(?s)<svg.*?</svg>|<[^>]*>", " ", found[0]).split())


def test_the_empty_page_offers_examples_that_all_have_an_answer(portal: Portal) -> None:
    page = portal.get("/check")
    for value, _what in EXAMPLES:
        assert value in page.text
        verdict_of(portal, f"/check?value={quote(value)}")


def test_the_verdict_says_what_by_which_and_until_when(portal: Portal) -> None:
    portal.add("evil.example", title="C2 of a friend", expires="2031-02-03T04:05:06Z")
    line = verdict_of(portal, "/check?value=hxxp://www.evil[.]example/a")
    assert line.startswith("BLOCK by indicator 1 “C2 of a friend”, until 2031-02-03 04:05:06 UTC")
    assert "never expires" in verdict_of(portal, f"/check?value={_never(portal)}")


def _never(portal: Portal) -> str:
    portal.add("never.example")
    return "never.example"


def test_nothing_decides_is_said_with_why(portal: Portal) -> None:
    assert "No indicator is about this value" in verdict_of(portal, "/check?value=good.example")
    portal.add("10.0.0.1", type="IpAddress")
    line = verdict_of(portal, "/check?value=10.0.0.1")
    assert line.startswith("Nothing decides")
    assert "does not count here" in line
    assert "held by the guard" in text_of(portal.get("/check?value=10.0.0.1")).lower()


def test_each_indicator_that_matches_is_told_with_what_became_of_it(portal: Portal) -> None:
    portal.add("evil.example")
    portal.add("evil.example", action="Allowed", title="ours")
    portal.add("https://evil.example/a", type="Url", title="page")
    text = text_of(portal.get("/check?value=https://evil.example/a/b"))
    assert "Decides indicator 2" in text
    assert text.count("Beaten") == 2
    assert "Allowed beats Block among names, addresses and URLs" in text
    assert "is stored with the actions Block (indicator 1) and Allowed (indicator 2): Allowed wins" in text
    assert "What was looked up" in text


def test_each_device_group_has_its_verdict(portal: Portal) -> None:
    group(portal, "Servers")
    portal.add("evil.example", rbac_group_names=["Servers"])
    text = text_of(portal.get("/check?value=evil.example"))
    assert "None that has a name asked nothing decides" in text
    assert "Servers Block indicator 1" in text
    assert verdict_of(portal, "/check?value=evil.example&group=Servers").startswith("BLOCK")


def test_what_would_change_it_is_told(portal: Portal) -> None:
    portal.add("evil.example", action="Warn", expires="2031-02-03T04:05:06Z")
    portal.add("evil.example")
    text = text_of(portal.get("/check?value=evil.example"))
    assert "If indicator 1 were deleted Block by indicator 2" in text
    assert "When it expires, 2031-02-03 04:05:06 UTC Block by indicator 2" in text


def test_as_of_a_changeset_and_as_of_a_moment(portal: Portal) -> None:
    number = portal.add("evil.example")
    made = portal.heads()
    portal.post(f"/changes/{made}/undo")
    assert verdict_of(portal, "/check?value=evil.example").startswith("Nothing decides")
    assert verdict_of(portal, f"/check?value=evil.example&at={made}").startswith(f"BLOCK by indicator {number}")
    assert verdict_of(portal, "/check?value=evil.example&at=2020-01-01").startswith("Nothing decides")


@pytest.mark.parametrize(
    "query, field, says",
    [
        ("value=evil.example&at=yesterday", "at", "allowed: 2026-01-31T12:00:00Z, 42"),
        ("value=evil.example&at=999999", "at", "there is no changeset 999999"),
        ("value=evil.example&group=Nobody", "group", "there is no device group named"),
        ("value=no-value", "value", "is no hash, address, network, domain or URL"),
        ("value=" + "a" * 3_000, "value", "is no hash"),
        ("value=http%3A%2F%2F", "value", ""),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    portal: Portal, query: str, field: str, says: str
) -> None:
    group(portal, "Servers")
    page = portal.get(f"/check?{query}")
    assert page.status_code == 400
    found = re.search(rf'<div class="errors" id="f-{field}-error">.*?</div>', page.text, re.DOTALL)
    assert found
    assert says in found[0]
    assert re.search(rf'id="f-{field}"[^>]*aria-invalid="true"', page.text)
    value = re.search(r"value=([^&]*)", query)
    assert value
    assert value[1][:40].replace("%3A", ":").replace("%2F", "/") in page.text


def test_a_value_that_is_nearly_one_has_a_suggestion_to_click(portal: Portal) -> None:
    page = portal.get("/check?value=203.0.113.7:8080")
    assert page.status_code == 400
    assert 'href="/check?value=203.0.113.7"' in page.text


def test_many_values_have_a_row_each_and_are_counted(portal: Portal) -> None:
    portal.add("evil.example")
    reply = portal.post("/check", {"value": "evil.example\ngood.example\njunk", "group": "", "at": ""})
    assert reply.status_code == 303
    text = text_of(portal.get(reply.headers["location"]))
    assert "3 values Block 1 Nothing decides 1 Not understood 1" in text


def test_more_than_an_address_can_hold_is_answered_in_place(portal: Portal) -> None:
    values = [f"name{number}.evil.example" for number in range(MOST_VALUES)]
    portal.add("evil.example")
    reply = portal.post("/check", {"value": "\n".join(values)})
    assert reply.status_code == 200
    assert f"{MOST_VALUES} values Block {MOST_VALUES}" in text_of(reply)


def test_too_many_values_are_refused_and_kept(portal: Portal) -> None:
    values = "\n".join(f"name{number}.evil.example" for number in range(MOST_VALUES + 1))
    reply = portal.post("/check", {"value": values})
    assert reply.status_code == 400
    assert f"this page takes {MOST_VALUES} at a time" in text_of(reply)
    assert f"name{MOST_VALUES}.evil.example" in reply.text


def test_one_value_that_is_posted_gets_an_address_of_its_own(portal: Portal) -> None:
    reply = portal.post("/check", {"value": "evil.example", "group": "", "at": ""})
    assert (reply.status_code, reply.headers["location"]) == (303, "/check?value=evil.example")
    assert portal.post("/check", {"value": " "}).headers["location"] == "/check"


def test_the_same_question_for_a_terminal_is_quoted(portal: Portal) -> None:
    page = portal.get("/check?" + "value=https://evil.example/a?b=%27;rm%26at=1")
    text = text_of(page)
    assert """indicia check 'https://evil.example/a?b='"'"';rm&at=1'""" in text
    assert "--data-urlencode" in text
    assert "https://indicia.example/v1/verdicts" in text


@pytest.mark.parametrize("value", ["https://evil.example/a", "evil.example", "203.0.113.7"])
def test_no_value_is_a_link(portal: Portal, value: str) -> None:
    kind = {"h": ObservableType.URL, "e": ObservableType.DOMAIN_NAME, "2": ObservableType.IP_ADDRESS}[value[0]]
    portal.add(value, type=kind.value, action="Audit", generate_alert=True)
    for page in (portal.get(f"/check?value={value}"), portal.get(f"/check?value={value}%0Aother.example")):
        for href in re.findall(r'href="([^"]*)"', page.text):
            assert href.startswith(("/", "#")), href
            assert not href.startswith("//")
