"""All headers of every kind of answer, as they are: a new one, or one that is missing, is a decision."""

from __future__ import annotations

import re

import httpx
import pytest

from indicia.web.portal.assets import Assets
from tests.integration.web.portal.conftest import Portal
from tests.integration.web.portal.pages import READS, Route

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
CLOSED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
EVERY = {
    "cache-control": "no-store",
    "content-length": "(number)",
    "content-security-policy": CLOSED,
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-request-id": "(uuid)",
}
PAGE = {
    **EVERY,
    "content-encoding": "gzip",
    "content-security-policy": POLICY,
    "content-type": "text/html; charset=utf-8",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "vary": "HX-Request, Accept-Encoding",
}
ASSET = {
    **EVERY,
    "cache-control": "public, max-age=31536000, immutable",
    "content-encoding": "gzip",
    "content-type": "text/css; charset=utf-8",
    "vary": "Accept-Encoding",
}
AWAY = {**EVERY, "content-length": "0", "location": "(path)"}
VOLATILE = {
    "x-request-id": (r"[0-9a-f]{8}-[0-9a-f-]{27}", "(uuid)"),
    "content-length": (r"[1-9]\d*", "(number)"),
    "location": (r"/[^/].*|/", "(path)"),
    "hx-redirect": (r"/[^/].*|/", "(path)"),
}


def headers_of(reply: httpx.Response) -> dict[str, str]:
    """Return the headers of *reply*; of what is another one each time, its form."""
    found = dict(reply.headers.items())
    for name, (pattern, shown) in VOLATILE.items():
        if re.fullmatch(pattern, found.get(name, "")):
            found[name] = shown
    return found


def test_a_page(portal: Portal) -> None:
    reply = portal.get("/indicators")
    assert reply.status_code == 200
    assert headers_of(reply) == PAGE


def test_a_page_for_whoever_is_not_signed_in(portal: Portal) -> None:
    portal.http.cookies.clear()
    reply = portal.get("/sign-in")
    assert reply.status_code == 200
    assert headers_of(reply) == PAGE


def test_a_part_of_a_page(portal: Portal) -> None:
    portal.add()
    reply = portal.part("/indicators", headers={"HX-Target": "list"})
    assert reply.status_code == 200
    assert headers_of(reply) == PAGE


def test_an_asset(portal: Portal) -> None:
    reply = portal.get(Assets.load().path("portal.css"))
    assert reply.status_code == 200
    assert headers_of(reply) == ASSET


@pytest.mark.parametrize("as_part", [False, True])
def test_an_error(portal: Portal, as_part: bool) -> None:
    reply = (portal.part if as_part else portal.get)("/indicators/999999")
    assert reply.status_code == 404
    # What is shorter than a thousand bytes goes out as it is.
    short = {"vary": "HX-Request"} if as_part else {}
    wanted = {name: value for name, value in PAGE.items() if not as_part or name != "content-encoding"}
    assert headers_of(reply) == wanted | short


def test_the_way_to_sign_in(portal: Portal) -> None:
    portal.http.cookies.clear()
    reply = portal.get("/indicators")
    assert reply.status_code == 303
    assert headers_of(reply) == AWAY


def test_the_way_to_the_next_page_after_a_write(portal: Portal) -> None:
    portal.add()
    reply = portal.post(f"/changes/{portal.heads()}/undo")
    assert reply.status_code == 303
    assert headers_of(reply) == AWAY


def test_signing_out_forgets_the_cookie(portal: Portal) -> None:
    reply = portal.post("/sign-out")
    assert reply.status_code == 303
    [cookie] = reply.headers.get_list("set-cookie")
    assert re.fullmatch(
        r'__Host-indicia="?"?; expires=[^;]+; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure', cookie
    )
    assert headers_of(reply) == {**AWAY, "set-cookie": cookie}


@pytest.mark.parametrize("route", [each for each in READS if not each.path.startswith("/assets")], ids=str)
def test_every_answer_is_kept_by_nobody_and_may_load_nothing_from_elsewhere(portal: Portal, route: Route) -> None:
    number = portal.add()
    with portal.http.stream("GET", route.at(id=number, number=number), follow_redirects=False) as reply:
        headers = headers_of(reply)
    for name in ("x-content-type-options", "x-frame-options", "cross-origin-resource-policy", "x-request-id"):
        assert headers[name] == EVERY[name]
    assert headers["cache-control"] in {"no-store", "no-cache, no-store"}
    assert headers["content-security-policy"] in {POLICY, CLOSED}
    assert headers["referrer-policy"] in {"same-origin", "no-referrer"}
    assert "server" not in headers
    assert "x-powered-by" not in headers
    if headers.get("content-type", "").startswith("text/html"):
        assert headers["content-security-policy"] == POLICY
        assert headers["cross-origin-opener-policy"] == "same-origin"
