"""What the other tests of the browser rely on: that a page which does what it must not fails its test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser import looking
from tests.browser.conftest import OpenPage
from tests.browser.watching import Watch


@pytest.fixture
def plain(open_page: OpenPage) -> Page:
    """Return a page that is always there."""
    return open_page("/sign-in", person=None)


def test_what_goes_wrong_on_a_page_is_seen(plain: Page, watch: Callable[[], Watch]) -> None:
    plain.evaluate("() => console.error('said in red')")
    plain.evaluate("() => { alert('stop'); }")
    plain.evaluate("() => { setTimeout(() => { throw new Error('thrown') }) }")
    plain.evaluate(
        """() => { const s = document.createElement('script'); s.textContent = 'document.title = "taken"';
        document.body.append(s); }"""
    )
    plain.evaluate("() => { fetch('http://127.0.0.1:9/elsewhere').catch(() => 0) }")
    plain.evaluate("() => { fetch('/no-such-page').catch(() => 0) }")
    plain.wait_for_timeout(300)
    seen = "\n".join(watch().left())
    for part in ("said in red", "dialog alert: stop", "thrown", "Content Security Policy", "status 404"):
        assert part in seen, seen
    assert plain.title() != "taken"
    watch().allow(".")


def test_axe_finds_what_is_wrong(plain: Page, axe_source: str) -> None:
    plain.evaluate("() => { document.body.append(document.createElement('img'), document.createElement('button')) }")
    found = "\n".join(looking.violations(plain, axe_source))
    assert "image-alt" in found
    assert "button-name" in found


def test_the_keyboard_finds_its_way(plain: Page) -> None:
    plain.evaluate(
        """() => { document.body.innerHTML = '<label for="a">First</label><input id="a"><button>Second</button>'
            + '<a id="b" href="/x">Third</a>';
        document.getElementById('b').style.outline = 'none'; }"""
    )
    stops = looking.tabbed(plain)
    assert [stop.name for stop in stops] == ["First", "Second", "Third"]
    assert [stop.seen for stop in stops] == [True, True, True]
    assert [stop.marked for stop in stops] == [True, True, False]
    assert looking.tab_to(plain, "second").tag == "button"


def test_what_does_not_fit_is_found(open_page: OpenPage) -> None:
    page = open_page("/sign-in", person=None, size=(320, 700))
    page.evaluate(
        """() => { document.body.innerHTML = '<button id="wide">wide</button><br><a href="/">x</a><a href="/">y</a>';
        document.getElementById('wide').style.width = '500px'; }"""
    )
    assert looking.wider_than_the_window(page)
    assert "wide" in looking.cut_controls(page)[0]
    assert len(looking.small_targets(page)) == 2


def test_somebody_is_signed_in(open_page: OpenPage) -> None:
    assert "Ada Lindqvist" in (open_page("/indicators").text_content("header") or "")
