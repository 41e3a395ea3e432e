"""Signing in: the first person, those who come back, those who guess, and what is not lost on the way."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from indicia.app import App
from indicia.domain.access import Role
from indicia.services import people, sessions
from indicia.services.sessions import Limits
from indicia.services.throttling import Throttle
from indicia.web.logs import open_log
from indicia.web.portal.signing_in import Desk
from indicia.web.server import create_app
from tests.integration.weak_passwords import GOOD, OTHER_GOOD, weak
from tests.integration.web.portal.conftest import COOKIE, ORIGIN, Portal, text_of
from tests.wire.doors import ADMIN, Door

PAGE = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


class Browser:
    """A browser without JavaScript in which nobody is signed in."""

    def __init__(self, app: App, http: TestClient, log: io.StringIO) -> None:
        self.app = app
        self.http = http
        self.log = log

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **{"follow_redirects": False} | options)

    def send(self, path: str, *, page: bool = True, **fields: str) -> httpx.Response:
        headers = PAGE if page else {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        return self.http.post(path, data=fields, headers=headers, follow_redirects=False)

    def sign_in(self, name: str = "ada", password: str = GOOD, **more: str) -> httpx.Response:
        return self.send("/sign-in", name=name, password=password, **more)

    @property
    def token(self) -> str | None:
        return self.http.cookies.get(COOKIE)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@contextmanager
def browsing(app: App, base_url: str = ORIGIN) -> Iterator[Browser]:
    log = io.StringIO()
    server = create_app(app, log=open_log(log))
    server.state.desk = Desk(weak(), Throttle(), open_log(log))
    with TestClient(server, base_url=base_url) as http:
        yield Browser(app, http, log)


@pytest.fixture
def nobody(door: Door) -> Iterator[Browser]:
    """Give a portal that nobody has used yet."""
    with browsing(door.app) as browser:
        yield browser


@pytest.fixture
def browser(nobody: Browser) -> Browser:
    """Return one where Ada may sign in."""
    token = people.one_time_link(nobody.app.database, datetime.now(UTC))
    assert token is not None
    people.accept(nobody.app.database, token, "Ada", GOOD, passwords=weak(), now=datetime.now(UTC))
    return nobody


def first_link(browser: Browser) -> str:
    token = people.one_time_link(browser.app.database, datetime.now(UTC))
    assert token is not None
    return f"/welcome/{token}"


def errors_of(reply: httpx.Response, field: str) -> str:
    """Return what stands beside *field*, to which it points as its description."""
    found = re.search(rf'(?s)<input id="f-{field}"[^>]*>', reply.text)
    assert found, reply.text
    if "aria-invalid" not in found[0]:
        return ""
    assert f"f-{field}-error" in found[0]
    shown = re.search(rf'(?s)<div class="errors" id="f-{field}-error">(.*?)</div>', reply.text)
    assert shown
    return " ".join(re.sub("<[^>]*>", " ", shown[1]).split())


def hidden(reply: httpx.Response, name: str) -> list[str]:
    import html

    return [html.unescape(each) for each in re.findall(rf'type="hidden" name="{name}" value="([^"]*)"', reply.text)]


# -- the first --------------------------------------------------------------------------------------------------------


def test_the_first_link_leads_in(nobody: Browser) -> None:
    assert "nobody yet who could sign in" in text_of(nobody.get("/sign-in"))
    link = first_link(nobody)
    page = nobody.get(link)
    assert page.status_code == 200
    assert 'autocomplete="username"' in page.text
    assert 'autocomplete="new-password"' in page.text
    reply = nobody.send(link, name="Ada", password=GOOD)
    assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in/kept?next=%2F")
    assert nobody.get(reply.headers["location"]).headers["location"] == "/"
    assert "Ada" in nobody.get("/settings/account").text
    assert nobody.get(link).status_code == 404
    assert nobody.send(link, name="Eve", password=OTHER_GOOD).status_code == 404


@pytest.mark.parametrize(
    "fields, wrong",
    [
        ({"name": "", "password": GOOD}, {"name"}),
        ({"name": "Ada", "password": ""}, {"password"}),
        ({"name": "Ada", "password": "sh0rt-one"}, {"password"}),
        ({"name": " ", "password": "password123456"}, {"name", "password"}),
        ({"name": "Ada Lovelace", "password": "AdaLovelace1815"}, {"password"}),
        ({"name": "Ada", "password": GOOD, "again": OTHER_GOOD}, {"again"}),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_the_link_stays_good(
    nobody: Browser, fields: dict[str, str], wrong: set[str]
) -> None:
    link = first_link(nobody)
    reply = nobody.send(link, **fields)
    assert reply.status_code == 422
    assert {field for field in ("name", "password", "again") if errors_of(reply, field)} == wrong
    assert f'value="{fields["name"]}"' in reply.text, "the name that was typed is not lost"
    assert not fields["password"] or fields["password"] not in reply.text, "a password is never in a page"
    assert nobody.token is None
    assert nobody.send(link, name="Ada", password=GOOD).status_code == 303


@pytest.mark.parametrize("token", ["x", "%00", "é", "a" * 5_000, "<script>"])
def test_a_link_that_is_none_says_what_to_do(browser: Browser, token: str) -> None:
    reply = browser.get(f"/welcome/{token}")
    assert reply.status_code == 404
    assert "indicia user reset" in text_of(reply)
    assert "<script>" not in reply.text


def test_a_link_that_nobody_used_says_what_to_do_where_there_is_nobody(nobody: Browser) -> None:
    assert "indicia serve" in text_of(nobody.get("/welcome/x"))


def test_a_link_for_somebody_sets_their_password_whatever_name_is_sent(browser: Browser) -> None:
    now = datetime.now(UTC)
    made = people.add_person(browser.app.database, "<b>Grace</b>", actor=ADMIN, now=now, role=Role.ADMINISTRATOR)
    page = browser.get(f"/welcome/{made.token}")
    assert "&lt;b&gt;Grace&lt;/b&gt;" in page.text
    assert "<b>Grace" not in page.text
    reply = browser.send(f"/welcome/{made.token}", name="Ada", password=OTHER_GOOD)
    assert reply.status_code == 303
    assert browser.send("/sign-in", name="<b>GRACE</b>", password=OTHER_GOOD).status_code == 303


def test_the_log_has_no_token_and_no_password(nobody: Browser) -> None:
    link = first_link(nobody)
    nobody.get(link)
    nobody.send(link, name="Ada", password=GOOD)
    nobody.sign_in(password="wrong password that is long")
    nobody.sign_in()
    said = nobody.log.getvalue()
    for secret in (link.rpartition("/")[2], GOOD, "wrong password", str(nobody.token)):
        assert secret not in said
    assert "/welcome/…" in [line.get("path") for line in nobody.lines()]
    events = [line["event"] for line in nobody.lines() if line["event"].startswith("sign-in.")]
    assert events == ["sign-in.done", "sign-in.failed", "sign-in.done"]


# -- signing in -------------------------------------------------------------------------------------------------------


def test_somebody_signs_in_and_goes_on_where_they_wanted_to_be(browser: Browser) -> None:
    away = browser.get("/settings/groups?x=1")
    assert away.status_code == 303
    assert away.headers["location"] == "/sign-in?next=%2Fsettings%2Fgroups%3Fx%3D1"
    page = browser.get(away.headers["location"])
    assert 'autocomplete="current-password"' in page.text
    reply = browser.sign_in(next=hidden(page, "next")[0])
    assert reply.status_code == 303
    on = browser.get(reply.headers["location"])
    assert (on.status_code, on.headers["location"]) == (303, "/settings/groups?x=1")
    assert browser.get("/sign-in").status_code == 303, "who is signed in needs not sign in"


@pytest.mark.parametrize("way", ["https://evil.example/", "//evil.example", "/\\evil.example", "/sign-out"])
def test_nobody_is_led_elsewhere_by_signing_in(browser: Browser, way: str) -> None:
    page = browser.get("/sign-in", params={"next": way})
    assert hidden(page, "next") == ["/"]
    reply = browser.sign_in(next=way)
    assert reply.headers["location"] == "/sign-in/kept?next=%2F"
    on = browser.get("/sign-in/kept", params={"next": way})
    assert on.headers["location"] == "/"


@pytest.mark.parametrize(
    "name, password", [("ada", OTHER_GOOD), ("nobody", GOOD), ("nobody", OTHER_GOOD), ("ada\0", GOOD)]
)
def test_a_wrong_password_and_an_unknown_name_are_told_alike(browser: Browser, name: str, password: str) -> None:
    reply = browser.sign_in(name, password)
    assert reply.status_code == 401
    assert errors_of(reply, "password") == "the name or the password is wrong"
    assert errors_of(reply, "name") == ""
    assert browser.token is None
    assert password not in reply.text


@pytest.mark.parametrize("fields, wrong", [({"name": ""}, "name"), ({"password": ""}, "password")])
def test_what_is_missing_stands_beside_its_field(browser: Browser, fields: dict[str, str], wrong: str) -> None:
    reply = browser.sign_in(**{"name": "ada", "password": GOOD} | fields)
    assert reply.status_code == 422
    assert errors_of(reply, wrong)


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_who_guesses_has_to_wait_whether_the_name_exists_or_not(browser: Browser, name: str) -> None:
    for _ in range(5):
        assert browser.sign_in(name, "wrong").status_code == 401
    reply = browser.sign_in(name, GOOD)
    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) >= 1
    assert "too many tries" in errors_of(reply, "password")
    assert f'value="{name}"' in reply.text
    assert "sign-in.throttled" in [line["event"] for line in browser.lines()]


def test_nobody_signs_somebody_in_from_another_site(browser: Browser) -> None:
    reply = browser.send("/sign-in", page=False, name="ada", password=GOOD)
    assert reply.status_code == 403
    assert browser.token is None


def test_signing_in_gives_another_token_and_ends_the_session_before(browser: Browser) -> None:
    browser.sign_in()
    before = browser.token
    assert before
    browser.sign_in()
    assert browser.token
    assert browser.token != before
    now = datetime.now(UTC)
    assert sessions.find(browser.app.database, before, now, Limits()) is None


def test_a_token_that_somebody_else_chose_is_never_taken(browser: Browser) -> None:
    chosen = "a" * 43
    reply = browser.http.post(
        "/sign-in",
        data={"name": "ada", "password": GOOD},
        headers={**PAGE, "Cookie": f"{COOKIE}={chosen}"},
        follow_redirects=False,
    )
    assert chosen not in reply.headers["set-cookie"]


def test_where_the_browser_keeps_no_cookie_a_page_says_so(browser: Browser) -> None:
    reply = browser.sign_in()
    browser.http.cookies.clear()
    page = browser.get(reply.headers["location"])
    assert page.status_code == 401
    assert "did not keep" in text_of(page)


@pytest.mark.parametrize("path", ["/sign-in", "/welcome/{token}"])
def test_by_plain_http_elsewhere_the_page_says_why_it_cannot_work(door: Door, path: str) -> None:
    now = datetime.now(UTC)
    token = people.add_person(door.app.database, "Ada", actor=ADMIN, now=now, role=Role.ADMINISTRATOR).token
    with browsing(door.app, "http://indicia.example:8484") as browser:
        page = browser.get(path.format(token=token))
        assert "https://" in text_of(page)
        assert 'type="password"' not in page.text, "nobody shall send a password by it"
    with browsing(door.app, "http://127.0.0.1:8484") as browser:
        assert 'type="password"' in browser.get(path.format(token=token)).text


# -- signing out, and being signed out --------------------------------------------------------------------------------


def test_signing_out(portal: Portal) -> None:
    reply = portal.post("/sign-out")
    assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in?said=signed-out")
    assert re.search(rf'{COOKIE}="?"?;.*Max-Age=0', reply.headers["set-cookie"])
    assert "You are signed out." in text_of(portal.get(reply.headers["location"]))
    portal.http.cookies.set(COOKIE, portal.token)
    assert portal.get("/settings").status_code == 303, "also for whoever copied the cookie"


def expire(portal: Portal) -> None:
    with portal.app.database.transaction() as tx:
        past = datetime.now(UTC) - timedelta(hours=13)
        digest = sessions.find(portal.app.database, portal.token, datetime.now(UTC), Limits())
        assert digest is not None
        tx.sessions.touch(digest.token_sha256, past)


def test_who_comes_back_too_late_is_told_and_goes_on_where_they_were(portal: Portal) -> None:
    expire(portal)
    reply = portal.get("/settings/limits?value=evil.example")
    assert reply.status_code == 303
    query = parse_qs(urlsplit(reply.headers["location"]).query)
    assert query == {"next": ["/settings/limits?value=evil.example"], "said": ["timed-out"]}
    page = portal.get(reply.headers["location"])
    assert "Your session is over" in text_of(page)
    assert "Max-Age=0" in page.headers["set-cookie"]


def test_what_somebody_filled_in_too_late_is_not_lost(portal: Portal) -> None:
    now = datetime.now(UTC)
    link = people.reset_link(portal.app.database, "alice", actor=ADMIN, now=now)
    people.accept(portal.app.database, link.token, "", GOOD, passwords=weak(), now=now)
    portal.http.cookies.set(COOKIE, "over")
    hostile = 'Server "A" <script>&\r\n ü'
    headers = PAGE
    fields = {"csrf": "of another time", "name": hostile, "rank": "7"}
    reply = portal.http.post("/settings/groups", data=fields, headers=headers, follow_redirects=False)
    assert reply.status_code == 401
    assert "What you filled in is not lost:" in text_of(reply)
    again = {name: hidden(reply, name)[0] for name in ("next", "kept", "kept-for")}
    wrong = portal.http.post("/sign-in", data={**again, "name": "alice", "password": "wrong"}, headers=headers)
    assert {name: hidden(wrong, name)[0] for name in again} == again, "nor by a wrong password"
    page = portal.http.post("/sign-in", data={**again, "name": "alice", "password": GOOD}, headers=headers)
    assert page.status_code == 200
    assert "Send it now" in page.text
    assert "<script>&" not in page.text
    assert hidden(page, "rank") == ["7"]
    send = {"csrf": hidden(page, "csrf")[-1], "name": "Servers", "rank": hidden(page, "rank")[0]}
    done = portal.http.post("/settings/groups", data=send, headers=headers, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/settings/groups?said=group-added")


def test_a_page_of_another_session_loses_nothing_either(portal: Portal) -> None:
    fields = {"csrf": "00" * 64, "name": "Servers", "rank": ""}
    reply = portal.http.post("/settings/groups", data=fields, headers=PAGE, follow_redirects=False)
    assert reply.status_code == 403
    assert "Send it now" in reply.text
    assert "No device groups yet" in portal.get("/settings/groups").text, "nothing was done"
    headers = {"Origin": ORIGIN}  # a browser that does not say for sure where it came from
    reply = portal.http.post("/settings/groups", data=fields, headers=headers, follow_redirects=False)
    assert reply.status_code == 403
    assert "Send it now" not in reply.text


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, "data": {"name": "x"}},
        {"headers": PAGE, "data": {"current": "secret", "new": "secret"}},
        {"headers": PAGE, "data": {"name": "x" * 600_000}},
        {"headers": PAGE, "json": {"name": "x"}},
        {"headers": PAGE, "files": {"file": b"x"}},
        {"headers": {**PAGE, "HX-Request": "true"}, "data": {"name": "x"}},
    ],
)
def test_what_cannot_wait_in_a_page_is_not_kept(portal: Portal, options: dict[str, Any]) -> None:
    portal.http.cookies.clear()
    reply = portal.http.post("/settings/groups", follow_redirects=False, **options)
    assert reply.status_code in (200, 303)
    assert "/sign-in" in reply.headers.get("location", reply.headers.get("hx-redirect", ""))
    assert not reply.text


@pytest.mark.parametrize(
    "kept_for", ["https://evil.example/", "//evil.example/", "/sign-in", "", "javascript:alert(1)"]
)
def test_what_was_kept_is_sent_nowhere_else(browser: Browser, kept_for: str) -> None:
    reply = browser.sign_in(**{"kept-for": kept_for, "kept": "a=b"})
    assert reply.status_code == 303
