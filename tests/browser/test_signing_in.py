"""Signing in and the settings, in a real browser: by mouse, by keyboard alone, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from indicia.domain.access import Role
from indicia.services import groups, people
from indicia.services.passwords import Passwords
from tests.browser.conftest import OpenPage
from tests.browser.looking import press, tab_to, wider_than_the_window
from tests.browser.watching import Watch
from tools.demo import ADA
from tools.portal import Portal

NAME = "Ada Lovelace"
GOOD = "correct horse battery"
SECTIONS = ("", "/groups", "/clients", "/people", "/limits", "/account", "/keys", "/about")


def add_ada(portal: Portal) -> None:
    """Let Ada sign in with a password; twice does no harm."""
    now = datetime.now(UTC)
    if all(each.name != NAME for each in people.list_people(portal.app.database, actor=ADA)):
        people.add_person(portal.app.database, NAME, actor=ADA, now=now, role=Role.ADMINISTRATOR)
    link = people.reset_link(portal.app.database, NAME, actor=ADA, now=now)
    people.accept(portal.app.database, link.token, "", GOOD, passwords=Passwords(), now=now)


def forget_sessions(portal: Portal) -> None:
    """Let everybody's session be over, as a long pause does."""
    with portal.app.database.transaction() as tx:
        for person in tx.people.all():
            for row in tx.sessions.of(person.id):
                tx.sessions.touch(row.token_sha256, datetime.now(UTC) - timedelta(hours=2))


def sign_in(page: Page, name: str = NAME, password: str = GOOD) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_the_first_administrator_comes_in_by_the_link(
    open_page: OpenPage, new_portal: Portal, watch: Callable[[], Watch], axe: Callable[..., None]
) -> None:
    page = open_page("/", on=new_portal, person=None)
    watch().allow("status 422")
    expect(page.get_by_text("There is nobody yet who could sign in.")).to_be_visible()
    axe(page, "nobody yet")
    token = people.one_time_link(new_portal.app.database, datetime.now(UTC))
    page.goto(f"/welcome/{token}")
    expect(page.get_by_label("Your name")).to_be_focused()
    axe(page, "welcome")
    page.get_by_label("Your name").fill(NAME)
    page.get_by_label("Password", exact=True).fill("Password2026!")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("among the first that an attacker would try")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    expect(page.get_by_label("Your name")).to_have_value(NAME)
    axe(page, "welcome, in error")
    page.get_by_label("Password", exact=True).fill(GOOD)
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url(new_portal.url("/"))
    expect(page.locator("summary", has_text=NAME)).to_be_visible()
    [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (
        "__Host-indicia",
        True,
        True,
        "Lax",
    )


def test_by_keyboard_alone_somebody_signs_in_looks_and_signs_out(
    open_page: OpenPage, own_portal: Portal, watch: Callable[[], Watch]
) -> None:
    add_ada(own_portal)
    page = open_page("/settings/groups/edit", on=own_portal, person=None)
    watch().allow("status 401")
    page.wait_for_url(re.compile("/sign-in"))
    page.keyboard.type(NAME)
    press(page, "Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("the name or the password is wrong")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.keyboard.type(GOOD)
    page.keyboard.press("Enter")
    page.wait_for_url(own_portal.url("/settings/groups/edit"))
    tab_to(page, "Name")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader", name="By keyboard")).to_be_visible()
    tab_to(page, NAME)
    page.keyboard.press("Enter")
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto("/settings")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_what_was_filled_in_when_the_session_was_over_is_sent_after_all(
    open_page: OpenPage, own_portal: Portal, watch: Callable[[], Watch], axe: Callable[..., None]
) -> None:
    add_ada(own_portal)
    page = open_page("/sign-in?next=/settings/groups/edit", on=own_portal, person=None)
    watch().allow("status 401")
    sign_in(page)
    page.wait_for_url(own_portal.url("/settings/groups/edit"))
    page.get_by_label("Name").fill('Servers "B" & <i>')
    page.get_by_label("Rank").fill("77")
    forget_sessions(own_portal)
    page.get_by_role("button", name="Add group").click()
    expect(page.get_by_text("What you filled in is not lost:")).to_be_visible()
    axe(page, "signed out with a form")
    sign_in(page)
    expect(page.get_by_text("You are signed in again.")).to_be_visible()
    axe(page, "resume")
    page.get_by_role("button", name="Send it now").click()
    expect(page.get_by_role("rowheader", name='Servers "B" & <i>')).to_be_visible()
    assert 77 in [each.rank for each in groups.list_groups(own_portal.app.database)]


def test_without_javascript_everything_works_too(
    open_page: OpenPage, new_portal: Portal, watch: Callable[[], Watch]
) -> None:
    token = people.one_time_link(new_portal.app.database, datetime.now(UTC))
    page = open_page(f"/welcome/{token}", on=new_portal, person=None, scripts=False)
    watch().allow("status 422")
    page.get_by_label("Your name").fill(NAME)
    page.get_by_label("Password", exact=True).fill(GOOD)
    page.get_by_label("The same password again").fill("something else")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("this is not what you typed above")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(GOOD)
    page.get_by_label("The same password again").fill(GOOD)
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url(new_portal.url("/"))
    page.goto("/settings/clients")
    page.get_by_label("Name").fill("SOAR")
    page.get_by_role("button", name="Make client").click()
    expect(page.get_by_text("The secret is shown this once.")).to_be_visible()
    page.get_by_role("link", name="I have copied the secret").click()
    page.get_by_role("link", name="Revoke SOAR").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_text("The API client is revoked")).to_be_visible()


def test_the_secret_of_a_client_is_copied_with_one_click(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/settings/clients", on=own_portal, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Name").fill("SOAR")
    page.get_by_label("See and change only the indicators that it made itself").check()
    page.get_by_role("button", name="Make client").click()
    page.get_by_role("button", name="Copy the client secret").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied in page.content()
    assert len(copied) >= 43


def test_colours_are_those_that_somebody_chose(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/settings/account", on=own_portal, person="Somebody who likes it dark")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_label("Dark").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert page.evaluate(background) != light
    page.goto("/indicators")
    assert page.evaluate(background) != light


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_section_of_the_settings_can_be_used_by_everybody(
    open_page: OpenPage, portal: Portal, axe: Callable[..., None], colours: str
) -> None:
    page = open_page(colours=colours)  # type: ignore[arg-type] # one of the two
    for section in SECTIONS:
        page.goto(f"/settings{section}")
        axe(page)
        page.set_viewport_size({"width": 320, "height": 700})
        assert wider_than_the_window(page) == []
        page.set_viewport_size({"width": 1280, "height": 800})
