"""Hostile texts in real Chromium: nothing runs, nothing is asked for elsewhere, and nobody is led away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from tests.browser import looking
from tests.browser.conftest import OpenPage, portal_in
from tests.integration.web.portal.payloads import PAYLOADS
from tests.integration.web.portal.test_xss import fill_indicators, fill_names
from tools.portal import Portal


@pytest.fixture(scope="module")
def hostile(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Portal, list[int]]]:
    """Give a portal whose every text field was written by somebody hostile, and the numbers of its indicators."""
    for portal in portal_in(tmp_path_factory.mktemp("hostile"), filled=False):
        now = datetime.now(UTC)
        yield portal, fill_indicators(portal.app, fill_names(portal.app, now), now)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/indicators",
        "/indicators?tab=held",
        "/changes",
        "/settings/groups",
        "/settings/clients",
        "/settings/keys",
        "/settings/people",
        "/check?value=host3.example&group=",
    ],
)
def test_a_page_full_of_payloads_is_a_page_of_text(
    open_page: OpenPage, hostile: tuple[Portal, list[int]], path: str
) -> None:
    page = open_page(path, on=hostile[0])
    page.wait_for_load_state("networkidle")
    assert looking.live_links(page) == []
    # What handlers of markup would wait for.
    page.keyboard.press("Tab")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, 2000)
    page.wait_for_timeout(100)
    assert page.locator("main script, main iframe, main object, main embed, main img, main video").count() == 0


def test_the_page_of_each_is_a_page_of_text(open_page: OpenPage, hostile: tuple[Portal, list[int]]) -> None:
    portal, numbers = hostile
    page = open_page(on=portal)
    for place, number in list(enumerate(numbers))[:-1:9]:
        for path in (f"/indicators/{number}", f"/indicators/{number}/edit"):
            page.goto(path)
            assert looking.live_links(page) == [], path
            payload = PAYLOADS[place]
            seen = page.locator("main").inner_text() + "".join(
                each.input_value() for each in page.locator("main textarea, main input[type=text]").all()
            )
            assert " ".join(payload.split()) in " ".join(seen.split()), path


def test_what_is_typed_comes_back_as_it_was_typed(open_page: OpenPage, hostile: tuple[Portal, list[int]]) -> None:
    page = open_page(on=hostile[0])
    for payload in PAYLOADS[::15]:
        for path, field in (("/indicators?q=", "q"), ("/check?value=", "value")):
            page.goto(path + quote(payload))
            assert looking.live_links(page) == []
            assert page.locator(f"main [name={field}]").first.input_value().strip() == payload.strip()
