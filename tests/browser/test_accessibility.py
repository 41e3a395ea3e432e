"""Every page, for everybody: WCAG 2.0 to 2.2, A and AA, in both colours; by keyboard, enlarged, narrow, still."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from playwright.sync_api import Page

from tests.browser import looking
from tests.browser.conftest import Axe, OpenPage
from tests.browser.watching import Watch, bulleted
from tests.integration.web.portal.pages import READS
from tools.portal import PERSON, Portal


class Place(NamedTuple):
    """A page, as the router spells it and as it is opened; ``filled`` where it needs something to show."""

    route: str
    path: str
    person: str | None = PERSON
    filled: bool = False

    def __str__(self) -> str:
        return self.path


PLACES = [
    Place("/", "/"),
    Place("/indicators", "/indicators"),
    Place("/indicators", "/indicators?q=severity:>=high+sort:-updated&tab=urls", filled=True),
    Place("/indicators", "/indicators?tab=held", filled=True),
    Place("/indicators", "/indicators?q=nothing-like-that"),
    Place("/indicators", "/indicators?q=typ:ip"),
    Place("/indicators/new", "/indicators/new"),
    Place("/indicators/{number:int}", "/indicators/{number}", filled=True),
    Place("/indicators/{number:int}", "/indicators/{held}", filled=True),
    Place("/indicators/{number:int}/edit", "/indicators/{number}/edit", filled=True),
    Place("/import", "/import"),
    Place("/check", "/check"),
    Place("/check", "/check?value=login.contoso-support.example", filled=True),
    Place("/check", "/check?value=nothing.known.example"),
    Place("/check", "/check?value=no+value+at+all"),
    Place("/changes", "/changes"),
    Place("/proposals", "/proposals"),
    Place("/proposals", "/proposals?show=all"),
    Place("/proposals/{number}", "/proposals/{proposal}", filled=True),
    Place("/proposals/{number}", "/proposals/{declined}", filled=True),
    Place("/changes", "/changes?show=all", filled=True),
    Place("/audit", "/audit", filled=True),
    Place("/audit", "/audit?kind=nothing-like-that"),
    Place("/audit", "/audit?since=no-day"),
    Place("/changes/{number}", "/changes/{changeset}", filled=True),
    Place("/changes/{number}/undo", "/changes/{changeset}/undo", filled=True),
    Place("/changes/verify", "/changes/verify"),
    Place("/settings/account", "/settings/account"),
    Place("/devices", "/devices"),
    Place("/devices", "/devices?search=no-such-device&group=none"),
    Place("/devices", "/devices?group=%3DNobody"),
    Place("/devices/{id}", "/devices/{device}", filled=True),
    Place("/devices/{id}/remove", "/devices/{device}/remove", filled=True),
    Place("/settings/groups", "/settings/groups"),
    Place("/settings/groups/edit", "/settings/groups/edit"),
    Place("/settings/groups/edit", "/settings/groups/edit?name=Servers", filled=True),
    Place("/settings/groups/remove", "/settings/groups/remove?name=Servers", filled=True),
    Place("/settings/clients", "/settings/clients"),
    Place("/settings/clients/{client_id}/rotate", "/settings/clients/{client}/rotate", filled=True),
    Place("/settings/clients/{client_id}/revoke", "/settings/clients/{client}/revoke", filled=True),
    Place("/settings/keys", "/settings/keys"),
    Place("/settings/keys/{key_id}/rotate", "/settings/keys/{key}/rotate", filled=True),
    Place("/settings/keys/{key_id}/revoke", "/settings/keys/{key}/revoke", filled=True),
    Place("/settings/limits", "/settings/limits"),
    Place("/settings/people", "/settings/people"),
    Place("/settings/people/{person_id}", "/settings/people/{person}", filled=True),
    Place("/settings/people/{person_id}/disable", "/settings/people/{person}/disable", filled=True),
    Place("/settings/about", "/settings/about"),
    Place("/sign-in", "/sign-in", person=None),
    Place("/welcome/{token}", "/welcome/no-link-of-ours", person=None),
    Place("", "/no-such-page"),
]
# What is no page of its own: files, streams, parts of pages, ways to another page, and pages that only a form leads to.
NO_PLACES = {
    "/assets/{version}/{name:path}",
    "/audit/export",
    "/import/sample.csv",
    "/import/{id}/events",
    "/import/{id}/rejected",
    "/import/{id}/state",
    "/indicators/bulk",
    "/indicators/export",
    "/indicators/{number:int}/coverage",
    "/settings",
    "/sign-in/kept",
    "/sign-in/openid",
    "/sign-in/openid/callback",
}
# Pages that stories of their own lead to, which call `axe` there.
ELSEWHERE = {
    "/import/{id}",
    "/import/{id}/rows/{line}",
}
# Each kind of form, sent as it stands on the page: what is wrong has to be told so that everybody hears and finds it.
FORMS = {
    "Sign in": Place("/sign-in", "/sign-in", person=None),
    "Next": Place("/indicators/new", "/indicators/new"),
    "Add group": Place("/settings/groups/edit", "/settings/groups/edit"),
    "Make client": Place("/settings/clients", "/settings/clients"),
    "Make key": Place("/settings/keys", "/settings/keys"),
    "Add person": Place("/settings/people", "/settings/people"),
    "Change password": Place("/settings/account", "/settings/account"),
    "Import": Place("/import", "/import"),
    "Check": Place("/check", "/check"),
}


def opened(open_page: OpenPage, portal: Portal, place: Place, watch: Callable[[], Watch], **options: object) -> Page:
    known = portal.demo
    path = place.path
    if known is not None:
        own = {"number": known.number, "held": known.held, "changeset": known.changeset, "device": known.device}
        path = path.format_map(own | known.asked._asdict())
    page = open_page(None, on=portal, person=place.person, **options)
    watch().allow("status 404: /no-such-page", "status 404: /welcome/", "status 400: /devices")
    page.goto(path)
    return page


def in_both_colours(page: Page, axe: Axe, what: str) -> None:
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme=colours)
        axe(page, f"{what}, {colours}")


def test_every_page_is_looked_at() -> None:
    known = {place.route for place in PLACES} | NO_PLACES | ELSEWHERE
    assert sorted({route.path for route in READS} - known) == [], "give PLACES a line, or say why not"


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_filled_page_bars_nobody(
    open_page: OpenPage, portal: Portal, watch: Callable[[], Watch], axe: Axe, place: Place
) -> None:
    in_both_colours(opened(open_page, portal, place, watch), axe, place.path)


@pytest.mark.parametrize("place", [each for each in PLACES if not each.filled], ids=str)
def test_an_empty_page_bars_nobody(
    open_page: OpenPage, empty_portal: Portal, watch: Callable[[], Watch], axe: Axe, place: Place
) -> None:
    in_both_colours(opened(open_page, empty_portal, place, watch), axe, f"{place.path}, empty")


@pytest.mark.parametrize("button", FORMS)
def test_a_form_that_is_refused_bars_nobody(
    open_page: OpenPage, own_portal: Portal, watch: Callable[[], Watch], axe: Axe, button: str
) -> None:
    own_portal.person()
    page = opened(open_page, own_portal, FORMS[button], watch)
    # By the server, as where scripts do not run: what the browser says of an empty field is the browser's own.
    page.evaluate("() => document.querySelectorAll('form').forEach((form) => { form.noValidate = true })")
    page.locator("main").get_by_role("button", name=button, exact=True).click()
    page.locator("main .error, main [role=alert], main .empty, main h2").first.wait_for()
    page.wait_for_load_state("networkidle")
    in_both_colours(page, axe, f"{button}, refused")


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_page_fits_wherever_it_is_read(
    open_page: OpenPage, portal: Portal, watch: Callable[[], Watch], place: Place
) -> None:
    page = opened(open_page, portal, place, watch)
    faults = [f"1280 px: {each}" for each in looking.small_targets(page)]
    for width, height, what in ((640, 400, "200 %"), (320, 700, "320 px")):
        page.set_viewport_size({"width": width, "height": height})
        found = looking.wider_than_the_window(page) + looking.cut_controls(page) + looking.small_targets(page)
        faults += [f"{what}: {each}" for each in found]
    looking.space_the_text(page)
    faults += [f"spaced text: {each}" for each in looking.wider_than_the_window(page) + looking.cut_controls(page)]
    page.set_viewport_size({"width": 1280, "height": 800})
    looking.enlarge_the_text(page, 200)
    faults += [f"text 200 %: {each}" for each in looking.wider_than_the_window(page) + looking.cut_controls(page)]
    assert not faults, bulleted(faults)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_the_focus_is_seen_wherever_it_goes(
    open_page: OpenPage, portal: Portal, watch: Callable[[], Watch], place: Place
) -> None:
    page = opened(open_page, portal, place, watch)
    stops = looking.tabbed(page, most=40)
    assert len(stops) >= 2
    faults = [f"cannot be seen: {stop}" for stop in stops if not stop.seen]
    faults += [f"looks the same with the focus: {stop}" for stop in stops if not stop.marked]
    faults += [f"has no name: {stop}" for stop in stops if not stop.name and stop.tag != "main"]
    assert not faults, bulleted(faults)


@pytest.mark.parametrize("path", ["/", "/indicators", "/indicators/new", "/import", "/check?value=co.uk", "/changes"])
def test_nothing_moves_for_whoever_wants_no_motion(open_page: OpenPage, portal: Portal, path: str) -> None:
    page = open_page(path, still=True)
    assert looking.in_motion(page) == []
    page.keyboard.press("Tab")
    page.mouse.move(400, 300)
    page.mouse.wheel(0, 300)
    assert looking.in_motion(page) == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_colours_are_those_that_somebody_chose(open_page: OpenPage, colours: str) -> None:
    page = open_page("/", colours=colours)
    back = page.evaluate(
        "() => getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)"
    )
    assert (sum(back) / 3 > 128) == (colours == "light"), back


def test_with_colours_of_the_system_only_everything_can_be_told_apart(
    open_page: OpenPage,
) -> None:
    """Where a system forces its own colours, borders and icons are left, and the mark of the focus."""
    page = open_page("/indicators", forced_colors="active")
    stops = looking.tabbed(page, most=15)
    assert all(stop.marked for stop in stops), [str(stop) for stop in stops if not stop.marked]
    text = page.locator("main").inner_text()
    assert "Block" in text  # the word, beside its colour
