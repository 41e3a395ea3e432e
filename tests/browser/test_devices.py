"""Devices and their groups in a browser: a group by mouse with a preview, and by keyboard alone."""

from __future__ import annotations

from playwright.sync_api import expect

from indicia.services import groups
from tests.browser.conftest import Axe, OpenPage
from tests.browser.looking import press, tab_to
from tools.portal import Portal


def order(portal: Portal) -> list[str]:
    return [group.name for group in groups.list_groups(portal.app.database)]


def test_a_group_is_made_with_a_preview_and_moved(open_page: OpenPage, own_portal: Portal, axe: Axe) -> None:
    page = open_page("/devices", on=own_portal)
    page.get_by_role("link", name="Device groups").first.click()
    page.get_by_role("link", name="Add a device group").click()
    page.get_by_label("Name", exact=False).first.fill("Web servers")
    page.get_by_label("Rank").fill("1")
    page.get_by_label("Row 1: of what").select_option("Tag")
    page.get_by_label("Row 1: how it compares").select_option("is one of")
    page.get_by_label("Row 1: value").fill("web, edge")
    page.get_by_role("button", name="Add row").click()
    expect(page.get_by_label("Row 3: value")).to_be_visible()
    expect(page.get_by_label("Row 1: value")).to_have_value("web, edge")
    page.get_by_role("button", name="Preview members").click()
    expect(page.get_by_role("heading", name="2 devices would be in it")).to_be_visible()
    expect(page.get_by_text("Servers: 2")).to_be_visible()
    axe(page, "preview of a group")
    page.get_by_label("Row 2: value").fill("\u202e")
    page.get_by_role("button", name="Add group").click()
    expect(page.get_by_label("Row 2: value")).to_have_attribute("aria-invalid", "true")
    axe(page, "a group in error")
    page.get_by_label("Row 2: value").fill("")
    page.get_by_role("button", name="Add group").click()
    expect(page.get_by_text("The device group was added.")).to_be_visible()
    assert order(own_portal)[0] == "Web servers"
    page.get_by_role("button", name="Move Web servers down").click()
    expect(page.get_by_text("The order of ranks was changed.")).to_be_visible()
    assert order(own_portal)[1] == "Web servers"
    page.get_by_role("link", name="Remove Web servers").click()
    page.get_by_role("button", name="Remove the group").click()
    expect(page.get_by_text("The device group was removed.")).to_be_visible()


def test_by_keyboard_alone_a_device_is_found_tagged_and_removed(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/devices", on=own_portal)
    tab_to(page, "Search")
    page.keyboard.type("lobby-1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 device like that")).to_be_visible()
    tab_to(page, "lobby-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Its device group")).to_be_visible()
    expect(page.get_by_text("Kiosks", exact=True)).to_be_visible()
    tab_to(page, "Tags")
    page.keyboard.press("Control+A")
    page.keyboard.type("hall")
    press(page, "Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_text("no rule of a device group matches")).to_be_visible()
    tab_to(page, "Remove")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Remove lobby-1")).to_be_visible()
    tab_to(page, "Remove the device")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The device was removed")).to_be_visible()


def test_a_value_is_checked_on_a_device(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/devices?search=srv-web-01", on=own_portal, scripts=False)
    page.get_by_role("link", name="srv-web-01").click()
    page.get_by_role("link", name="Check a value on it").click()
    page.get_by_label("Value").fill("login.contoso-support.example")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("dl.facts").get_by_text("Servers", exact=True)).to_be_visible()
    page.get_by_label("Or a device").fill("nobody")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("there is no device 'nobody'")).to_be_visible()
