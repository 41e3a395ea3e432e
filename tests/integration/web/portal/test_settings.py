"""The settings: what they say is so, what is wrong stands beside its field, and every secret is shown once."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from indicia.domain.access import Role
from indicia.services import applications, groups, people, sessions
from indicia.services.changesets import list_changesets
from indicia.services.sessions import Limits
from indicia.services.throttling import Throttle
from indicia.web.logs import open_log
from indicia.web.portal.settings_account import browser_of
from indicia.web.portal.signing_in import Desk
from tests.integration.weak_passwords import GOOD, OTHER_GOOD, weak
from tests.integration.web.portal.conftest import COOKIE, Portal, text_of
from tests.integration.web.portal.test_signing_in import errors_of
from tests.wire.doors import ADMIN, Door, open_door

PAGES = ["", "/groups", "/clients", "/people", "/limits", "/account", "/about"]
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}"


@pytest.fixture(autouse=True)
def quick_passwords(portal: Portal) -> None:
    portal.http.app.state.desk = Desk(weak(), Throttle(), open_log())  # type: ignore[attr-defined] # a FastAPI


def values_of(reply: httpx.Response) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'data-copy="([^"]*)"', reply.text)]


def newest(portal: Portal) -> Any:
    return next(iter(list_changesets(portal.app.database, actor=ADMIN, limit=1)))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_there_and_says_where_one_is(portal: Portal, page: str) -> None:
    reply = portal.get(f"/settings{page}")
    assert reply.status_code == 200
    assert len(re.findall(r'<a href="/settings[^"]*" aria-current="page"', reply.text)) >= 1
    assert len(re.findall("<h1", reply.text)) == 1
    assert "style=" not in reply.text
    assert "onclick" not in reply.text


@pytest.mark.parametrize(
    "path",
    [
        "/settings/x",
        "/settings/groups/",
        "/settings/groups/remove?name=none",
        "/settings/clients/x/revoke",
        "/settings/people/x/disable",
    ],
)
def test_what_is_not_there_is_told(portal: Portal, path: str) -> None:
    reply = portal.get(path)
    assert reply.status_code == 404
    assert "<h1" in reply.text


# -- device groups ----------------------------------------------------------------------------------------------------


def test_a_group_is_added_and_removed(portal: Portal) -> None:
    assert "No device groups yet" in portal.get("/settings/groups").text
    assert portal.post("/settings/groups", {"name": "Servers", "rank": ""}).status_code == 303
    assert portal.post("/settings/groups", {"name": "Kiosks & <b>", "rank": "9"}).status_code == 303
    page = portal.get("/settings/groups?said=group-added")
    assert "The device group was added." in text_of(page)
    assert "Kiosks &amp; &lt;b&gt;" in page.text
    assert newest(portal).kind == "group.add"
    assert newest(portal).source == "Portal"
    [ask] = [html.unescape(each) for each in re.findall(r'href="(/settings/groups/remove\?name=Ki[^"]*)"', page.text)]
    question = portal.get(ask)
    assert "Remove the group" in question.text
    [name] = re.findall(r'name="name" value="([^"]*)"', question.text)
    assert portal.post("/settings/groups/remove", {"name": html.unescape(name)}).status_code == 303
    assert [each.name for each in groups.list_groups(portal.app.database)] == ["Servers"]


@pytest.mark.parametrize(
    "name, rank, wrong",
    [
        ("", "", "name"),
        ("a,b", "", "name"),
        ("x" * 201, "", "name"),
        ("Servers", "", "name"),
        ("new", "0", "rank"),
        ("new", "-1", "rank"),
        ("new", "1.5", "rank"),
        ("new", "first", "rank"),
        ("new", "9" * 40, "rank"),
        (HOSTILE, "x", "rank"),
    ],
)
def test_a_group_that_cannot_be_is_told_beside_its_field(portal: Portal, name: str, rank: str, wrong: str) -> None:
    groups.add_group(portal.app.database, "Servers", 1, actor=ADMIN, now=datetime.now(UTC))
    reply = portal.post("/settings/groups", {"name": name, "rank": rank})
    assert reply.status_code == 422
    assert errors_of(reply, wrong)
    assert f'value="{html.escape(name[:300])}"' in reply.text.replace("&#39;", "&#x27;").replace("&#34;", "&quot;")
    assert f'value="{html.escape(rank[:20])}"' in reply.text
    assert "<script>alert" not in reply.text
    assert len(groups.list_groups(portal.app.database)) == 1


def test_a_group_with_indicators_says_what_is_in_the_way(portal: Portal) -> None:
    groups.add_group(portal.app.database, "Servers", 1, actor=ADMIN, now=datetime.now(UTC))
    portal.add(rbac_group_names=["Servers"])
    page = portal.get("/settings/groups/remove?name=Servers")
    assert "1 indicator is scoped to Servers." in text_of(page)
    assert "/indicators?q=scope%3A%22Servers%22" in page.text
    assert "Remove the group" not in page.text
    reply = portal.post("/settings/groups/remove", {"name": "Servers"})
    assert reply.status_code == 409
    assert "1 indicator is scoped" in text_of(reply)
    assert groups.list_groups(portal.app.database)


# -- API clients ------------------------------------------------------------------------------------------------------


def test_a_client_is_made_used_and_revoked(portal: Portal, door: Door) -> None:
    reply = portal.post("/settings/clients", {"name": "SOAR", "permission": "Ti.ReadWrite.All"})
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    secret, client_id, tenant, token_url, command = values_of(reply)[:5]
    assert len(secret) >= 43
    assert f"client_secret={secret}" in command
    assert newest(portal).kind == "app.add"
    made = applications.Credentials(tenant, client_id, secret)
    assert token_url.endswith(f"/{tenant}/oauth2/v2.0/token")
    page = portal.get("/settings/clients")
    assert secret not in page.text, "it is shown once"
    assert client_id in page.text
    assert applications.show_application(portal.app.database, client_id, actor=ADMIN).last_used_at is None
    headers = {"Authorization": f"Bearer {door.token(made)}"}
    assert door.http.get("/api/indicators", headers=headers).status_code == 200
    used = applications.show_application(portal.app.database, client_id, actor=ADMIN).last_used_at
    assert used is not None
    assert datetime.now(UTC) - used < timedelta(minutes=1)
    assert "SOAR" in portal.get(f"/settings/clients/{client_id}/revoke").text
    assert portal.post(f"/settings/clients/{client_id}/revoke").status_code == 303
    assert portal.post(f"/settings/clients/{client_id}/revoke").status_code == 303, "twice is no fault"
    assert door.http.get("/api/indicators", headers=headers).status_code == 401
    assert [each.kind for each in list_changesets(portal.app.database, actor=ADMIN, limit=1)] == ["app.revoke"]


def test_that_a_client_was_used_is_written_once_a_minute_at_most(door: Door) -> None:
    made = door.client()
    at = datetime(2030, 1, 1, tzinfo=UTC)

    def used(seconds: int) -> datetime | None:
        applications.actor_of(door.app.database, made.tenant_id, made.client_id, at + timedelta(seconds=seconds))
        return applications.show_application(door.app.database, made.client_id, actor=ADMIN).last_used_at

    assert [used(each) for each in (0, 30, 59)] == [at] * 3
    assert used(60) == at + timedelta(minutes=1)
    with door.app.database.transaction():
        assert used(600) == at + timedelta(minutes=1), "nobody waits for that"


@pytest.mark.parametrize(
    "fields, wrong",
    [
        ({"name": "", "permission": "Ti.ReadWrite"}, "name"),
        ({"name": "x\n\0y", "permission": "Ti.ReadWrite"}, "name"),
        ({"name": HOSTILE * 10, "permission": "Ti.ReadWrite"}, "name"),
    ],
)
def test_a_client_that_cannot_be_is_told_beside_its_field(portal: Portal, fields: dict[str, str], wrong: str) -> None:
    reply = portal.post("/settings/clients", fields)
    assert reply.status_code == 422
    assert errors_of(reply, wrong)
    assert re.search(r'value="Ti.ReadWrite"\s+checked', reply.text), "what was chosen stays so"
    assert "<script>alert" not in reply.text


@pytest.mark.parametrize("permission", ["", "Everything", HOSTILE])
def test_there_are_two_permissions(portal: Portal, permission: str) -> None:
    reply = portal.post("/settings/clients", {"name": "x", "permission": permission})
    assert reply.status_code == 422
    assert "is not a permission" in text_of(reply)
    assert len(applications.list_applications(portal.app.database, actor=ADMIN)) == 1


# -- people -----------------------------------------------------------------------------------------------------------


def test_somebody_is_added_by_a_link_that_is_shown_once(portal: Portal) -> None:
    reply = portal.post("/settings/people", {"name": "grace@example.org"})
    assert reply.status_code == 200
    [link] = [each for each in values_of(reply) if "/welcome/" in each]
    assert link.startswith("https://indicia.example/welcome/")
    token = link.rpartition("/")[2]
    page = portal.get("/settings/people")
    assert token not in page.text
    assert "Has not used the link" in page.text
    now = datetime.now(UTC)
    grace = people.accept(portal.app.database, token, "", GOOD, passwords=weak(), now=now)
    session = sessions.open_session(portal.app.database, grace, now=now, limits=Limits())
    reply = portal.post(f"/settings/people/{grace.id}/reset")
    assert "/welcome/" in values_of(reply)[0]
    assert "Disable grace@example.org" in text_of(portal.get(f"/settings/people/{grace.id}/disable"))
    assert portal.post(f"/settings/people/{grace.id}/disable").status_code == 303
    assert sessions.find(portal.app.database, session, now, Limits()) is None
    assert "Disabled" in portal.get("/settings/people").text
    assert portal.post(f"/settings/people/{grace.id}/enable").status_code == 303
    assert people.check_password(portal.app.database, "grace@example.org", GOOD, passwords=weak()).id == grace.id
    assert newest(portal).actor == portal.person.id


@pytest.mark.parametrize("name", ["", "alice", "ALICE ", "x" * 101, "a\nb"])
def test_a_name_that_cannot_be_is_told_beside_its_field(portal: Portal, name: str) -> None:
    reply = portal.post("/settings/people", {"name": name})
    assert reply.status_code == 422
    assert errors_of(reply, "name")


def test_nobody_disables_themselves(portal: Portal) -> None:
    reply = portal.post(f"/settings/people/{portal.person.id}/disable")
    assert reply.status_code == 409
    assert portal.get("/settings").status_code == 200


# -- limits and the guard ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, told",
    [
        ("login[.]microsoftonline[.]com", "would be held"),
        ("hxxps://login.microsoftonline.com/", "would be held"),
        ("10.0.0.7", "would be held"),
        ("0.0.0.0/0", "would be held"),
        ("co.uk", "would be held"),
        ("airbnb.com", "among the most visited"),
        ("evil.example", "take effect at once"),
        ("d41d8cd98f00b204e9800998ecf8427e", "would be held"),
        ("  evil.example  ", "take effect at once"),
    ],
)
def test_somebody_tries_a_value_against_the_guard(portal: Portal, value: str, told: str) -> None:
    reply = portal.get("/settings/limits", params={"value": value})
    assert reply.status_code == 200
    assert told in text_of(reply)
    assert f'value="{value}"' in reply.text
    assert not re.search(r'href="[^"]*(evil|microsoftonline)', reply.text), "no value is a link"


@pytest.mark.parametrize("value", ["nothing at all", HOSTILE, "x" * 5_000, "\0", "ü" * 300, "999.999.999.999"])
def test_what_is_no_value_is_told_beside_the_field(portal: Portal, value: str) -> None:
    reply = portal.get("/settings/limits", params={"value": value})
    assert reply.status_code == 422
    assert errors_of(reply, "value")
    assert "<script>alert" not in reply.text


def test_the_limits_are_those_of_the_settings(folder: Path) -> None:
    own = folder / "guard.txt"
    own.write_text("# ours\nshop.example.org\n10.9.0.0/16\n")
    with open_door(
        folder, guard_file=own, max_active_indicators=5_000, session_idle_seconds=600, own_names="indicia.example.org"
    ) as door:
        now = datetime.now(UTC)
        person = people.add_person(door.app.database, "bob", actor=ADMIN, now=now, role=Role.ADMINISTRATOR).person
        token = sessions.open_session(door.app.database, person, now=now, limits=Limits())
        page = door.http.get("/settings/limits", headers={"Cookie": f"{COOKIE}={token}"})
        text = text_of(page)
        for told in (
            "of 5,000 active indicators",
            "10 minutes",
            str(own),
            "shop.example.org",
            "indicia.example.org",
        ):
            assert told in text
        tried = door.http.get("/settings/limits?value=shop.example.org", headers={"Cookie": f"{COOKIE}={token}"})
        assert "own list" in text_of(tried)


# -- one's own account ------------------------------------------------------------------------------------------------


def with_password(portal: Portal) -> None:
    """Give alice a password and the session that she had before."""
    now = datetime.now(UTC)
    link = people.reset_link(portal.app.database, "alice", actor=ADMIN, now=now)
    portal.person = people.accept(portal.app.database, link.token, "", GOOD, passwords=weak(), now=now)
    portal.token = sessions.open_session(
        portal.app.database, portal.person, now=now, limits=Limits(), client="Firefox/133.0 Linux"
    )
    portal.http.cookies.clear()
    portal.http.cookies.set(COOKIE, portal.token, domain="indicia.example")


def test_a_password_is_changed(portal: Portal) -> None:
    with_password(portal)
    now = datetime.now(UTC)
    other = sessions.open_session(portal.app.database, portal.person, now=now, limits=Limits())
    reply = portal.post("/settings/account/password", {"current": GOOD, "new": OTHER_GOOD})
    assert (reply.status_code, reply.headers["location"]) == (303, "/settings/account?said=password-changed")
    assert portal.get("/settings/account").status_code == 200
    assert sessions.find(portal.app.database, other, now, Limits()) is None
    assert people.check_password(portal.app.database, "alice", OTHER_GOOD, passwords=weak()).id == portal.person.id


@pytest.mark.parametrize(
    "fields, wrong",
    [
        ({"current": "wrong", "new": OTHER_GOOD}, {"current"}),
        ({"current": GOOD, "new": "short"}, {"new"}),
        ({"current": "", "new": "alice alice alice"}, {"current", "new"}),
        ({"current": GOOD, "new": OTHER_GOOD, "again": "something else"}, {"again"}),
    ],
)
def test_a_password_that_cannot_be_is_told_beside_its_field(
    portal: Portal, fields: dict[str, str], wrong: set[str]
) -> None:
    with_password(portal)
    reply = portal.post("/settings/account/password", fields)
    assert reply.status_code == 422
    assert {field for field in ("current", "new", "again") if errors_of(reply, field)} == wrong
    assert GOOD not in reply.text
    assert OTHER_GOOD not in reply.text


def test_whoever_sits_at_an_open_session_cannot_guess_the_password(portal: Portal) -> None:
    with_password(portal)
    for _ in range(5):
        assert portal.post("/settings/account/password", {"current": "x", "new": OTHER_GOOD}).status_code == 422
    reply = portal.post("/settings/account/password", {"current": GOOD, "new": OTHER_GOOD})
    assert reply.status_code == 429
    assert errors_of(reply, "current")


def test_pages_look_as_somebody_likes(portal: Portal) -> None:
    assert "data-theme" not in portal.get("/settings").text
    assert portal.post("/settings/account/appearance", {"theme": "dark"}).status_code == 303
    page = portal.get("/settings/account?said=saved")
    assert '<html lang="en" data-theme="dark"' in page.text
    assert 'data-keys="off"' in page.text
    assert "Saved." in text_of(page)
    assert portal.post("/settings/account/appearance", {"theme": "light", "keys": "on"}).status_code == 303
    assert 'data-keys="on"' in portal.get("/settings").text
    assert portal.post("/settings/account/appearance", {"theme": HOSTILE}).status_code == 400


def test_somebody_signs_out_elsewhere_and_everywhere(portal: Portal) -> None:
    now = datetime.now(UTC)
    phone, laptop = (
        sessions.open_session(
            portal.app.database, portal.person, now=now, limits=Limits(), client=client, address="192.0.2.7"
        )
        for client in (
            f"Mozilla/5.0 (iPhone) {HOSTILE}",
            "Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36 Edg/120.0",
        )
    )
    page = portal.get("/settings/account")
    assert "Edge 120 on Windows" in text_of(page)
    assert "an unknown program on iPhone" in text_of(page)
    assert "<script>alert" not in page.text
    place = re.findall(r'name="place" value="([0-9a-f]+)"', page.text)
    assert len(place) == 2
    assert portal.post("/settings/account/sessions", {"place": place[0]}).status_code == 303
    assert sum(sessions.find(portal.app.database, each, now, Limits()) is not None for each in (phone, laptop)) == 1
    assert portal.post("/settings/account/sessions", {"what": "others"}).status_code == 303
    assert sum(sessions.find(portal.app.database, each, now, Limits()) is not None for each in (phone, laptop)) == 0
    reply = portal.post("/settings/account/sessions", {"what": "everywhere"})
    assert reply.headers["location"] == "/sign-in?said=signed-out-everywhere"
    assert sessions.find(portal.app.database, portal.token, now, Limits()) is None


@pytest.mark.parametrize(
    "client, told",
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox 133 on Linux"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605 (KHTML) Version/17.6 Safari/605.1.15", "Safari 17 on macOS"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/131.0.0.0 Mobile Safari/537.36", "Chrome 131 on Android"),
        ("Mozilla/5.0 (iPhone; CPU) Version/17.6 Mobile/15E148 Safari/604.1", "Safari 17 on iPhone"),
        ("curl/8.5.0", "curl 8"),
        ("Version/" * 5_000, "an unknown program"),
    ],
)
def test_a_browser_is_told_in_a_few_words(client: str, told: str) -> None:
    assert browser_of(client) == told


# -- about ------------------------------------------------------------------------------------------------------------


def test_about_says_how_it_is_doing(portal: Portal) -> None:
    portal.add()
    text = text_of(portal.get("/settings/about"))
    with portal.app.database.snapshot() as tx:
        head = tx.changesets.head()
    assert head is not None
    assert head.hash.hex() in text
    assert "1 active" in text
    assert "it answers, and has the tables of this version" in text
    assert "indicia verify --head" in text


def test_a_password_in_the_address_of_the_database_is_not_shown() -> None:
    from sqlalchemy.engine import make_url

    from indicia.store.database import shown

    assert "geheim" not in shown(make_url("postgresql://indicia:geheim@db.example/indicia"))
