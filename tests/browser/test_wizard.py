"""Adding, editing and the page of one indicator as a person uses them: by mouse, and by keyboard alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import Page, expect

from tests.browser import looking
from tests.browser.conftest import Colours, OpenPage
from tests.browser.watching import Watch
from tests.integration.services.test_certificates import certificate
from tools.portal import Portal

NEW = "/indicators/new"


def at(page: Page, step: str) -> None:
    """Wait until the wizard is at *step*, and hold that the focus went there."""
    expect(page.locator(f"#step-{step}[data-current]")).to_be_visible()
    expect(page.locator(f"#step-{step} h2")).to_be_focused()


def following(page: Page) -> None:
    page.get_by_role("button", name="Next", exact=True).click()


def test_adding_one_by_mouse(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page(NEW, on=own_portal)
    expect(page.get_by_label("Indicators", exact=False).first).to_be_focused()
    page.get_by_role("textbox", name="Indicators").fill("hxxps://mouse[.]evil-site[.]com/login")
    expect(page.locator("#values-seen")).to_contain_text("https://mouse.evil-site.com/login")
    page.get_by_text("7 days").click()
    following(page)
    at(page, "action")
    assert page.locator("[name=action]").count() == 4
    page.get_by_text("May not run, and cannot be connected to.").click()
    page.get_by_label("Title").fill("A login page")
    page.get_by_label("Description").fill("case 9")
    page.get_by_label("Generate alert").check()
    page.get_by_label("Severity").select_option("High")
    following(page)
    at(page, "scope")
    page.get_by_text("Chosen device groups").click()
    page.get_by_label("Kiosks").check()
    following(page)
    at(page, "summary")
    expect(page.locator("#step-summary")).to_contain_text("1 new")
    expect(page.locator("#step-summary")).to_contain_text("Kiosks")
    page.get_by_role("button", name="Back").click()
    at(page, "scope")
    expect(page.get_by_label("Kiosks")).to_be_checked()
    following(page)
    at(page, "summary")
    page.get_by_label("Reason").fill("by mouse")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="1 added")).to_be_visible()
    expect(page.locator(".indicator-head")).to_contain_text("https://mouse.evil-site.com/login")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("deleted")


def test_adding_many_by_keyboard(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page(NEW, on=own_portal)
    page.keyboard.type("keys-one.evil-site.com\nkeys-two.evil-site.com\nco.uk")
    expect(page.locator("#values-seen")).to_contain_text("3 indicators recognised")
    page.keyboard.press("Control+Enter")
    at(page, "action")
    looking.tab_to(page, "Allow")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[name=action][value=Block]")).to_be_checked()
    expect(page.locator("#notes")).to_contain_text("co.uk is a public suffix")
    looking.tab_to(page, "Title")
    page.keyboard.type("By keyboard")
    looking.tab_to(page, "Description")
    page.keyboard.type("all of it")
    looking.tab_to(page, "MITRE techniques")
    page.keyboard.press("Enter")  # a field of one line: on to the next step
    at(page, "scope")
    looking.tab_to(page, "Next")
    page.keyboard.press("Enter")
    at(page, "summary")
    found = looking.tab_to(page, "Save")
    assert found.seen
    assert found.marked
    page.keyboard.press("Enter")
    done = page.locator("[data-done]")
    expect(done).to_be_focused()
    expect(done).to_contain_text("2 added")
    expect(done).to_contain_text("1 held")
    looking.tab_to(page, "Undo")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/indicators|/changes"))


def test_what_is_wrong_is_told_and_found_by_keyboard(open_page: OpenPage, watch: Callable[[], Watch]) -> None:
    page = open_page(NEW)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("textbox", name="Indicators").fill("good.evil-site.com\njunk junk")
    following(page)
    expect(page.get_by_role("alert")).to_contain_text("1 of 2 values cannot be used")
    expect(page.locator("#values-seen")).to_contain_text("line 2")
    page.get_by_label("Leave out what cannot be used").check()
    following(page)
    at(page, "action")
    following(page)
    expect(page.get_by_role("alert")).to_be_focused()
    title = page.get_by_label("Title")
    expect(title).to_have_attribute("aria-invalid", "true")
    expect(title).to_have_accessible_description(re.compile("give a title"))


def test_a_file_is_hashed_here_and_goes_nowhere(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(NEW)
    content = bytes(range(256)) * 4_100
    file = tmp_path / "evil.exe"
    file.write_bytes(content)
    sent: list[bytes] = []
    page.on("request", lambda request: sent.append(request.post_data_buffer or b""))
    page.locator("#hash-file").set_input_files(file)
    area = page.get_by_role("textbox", name="Indicators")
    expect(area).to_have_value(hashlib.sha256(content).hexdigest())
    expect(page.locator("#values-seen")).to_contain_text("SHA-256")
    page.get_by_role("button", name="Add its SHA-1 too").click()
    expect(area).to_have_value(f"{hashlib.sha256(content).hexdigest()}\n{hashlib.sha1(content).hexdigest()}")
    expect(page.locator("#values-seen")).to_contain_text("2 indicators recognised")
    following(page)
    at(page, "action")
    expect(page.get_by_text("put into quarantine")).to_be_visible()
    assert not any(content[:64] in each for each in sent)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 1_000_003])
def test_hashing_in_pieces_is_hashing(page: Page, size: int) -> None:
    page.goto(NEW)
    content = bytes((number * 7 + number // 256) % 256 for number in range(min(size, 4_096)))
    content = (content * (size // max(len(content), 1) + 1))[:size]
    found = page.evaluate(
        """async (bytes) => {
            const script = document.querySelector('script[src*="wizard.js"]').src.replace("wizard.js", "hash.js");
            const { digests } = await import(script);
            return digests(new Blob([new Uint8Array(bytes)]), () => {}, { small: -1 });
        }""",
        list(content),
    )
    assert found == {"sha256": hashlib.sha256(content).hexdigest(), "sha1": hashlib.sha1(content).hexdigest()}


def test_a_certificate_that_is_chosen_is_read(open_page: OpenPage, tmp_path: Path, watch: Callable[[], Watch]) -> None:
    page = open_page(NEW)
    der = certificate().public_bytes(Encoding.DER)
    file = tmp_path / "evil.cer"
    file.write_bytes(der)
    page.get_by_role("textbox", name="Indicators").fill("evil-site.com")
    page.locator("#f-certificate_file").set_input_files(file)
    expect(page.locator(".certificate")).to_contain_text("CN=Evil Software Ltd")
    expect(page.locator("#values-seen")).to_contain_text("Certificate")
    expect(page.get_by_role("textbox", name="Indicators")).to_have_value(
        f"evil-site.com\n{hashlib.sha1(der).hexdigest()}"
    )
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    page.locator("#f-certificate_file").set_input_files(junk)
    expect(page.get_by_role("alert")).to_contain_text("junk.pem: this is no certificate")
    expect(page.get_by_role("textbox", name="Indicators")).to_have_value(re.compile("evil-site.com"))


def test_a_lost_connection_loses_nothing(open_page: OpenPage, watch: Callable[[], Watch]) -> None:
    page = open_page(NEW)
    page.get_by_role("textbox", name="Indicators").fill("evil-site.com")
    expect(page.locator("#values-seen")).to_contain_text("1 indicator")
    watch().allow("Failed to load resource", "ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    following(page)
    said = page.locator("[data-offline]")
    expect(said).to_contain_text("The server cannot be reached. Nothing that you typed is lost")
    expect(said.locator(".notice")).to_be_focused()
    page.context.set_offline(False)
    following(page)
    at(page, "action")


def test_who_was_signed_out_goes_on_after_signing_in(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page(NEW, on=own_portal)
    page.get_by_role("textbox", name="Indicators").fill("evil-site.com")
    expect(page.locator("#values-seen")).to_contain_text("1 indicator")
    [cookie] = page.context.cookies()
    page.context.clear_cookies()
    following(page)
    expect(page.locator("[data-offline]")).to_contain_text("You were signed out.")
    expect(page.get_by_role("link", name="Sign in in another tab")).to_be_visible()
    cookie["value"] = own_portal.new_token()  # another session, whose forms carry another token
    page.context.add_cookies([cookie])  # type: ignore[list-item]  # what comes out goes in again
    following(page)
    at(page, "action")


def test_editing_marks_what_was_changed(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/indicators/10/edit", on=own_portal)
    title = page.get_by_label("Title")
    before = title.input_value()
    title.fill("Another title")
    expect(page.locator("[data-mark=title]")).to_contain_text("changed, was")
    title.fill(before)
    expect(page.locator("[data-mark=title] .changed-note")).to_be_hidden()
    title.fill("Another title")
    page.get_by_label("Reason").fill("a better name")
    page.get_by_label("Reason").press("Enter")
    expect(page.get_by_role("status").filter(has_text="1 changed")).to_be_visible()
    history = page.locator(".history")
    expect(history).to_contain_text("Another title")
    expect(history).to_contain_text("a better name")
    page.get_by_role("button", name="Undo this change").first.click()
    expect(page.get_by_role("main")).to_contain_text(before)


def test_single_keys_edit_and_check(open_page: OpenPage) -> None:
    page = open_page("/indicators/10")
    looking.shortcut(page, "e")
    expect(page).to_have_url(re.compile("/indicators/10/edit$"))
    page.goto("/indicators/10")
    looking.shortcut(page, "t")
    expect(page).to_have_url(re.compile(r"/check\?value="))


def test_deleting_by_keyboard_and_undoing(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page("/indicators/12", on=own_portal)
    looking.tab_to(page, "Delete")
    page.keyboard.press("Enter")
    looking.tab_to(page, "Reason")
    page.keyboard.type("false positive")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/indicators\?changed="))
    page.goto("/indicators/12")
    expect(page.locator(".indicator-head")).to_contain_text("Deleted by")
    page.get_by_role("button", name="Undo this change").first.click()
    page.goto("/indicators/12")
    expect(page.locator(".indicator-head")).to_contain_text("In force")


def test_without_scripts_it_is_one_long_page(open_page: OpenPage, own_portal: Portal) -> None:
    page = open_page(NEW, on=own_portal, scripts=False)
    page.get_by_role("textbox", name="Indicators").fill("plain.evil-site.com")
    page.locator(".choice-Block").click()
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("alert")).to_contain_text("give a title")
    page.get_by_label("Title").fill("Plain")
    page.get_by_label("Description").fill("without scripts")
    page.get_by_role("button", name="Review").click()
    expect(page.locator("#step-summary")).to_contain_text("1 new")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".indicator-head")).to_contain_text("plain.evil-site.com")


@pytest.mark.parametrize("size", [(1280, 800), (320, 700)])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_in_the_wizard(
    open_page: OpenPage, axe: Callable[..., None], colours: Colours, size: tuple[int, int]
) -> None:
    page = open_page(NEW, colours=colours, size=size)

    def look(what: str) -> None:
        axe(page, what)
        assert not looking.wider_than_the_window(page), what
        assert not looking.small_targets(page), what

    look("the empty first step")
    following(page)
    expect(page.get_by_role("alert")).to_be_focused()
    look("the first step in error")
    page.get_by_role("textbox", name="Indicators").fill("hxxp://a[.]evil-site[.]com/x\nco.uk\njunk junk")
    expect(page.locator("#values-seen")).to_contain_text("2 indicators recognised, 1 not")
    page.get_by_text("Which type covers what?").click()
    page.get_by_text("Date and time").click()
    page.get_by_text("Never", exact=True).click()
    page.get_by_label("Leave out what cannot be used").check()
    look("the first step filled in")
    following(page)
    at(page, "action")
    page.locator(".choice-Warn").click()
    page.get_by_text("More: what people are shown").click()
    expect(page.locator("#notes")).to_contain_text("public suffix")
    look("the actions")
    page.get_by_label("Title").fill("t")
    page.get_by_label("Description").fill("d")
    following(page)
    at(page, "scope")
    page.get_by_text("Chosen device groups").click()
    page.get_by_label("Kiosks").check()
    look("the scope")
    following(page)
    at(page, "summary")
    look("the summary")


@pytest.mark.parametrize("size", [(1280, 800), (320, 700)])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_on_the_page_of_one(
    open_page: OpenPage, axe: Callable[..., None], colours: Colours, size: tuple[int, int]
) -> None:
    page = open_page(colours=colours, size=size)
    for number in (3, 10, 299):  # deleted, in force, held
        page.goto(f"/indicators/{number}")
        for details in page.locator(".raw summary").all():
            details.click()
        axe(page)
        assert not looking.wider_than_the_window(page)
        assert not looking.small_targets(page)
        assert not looking.live_links(page)
    page.goto("/indicators/10/edit")
    page.get_by_label("Title").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_focused()
    axe(page)
    assert not looking.wider_than_the_window(page)
