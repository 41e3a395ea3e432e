"""The page of one indicator: everything about it, also when it is gone; deleting, releasing and the ways back."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta

import pytest

from indicia.domain.indicator import Status
from indicia.services import expiry
from tests.integration.web.portal.conftest import Portal, text_of
from tests.integration.web.portal.test_editing import FULL, edit, read


def page(portal: Portal, number: int) -> str:
    reply = portal.get(f"/indicators/{number}")
    assert reply.status_code == 200
    return text_of(reply)


def test_it_says_everything(portal: Portal) -> None:
    number = portal.add("http://Evil.Example/a", type="Url", action="Warn", **{**FULL, "rbac_group_names": []})
    text = page(portal, number)
    for said in (
        *("http://Evil.Example/a", "http://evil.example/a", "URL", "Warn", "Active", "In force", "Medium", "Malware"),
        *("T1566.001, T1204", "Call us. At once.", "An application", "https://help.example/", "5 hours", "INC-7"),
        *("n-1", "call us", "never", "all devices", "Added by", "indicatorValue", "rbacGroupIds", '"etag"'),
    ):
        assert said in text, said
    raw = portal.get(f"/indicators/{number}").text
    assert 'data-copy="hxxp[://]Evil[.]Example/a"' in html.unescape(raw)
    assert '<a href="http' not in raw


def test_what_beats_it_is_named_with_the_reason(portal: Portal) -> None:
    block = portal.add("evil.example.org", title="the block")
    allowed = portal.add("good.evil.example.org", action="Allowed")
    warn = portal.add("example.org", action="Warn")
    text = page(portal, block)
    assert "Shadowed" in text
    assert f"indicator {warn} (Warn example.org) decides: Warn beats Block" in text
    assert f"indicator {allowed} Beats this one : Allowed beats Block" in text
    assert f"indicator {block} Beaten by this one : Allowed beats Block" in page(portal, allowed)


def test_among_many_narrower_ones_are_looked_for_apart(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indicia.services.standing.MANY", 1)
    number = portal.add("example.org", action="Allowed")
    narrow = portal.add("evil.example.org")
    assert "Look for indicators about narrower values" in page(portal, number)
    assert f"indicator {narrow}" in text_of(portal.get(f"/indicators/{number}?narrower=1"))
    part = portal.part(f"/indicators/{number}/coverage")
    assert f"indicator {narrow}" in text_of(part)
    assert "<html" not in part.text


def test_every_change_is_told_field_by_field(portal: Portal) -> None:
    number = portal.add("evil.example", title="before")
    edit(portal, number, title="after", reason="renamed")
    text = page(portal, number)
    assert "Title before after" in text
    assert "renamed" in text
    assert "by alice (Portal)" in text


def test_deleting_and_the_way_back(portal: Portal) -> None:
    number = portal.add("evil.example", title="gone soon")
    gone = portal.post(
        f"/indicators/{number}/delete", {"reason": "false positive", "next": "/indicators?q=title%3Agone"}
    )
    assert gone.status_code == 303
    assert gone.headers["location"] == f"/indicators?q=title%3Agone&changed={portal.heads()}"
    text = page(portal, number)
    assert "Deleted by alice" in text
    assert "false positive" in text
    assert "Release" not in text
    assert "Add again" in text
    back = portal.post(f"/changes/{portal.heads()}/undo", {"next": f"/indicators/{number}"})
    assert back.status_code == 303
    text = page(portal, number)
    assert "Active" in text
    assert "Restored" in text


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil", "/changes", "/indicators/1"])
def test_a_form_leads_nowhere_else(portal: Portal, target: str) -> None:
    number = portal.add("evil.example")
    gone = portal.post(f"/indicators/{number}/delete", {"next": target})
    assert gone.headers["location"] == f"/indicators?changed={portal.heads()}"


def test_a_version_that_is_not_the_current_one_deletes_nothing(portal: Portal) -> None:
    number = portal.add("evil.example")
    began = read(portal, number).began
    edit(portal, number, title="other")
    refused = portal.post(f"/indicators/{number}/delete", {"version": str(began)})
    assert refused.status_code == 409
    assert "changed by changeset" in text_of(refused)
    assert read(portal, number).indicator.title == "other"


def test_releasing_needs_a_reason(portal: Portal) -> None:
    number = portal.add("co.uk")
    text = page(portal, number)
    assert "Held" in text
    assert "co.uk is a public suffix" in text
    refused = portal.post(f"/indicators/{number}/release", {"reason": " "})
    assert refused.status_code == 422
    assert "a release needs a reason" in text_of(refused)
    released = portal.post(f"/indicators/{number}/release", {"reason": "agreed with Bo"})
    assert released.status_code == 303
    assert read(portal, number).indicator.status is Status.ACTIVE
    assert "agreed with Bo" in page(portal, number)
    assert portal.post(f"/indicators/{number}/release", {"reason": "again"}).status_code == 409


def test_an_expired_one_still_has_its_page(portal: Portal) -> None:
    number = portal.add("evil.example", expires=datetime.now(UTC) + timedelta(seconds=1))
    expiry.remove_expired(portal.app.database, now=datetime.now(UTC) + timedelta(days=1))
    text = page(portal, number)
    assert "Expired" in text
    assert "expired by" in text.lower()
    assert portal.get(f"/indicators/{number}/edit").status_code == 404


def test_it_may_have_expired_and_not_been_removed_yet(portal: Portal) -> None:
    number = portal.add("evil.example", expires=datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1))
    deadline = datetime.now(UTC) + timedelta(seconds=5)
    while "Expired" not in page(portal, number):
        assert datetime.now(UTC) < deadline
    assert "Edit" not in page(portal, number).partition("History")[0].split()


@pytest.mark.parametrize("number", [99, 2**63, 10**30])
@pytest.mark.parametrize("path", ["", "/coverage", "/edit"])
def test_what_there_never_was_has_no_page(portal: Portal, number: int, path: str) -> None:
    assert portal.get(f"/indicators/{number}{path}").status_code == 404
    for action in ("delete", "release"):
        assert portal.post(f"/indicators/{number}/{action}", {"reason": "x"}).status_code == 404
