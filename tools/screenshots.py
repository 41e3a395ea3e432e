"""Makes pictures of every page of the portal, light, dark and narrow, into docs/images: ``make screenshots``.

The data is that of `tools.demo`, at a moment that never changes, so that a picture changes where its page has.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from indicia.services import applications
from tools import demo
from tools.assets import ROOT
from tools.pictures import smaller
from tools.portal import COOKIE, Portal, open_app, serving

NOW: Final = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update "
    "--disable-sync --font-render-hinting=none --hide-scrollbars"
)
#: By name: the size of the window and its colours.
KINDS: Final = {"light": (1280, 800, "light"), "dark": (1280, 800, "dark"), "narrow": (360, 740, "light")}
#: What is longer is cut: a picture of a page shows its beginning.
TALLEST: Final = {"light": 1100, "dark": 1100, "narrow": 1500}
BAD_FILE: Final = """\
IndicatorType,IndicatorValue,ExpirationTime,Action,Severity,Title,Description
DomainName,hxxp://update-reader[.]example,,Block,High,Silver Heron,Seen in case 2391
DomainName,login.contoso-support.example,,Block,High,Silver Heron,Seen in case 2391
IpAddress,28.14.7.999,,Block,High,Silver Heron,Seen in case 2391
FileSha256,e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855,,Block,High,Silver Heron,Seen in case 2391
Url,https://drop-files.example/a/b?id=7,2026-12-24T00:00:00Z,Blok,High,Silver Heron,Seen in case 2391
DomainName,quick-share.example,yesterday,Audit,Medium,Silver Heron,Seen in case 2391
IpAddress,28.99.1.7,,Block,High,Silver Heron,Seen in case 2391
DomainName,contoso-support.example,,Allowed,Low,Silver Heron,Seen in case 2391
"""


class Scene(NamedTuple):
    """One page, and what is done there before the picture is taken."""

    name: str
    path: str
    person: bool = True
    empty: bool = False
    prepare: Callable[[Page], None] | None = None


def _pasted(page: Page) -> None:
    text = page.locator("textarea").first
    text.fill("hxxps://login[.]contoso-support[.]example/reset\n28.14.7.251\ncontoso-support.example\n10.0.0.9")
    text.blur()
    page.wait_for_timeout(900)


def _planned(page: Page) -> None:
    page.locator("#file").set_input_files(
        {"name": "silver-heron.csv", "mimeType": "text/csv", "buffer": BAD_FILE.encode()}
    )
    page.locator("#go").click()
    page.wait_for_timeout(2_000)
    link = page.locator("main a[href^='/import/']:not([download])").first
    if page.url.split("?")[0].endswith("/import") and link.count():
        link.click()
        page.wait_for_load_state("networkidle")


def _selected(page: Page) -> None:
    boxes = page.locator("main table tbody input[type=checkbox]")
    for place in range(min(4, boxes.count())):
        boxes.nth(place).check()
    page.wait_for_timeout(300)


def _wrong_password(page: Page) -> None:
    page.locator("main input[type=text], main input[name=name]").first.fill("Ada Lindqvist")
    page.locator("input[type=password]").fill("not my password")
    with page.expect_navigation():
        page.keyboard.press("Enter")


SCENES: Final = (
    Scene("home", "/"),
    Scene("home-empty", "/", empty=True),
    Scene("indicators", "/indicators"),
    Scene("indicators-selected", "/indicators?q=severity:>=high", prepare=_selected),
    Scene("indicators-held", "/indicators?tab=held"),
    Scene("indicators-wrong-search", "/indicators?q=typ:ip"),
    Scene("indicators-empty", "/indicators", empty=True),
    Scene("add", "/indicators/new", prepare=_pasted),
    Scene("indicator", "/indicators/{number}"),
    Scene("edit", "/indicators/{number}/edit"),
    Scene("import", "/import"),
    Scene("import-plan", "/import", prepare=_planned),
    Scene("check", "/check"),
    Scene("check-verdict", "/check?value=https://login.contoso-support.example/training/start"),
    Scene("changes", "/changes"),
    Scene("change", "/changes/{changeset}"),
    Scene("settings-account", "/settings/account"),
    Scene("audit", "/audit"),
    Scene("proposals", "/proposals?show=all"),
    Scene("proposal", "/proposals/{proposal}"),
    Scene("devices", "/devices"),
    Scene("devices-empty", "/devices", empty=True),
    Scene("device", "/devices/{device}"),
    Scene("settings-groups", "/settings/groups"),
    Scene("settings-group-edit", "/settings/groups/edit?name=Servers"),
    Scene("settings-person", "/settings/people/{person}"),
    Scene("settings-keys", "/settings/keys"),
    Scene("settings-clients", "/settings/clients"),
    Scene("settings-limits", "/settings/limits"),
    Scene("settings-people", "/settings/people"),
    Scene("settings-about", "/settings/about"),
    Scene("sign-in", "/sign-in", person=False),
    Scene("sign-in-refused", "/sign-in", person=False, prepare=_wrong_password),
    Scene("not-found", "/indicators/987654321"),
)


def take(browser: Browser, portal: Portal, scene: Scene, kind: str) -> bytes:
    """Return the picture of a scene."""
    width, height, colours = KINDS[kind]
    context = browser.new_context(
        base_url=portal.address,
        viewport={"width": width, "height": height},
        color_scheme="dark" if colours == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    if scene.person:
        cookie = {"name": COOKIE, "value": portal.token(), "domain": "127.0.0.1", "path": "/", "secure": True}
        context.add_cookies([cookie])  # type: ignore[list-item]  # a dict that has the keys of its TypedDict
    page = context.new_page()
    page.clock.set_fixed_time(NOW)
    known = portal.demo
    if known:
        own = {"number": known.number, "changeset": known.changeset, "device": known.device}
        page.goto(scene.path.format_map(own | known.asked._asdict()))
    else:
        page.goto(scene.path)
    if scene.prepare is not None:
        scene.prepare(page)
    page.evaluate("() => document.activeElement?.blur()")
    tall = int(page.evaluate("() => document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": max(height, min(tall, TALLEST[kind]))})
    page.evaluate("() => window.scrollTo(0, 0)")
    picture = page.screenshot(animations="disabled", caret="hide")
    page.goto("about:blank")
    found = smaller(picture, page)
    context.close()
    return found


def main(arguments: list[str]) -> int:
    """Make the pictures whose names are given, all of them by default."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(scene.name for scene in SCENES)}")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images")
    asked = parser.parse_args(arguments)
    wanted = [scene for scene in SCENES if not asked.names or scene.name in asked.names]
    asked.into.mkdir(parents=True, exist_ok=True)
    total = 0
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        for empty in (False, True):
            folder = Path(temporary, "empty" if empty else "filled")
            folder.mkdir()
            app = open_app(folder)
            if not empty:
                for hours, name in ((720, "SOAR playbooks"), (719, "Proxy of the head office")):
                    at = NOW - timedelta(hours=hours)
                    applications.add_application(app.database, name, [], actor=demo.ADA, now=at)
            found = None if empty else demo.fill(app, NOW)
            with serving(folder, now=NOW, app=app) as portal:
                portal.demo = found
                for scene in (scene for scene in wanted if scene.empty is empty):
                    for kind in KINDS:
                        picture = take(browser, portal, scene, kind)
                        Path(asked.into, f"{scene.name}-{kind}.png").write_bytes(picture)
                        total += len(picture)
                    print(f"{scene.name}: {total >> 10} kB so far", flush=True)
            app.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
