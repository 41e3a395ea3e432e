"""Who may read and write by the portal's routes: every route of the router against every way to forge a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
import pytest
from starlette.testclient import TestClient

from indicia.domain.access import Role
from indicia.services import people, sessions
from indicia.web.portal.visit import masked
from tests.integration.stores import rows_of
from tests.integration.web.portal.conftest import COOKIE, ORIGIN, Portal
from tests.integration.web.portal.pages import READS, ROUTES, WRITES, Route, portal_over
from tests.wire.doors import ADMIN

OWN = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REFUSED = {400, 403, 404, 405, 413, 415, 422}
# A body that may be of any length is not read before it is known who sends it: the token stands in the form's address.
READS_ITS_BODY_LATER = {"/import"}
IN_THE_ADDRESS = "the token in the address"
# What a form of ours may hold besides; enough of it that a write would happen if it were not refused.
FIELDS = {
    "value": "forged.example",
    "values": "forged.example",
    "type": "DomainName",
    "action": "Block",
    "title": "forged",
    "description": "forged",
    "name": "forged",
    "reason": "forged",
    "confirm": "yes",
    "id": "1",
    "ids": "1",
    "theme": "dark",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Give one portal with one indicator to all tests that change nothing."""
    with portal_over(tmp_path_factory.mktemp("shared")) as portal:
        portal.add("secret-of-ours.example")
        yield portal


@pytest.fixture(scope="module")
def ways(shared: Portal) -> dict[str, Callable[[Route], httpx.Response]]:
    """Return every way to forge a request to it."""
    return forgeries(shared)


def content(portal: Portal) -> list[str]:
    """Return everything that the database holds, but for when sessions were seen."""
    held = rows_of(portal.app.database)
    number = len(held.pop("sessions"))
    return [*(f"{name}: {row}" for name, rows in held.items() for row in rows), str(number)]


def other_csrf(portal: Portal) -> str:
    """Return what proves the origin of a request in the session of somebody else."""
    now = datetime.now(UTC)
    person = people.add_person(portal.app.database, "mallory", actor=ADMIN, now=now, role=Role.ADMINISTRATOR).person
    token = sessions.open_session(portal.app.database, person, now=now, limits=sessions.Limits())
    found = sessions.find(portal.app.database, token, now, sessions.Limits())
    assert found is not None
    return masked(found.csrf)


def send(portal: Portal, route: Route, headers: dict[str, str], **fields: str) -> httpx.Response:
    body = urlencode(FIELDS | fields)
    return portal.http.request(
        route.method, route.at(), content=body, headers={**FORM, **headers}, follow_redirects=False
    )


def forgeries(portal: Portal) -> dict[str, Callable[[Route], httpx.Response]]:
    """Return every way to forge a request: with the right token where that is not what is wrong."""
    right = portal.csrf
    theirs = other_csrf(portal)
    token = {"X-CSRF-Token": right}
    return {
        "no token": lambda route: send(portal, route, OWN),
        "an empty token": lambda route: send(portal, route, OWN, csrf=""),
        "a wrong token": lambda route: send(portal, route, OWN, csrf="0" * len(right)),
        "a token that is no text": lambda route: send(portal, route, OWN, csrf="ä\ud800".encode(errors="ignore").hex()),
        "a wrong token in the header": lambda route: send(portal, route, {**OWN, "X-CSRF-Token": "1" * len(right)}),
        "the token of somebody else": lambda route: send(portal, route, OWN, csrf=theirs),
        "a page of another site": lambda route: send(
            portal, route, {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", **token}, csrf=right
        ),
        "an old browser on another site": lambda route: send(
            portal, route, {"Origin": "https://evil.example", **token}, csrf=right
        ),
        "a sandboxed page": lambda route: send(portal, route, {"Origin": "null", **token}, csrf=right),
        "a neighbour of the same site": lambda route: send(
            portal,
            route,
            {"Origin": "https://other.indicia.example", "Sec-Fetch-Site": "same-site", **token},
            csrf=right,
        ),
        "another port": lambda route: send(portal, route, {"Origin": f"{ORIGIN}:8443", **token}, csrf=right),
        "text that looks like a form": lambda route: send(
            portal, route, {**OWN, "Content-Type": "text/plain"}, csrf=right
        ),
        "JSON": lambda route: send(portal, route, {**OWN, "Content-Type": "application/json"}, csrf=right),
        IN_THE_ADDRESS: lambda route: portal.http.request(
            route.method, f"{route.at()}?csrf={right}", headers={**FORM, **OWN}, follow_redirects=False
        ),
    }


def says_sign_in(reply: httpx.Response) -> bool:
    """Return whether somebody is sent to sign in, or asked to: then with what they filled in kept in that page."""
    if reply.status_code == 303:
        return reply.headers["location"].split("?")[0] in {"/sign-in", "/indicators"}
    if reply.headers.get("hx-redirect", "").startswith("/sign-in"):
        return True
    return reply.status_code == 401 and 'action="/sign-in' in reply.text


def lets_in(reply: httpx.Response) -> bool:
    """Return whether the request was taken: neither refused nor sent away to sign in."""
    return reply.status_code not in REFUSED


@pytest.mark.parametrize("route", [each for each in WRITES if not each.is_open], ids=str)
def test_a_forged_request_changes_nothing(
    shared: Portal, ways: dict[str, Callable[[Route], httpx.Response]], route: Route
) -> None:
    before = content(shared)
    taken = {}
    for name, forge in ways.items():
        if name == IN_THE_ADDRESS and route.path in READS_ITS_BODY_LATER:
            continue
        reply = forge(route)
        if lets_in(reply):
            taken[name] = str(reply.status_code)
        if content(shared) != before:
            taken[name] = f"{reply.status_code}, and something was changed"
            before = content(shared)
    assert not taken, "; ".join(f"{name}: {what}" for name, what in taken.items())


@pytest.mark.parametrize("route", [each for each in WRITES if not each.is_open], ids=str)
def test_the_same_request_from_a_page_of_ours_is_taken(portal: Portal, route: Route) -> None:
    portal.add()
    assert send(portal, route, {**OWN, "X-CSRF-Token": portal.csrf}, csrf=portal.csrf).status_code != 403


@pytest.mark.parametrize("route", [each for each in WRITES if each.is_open], ids=str)
def test_nobody_is_signed_in_by_a_page_of_another_site(shared: Portal, route: Route) -> None:
    before = content(shared)
    for headers in (
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://other.indicia.example", "Sec-Fetch-Site": "same-site"},
    ):
        reply = send(shared, route, headers, password="correct horse battery staple")
        assert reply.status_code in REFUSED, headers
        assert "set-cookie" not in reply.headers, headers
    assert content(shared) == before


@pytest.mark.parametrize("route", WRITES, ids=str)
def test_what_writes_is_not_done_by_a_link(shared: Portal, route: Route) -> None:
    before = content(shared)
    reply = shared.get(f"{route.at()}?{urlencode({**FIELDS, 'csrf': shared.csrf, '_method': route.method})}")
    assert reply.status_code < 500
    assert content(shared) == before


@pytest.mark.parametrize("route", READS, ids=str)
def test_reading_changes_nothing(shared: Portal, route: Route) -> None:
    before = content(shared)
    with shared.http.stream("GET", route.at(), follow_redirects=False) as reply:
        assert reply.status_code < 500
    assert content(shared) == before


@pytest.mark.parametrize("route", [each for each in ROUTES if not each.is_open], ids=str)
def test_every_page_needs_somebody_who_is_signed_in(shared: Portal, route: Route) -> None:
    """Also with the right token; a part of a page is told in the words of htmx."""
    csrf, cookie = shared.csrf, shared.token
    nobody = TestClient(shared.http.app, base_url=ORIGIN)
    body = None if route.method == "GET" else urlencode({**FIELDS, "csrf": csrf})
    before = content(shared)
    for known in ({}, {"Cookie": f"{COOKIE}=nonsense"}, {"Cookie": f"{COOKIE}={cookie[:-1]}"}):
        for asked in ({}, {"HX-Request": "true", "HX-Request-Type": "partial"}):
            headers = {**FORM, **OWN, **known, **asked}
            reply = nobody.request(route.method, route.at(), content=body, headers=headers, follow_redirects=False)
            assert "secret-of-ours" not in reply.text
            assert says_sign_in(reply), (known, asked, reply.status_code, dict(reply.headers))
    assert content(shared) == before


@pytest.mark.parametrize(
    "method, path",
    [("GET", "/api/indicators"), ("POST", "/api/indicators"), ("GET", "/v1/indicators"), ("POST", "/v1/imports")],
)
def test_the_cookie_of_the_portal_opens_no_api(shared: Portal, method: str, path: str) -> None:
    headers = {**OWN, "X-CSRF-Token": shared.csrf}
    assert shared.http.request(method, path, json={}, headers=headers).status_code == 401


def test_the_router_knows_what_these_tests_are_about() -> None:
    paths = {route.path for route in ROUTES}
    assert {"/", "/indicators", "/indicators/new", "/check", "/changes", "/settings", "/sign-in"} <= paths
    assert len(WRITES) >= 10
