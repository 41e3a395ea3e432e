"""The whole way through the page that people know from Defender: by mouse, and by keyboard alone."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Download, Page, expect

from tests.browser import looking
from tests.browser.conftest import OpenPage
from tools.portal import Portal

TABS = ("All", "File hashes", "IP addresses", "URLs/Domains", "Certificates", "Held for review")
HEADER = "IndicatorType,IndicatorValue,Action,Title,Description\r\n"


@pytest.fixture
def lists(tmp_path: Path) -> tuple[Path, Path]:
    """Return two files, each with something new."""
    files = (tmp_path / "first.csv", tmp_path / "second.csv")
    for number, file in enumerate(files):
        file.write_bytes(f"{HEADER}DomainName,list-{number}.evil-site.com,Block,From a list,d\r\n".encode())
    return files


def rows_of(download: Download) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(download.path()).read_text("utf-8-sig").splitlines()))


def test_by_mouse(open_page: OpenPage, new_portal: Portal, lists: tuple[Path, Path]) -> None:
    page = open_page("/indicators", on=new_portal)
    # Add item: Indicator > Action > Scope > Summary > Save.
    page.get_by_role("main").get_by_role("link", name="Add item").first.click()
    page.wait_for_url("**/indicators/new")
    page.get_by_role("textbox", name="Indicators").fill("known.evil-site.com")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator("#step-action h2")).to_be_focused()
    page.get_by_text("May not run, and cannot be connected to.").click()
    page.get_by_label("Title").fill("Known")
    page.get_by_label("Description").fill("d")
    for step in ("scope", "summary"):
        page.get_by_role("button", name="Next", exact=True).click()
        expect(page.locator(f"#step-{step} h2")).to_be_focused()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="1 added")).to_be_visible()
    # The tabs, and a row that is opened, changed and saved.
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Indicators").click()
    for number, tab in enumerate(TABS, start=1):
        page.locator(f"#tab-{number}", has_text=tab).click()
        expect(page.locator(f"#tab-{number}")).to_have_attribute("aria-current", "page")
    page.locator("#tab-4").click()
    page.get_by_role("link", name="known.evil-site.com").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Title").fill("Known better")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="1 changed")).to_be_visible()
    import_both(page, lists)
    # Customize columns, Export, and the sample.
    page.locator("#menu-columns").click()
    page.get_by_role("checkbox", name="Category").check()
    page.get_by_role("button", name="Apply").or_(page.get_by_role("button", name="Keep for me")).first.click()
    expect(page.locator("#table thead")).to_contain_text("Category")
    page.locator("#menu-export").click()
    with page.expect_download() as exported:
        page.locator("a[href^='/indicators/export']").first.click()
    values = {row["IndicatorValue"] for row in rows_of(exported.value)}
    assert values == {"known.evil-site.com", "list-0.evil-site.com", "list-1.evil-site.com"}
    page.goto("/import")
    with page.expect_download() as sample:
        page.get_by_role("link", name="sample CSV").click()
    assert len(rows_of(sample.value)) == 5
    # Delete, and think again.
    page.goto("/indicators")
    page.get_by_role("link", name="known.evil-site.com").click()
    page.get_by_role("button", name="Delete this indicator").click()
    expect(page.locator(".toast")).to_contain_text("1 deleted")
    expect(page.get_by_role("link", name="known.evil-site.com")).to_have_count(0)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="known.evil-site.com")).to_be_visible()


def import_both(page: Page, lists: tuple[Path, Path]) -> None:
    """Import files one after another, then Done."""
    page.get_by_role("link", name="Import").first.click()
    for file in lists:
        page.get_by_label("Choose file").set_input_files(file)
        page.get_by_role("button", name="Import", exact=True).click()
        page.get_by_role("button", name="Import 1 indicator").click()
        expect(page.get_by_text("Imported: 1 added")).to_be_visible()
        page.get_by_role("link", name="All imports").click()
    page.get_by_role("link", name="Done").first.click()
    expect(page.locator("#table tbody tr")).to_have_count(3)


def test_by_keyboard_alone(open_page: OpenPage, new_portal: Portal, lists: tuple[Path, Path]) -> None:
    page = open_page("/indicators", on=new_portal)
    looking.shortcut(page, "a")
    page.wait_for_url("**/indicators/new")
    expect(page.get_by_role("textbox", name="Indicators")).to_be_focused()
    page.keyboard.type("known.evil-site.com")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#step-action h2")).to_be_focused()
    looking.tab_to(page, "Allow")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    for name in ("Title", "Description"):
        looking.tab_to(page, name)
        page.keyboard.type("Known")
    for step in ("scope", "summary"):
        page.keyboard.press("Control+Enter")
        expect(page.locator(f"#step-{step} h2")).to_be_focused()
    looking.tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="1 added")).to_be_visible()
    # Edit and save.
    looking.shortcut(page, "e")
    page.wait_for_url("**/edit")
    looking.tab_to(page, "Title")
    page.keyboard.press("Control+a")
    page.keyboard.type("Known better")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="1 changed")).to_be_visible()
    # Two files, one after another, then Done.
    looking.shortcut(page, "i")
    for file in lists:
        page.wait_for_url("**/import")
        looking.tab_to(page, "Choose file")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(file)
        expect(page.get_by_role("button", name="Import", exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Import 1 indicator")).to_be_visible()
        looking.tab_to(page, "Import 1 indicator")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Imported: 1 added")).to_be_visible()
        looking.tab_to(page, "All imports")
        page.keyboard.press("Enter")
    page.wait_for_url("**/import")
    looking.tab_to(page, "Done")
    page.keyboard.press("Enter")
    page.wait_for_url("**/indicators")
    expect(page.locator("#table tbody tr")).to_have_count(3)
    # The tabs, the export, and away with one.
    looking.tab_to(page, "URLs/Domains")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("tab=urls"))
    looking.tab_to(page, "Export")
    page.keyboard.press("Enter")
    with page.expect_download() as exported:
        looking.tab_to(page, "CSV")
        page.keyboard.press("Enter")
    assert len(rows_of(exported.value)) == 3
    page.goto("/indicators?q=known.evil-site.com")
    looking.tab_to(page, "Select known.evil-site.com")
    looking.press(page, "Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/indicators/\d+"))
    looking.tab_to(page, "Delete this indicator")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("1 deleted")
    looking.shortcut(page, "u")
    expect(page.locator(".toast")).to_contain_text("1 added")
