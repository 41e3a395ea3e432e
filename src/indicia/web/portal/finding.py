"""From what an address says to the indicators that it means, and the menus that write a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from indicia.domain.query import OrderBy
from indicia.domain.search_qualifiers import QUALIFIERS, SORTS
from indicia.domain.search_text import to_odata, values_of, with_qualifier
from indicia.services import indicators, searching
from indicia.services.bulk import Target
from indicia.services.groups import list_groups
from indicia.services.indicators import Wanted
from indicia.services.searching import Asking, Found, Tab
from indicia.web.portal.view import View
from indicia.web.portal.visit import Visit

#: What a page shows to somebody who does not know what to write.
EXAMPLES: Final = (
    ("type:ip,domain action:block", "addresses and domains that are blocked"),
    ("severity:>=high expires:<7d", "what is severe and ends within a week"),
    ('title:"case 12"', "by words of the title"),
    ("source:feed -action:allowed", "what a feed brought, without what it allows"),
    ("is:held", "what waits for a release"),
    ("has:conflict sort:-updated", "what contradicts another rule, the newest first"),
)
#: Every qualifier: what it asks about, and what may stand after it.
QUALIFIER_HELP: Final = tuple((each.name, each.says, each.offers[:6]) for each in QUALIFIERS.values())
_SORT: Final = "sort"
_NAMES_OF_SORTS: Final = {field: name for name, field in SORTS.items()}
_MOST_GROUPS: Final = 100

_TYPES: Final = (
    ("File hash", "file"),
    ("IP address or range", "ip"),
    ("Domain", "domain"),
    ("URL", "url"),
    ("Certificate", "cert"),
)
_ACTIONS: Final = (
    ("Allow", "allowed"),
    ("Audit", "audit"),
    ("Warn", "warn"),
    ("Block", "block"),
    ("Block and remediate", "blockandremediate"),
)
_SEVERITIES: Final = (
    ("High", "high"),
    ("Medium", "medium"),
    ("Low", "low"),
    ("Informational", "informational"),
)
_STATES: Final = (("Active", "active"), ("Expiring within 7 days", "expiring"), ("Held for review", "held"))
_EXPIRIES: Final = (
    ("Within 24 hours", "<24h"),
    ("Within 7 days", "<7d"),
    ("Within 30 days", "<30d"),
    ("Later than in 30 days", ">30d"),
    ("Never", "never"),
)
_SOURCES: Final = (("Portal", "portal"), ("API", "api"), ("Command line", "cli"), ("Feed", "feed"))
_HAVING: Final = (
    ("A conflict with another rule", "conflict"),
    ("An alert", "alert"),
    ("An expiry", "expiry"),
    ("A scope", "scope"),
    ("A technique", "technique"),
)


class Choice(NamedTuple):
    """One entry of a menu."""

    text: str
    path: str
    chosen: bool


class Menu(NamedTuple):
    """A menu that writes a part of the search; ``chosen`` is how many of its choices are part of it."""

    key: str
    title: str
    chosen: int
    choices: tuple[Choice, ...]


def asking_of(view: View, size: int) -> Asking:
    """Return what *view* asks for."""
    return Asking(
        view.q,
        Tab(view.tab),
        size,
        after=view.after or None,
        before=view.before or None,
        whole=bool(view.whole),
        order=_order(view.sort),
    )


def find(visit: Visit, view: View, size: int) -> Found:
    """Return the page of indicators that *view* shows; raises `InvalidFilter` where its search says nothing."""
    asking = asking_of(view, size)
    return searching.find(visit.database, visit.app.census, asking, actor=visit.actor, now=visit.now)


def wanted_by(visit: Visit, view: View, now: datetime | None = None) -> Wanted:
    """Return which indicators *view* shows, all pages of it; raises `InvalidFilter`."""
    asking = asking_of(view.but(after="", before=""), 1)
    at = now or visit.now
    return searching.find(visit.database, visit.app.census, asking, actor=visit.actor, now=at).wanted


def number_of(visit: Visit, target: Target) -> int:
    """Return how many indicators *target* means."""
    if not isinstance(target, Wanted):
        return len(target)
    return indicators.count_indicators(visit.database, target, actor=visit.actor, now=visit.now)


def tab_counts(visit: Visit) -> dict[Tab, int]:
    """Return how many indicators each tab has where nothing is searched for."""
    if visit.actor.sees_only_own:
        return {}
    return searching.tab_counts(visit.app.census.counts_for(visit.database, visit.actor, visit.now))


# -- the order --------------------------------------------------------------------------------------------------------


def _order(text: str) -> OrderBy | None:
    field = SORTS.get(text.removeprefix("-"))
    return None if field is None else OrderBy(field, text.startswith("-"))


def sort_of(order: OrderBy) -> str:
    """Return *order* as an address has it."""
    return ("-" if order.descending else "") + _NAMES_OF_SORTS.get(order.field, "")


def without_sort(text: str) -> str:
    """Return a search without the order that it asks for."""
    return with_qualifier(text, _SORT, ()) if f"{_SORT}:" in text.lower() else text


# -- menus ------------------------------------------------------------------------------------------------------------


def menus(visit: Visit, view: View) -> Iterator[Menu]:
    """Yield the menus that write the search."""
    yield _menu(view, "type", "Type", _TYPES)
    yield _menu(view, "action", "Action", _ACTIONS)
    yield _menu(view, "severity", "Severity", _SEVERITIES)
    yield _menu(view, "is", "Status", _STATES, several=False)
    yield _menu(view, "expires", "Expires", _EXPIRIES, several=False)
    yield _menu(view, "source", "Source", _SOURCES)
    names = [group.name for group in list_groups(visit.database, actor=visit.actor)]
    groups = [("All devices", "all"), *zip(names, names, strict=True)]
    if len(groups) > 1:
        yield _menu(view, "scope", "Scope", groups[:_MOST_GROUPS])
    yield _menu(view, "has", "Has", _HAVING)


def _menu(view: View, name: str, title: str, offers: Sequence[tuple[str, str]], *, several: bool = True) -> Menu:
    given = {value.lower() for value in values_of(view.q, name)}
    chosen = [value for _text, value in offers if value.lower() in given]
    choices = []
    for text, value in offers:
        if value in chosen:
            kept = tuple(each for each in chosen if each != value)
        else:
            kept = (*chosen, value) if several else (value,)
        choices.append(Choice(text, view.path(q=with_qualifier(view.q, name, kept)), value in chosen))
    if given:
        choices.append(Choice("Any", view.path(q=with_qualifier(view.q, name, ())), chosen=False))
    return Menu(name, title, len(given), tuple(choices))


def odata_of(wanted: Wanted) -> str:
    """Return what *wanted* asks for as OData, empty where that is everything."""
    return "" if wanted.query is None else to_odata(wanted.query)
