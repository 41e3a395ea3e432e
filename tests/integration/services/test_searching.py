"""The portal's list: pages put together are the whole list, in any order, both ways, whichever way leads to them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from indicia.domain.access import Actor, Source
from indicia.domain.draft import Draft
from indicia.domain.errors import Forbidden, InvalidInput
from indicia.domain.indicator import StoredIndicator
from indicia.domain.query import Field, InvalidFilter
from indicia.domain.query_memory import _READ, matches
from indicia.domain.search_qualifiers import SORTS
from indicia.domain.search_text import parse_search
from indicia.services import changesets, groups, indicators, searching
from indicia.services.census import Census
from indicia.services.searching import Asking, Count, Found, Tab, find, read_cursor
from indicia.store import filters, pages, walking
from indicia.store.database import Database
from tests.integration import stores
from tests.integration.stores import ADMIN, CLIENT, NOW

GROUPS = ["Servers", "Clients"]
LIMIT = 31
QUERIES = [
    "",
    "type:ip,domain",
    "severity:>=medium action:block,allow",
    "title:a",
    "-title:a expires:<30d",
    "expires:never scope:Servers",
    "updated:<1d",
    "in:11.0.0.0/8 title:e",
    "has:conflict",
    "is:held or external:e1,e2",
    "by:client description:a",
    "id:>100 -type:file",
    "title:nothing-has-this",
]


def _drafts(dice: random.Random) -> list[Draft]:
    found = []
    for number in range(260):
        kind = dice.choice(["DomainName", "IpAddress", "IpRange", "Url", "FileSha256", "FileMd5"])
        value = {
            "DomainName": f"h{number % 97}.example{number % 3}.org",
            "IpAddress": f"11.0.{number % 5}.{number}" if number < 256 else f"2001:db8::{number}",
            "IpRange": f"11.{number}.0.0/16" if number < 256 else f"2001:db9:{number:x}::/48",
            "Url": f"https://h{number}.example.org/É{number % 7}",
            "FileSha256": f"{number:064x}",
            "FileMd5": f"{number:032x}",
        }[kind]
        found.append(
            Draft(
                kind,
                value,
                dice.choice([None, None, NOW + timedelta(days=dice.choice([1, 3, 20, 90]))]),
                dice.choice(["Block", "Block", "Allowed", "Audit", "Warn"]),
                dice.choice([None, "Low", "Medium", "High"]),
                dice.choice(["a", "A b", "é", "zeta", "title"]),
                dice.choice(["alpha", "beta"]),
                dice.choice([None, "do"]),
                dice.choice([(), ("Servers",), ("Clients", "Servers")]),
                dice.choice([None, "Malware", "Exploit"]),
                generate_alert=True,
                external_id=dice.choice([None, f"e{number % 5}"]),
            )
        )
    return found


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Return a database with a past: created, edited, deleted, restored and expired indicators of several actors."""
    opened = Database.open(stores.url_of(stores.new_file(tmp_path_factory.mktemp("search"))))
    for name in GROUPS:
        groups.add_group(opened, name, None, actor=ADMIN, now=NOW)
    dice = random.Random(5)
    drafts = _drafts(dice)
    for start in range(0, len(drafts), 40):
        actor = dice.choice([ADMIN, CLIENT])
        stores.submit(opened, *drafts[start : start + 40], actor=actor, now=NOW - timedelta(days=9 - start // 40))
    numbers = sorted(stores.contents(opened))
    for number in dice.sample(numbers, 30):
        stores.edit(opened, number, title=dice.choice(["a", "edited"]), now=NOW - timedelta(hours=1))
    gone = dice.sample(numbers, 20)
    indicators.delete(opened, gone[:15], actor=ADMIN, now=NOW)
    indicators.delete(opened, gone[15:], actor=ADMIN, now=NOW)
    newest = changesets.list_changesets(opened, actor=ADMIN, before=None, limit=1)[0].id
    changesets.undo(opened, newest, actor=ADMIN, now=NOW)
    stores.submit(opened, stores.BLOCK._replace(value="h0.example0.org"))
    stores.submit(opened, *stores.domains(range(20), expires=NOW + timedelta(seconds=1)))
    yield opened
    opened.close()


@pytest.fixture(params=["as it is", "walks", "short walks", "merges"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have every way to a page tried, and not the one alone that suits a small database."""
    if request.param != "as it is":
        monkeypatch.setattr(pages, "FEW", -1)
        monkeypatch.setattr(walking, "FIRST_STRETCH", 20)
    if request.param == "walks":
        monkeypatch.setattr(pages, "_MERGED", -1)
    if request.param == "short walks":
        monkeypatch.setattr(pages, "_MERGED", -1)
        monkeypatch.setattr(searching, "LOOKED_THROUGH", 60)
    return str(request.param)


def everything(database: Database, now: Any = NOW) -> list[StoredIndicator]:
    return stores.listed(database, now=now)


def in_memory(database: Database, text: str, now: Any = NOW) -> list[StoredIndicator]:
    """Return what *text* finds, in its order, as the specification has it."""
    search = parse_search(text.replace("has:conflict", ""), now=now, groups=GROUPS)
    rows = everything(database, now)
    numbers = {group.name: str(group.id) for group in groups.list_groups(database)}
    found = [row for row in rows if search.query is None or matches(search.query, row, numbers)]
    if "has:conflict" in text:
        wanted = indicators.Wanted(parse_search("has:conflict", now=now, groups=GROUPS).query)
        ids = {row.id for row in indicators.list_indicators(database, wanted, actor=ADMIN, now=now, limit=1000).items}
        found = [row for row in found if row.id in ids]
    field, descending = (search.order_by or (searching.NEWEST_FIRST,))[0].field, True
    descending = (search.order_by or (searching.NEWEST_FIRST,))[0].descending
    return sorted(found, key=lambda row: (_rank(field, row), row.id), reverse=descending)


def _rank(field: Field, row: StoredIndicator) -> tuple[bool, Any]:
    if field is Field.LAST_UPDATE_TIME:
        return True, row.began
    value = _READ[field](row)
    if value is not None and field in filters._CODES:
        value = filters._CODES[field][value]
    return value is not None, value if value is not None else 0


def look(database: Database, text: str = "", census: Census | None = None, **asked: Any) -> Found:
    now, actor = asked.pop("now", NOW), asked.pop("actor", ADMIN)
    return find(
        database, census or Census(), Asking(text, limit=asked.pop("limit", LIMIT), **asked), actor=actor, now=now
    )


def forward(database: Database, text: str, census: Census) -> list[Found]:
    found = [look(database, text, census)]
    while found[-1].after is not None:
        found.append(look(database, text, census, after=found[-1].after))
        assert len(found) < 300
    return found


@pytest.mark.parametrize("sort", ["", *SORTS, *(f"-{name}" for name in SORTS)])
def test_pages_put_together_are_the_list_both_ways(database: Database, way: str, sort: str) -> None:
    census = Census()
    for text in ["", "type:ip,domain title:a"] if sort else QUERIES:
        asked = f"{text} sort:{sort}" if sort else text
        expected = [row.id for row in in_memory(database, asked)]
        there = forward(database, asked, census)
        assert [row.id for page in there for row in page.items] == expected, asked
        back = [there[-1]]
        while back[-1].before is not None:
            back.append(look(database, asked, census, before=back[-1].before))
            assert len(back) < 300
        assert [row.id for page in reversed(back) for row in page.items] == expected, asked
        if way != "short walks":
            assert all(len(page.items) == LIMIT for page in there[:-1])
            assert all(page.searched is None for page in there)


def test_what_was_not_looked_through_is_told_and_can_be(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "FEW", -1)
    monkeypatch.setattr(walking, "FIRST_STRETCH", 5)
    monkeypatch.setattr(searching, "LOOKED_THROUGH", 10)
    found = look(database, "title:nothing-has-this")
    assert (found.items, found.searched, found.total) == ([], 10, Count(0, exact=False))
    assert found.after is not None
    monkeypatch.setattr(searching, "COUNTED_AMONG", 10)
    some = look(database, "title:a", limit=2)
    assert not some.total.exact
    assert 2 < some.total.number <= 10
    whole = look(database, "title:nothing-has-this", whole=True)
    assert (whole.items, whole.searched, whole.total, whole.after) == ([], None, Count(0), None)


@pytest.mark.parametrize("text", QUERIES)
@pytest.mark.parametrize("tab", Tab)
def test_tabs_and_totals_say_what_is_there(database: Database, text: str, tab: Tab) -> None:
    kinds = {Tab.FILES: "type:file", Tab.IPS: "type:ip", Tab.URLS: "type:url,domain", Tab.CERTIFICATES: "type:cert"}
    both = f"({text}) {kinds.get(tab, 'is:held' if tab is Tab.HELD else '')}" if text else kinds.get(tab, "")
    if tab is Tab.HELD and not text:
        both = "is:held"
    both = both.replace("(has:conflict)", "has:conflict")
    expected = {row.id for row in in_memory(database, both)}
    found = look(database, text, tab=tab, limit=1000)
    assert {row.id for row in found.items} == expected
    assert found.total == Count(len(expected))
    counted = found.tabs[tab]
    assert counted is None or counted == Count(len(expected))
    if text in ("", "type:ip,domain", "severity:>=medium action:block,allow"):
        assert counted is not None
    assert searching.count(database, Census(), Asking(text, tab), actor=ADMIN, now=NOW) == Count(len(expected))
    chosen = indicators.list_indicators(database, found.wanted, actor=ADMIN, now=NOW, limit=1000).items
    assert {row.id for row in chosen} == expected


def test_counts_end_where_they_are_said_to(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "COUNTED", 10)
    assert searching.count(database, Census(), Asking("title:a"), actor=ADMIN, now=NOW) == Count(10, exact=False)
    assert str(Count(10_000, exact=False)) == "10,000+"
    assert look(database).total.exact


def test_what_expires_is_gone_to_the_second(database: Database) -> None:
    census = Census()
    for seconds in (0, 1, 0.999999, 1.5, 0):  # a clock that is set back, too
        now = NOW + timedelta(seconds=seconds)
        found = look(database, census=census, now=now, limit=1000)
        assert [row.id for row in found.items] == [row.id for row in in_memory(database, "", now)]
        assert found.counts.total == len(found.items) == found.total.number


def test_a_value_is_found_however_it_is_written(database: Database) -> None:
    for text in ("h0.example0.org", "H0.EXAMPLE0.ORG.", "h0[.]example0[.]org"):
        found = look(database, text)
        assert {row.indicator.canonical for row in found.items} == {"h0.example0.org"}
        assert found.search.exact is not None
        assert not found.widened


def test_a_value_that_nothing_is_about_finds_what_has_it_as_a_part(database: Database) -> None:
    found = look(database, "example2.org sort:title", limit=5)
    assert found.widened
    assert found.search.words == ("example2.org",)
    assert {row.indicator.canonical.partition(".")[2] for row in found.items} == {"example2.org"}
    ids = [row.id for row in found.items]
    further = look(database, "example2.org sort:title", after=found.after, limit=5)
    assert further.items
    assert not set(ids) & {row.id for row in further.items}
    everything_like_it = indicators.list_indicators(database, found.wanted, actor=ADMIN, now=NOW, limit=1000).items
    assert set(ids) < {row.id for row in everything_like_it}


def test_nothing_at_all_is_nothing(tmp_path: Path) -> None:
    empty = Database.open(stores.url_of(stores.new_file(tmp_path)))
    for text in ("", "evil.example", "sort:-updated", "has:conflict", "sort:expires title:a"):
        found = look(empty, text)
        assert (found.items, found.before, found.after, found.total) == ([], None, None, Count(0))
    empty.close()


def test_a_client_sees_its_own(database: Database) -> None:
    found = look(database, actor=CLIENT, limit=1000)
    assert {row.created_by for row in found.items} == {CLIENT.id}
    assert found.total == Count(len(found.items))
    assert set(found.tabs.values()) == {None}
    paged = look(database, "type:domain", actor=CLIENT)
    assert {row.created_by for row in paged.items} == {CLIENT.id}
    nobody = Actor("x", "x", Source.PORTAL, frozenset())
    with pytest.raises(Forbidden):
        look(database, actor=nobody)
    assert CLIENT.sees_only_own


@pytest.mark.parametrize(
    "cursor", ["", "x", "i1", "i1.", "n.99999999999999999999", "i99999999999999999999.1", "t1.1", "tff.1"]
)
def test_a_place_that_is_none_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        read_cursor(cursor)
    with pytest.raises(InvalidInput):
        look(database, after=cursor)


@pytest.mark.parametrize("cursor", ["i5.3", "n.3", "t61.3", "i-1.0", "i999999999.999999999"])
@pytest.mark.parametrize("sort", SORTS)
def test_a_place_of_another_list_breaks_nothing(database: Database, sort: str, cursor: str) -> None:
    for text in (f"sort:{sort}", f"sort:-{sort} title:a"):
        with suppress(InvalidInput):
            look(database, text, after=cursor)
        with suppress(InvalidInput):
            look(database, text, before=cursor)


def test_what_cannot_be_read_is_told(database: Database) -> None:
    with pytest.raises(InvalidFilter):
        look(database, "sevirity:high")
