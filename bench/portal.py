"""How fast the portal's pages are over a database of that size: time in the server, what goes over the wire, swaps."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from tools.portal import COOKIE, Portal, open_app, serving

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update "
    "--disable-sync"
)
SERVER_MS, SWAP_MS, WEIGHT_KB = 60, 300, 120
ASKED = 25
PAGES = (
    ("list", "/indicators"),
    ("list, tab URLs/Domains", "/indicators?tab=urls"),
    ("list, tab Held for review", "/indicators?tab=held"),
    ("filtered: `type:ip action:block`", "/indicators?q=type:ip action:block"),
    (
        "filtered: `severity:>=high -action:allow expires:<30000d`",
        "/indicators?q=severity:>=high -action:allow expires:<30000d",
    ),
    ('filtered: `title:"Campaign 7 activity"`', '/indicators?q=title:"Campaign 7 activity"'),
    ("sorted: `sort:-updated`", "/indicators?q=sort:-updated"),
    ("sorted and filtered: `type:domain sort:-severity`", "/indicators?q=type:domain sort:-severity"),
    ("sorted: `sort:title`", "/indicators?q=sort:title"),
    ("search by value: an address", "/indicators?q=11.0.0.7"),
    ("search by value: a hash", "/indicators?q=%(hash)s"),
    ("search by value: defanged, not there", "/indicators?q=hxxps://nothing[.]known[.]example/x"),
    ("free text: `campaign 77`", "/indicators?q=campaign 77"),
    ("one indicator", "/indicators/500000"),
    ("home", "/"),
    ("check a value", "/check?value=https://www1.example.org/a"),
    ("changes", "/changes"),
)
WEIGHED = ("/", "/indicators", "/indicators/new", "/import", "/check?value=11.0.0.7", "/sign-in")
# From the press of a tab to the frame in which the list is another one.
_SWAP = """
(name) => new Promise((resolve) => {
    const link = [...document.querySelectorAll(".tabs a")].find((each) => each.textContent.includes(name));
    const began = performance.now();
    const look = () => {
        const current = document.querySelector('.tabs a[aria-current="page"]');
        if (current && current.textContent.includes(name)) {
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - began)));
        } else {
            requestAnimationFrame(look);
        }
    };
    link.click();
    requestAnimationFrame(look);
})
"""


class Asked(NamedTuple):
    """What one page took in the server, over and over."""

    name: str
    milliseconds: list[float]
    first: float
    status: int

    def __str__(self) -> str:
        middle = statistics.median(self.milliseconds)
        met = "yes" if middle <= SERVER_MS and self.status == 200 else "**no**"
        return f"| {self.name} | {middle:.1f} | {max(self.milliseconds):.1f} | {self.first:.1f} | {SERVER_MS} | {met} |"


def measure(database: Path) -> list[str]:
    """Measure the portal over *database*, which nobody else has open; return the lines of the report."""
    folder = database.parent / "portal"
    folder.mkdir(exist_ok=True)
    try:
        os.link(database, folder / "indicia.db")
    except OSError:
        shutil.copyfile(database, folder / "indicia.db")
    app = open_app(folder)
    try:
        with serving(folder, app=app) as portal:
            return [*_pages(portal, _some_hash(portal)), *_browser(portal)]
    finally:
        app.close()


def _some_hash(portal: Portal) -> str:
    from indicia.domain.query_text import parse_filter
    from indicia.services.indicators import Wanted, list_indicators
    from tools.demo import ADA

    wanted = Wanted(parse_filter("indicatorType eq 'FileSha256'"))
    [found] = list_indicators(portal.app.database, wanted, actor=ADA, now=_now(), limit=1).items
    return found.indicator.value


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _pages(portal: Portal, some_hash: str) -> list[str]:
    """Ask for every page again and again; the server's log says how long each took there."""
    import httpx

    ids: dict[str, list[tuple[str, int]]] = {}
    with httpx.Client(base_url=portal.address, cookies=portal.cookie(), headers={"Accept": "text/html"}) as http:
        for name, path in PAGES:
            path, _, query = (path.replace("%(hash)s", some_hash)).partition("?")
            field, _, text = query.partition("=")
            address = f"{path}?{field}={quote(text)}" if query else path
            for _ in range(ASKED + 1):
                reply = http.get(address, timeout=120)
                ids.setdefault(name, []).append((reply.headers["x-request-id"], reply.status_code))
    spent = _logged(portal, {number for asked in ids.values() for number, _ in asked})
    lines = [
        "### Time in the server, ms",
        "",
        "| page | median | most | the first | limit | met |",
        "|---|---|---|---|---|---|",
    ]
    for name, asked in ids.items():
        times = [spent[number] for number, _ in asked]
        lines.append(str(Asked(name, times[1:], times[0], max(status for _, status in asked))))
    return [*lines, ""]


def _logged(portal: Portal, wanted: set[str]) -> dict[str, float]:
    """Return how long the server says that each request took; the last line may be written after its answer."""
    for _ in range(50):
        found = _in_log(portal)
        if wanted <= found.keys():
            return found
        time.sleep(0.1)
    raise RuntimeError(f"the log of the server misses {len(wanted - found.keys())} requests")


def _in_log(portal: Portal) -> dict[str, float]:
    found = {}
    for line in portal.log.read_text(encoding="utf-8").splitlines():
        if line.startswith("{"):
            said = json.loads(line)
            if said.get("event") == "requests.answer":
                found[said["request_id"]] = said["milliseconds"]
    return found


def _browser(portal: Portal) -> list[str]:
    """Measure what only a browser can tell: how much a cold page brings, and when a swap is seen."""
    if not CHROMIUM.exists():
        return ["Without chromium neither weights nor swaps were measured.", ""]
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        try:
            return [*_weights(browser, portal), *_swaps(browser, portal)]
        finally:
            browser.close()


def _signed_in(browser: Any, portal: Portal) -> Any:
    context = browser.new_context(base_url=portal.address, viewport={"width": 1280, "height": 800})
    cookie = {"name": COOKIE, "value": portal.token(), "domain": "127.0.0.1", "path": "/", "secure": True}
    context.add_cookies([cookie])
    return context


def _weights(browser: Any, portal: Portal) -> list[str]:
    lines = [
        "### What a cold page brings over the wire (HTML, styles, scripts, headers), kB",
        "",
        "| page | kB | requests | limit | met |",
        "|---|---|---|---|---|",
    ]
    for path in WEIGHED:
        context = _signed_in(browser, portal)
        if path == "/sign-in":
            context.clear_cookies()
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        sizes: list[float] = []
        session.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"]))
        page.goto(path, wait_until="networkidle")
        weight = sum(sizes) / 1000
        met = "yes" if weight <= WEIGHT_KB else "**no**"
        lines.append(f"| `{path}` | {weight:.1f} | {len(sizes)} | {WEIGHT_KB} | {met} |")
        context.close()
    return [*lines, ""]


def _swaps(browser: Any, portal: Portal) -> list[str]:
    context = _signed_in(browser, portal)
    page = context.new_page()
    page.goto("/indicators", wait_until="networkidle")
    parts = page.evaluate("() => 'htmx' in window")
    spent: list[float] = []
    for _ in range(8):
        for name in ("IP addresses", "URLs/Domains", "File hashes", "All"):
            page.wait_for_timeout(200)
            spent.append(float(page.evaluate(_SWAP, name)))
    context.close()
    middle, worst = statistics.median(spent), max(spent)
    met = "yes" if middle <= SWAP_MS else "**no**"
    swaps = f"{len(spent)}" if parts else f"{len(spent)}, of whole pages: htmx is not here"
    return [
        "### From pressing a tab to the frame that shows its rows, in Chromium without a graphics card, ms",
        "",
        "| swaps | median | most | limit | met |",
        "|---|---|---|---|---|",
        f"| {swaps} | {middle:.0f} | {worst:.0f} | {SWAP_MS} | {met} |",
        "",
    ]
