"""What a page looks like to somebody who uses it: by keyboard, enlarged, in a narrow window, with a screen reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_SCRIPTS = (Path(__file__).parent / "looking.js").read_text(encoding="utf-8")
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
_RUN_AXE = """
async (tags) => {
    const found = await axe.run(document, {
        runOnly: { type: "tag", values: tags },
        rules: { "target-size": { enabled: true } },
        resultTypes: ["violations"],
    });
    return found.violations.flatMap((rule) => rule.nodes.map((node) => ({
        rule: rule.id, help: rule.help, where: node.target.join(" "), html: node.html,
        why: [...node.any, ...node.all, ...node.none].map((each) => each.message).join("; "),
    })));
}
"""


@dataclass(frozen=True)
class Focused:
    """The element that has the focus: what a person is told of it, and whether they see where they are."""

    tag: str
    role: str
    name: str
    id: str
    where: str
    seen: bool
    marked: bool

    def __str__(self) -> str:
        return f"{self.role or self.tag} {self.name!r} ({self.where})"


def violations(page: Page, axe_source: str) -> list[str]:
    """Return what axe-core finds on *page*, a line each."""
    if not page.evaluate("() => 'axe' in window"):
        # By the debugger: the policy of the page lets nobody else's script in, and stays as it is.
        page.evaluate(axe_source)
    found: list[dict[str, str]] = page.evaluate(_RUN_AXE, list(TAGS))
    return [f"{each['rule']}: {each['why'] or each['help']}\n    {each['html'][:300]}" for each in found]


def _look(page: Page, what: str, *arguments: Any) -> Any:
    return page.evaluate(f"(given) => {{ {_SCRIPTS}\n return {what}(...given); }}", list(arguments))


def focused(page: Page) -> Focused | None:
    """Return what has the focus; None where it is on the page itself, so that a person is nowhere."""
    found = _look(page, "focused")
    return Focused(**found) if found else None


def press(page: Page, *keys: str) -> Focused | None:
    """Press keys one after another, as Playwright names them; return what has the focus then."""
    for key in keys:
        page.keyboard.press(key)
    return focused(page)


def shortcut(page: Page, key: str) -> None:
    """Press a shortcut once the scripts of *page* have run: what is seen of it comes earlier, too fast for a person."""
    page.wait_for_load_state()
    page.keyboard.press(key)


def tab_to(page: Page, name: str, *, most: int = 150, key: str = "Tab") -> Focused:
    """Go on by *key* until the element that is called *name* has the focus; it is what a person hears."""
    passed = []
    for _ in range(most):
        found = press(page, key)
        if found is not None:
            if name.casefold() in found.name.casefold():
                return found
            passed.append(str(found))
    raise AssertionError(f"nothing called {name!r} can be reached by {key}; passed: {passed[:40]}")


def tabbed(page: Page, *, most: int = 200) -> list[Focused]:
    """Go through the whole page by Tab, from its start; return every stop."""
    _look(page, "toTheStart")
    stops: list[Focused] = []
    for _ in range(most):
        found = press(page, "Tab")
        if found is None or (stops and found.where == stops[0].where):
            return stops
        stops.append(found)
    return stops


def wider_than_the_window(page: Page) -> list[str]:
    """Return what makes the page scroll sideways; nothing where it does not."""
    return list(_look(page, "widerThanTheWindow"))


def cut_controls(page: Page) -> list[str]:
    """Return the controls that lie outside of the window, or whose text does not fit into them."""
    return list(_look(page, "cutControls"))


def small_targets(page: Page) -> list[str]:
    """Return what can be pressed and is smaller than 24 px, with too little room around it (WCAG 2.5.8)."""
    return list(_look(page, "smallTargets"))


def in_motion(page: Page) -> list[str]:
    """Return the animations that run."""
    return list(_look(page, "inMotion"))


def live_links(page: Page, *texts: str) -> list[str]:
    """Return the links that lead off this portal, or to one of *texts*: no indicator is ever one."""
    return list(_look(page, "liveLinks", list(texts)))


def space_the_text(page: Page) -> None:
    """Give the text of the page the spacing of WCAG 1.4.12."""
    _look(page, "spaceTheText")


def enlarge_the_text(page: Page, percent: int) -> None:
    """Make all text *percent* of its size, as the setting of a browser does, not its zoom."""
    _look(page, "enlargeTheText", percent)
