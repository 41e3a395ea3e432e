"""What the address of the list of indicators says: the search, the tab, the order, the place, the look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self
from urllib.parse import urlencode

from indicia.web.portal.columns import DENSITIES, SIZES, chosen

PATH: Final = "/indicators"
QUERY_CHARACTERS: Final = 4_000
_PLACE_CHARACTERS: Final = 8_000
TABS: Final = {
    "all": "All",
    "files": "File hashes",
    "ips": "IP addresses",
    "urls": "URLs/Domains",
    "certificates": "Certificates",
    "held": "Held for review",
}


@dataclass(frozen=True, slots=True)
class View:
    """The list as somebody looks at it; what is empty is as its person likes it.

    ``after`` and ``before`` are places in the list: at most one is given. With ``whole`` all of it is looked through.
    """

    q: str = ""
    tab: str = "all"
    sort: str = ""
    after: str = ""
    before: str = ""
    size: int = 0
    columns: tuple[str, ...] = ()
    density: str = ""
    whole: str = ""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Return the view that parameters of an address spell, or fields of a form; what means nothing is left out."""

        def text(name: str, most: int) -> str:
            value = given.get(name, "")
            return value[:most] if isinstance(value, str) else ""

        size = text("size", 8)
        columns = text("columns", 1_000)
        return cls(
            q=text("q", QUERY_CHARACTERS).strip(),
            tab=tab if (tab := text("tab", 20)) in TABS else "all",
            sort=text("sort", 100),
            after=text("after", _PLACE_CHARACTERS),
            before=text("before", _PLACE_CHARACTERS),
            size=int(size) if size in map(str, SIZES) else 0,
            columns=chosen(columns.split(",")) if columns else (),
            density=density if (density := text("density", 20)) in DENSITIES else "",
            whole="yes" if text("whole", 20) == "yes" else "",
        )

    def but(self, **changes: Any) -> Self:
        """Return another view; but for another look, it is at its beginning."""
        if not changes.keys() & {"after", "before"} and changes.keys() - {"columns", "density"}:
            changes |= {"after": "", "before": ""}
        return replace(self, **changes)

    def path(self, to: str = PATH, **changes: Any) -> str:
        """Return the address of this view, or of one with *changes*."""
        view = self.but(**changes) if changes else self
        pairs = [(name, value) for name, value in view.pairs() if value]
        return f"{to}?{urlencode(pairs)}" if pairs else to

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters of an address, empty where they say nothing."""
        found = []
        for each in fields(self):
            value = getattr(self, each.name)
            if value == each.default:
                value = ""
            found.append((each.name, ",".join(value) if isinstance(value, tuple) else str(value)))
        return found
