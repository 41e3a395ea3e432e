"""Home, Check a value and Changes as a person uses them: by mouse, and by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from indicia.services import changesets
from tests.browser import looking
from tests.browser.conftest import Colours, OpenPage
from tests.browser.watching import Watch
from tools.demo import ADA
from tools.portal import Portal

# What `test_accessibility` does not look at by itself.
PAGES = (
    "/",
    "/check?value=login.contoso-support.example%0Agood.example%0Ajunk",
    "/changes?kind=nothing-like-it",
    "/changes/7",
    "/changes/13/undo",
    "/changes/21/undo",
)
IN_ERROR = ("/check?value=junk&at=soon&group=Nobody", "/changes?since=soon")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, *IN_ERROR])
def test_axe_finds_nothing(
    open_page: OpenPage, watch: Callable[[], Watch], axe: Callable[..., None], path: str, colours: Colours
) -> None:
    page = open_page(colours=colours)
    if path in IN_ERROR:
        watch().allow("status 400")
    page.goto(path)
    for twin in page.locator("details.twin summary").all():
        twin.click()
    axe(page)


@pytest.mark.parametrize("path", [*PAGES, *IN_ERROR])
def test_nothing_scrolls_sideways_and_all_can_be_pressed_in_a_narrow_window(
    open_page: OpenPage, watch: Callable[[], Watch], path: str
) -> None:
    page = open_page(size=(320, 700))
    if path in IN_ERROR:
        watch().allow("status 400")
    page.goto(path)
    assert not looking.wider_than_the_window(page)
    assert not looking.small_targets(page)


def test_axe_finds_nothing_on_an_empty_home(empty_page: Page, axe: Callable[..., None]) -> None:
    empty_page.goto("/")
    axe(empty_page)


def test_the_first_steps_by_mouse(open_page: OpenPage, new_portal: Portal) -> None:
    page = open_page("/", on=new_portal)
    page.get_by_role("button", name="Load the sample").click()
    expect(page.get_by_role("status").filter(has_text="5 added")).to_be_visible()
    expect(page.get_by_role("link", name="Active 5")).to_be_visible()
    page.get_by_label("Check a value").fill("hxxp://www.malware[.]example/")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("heading", name="BLOCK")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    page.get_by_role("link", name="All changes").click()
    page.get_by_role("row").filter(has_text="The sample").get_by_role("rowheader").get_by_role("link").click()
    expect(page.get_by_role("row").filter(has_text="Added")).to_have_count(5)
    page.get_by_role("link", name="Undo…").click()
    page.get_by_label("Why").fill("seen enough")
    page.get_by_role("button", name="Undo changeset").click()
    expect(page.get_by_text("5 deleted")).to_be_visible()
    expect(page.get_by_text("This was taken back by")).to_be_visible()


def test_the_first_steps_by_keyboard(open_page: OpenPage, new_portal: Portal) -> None:
    page = open_page("/", on=new_portal)
    looking.tab_to(page, "Load the sample")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="5 added")).to_be_visible()
    looking.tab_to(page, "Check a value")
    page.keyboard.type("www.malware.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="BLOCK")).to_be_visible()
    looking.tab_to(page, "Changes")
    page.keyboard.press("Enter")
    page.wait_for_url("**/changes")
    number = page.locator("main tbody a[href^='/changes/']").first.inner_text()
    looking.tab_to(page, number)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/changes/{number}")
    looking.tab_to(page, "Undo…")
    page.keyboard.press("Enter")
    page.wait_for_url("**/undo")
    looking.tab_to(page, "Why")
    page.keyboard.type("seen enough")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This was taken back by")).to_be_visible()


def test_enter_asks_about_one_value_and_writes_a_list(page: Page) -> None:
    page.goto("/check")
    box = page.get_by_label("Value")
    expect(box).to_be_focused()
    page.keyboard.type("login.contoso-support.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="BLOCK")).to_be_visible()
    page.wait_for_load_state()
    box.focus()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("good.example")
    page.keyboard.press("Enter")
    page.keyboard.type("203.0.113.7")
    expect(box).to_have_value("login.contoso-support.example\ngood.example\n203.0.113.7")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="3 values")).to_be_visible()


def test_a_list_is_pasted_and_every_stop_can_be_seen(page: Page) -> None:
    page.goto("/check")
    page.get_by_label("Value").fill("login[.]contoso-support[.]example\njunk\ngood.example")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("heading", name="3 values")).to_be_visible()
    page.get_by_role("link", name="Why, for login[.]contoso-support[.]example").click()
    expect(page.get_by_role("heading", name="BLOCK")).to_be_visible()
    stops = looking.tabbed(page)
    assert len(stops) > 20
    assert [str(stop) for stop in stops if not (stop.seen and stop.marked and stop.name)] == []
    assert not looking.live_links(page, "contoso-support.example")


def test_what_is_in_the_way_is_shown_with_the_choice(
    open_page: OpenPage, own_portal: Portal, watch: Callable[[], Watch]
) -> None:
    page = open_page("/changes", on=own_portal)
    watch().allow("status 409")
    known = changesets.list_changesets(own_portal.app.database, actor=ADA, limit=100)
    [first] = [each.id for each in known if each.reason == "case 2381"]
    page.goto(f"/changes/{first}")  # whose indicator was edited twice since
    page.get_by_role("link", name="Undo…").click()
    expect(page.get_by_text("Later changes are in the way")).to_be_visible()
    expect(page.get_by_text("Apart from those there is nothing left to undo.")).to_be_visible()


def test_verifying_by_keyboard(page: Page) -> None:
    page.goto("/changes/verify")
    looking.tab_to(page, "A hash that you wrote down")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All is as it was written.")).to_be_visible()


def test_without_scripts_all_of_it_works(open_page: OpenPage, new_portal: Portal) -> None:
    page = open_page("/", on=new_portal, scripts=False)
    page.get_by_role("button", name="Load the sample").click()
    expect(page.get_by_role("status").filter(has_text="5 added")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").filter(has_text="5 deleted")).to_be_visible()
    page.goto("/check")
    page.get_by_label("Value").fill("192.0.2.17")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("heading", name="Nothing decides")).to_be_visible()
    page.goto("/changes/verify")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("All is as it was written.")).to_be_visible()
