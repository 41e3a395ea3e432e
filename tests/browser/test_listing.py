"""The list of indicators in a real browser: by mouse, by keyboard alone, without scripts, on a narrow screen."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import looking
from tests.browser.conftest import Colours, OpenPage
from tests.browser.watching import Watch
from tools.portal import Portal

ROWS = "#table tbody tr"


def rows(page: Page) -> Locator:
    return page.locator(ROWS)


def stay(page: Page) -> None:
    """Mark the page, so that `stayed` tells whether it was loaded anew."""
    page.evaluate("() => { window.stayed = true }")


def stayed(page: Page) -> bool:
    return bool(page.evaluate("() => window.stayed === true"))


def focused_row(page: Page) -> str | None:
    found: str | None = page.evaluate("() => document.activeElement.closest('tr')?.dataset.value ?? null")
    return found


def test_tabs_search_order_and_pages_swap_only_the_list(open_page: OpenPage) -> None:
    page = open_page("/indicators")
    stay(page)
    page.click("text=File hashes")
    expect(page).to_have_url(re.compile(r"\?tab=files$"))
    expect(page.locator("#tab-2")).to_be_focused()
    expect(page.locator("#said")).to_have_text(re.compile(r"\d+ indicators"))
    page.fill("#q", "severity:high")
    page.press("#q", "Enter")
    expect(page).to_have_url(re.compile("tab=files"))
    expect(page).to_have_url(re.compile("q=severity%3Ahigh"))
    expect(page.locator("#q")).to_be_focused()
    page.click("#sort-indicator")
    expect(page.locator("th[aria-sort='ascending']")).to_have_text("Indicator")
    page.click("#tab-1")
    expect(page.locator("#tab-1")).to_have_attribute("aria-current", "page")
    page.click("#next")
    expect(page).to_have_url(re.compile("after="))
    first = rows(page).first.get_attribute("data-value")
    page.click("#previous")
    expect(rows(page).first).not_to_have_attribute("data-value", first or "")
    assert stayed(page)
    page.go_back()
    expect(rows(page).first).to_have_attribute("data-value", first or "")
    assert page.input_value("#q") == "severity:high"


def test_of_two_quick_clicks_the_last_one_counts(open_page: OpenPage) -> None:
    page = open_page("/indicators")
    page.evaluate("() => { for (const id of ['tab-2', 'tab-4', 'tab-3']) document.getElementById(id).click() }")
    expect(page.locator("#tab-3")).to_have_attribute("aria-current", "page")
    page.wait_for_timeout(300)
    expect(page).to_have_url(re.compile(r"\?tab=ips$"))
    expect(page.locator("#tab-3")).to_have_attribute("aria-current", "page")


def test_filter_menus_write_the_search_and_a_bad_one_is_mended_with_a_click(open_page: OpenPage) -> None:
    page = open_page("/indicators")
    stay(page)
    page.click("#filter-action")
    page.click("text=Block and remediate")
    expect(page.locator("#q")).to_have_value("action:blockandremediate")
    expect(page.locator("#filter-action")).to_be_focused()
    page.fill("#q", "acton:block")
    page.click("form#search button")
    expect(page.locator("#search-problem")).to_contain_text("no qualifier acton")
    page.click("#search-problem a.button")
    expect(page.locator("#q")).to_have_value("action:block")
    expect(rows(page).first).to_be_visible()
    assert stayed(page)


def test_changing_many_by_mouse_and_undoing_it(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/indicators?q=severity:high&sort=value", on=own_portal)
    boxes = page.locator(f"{ROWS} input")
    boxes.nth(0).check()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(page.locator("#picked")).to_have_text("4 selected")
    page.click("button[value='fields']")
    page.select_option("#f-severity", "Low")
    page.click("text=Preview")
    expect(page.locator("#preview")).to_contain_text("would change")
    expect(page.locator("#preview ins").first).to_have_text(re.compile("Low"))
    page.click("text=Change 4 indicators")
    expect(page.locator(".toast")).to_contain_text("4 changed")
    page.click(".toast button")
    expect(page.locator(".toast")).to_contain_text("4 changed")


def test_changing_all_that_match_by_keyboard_alone_and_undoing_it(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/indicators", on=own_portal)
    looking.shortcut(page, "/")
    page.keyboard.type("type:sha1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=type%3Asha1"))
    looking.tab_to(page, "Select all on this page")
    page.keyboard.press("Space")
    expect(page.locator(".bulk-bar")).to_be_visible()
    looking.tab_to(page, "matching")
    page.keyboard.press("Space")
    expect(page.locator("#picked")).to_have_text("All that match are selected")
    looking.tab_to(page, "Extend expiry")
    page.keyboard.press("Enter")
    page.wait_for_url("**/indicators/bulk")
    looking.tab_to(page, "Days")
    page.keyboard.press("Control+A")
    page.keyboard.type("14")
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_be_visible()
    looking.tab_to(page, page.locator("form.confirm button.button-primary").inner_text().strip())
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("changed")
    looking.shortcut(page, "u")
    page.wait_for_load_state()
    expect(page.locator(".toast")).to_be_visible()


def test_the_table_by_single_keys(open_page: OpenPage) -> None:
    page = open_page("/indicators?sort=value")
    names = [each.get_attribute("data-value") for each in rows(page).all()]
    looking.shortcut(page, "j")
    assert focused_row(page) == names[0]
    looking.press(page, "j", "j", "k", "x", "Shift+ArrowDown", "Shift+ArrowDown")
    assert focused_row(page) == names[3]
    expect(page.locator("#picked")).to_have_text("3 selected")
    page.keyboard.press("Escape")
    expect(page.locator(".bulk-bar")).to_be_hidden()
    looking.shortcut(page, ".")
    expect(page.locator("#row-actions")).to_be_visible()
    assert (looking.focused(page) or pytest.fail("nowhere")).name == "Open"
    looking.press(page, "ArrowDown", "ArrowDown", "Escape")
    expect(page.locator("#row-actions")).to_be_hidden()
    assert focused_row(page) == names[3]
    looking.shortcut(page, "]")
    expect(page).to_have_url(re.compile("after="))
    expect(rows(page).first).to_be_focused()
    looking.shortcut(page, "[")
    expect(rows(page).first).to_have_attribute("data-value", names[0] or "")
    looking.shortcut(page, "j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/indicators/\d+$"))


def test_single_keys_everywhere_and_the_palette(open_page: OpenPage) -> None:
    page = open_page("/indicators")
    looking.shortcut(page, "?")
    expect(page.locator("dialog#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-field")).to_be_focused()
    page.keyboard.type("held")
    expect(page.locator("[role='option'][aria-selected='true']")).to_have_text("Held for review")
    page.keyboard.press("Enter")
    page.wait_for_url("**/indicators?tab=held")
    looking.shortcut(page, "g")
    looking.shortcut(page, "c")
    page.wait_for_url("**/changes")
    looking.shortcut(page, "/")
    page.wait_for_url("**/indicators#q")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("git?")  # in a field they are letters
    assert page.input_value("#q") == "git?"


def test_whoever_wants_no_single_keys_has_none(open_page: OpenPage) -> None:
    page = open_page("/indicators")
    page.evaluate("() => { document.body.dataset.keys = 'off' }")
    looking.press(page, "j", "?", "a", "g", "h")
    assert focused_row(page) is None
    expect(page.locator("dialog")).to_have_count(0)
    assert page.url.endswith("/indicators")
    looking.tab_to(page, "Updated")  # Tab and arrows are no single keys: all of a row can be reached
    looking.press(page, "Tab", "ArrowDown")
    second = focused_row(page)
    assert second == rows(page).nth(1).get_attribute("data-value")
    stops = [(looking.press(page, "Tab") or pytest.fail("nowhere")).name for _ in range(5)]
    assert [each.split()[0] for each in stops] == ["Select", (second or "").split()[0], "Copy", "Copy", "More"]
    page.keyboard.press("Control+k")  # no single key: it stays
    expect(page.locator("dialog#palette")).to_be_visible()


def test_a_key_never_loses_what_was_typed(open_page: OpenPage) -> None:
    page = open_page("/indicators")
    page.locator(f"{ROWS} input").nth(0).check()
    page.click("button[value='fields']")
    page.fill("#f-title", "half a sentence")
    page.locator("h1").click()
    looking.shortcut(page, "a")
    expect(page.locator("dialog#leave")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.input_value("#f-title") == "half a sentence"


def test_without_scripts_a_selection_is_deleted_after_a_preview(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/indicators?q=severity:medium", on=own_portal, scripts=False)
    before = rows(page).count()
    page.locator(f"{ROWS} input").nth(0).check()
    page.click("button[value='delete']")
    page.fill("#f-reason-apply", "retired")
    page.click("text=Delete 1 indicator")
    expect(page.locator(".toast")).to_contain_text("1 deleted")
    assert rows(page).count() == min(before, 50) - 1 or before == 50
    page.click(".toast button")
    expect(page.locator(".toast")).to_be_visible()


def test_columns_are_chosen_and_remembered(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/indicators", on=own_portal)
    page.click("#menu-columns")
    page.uncheck("input[name='column'][value='source']")
    page.check("input[name='column'][value='category']")
    page.click("text=Keep for me")
    expect(page.locator("#table thead")).to_contain_text("Category")
    page.reload()
    expect(page.locator("#table thead")).not_to_contain_text("Source")


PAGES = (
    "/indicators",
    "/indicators?q=sevrity:high",
    "/indicators?q=zzzzz",
    "/indicators?tab=held&columns=type,created",
)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nothing_stands_in_anybodys_way(open_page: OpenPage, axe_source: str, colours: Colours) -> None:
    page = open_page(colours=colours)
    for path in PAGES:
        page.goto(path)
        assert looking.violations(page, axe_source) == [], path
        assert looking.live_links(page, "example") == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nor_on_the_pages_of_a_bulk_change(
    open_page: OpenPage, axe_source: str, watch: Callable[[], Watch], colours: Colours
) -> None:
    page = open_page("/indicators", colours=colours)
    for doing in ("fields", "expiry", "action", "scope", "delete"):
        page.goto("/indicators")
        page.locator(f"{ROWS} input").nth(0).check()
        assert looking.violations(page, axe_source) == []
        page.click(f"button[value='{doing}']")
        page.wait_for_url("**/bulk")
        assert looking.violations(page, axe_source) == [], doing
    watch().allow("status 422")
    page.goto("/indicators")
    page.locator(f"{ROWS} input").nth(0).check()
    page.click("button[value='action']")
    page.click("text=Preview")
    assert looking.violations(page, axe_source) == []
    page.check("input[value='Allowed']")
    page.click("text=Preview")
    assert looking.violations(page, axe_source) == []


def test_dialogs_and_menus_too(open_page: OpenPage, axe_source: str) -> None:
    page = open_page("/indicators")
    for opening in ("?", "Control+k"):
        looking.shortcut(page, opening)
        page.wait_for_selector("dialog[open]")
        assert looking.violations(page, axe_source) == []
        page.keyboard.press("Escape")
    for menu in ("#menu-columns", "#menu-export", "#filter-type"):
        page.click(menu)
        assert behind(looking.violations(page, axe_source)) == []
    page.keyboard.press("Escape")
    looking.press(page, "j", ".")
    assert behind(looking.violations(page, axe_source)) == []


def behind(found: list[str]) -> list[str]:
    """Return *found* without the targets that an open menu lies over: nobody can press these before it is closed."""
    return [each for each in found if not (each.startswith("target-size") and "obscured" in each)]


def test_on_a_narrow_screen_rows_are_cards(open_page: OpenPage, axe_source: str) -> None:
    page = open_page("/indicators", size=(320, 700))
    for path in PAGES:
        page.goto(path)
        assert looking.wider_than_the_window(page) == [], path
        assert looking.cut_controls(page) == [], path
        assert looking.small_targets(page) == [], path
        assert looking.violations(page, axe_source) == [], path
    page.goto("/indicators")
    page.locator(f"{ROWS} input").nth(0).check()
    expect(page.locator(".bulk-bar")).to_be_visible()
    page.click("button[value='delete']")
    assert looking.wider_than_the_window(page) == []
