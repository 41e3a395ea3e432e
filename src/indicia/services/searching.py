"""The list that the portal shows: a search within a tab, a page of it in any order, and how many there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.indicator import Status, StoredIndicator
from indicia.domain.observable import ObservableType
from indicia.domain.query import Compare, Field, In, OrderBy, Query, every
from indicia.domain.search_text import Search, parse_search
from indicia.domain.sight import in_sight_of, own_groups, owner_for
from indicia.services.census import Census, Counts
from indicia.services.conflicts import resolved
from indicia.services.indicators import Wanted, group_ids_in
from indicia.store.database import Database, Transaction
from indicia.store.pages import Asked, Pages, fits
from indicia.store.selection import Selection
from indicia.store.walking import Place

#: Indicators are counted no further than this, but for where the census knows.
COUNTED: Final = 10_000
#: Rows that are looked through for what no index leads to; the newest ones, and all of them where somebody asks.
LOOKED_THROUGH: Final = 100_000
#: Of how many of the newest it is counted beside a page what matches, where no index leads to it.
COUNTED_AMONG: Final = 50_000
#: The order of a list for which nobody asked for one: what was added last comes first.
NEWEST_FIRST: Final = OrderBy(Field.ID, descending=True)
#: The names of the tabs come from Defender's page; the one about those that wait for somebody is ours.
_CURSOR: Final = re.compile(r"(n|i-?[0-9]{1,19}|t(?:[0-9a-f]{2}){0,4096})\.(-?[0-9]{1,19})", re.ASCII)
_LARGEST: Final = 2**63 - 1


class Tab(StrEnum):
    """The tabs of the list, by their names in its address."""

    ALL = "all"
    FILES = "files"
    IPS = "ips"
    URLS = "urls"
    CERTIFICATES = "certificates"
    HELD = "held"


_TYPES: Final[Mapping[Tab, tuple[ObservableType, ...]]] = {
    Tab.FILES: (ObservableType.FILE_SHA256, ObservableType.FILE_SHA1, ObservableType.FILE_MD5),
    Tab.IPS: (ObservableType.IP_ADDRESS, ObservableType.IP_RANGE),
    Tab.URLS: (ObservableType.DOMAIN_NAME, ObservableType.URL),
    Tab.CERTIFICATES: (ObservableType.CERTIFICATE_THUMBPRINT,),
}


class Count(NamedTuple):
    """How many there are; where it is not *exact*, at least so many."""

    number: int
    exact: bool = True

    def __str__(self) -> str:
        return f"{self.number:,}" + ("" if self.exact else "+")


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search.

    ``before`` and ``after`` are the cursors of the pages next to it, None where there are none. ``searched`` is how
    many indicators were looked through, in the order of the list, where that was not all; ``after`` goes on looking.
    ``widened`` says that nothing is exactly the value that was typed, so that this is what has it as a part.
    ``wanted`` is the whole list, of which this is a page: what changes or exports all that match takes.
    """

    items: list[StoredIndicator]
    group_ids: dict[str, str]
    before: str | None
    after: str | None
    total: Count
    tabs: Mapping[Tab, Count | None]
    counts: Counts
    search: Search
    order: OrderBy
    wanted: Wanted
    searched: int | None = None
    widened: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """What a page of the list asks for: a text of the search language, a tab, and where the page begins.

    At most one of ``after`` and ``before`` is given: cursors of a `Found`. With ``whole`` nothing is left unsearched.
    ``order`` is used where the text has none.
    """

    text: str = ""
    tab: Tab = Tab.ALL
    limit: int = 50
    after: str | None = None
    before: str | None = None
    whole: bool = False
    order: OrderBy | None = None


def find(database: Database, census: Census, asking: Asking, *, actor: Actor, now: datetime) -> Found:
    """Return the page that *asking* asks for; raises `InvalidFilter` for its text, `InvalidInput` for its cursor."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        reading = _Reading(tx, census, actor, now)
        search = parse_search(asking.text, now=now, groups=reading.nameable)
        if search.exact is None or reading.is_any(asking.tab, search.query):
            return reading.page(asking, search)
        loose = parse_search(asking.text, now=now, groups=reading.nameable, exactly=False)
        widened = reading.page(asking, loose)
        if widened.items or widened.searched is not None:
            return replace(widened, widened=True)
        return reading.page(asking, search)


def count(database: Database, census: Census, asking: Asking, *, actor: Actor, now: datetime) -> Count:
    """Return how many match in the tab of *asking*, all of them looked through: exact up to `COUNTED`."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        reading = _Reading(tx, census, actor, now)
        search = parse_search(asking.text, now=now, groups=reading.nameable)
        return reading.total(reading.selection(asking.tab, search.query), None)


class _Reading:
    """One look at the list, as of one moment."""

    def __init__(self, tx: Transaction, census: Census, actor: Actor, now: datetime) -> None:
        self._tx = tx
        self._census = census
        self._actor = actor
        self._now = now
        self.group_ids = group_ids_in(tx)
        # Those that a search may name: what the actor has no part in is unknown, whether there or not.
        self.nameable = {name: self.group_ids[name] for name in own_groups(actor, self.group_ids)}
        self._pages = Pages(tx.connection, census.live(tx, now))

    def selection(self, tab: Tab, query: Query | None) -> Selection:
        """Return what matches *query* in *tab* and the actor may see."""
        both = _both(_in_tab(tab), query)
        asked = resolved(self._tx, both, self._now, self._census.conflicts, groups=self._actor.groups)
        seen = in_sight_of(self._actor, asked)
        return Selection(self._now, seen, owner_for(self._actor), group_ids=self.group_ids)

    def is_any(self, tab: Tab, query: Query | None) -> bool:
        """Return whether anything matches *query*, which names a value, in *tab*."""
        return self._pages.count(self.selection(tab, query), 1) > 0

    def page(self, asking: Asking, search: Search) -> Found:
        """Return the page of *search* that *asking* asks for."""
        order = next(iter(search.order_by), asking.order or NEWEST_FIRST)
        selection = self.selection(asking.tab, search.query)
        backwards = asking.before is not None and asking.after is None
        cursor = asking.before if backwards else asking.after
        asked = Asked(
            selection,
            order,
            asking.limit + 1,
            None if cursor is None else _place(cursor, order),
            backwards,
            None if asking.whole else LOOKED_THROUGH,
        )
        places, reached, searched = self._pages.find(asked)
        more, places = len(places) > asking.limit, places[: asking.limit]
        if backwards:
            places.reverse()
        stored = self._tx.indicators.get([place.id for place in places])
        before, after = self._cursors(places, reached, asked, more=more)
        known = len(places) if before is None and after is None else None
        tabs = self._tabs(search.query, selection)
        total = tabs[asking.tab]
        if total is None:
            looked_through = cursor is None and reached is not None
            total = self.total(selection, 0 if looked_through else COUNTED_AMONG, known, at_least=len(places) + more)
        return Found(
            items=[stored[place.id] for place in places],
            group_ids=self.group_ids,
            before=before,
            after=after,
            total=total,
            tabs=tabs,
            counts=self._census.counts_for(self._tx, self._actor, self._now),
            search=search,
            order=order,
            wanted=Wanted(_both(_in_tab(asking.tab), search.query), (order,)),
            searched=searched if reached is not None else None,
        )

    def _cursors(
        self, places: list[Place], reached: Place | None, asked: Asked, *, more: bool
    ) -> tuple[str | None, str | None]:
        """Return the cursors of the page before *places* and of the one after."""
        further = None if reached is None else _write_cursor(reached)
        if not places:
            # Where this page began there may be an indicator, which the way back is not to miss.
            back = None if asked.after is None else _write_cursor(_including(asked.after, down=asked.down))
            return (further, back) if asked.backwards else (back, further)
        first, last = _write_cursor(places[0]), _write_cursor(places[-1])
        if asked.backwards:
            return (first if more else further), last
        return (first if asked.after is not None else None), (last if more else further)

    def total(self, selection: Selection, budget: int | None, known: int | None = None, *, at_least: int = 0) -> Count:
        """Return how many are in *selection*: looked up, counted, or *at_least* those of *budget* of the newest."""
        if known is not None:
            return Count(known)
        if selection.owner is None:
            counted = self._census.count(self._tx, selection.query, self.group_ids, self._now)
            if counted is not None:
                return Count(counted.total)
        if budget is None or self._pages.is_narrow(selection):
            number, is_all = self._pages.count(selection, COUNTED + 1), True
        elif budget:
            number, is_all = self._pages.count_newest(selection, COUNTED + 1, budget)
        else:
            number, is_all = at_least, False
        if number > COUNTED:
            return Count(COUNTED, exact=False)
        return Count(max(number, at_least), is_all)

    def _tabs(self, query: Query | None, selection: Selection) -> dict[Tab, Count | None]:
        """Return how many of what matches *query* each tab has, None where that would have to be counted."""
        if selection.owner is not None:
            return dict.fromkeys(Tab)
        counted = self._census.count(self._tx, in_sight_of(self._actor, query), self.group_ids, self._now)
        if counted is None:
            return dict.fromkeys(Tab)
        return {tab: Count(number) for tab, number in tab_counts(counted).items()}


def tab_counts(counts: Counts) -> dict[Tab, int]:
    """Return how many of the indicators that *counts* are of each tab has."""
    found = {tab: counts.of_types(*types) for tab, types in _TYPES.items()}
    return {Tab.ALL: counts.total, **found, Tab.HELD: counts.by_status.get(Status.HELD, 0)}


def _in_tab(tab: Tab) -> Query | None:
    if tab is Tab.HELD:
        return Compare(Field.STATUS, "eq", Status.HELD)
    types = _TYPES.get(tab)
    if types is None:
        return None
    return Compare(Field.INDICATOR_TYPE, "eq", types[0]) if len(types) == 1 else In(Field.INDICATOR_TYPE, types)


def _both(one: Query | None, other: Query | None) -> Query | None:
    parts = tuple(part for part in (one, other) if part is not None)
    return every(parts) if parts else None


# -- cursors ----------------------------------------------------------------------------------------------------------


def _write_cursor(place: Place) -> str:
    if place.key is None:
        key = "n"
    elif isinstance(place.key, int):
        key = f"i{int(place.key)}"
    else:
        key = "t" + place.key.encode("utf-8", "surrogatepass").hex()
    return f"{key}.{place.id}"


def _including(place: Place, *, down: bool) -> Place:
    """Return the place next to *place* from which the way back leads over it."""
    return place._replace(id=place.id - 1 if down else place.id + 1)


def _place(cursor: str, order: OrderBy) -> Place:
    place = read_cursor(cursor)
    if not fits(order.field, place):
        raise _no_place(cursor)
    return place


def read_cursor(cursor: str) -> Place:
    """Return the place that *cursor* names; raises `InvalidInput` where it is none of ours.

    >>> read_cursor("i4.17"), read_cursor("n.3").key
    (Place(key=4, id=17), None)
    """
    found = _CURSOR.fullmatch(cursor)
    if found is not None and abs(int(found[2])) <= _LARGEST:
        kind, text = found[1][0], found[1][1:]
        if kind == "n":
            return Place(None, int(found[2]))
        if kind == "i" and abs(int(text)) <= _LARGEST:
            return Place(int(text), int(found[2]))
        try:
            if kind == "t":
                return Place(bytes.fromhex(text).decode(), int(found[2]))
        except UnicodeDecodeError:
            pass
    raise _no_place(cursor)


def _no_place(cursor: str) -> InvalidInput:
    message = "this is no place in this list: begin with its first page"
    return InvalidInput([Problem("invalid-cursor", message, "after", cursor[:100])])
