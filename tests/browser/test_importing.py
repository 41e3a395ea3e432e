"""Importing in a browser: by mouse and by keyboard alone, several files, a cell corrected, taken back again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import looking
from tests.browser.conftest import OpenPage
from tests.browser.watching import Watch
from tools.portal import Portal

HEADER = "IndicatorType,IndicatorValue,Action,Title,Description\r\n"
BAD = HEADER + "DomainName,{name}.example,Block,t,d\r\nIpAddress,45.1.2.3,Blok,t,d\r\nDomainName,com,Block,t,d\r\n"
DROP = """
([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type: "text/csv" }));
    data.items.add(new File(["hxxp://evil[.]example/a\\n45.9.9.9\\n"], "names.txt", { type: "text/plain" }));
    const form = document.querySelector("form#import");
    for (const kind of ["dragenter", "dragover", "drop"]) {
        form.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
}
"""


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.csv"
    file.write_bytes(BAD.format(name="keyboard").encode())
    return file


def test_drop_two_files_correct_a_cell_import_and_undo(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/import", on=own_portal)
    page.evaluate(DROP, ["bad.csv", BAD.format(name="mouse")])
    queue = page.get_by_role("list", name="Chosen files")
    expect(queue.get_by_role("listitem")).to_have_count(2)
    page.locator("summary", has_text="Options").click()
    page.get_by_label("Action", exact=True).select_option("Block")
    page.get_by_label("Title", exact=True).fill("From a mail")
    page.get_by_label("Description", exact=True).fill("Case 12")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(queue).to_contain_text("1 new, 1 held, 1 refused")
    expect(queue).to_contain_text("2 new")
    queue.get_by_role("link", name="Review bad.csv").click()
    expect(page.get_by_role("link", name="1 Refused", exact=True)).to_be_visible()
    page.get_by_label("Action on line 3").fill("Warn")
    page.get_by_role("button", name="Change Action on line 3").click()
    expect(page.get_by_role("link", name="0 Refused", exact=True)).to_be_visible()
    page.get_by_label("Reason").fill("case 12")
    page.get_by_role("button", name="Import 3 indicators").click()
    expect(page.get_by_text("Imported: 2 added, 1 held")).to_be_visible()
    expect(page.get_by_role("link", name="Next: names.txt")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("This import was taken back")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    expect(page).to_have_url(own_portal.address + "/indicators")


def test_by_keyboard_alone(open_page: OpenPage, own_portal: Portal, bad: Path) -> None:
    page = open_page("/import", on=own_portal)
    looking.tab_to(page, "Choose file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(bad)
    found = looking.focused(page)
    assert found is not None
    assert found.name == "Import"
    page.keyboard.press("Enter")
    page.wait_for_url("**/import/*")
    looking.tab_to(page, "Action on line 3")
    page.keyboard.press("Control+a")
    page.keyboard.type("Block")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="0 Refused", exact=True)).to_be_visible()
    looking.tab_to(page, "Reason")
    page.keyboard.type("by keyboard")
    looking.tab_to(page, "Import 3 indicators")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Imported: 2 added, 1 held")).to_be_visible()
    looking.tab_to(page, "Undo")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This import was taken back")).to_be_visible()


def test_without_scripts(open_page: OpenPage, own_portal: Portal, bad: Path) -> None:
    page = open_page("/import", on=own_portal, scripts=False)
    page.get_by_label("Choose file").set_input_files(bad)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_label("Import the good rows only").check()
    page.locator("#apply").click()
    expect(page.get_by_text("1 bad row was left out")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("This import was taken back")).to_be_visible()


def test_a_connection_that_is_lost_is_told_and_tried_again(
    open_page: OpenPage, own_portal: Portal, bad: Path, watch: Callable[[], Watch]
) -> None:
    page = open_page("/import", on=own_portal)
    watch().allow("ERR_CONNECTION_RESET")
    page.route("**/import", lambda route: route.abort("connectionreset") if route.request.method == "POST" else None)
    page.get_by_label("Choose file").set_input_files(bad)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("list", name="Chosen files")).to_contain_text("nothing of this file was kept")
    page.unroute("**/import")
    page.get_by_role("button", name="Try bad.csv again").click()
    page.wait_for_url("**/import/*")


def test_progress_is_watched_and_may_be_left(open_page: OpenPage, own_portal: Portal, tmp_path: Path) -> None:
    long = tmp_path / "long.csv"
    rows = "".join(f"DomainName,h{number}.long.example,Block,t,d\r\n" for number in range(40_000))
    long.write_bytes((HEADER + rows).encode())
    page = open_page("/import", on=own_portal)
    page.get_by_label("Choose file").set_input_files(long)
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url("**/import/*")
    at = page.url
    expect(page.get_by_role("button", name="Import 40,000 indicators")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Import 40,000 indicators").click()
    page.goto("/import")
    expect(page.locator("tr", has_text="long.csv")).to_contain_text("Imported", timeout=30_000)
    page.goto(at)
    expect(page.get_by_text("Imported: 40,000 added")).to_be_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nothing_stands_in_anybodys_way(
    open_page: OpenPage, own_portal: Portal, bad: Path, axe_source: str, colours: str
) -> None:
    page = open_page("/import", on=own_portal, colours=colours)  # type: ignore[arg-type] # it is one of the two
    page.locator("details").last.evaluate("(each) => { each.open = true }")
    _look(page, axe_source)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("choose a file")
    _look(page, axe_source)
    page.get_by_label("Choose file").set_input_files(bad)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("button", name="Change Action on line 3")).to_be_visible()
    _look(page, axe_source)
    at = page.url
    for path in (f"{at}?show=created", f"{at}?show=conflicts", f"{at}/rows/3"):
        page.goto(path)
        _look(page, axe_source)
    page.goto(at)
    page.get_by_role("button", name="Give up").click()
    expect(page.get_by_text("This import was stopped")).to_be_visible()
    _look(page, axe_source)


def _look(page: Page, axe_source: str) -> None:
    assert looking.violations(page, axe_source) == [], page.url
    assert looking.wider_than_the_window(page) == [], page.url
    assert looking.small_targets(page) == [], page.url


def test_a_narrow_window_holds_it_all(open_page: OpenPage, own_portal: Portal, bad: Path) -> None:
    page = open_page("/import", on=own_portal, size=(320, 700))
    assert looking.wider_than_the_window(page) == []
    assert looking.cut_controls(page) == []
    page.get_by_label("Choose file").set_input_files(bad)
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url("**/import/*")
    assert looking.wider_than_the_window(page) == []
