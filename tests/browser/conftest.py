"""A real Chromium, a real server, and pages of somebody who is signed in; what goes wrong on a page fails its test.

A test takes `page` (a filled database), `empty_page`, or `open_page` to choose: the portal, the colours, the size,
whether scripts run, and who is signed in. Helpers for the keyboard and for what a page looks like are in
`tests.browser.looking`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.watching import Watch, bulleted
from tools import demo
from tools.assets import AXE, ROOT, is_right
from tools.portal import COOKIE, PERSON, Portal, open_app, serving

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = (1280, 800)
# Long enough for a machine whose cores are all busy, short enough that a test which waits in vain says so soon.
MILLISECONDS = 30_000

Colours = Literal["light", "dark"]


#: Holds a page against axe-core: ``axe(page)``, or ``axe(page, "what it shows")``.
Axe = Callable[..., None]


class OpenPage(Protocol):
    """Opens a page of a portal in a browser of its own, so to speak: nothing is shared with another page."""

    def __call__(
        self,
        path: str | None = None,
        *,
        on: Portal | None = None,
        person: str | None = PERSON,
        colours: Colours = "light",
        size: tuple[int, int] = SIZE,
        scripts: bool = True,
        still: bool = True,
        **options: Any,
    ) -> Page:
        """Return the page at *path*, an empty one where there is none; without *person* nobody is signed in.

        With *still* it is opened as for somebody who wants no motion: tests wait for no animation then. *on* is the
        filled portal, unless another one is given. *options* are those of `Browser.new_context`.
        """
        ...


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give one Chromium for all tests of a worker."""
    if not CHROMIUM.exists():
        pytest.skip("no chromium: apt install chromium")
    with sync_playwright() as playwright:
        # Only what fails waits so long: a machine that is busy with other tests is no fault of a page.
        expect.set_options(timeout=MILLISECONDS)
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield launched
        launched.close()


def portal_in(folder: Path, *, filled: bool) -> Iterator[Portal]:
    """Give a portal over a fresh database in *folder*; that its server failed at nothing is asserted in the end."""
    app = open_app(folder)
    try:
        found = demo.fill(app, datetime.now(UTC)) if filled else None
        with serving(folder, app=app) as portal:
            portal.demo = found
            yield portal
        said = portal.log.read_text(encoding="utf-8").splitlines()
        failed = [line for line in said if "requests.failed" in line or "Traceback" in line]
        assert not failed, "the server failed, see its log:\n" + bulleted(failed)
    finally:
        app.close()


@pytest.fixture(scope="session")
def portal(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Give the portal over some three hundred indicators (`tools.demo`): for tests that change nothing there."""
    yield from portal_in(tmp_path_factory.mktemp("portal"), filled=True)


@pytest.fixture(scope="module")
def own_portal(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Give the same to the tests of one file alone, which may change it."""
    yield from portal_in(tmp_path_factory.mktemp("own-portal"), filled=True)


@pytest.fixture(scope="session")
def empty_portal(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Give the portal over a database with nothing in it: for tests that change nothing there."""
    yield from portal_in(tmp_path_factory.mktemp("empty-portal"), filled=False)


@pytest.fixture
def new_portal(browser: Browser, tmp_path: Path) -> Iterator[Portal]:
    """Give an empty portal to one test alone; that costs two seconds."""
    folder = tmp_path / "new-portal"
    folder.mkdir()
    yield from portal_in(folder, filled=False)


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    """Give the watches of all contexts that a test opens; what they saw fails the test."""
    opened: list[Watch] = []
    yield opened
    for watch in opened:
        watch.check()


@pytest.fixture
def watch(watches: list[Watch]) -> Callable[[], Watch]:
    """Return what gives the watch of the page opened last: ``watch().allow("status 404")``."""
    return lambda: watches[-1]


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest, watches: list[Watch]) -> OpenPage:
    """Give what opens pages; they are closed when the test ends."""

    def opened(
        path: str | None = None,
        *,
        on: Portal | None = None,
        person: str | None = PERSON,
        colours: Colours = "light",
        size: tuple[int, int] = SIZE,
        scripts: bool = True,
        still: bool = True,
        **options: Any,
    ) -> Page:
        there: Portal = on or request.getfixturevalue("portal")
        context = browser.new_context(
            base_url=there.address,
            color_scheme=colours,
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=scripts,
            reduced_motion="reduce" if still else "no-preference",
            locale="en-GB",
            timezone_id="UTC",
            **options,
        )
        # Of the test and not of this fixture: it runs first of all, before the server goes that a page may still ask.
        request.node.addfinalizer(context.close)
        context.set_default_timeout(MILLISECONDS)
        watch = Watch(there.address)
        watch.over(context)
        watches.append(watch)
        if person is not None:
            sign_in(context, there, person)
        page = context.new_page()
        # Choosers of files are taken over from the start: a busy machine may open one before it hears of it.
        page.on("filechooser", lambda _chooser: None)
        if path is not None:
            page.goto(path)
        return page

    return opened


def sign_in(context: BrowserContext, portal: Portal, person: str = PERSON) -> None:
    """Sign *person* in without the page that does it: by a session in the database, and its cookie."""
    # Chromium takes a Secure cookie over http from this machine, as it does from the server itself.
    context.add_cookies(
        [
            {
                "name": COOKIE,
                "value": portal.token(person),
                "domain": "127.0.0.1",
                "path": "/",
                "secure": True,
                "httpOnly": True,
                "sameSite": "Lax",
            }
        ]
    )


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """Return a page over the filled database, light and 1280 wide; nothing is loaded yet."""
    return open_page()


@pytest.fixture
def empty_page(open_page: OpenPage, empty_portal: Portal) -> Page:
    """Return the same over an empty database."""
    return open_page(on=empty_portal)


@pytest.fixture(scope="session")
def axe_source() -> str:
    """Return the source of axe-core; skips where npm has not brought it."""
    if not is_right(AXE.place(ROOT), AXE.sha256):
        pytest.skip("axe-core is not here: make assets")
    return AXE.place(ROOT).read_text(encoding="utf-8")


@pytest.fixture
def axe(axe_source: str) -> Axe:
    """Return what holds a page against WCAG 2.0 to 2.2, A and AA: ``axe(page)``, or ``axe(page, "what it shows")``."""
    from tests.browser.looking import violations

    def check(page: Page, what: str = "") -> None:
        found = violations(page, axe_source)
        assert not found, f"axe on {what or page.url}:\n" + bulleted(found)

    return check
