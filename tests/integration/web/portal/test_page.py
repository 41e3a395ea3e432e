"""What every page of the portal does: assets, errors, notices, headers, forms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.web.portal.assets import Assets
from indicia.web.portal.forms import Form
from indicia.web.portal.visit import masked, unmasked
from tests.integration.web.portal.conftest import Portal, text_of

TEMPLATES = Path(__file__).parents[4] / "src/indicia/web/templates"


def test_every_asset_is_served_for_ever_under_its_hash_and_only_what_is_there(portal: Portal) -> None:
    assets = Assets.load()
    for name, asset in assets.files.items():
        reply = portal.get(assets.path(name))
        assert reply.status_code == 200
        assert reply.content == asset.content
        assert "immutable" in reply.headers["cache-control"]
        assert portal.get(f"/assets/older/{name}").headers["cache-control"] == "no-cache"
    for path in ("nothing.css", "../page.py", "%2e%2e/page.py", "/etc/passwd", "portal.css%00"):
        assert portal.get(f"/assets/{assets.version}/{path}").status_code == 404


def test_assets_are_read_by_people_who_are_not_signed_in(portal: Portal) -> None:
    portal.http.cookies.clear()
    assert portal.get(Assets.load().path("portal.css")).status_code == 200


def test_an_unknown_page_says_so_as_a_page_and_as_a_part(portal: Portal) -> None:
    reply = portal.get("/indicators/nothing/of/that")
    assert reply.status_code == 404
    assert reply.headers["content-type"].startswith("text/html")
    assert "There is nothing here" in text_of(reply)
    part = portal.part("/indicators/nothing/of/that")
    assert part.status_code == 404
    assert 'role="alert"' in part.text
    assert "<html" not in part.text


def test_a_browser_gets_pages_and_a_client_gets_problems(portal: Portal) -> None:
    browser = portal.get("/nothing", headers={"Accept": "text/html"})
    client = portal.get("/nothing", headers={"Accept": "application/json"})
    assert browser.headers["content-type"].startswith("text/html")
    assert client.headers["content-type"] == "application/problem+json"
    # Our own API answers in its own shape, whatever else a client would take.
    api = portal.get("/v1/indicators/1", headers={"Accept": "text/html, application/json;q=0.5"})
    assert (api.status_code, api.headers["content-type"]) == (401, "application/problem+json")


def test_a_body_that_is_no_form_is_refused(portal: Portal) -> None:
    headers = {"X-CSRF-Token": portal.csrf, "Origin": "https://indicia.example"}
    for kind, body, status in (
        ("text/plain", b"csrf=1", 415),
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=%ff%fe", 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 30_000, 400),
        ("multipart/form-data", b"--x", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: nothing\r\n\r\n1\r\n--x--", 400),
    ):
        reply = portal.http.post("/sign-out", content=body, headers={**headers, "Content-Type": kind})
        assert reply.status_code == status, (kind, reply.status_code)
        assert reply.headers["content-type"].startswith("text/html")


def test_a_notice_says_what_a_changeset_did_and_offers_the_way_back_once(portal: Portal) -> None:
    portal.add()
    number = portal.heads()
    page = portal.get(f"/settings?changed={number}")
    assert "1 added" in text_of(page)
    assert f'action="/changes/{number}/undo"' in page.text
    assert portal.post(f"/changes/{number}/undo", {"next": "/settings"}).status_code == 303
    page = portal.get(f"/settings?changed={number}")
    assert f'action="/changes/{number}/undo"' not in page.text
    for wrong in ("0", "99999999999999999999", "-1", "x", "9" * 18):
        assert portal.get(f"/settings?changed={wrong}").status_code == 200


def test_a_notice_is_never_a_text_of_the_address(portal: Portal) -> None:
    assert "Free+money" not in portal.get("/settings?said=Free+money").text
    assert "Saved." in text_of(portal.get("/settings?said=saved"))


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_what_is_masked_is_told_by_unmasking_only(token: str) -> None:
    assert unmasked(masked(token)) == token


@given(st.text())
def test_any_text_can_be_given_for_a_token(text: str) -> None:
    assert isinstance(unmasked(text), str)


@given(st.dictionaries(st.text(), st.lists(st.text(), max_size=3)), st.text())
def test_a_field_that_was_not_sent_is_empty(fields: dict[str, list[str]], name: str) -> None:
    form = Form(fields, {})
    assert form.text(name) == (fields[name][-1] if fields.get(name) else "")
    assert len(form.texts(name)) == len(fields.get(name, []))


@pytest.mark.parametrize("file", sorted(TEMPLATES.rglob("*.html")), ids=lambda file: file.name)
def test_an_icon_that_a_template_names_is_drawn(file: Path) -> None:
    drawn = set(re.findall(r'^  "([a-z]+)": "M', (TEMPLATES / "icons.html").read_text(), re.MULTILINE))
    named = set(re.findall(r'm?\.?icon\("([a-z-]+)"', file.read_text()))
    assert named <= drawn
