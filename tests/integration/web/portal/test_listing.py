"""The list of indicators, as a browser without JavaScript sees it."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from indicia.domain.draft import Draft
from indicia.services import preferences
from indicia.services.imports import Format, Options, Source, import_indicators
from indicia.web.portal.columns import COLUMNS, Column
from tests.integration.web.portal.conftest import Portal, text_of
from tests.wire.doors import ADMIN


def values(reply: httpx.Response) -> list[str]:
    """Return the indicators of a list, in their order."""
    return [
        html.unescape(each) for each in re.findall(r'<tr id="row-\d+" data-id="\d+" data-value="([^"]*)"', reply.text)
    ]


def links(reply: httpx.Response) -> dict[str, str]:
    """Return where the elements with an id lead."""
    pairs = re.findall(r'<a [^>]*?id="([^"]+)"[^>]*?href="([^"]+)"', reply.text)
    return {name: html.unescape(path) for name, path in pairs}


@pytest.fixture
def filled(portal: Portal) -> Portal:
    portal.add("evil.example", severity="High", title="case 12")
    portal.add("https://evil.example/a?b=c", type="Url", action="Warn", severity="Low")
    portal.add("192.0.2.17", type="IpAddress", action="Allowed")
    portal.add("a" * 64, type="FileSha256", action="BlockAndRemediate")
    portal.add("co.uk")
    return portal


def test_the_list_shows_what_there_is_with_a_tab_for_each_kind(filled: Portal) -> None:
    page = filled.get("/indicators")
    assert page.status_code == 200
    assert values(page) == ["co.uk", "a" * 64, "192.0.2.17", "https://evil.example/a?b=c", "evil.example"]
    text = text_of(page)
    for tab in ("All 5", "File hashes 1", "IP addresses 1", "URLs/Domains 3", "Certificates 0", "Held for review 1"):
        assert tab in text
    assert values(filled.get("/indicators?tab=files")) == ["a" * 64]
    assert values(filled.get("/indicators?tab=held")) == ["co.uk"]
    assert "Block and remediate" in text
    assert "Held" in text


def test_no_value_is_a_link_and_every_text_stays_text(portal: Portal) -> None:
    portal.add("https://evil.example/<script>alert(1)</script>", type="Url", title="<img src=x onerror=alert(1)>")
    page = portal.get("/indicators").text
    assert "<script>alert" not in page
    assert "<img" not in page
    assert not re.search(r'href="[^"]*evil\.example', page)


def test_a_search_is_a_part_of_the_address_and_so_is_the_rest_of_the_view(filled: Portal) -> None:
    page = filled.get("/indicators?q=action:block,warn&sort=value&size=100")
    assert values(page) == ["co.uk", "evil.example", "https://evil.example/a?b=c"]
    assert 'value="action:block,warn"' in page.text
    found = links(page)
    tab = parse_qs(urlsplit(found["tab-2"]).query)
    assert tab == {"q": ["action:block,warn"], "tab": ["files"], "sort": ["value"], "size": ["100"]}
    assert 'aria-sort="ascending"' in page.text
    assert parse_qs(urlsplit(found["sort-indicator"]).query)["sort"] == ["-value"]
    assert values(filled.get("/indicators?q=hxxps://evil[.]example/a?b=c")) == ["https://evil.example/a?b=c"]
    assert values(filled.get("/indicators?q=evil+sort:-value&sort=title"))[0] == "https://evil.example/a?b=c"


def test_a_search_that_says_nothing_is_told_where_and_what_may_have_been_meant(filled: Portal) -> None:
    page = filled.get("/indicators?q=type:ip+sevrity:high")
    assert page.status_code == 200
    text = text_of(page)
    assert "This search cannot be understood" in text
    assert "<mark>sevrity</mark>" in page.text
    assert 'href="/indicators?q=type%3Aip+severity%3Ahigh"' in page.text
    assert 'value="type:ip sevrity:high"' in page.text  # what was typed is not lost
    assert "All 5" in text
    assert filled.get("/indicators/export?q=sevrity:high").headers["location"] == "/indicators?q=sevrity%3Ahigh"


def test_pages_lead_on_and_back_and_hold_each_row_once(portal: Portal) -> None:

    names = "\n".join(f"h{number:03}.example" for number in range(120)).encode()
    import_indicators(
        portal.app.database,
        [Source("list.txt", io.BytesIO(names))],
        Options(format=Format.TEXT, defaults=Draft(action="Block", title="t", description="d")),
        actor=ADMIN,
        now=datetime.now(UTC),
        guard=portal.app.guard,
    )
    first = portal.get("/indicators?sort=value")
    second = portal.get(links(first)["next"])
    third = portal.get(links(second)["next"])
    assert [len(values(page)) for page in (first, second, third)] == [50, 50, 20]
    assert values(first) + values(second) + values(third) == [f"h{number:03}.example" for number in range(120)]
    assert "next" not in links(third)
    assert values(portal.get(links(third)["previous"])) == values(second)
    assert "previous" not in links(first)
    assert "120 indicators" in text_of(first)
    assert portal.get("/indicators?after=nonsense").status_code == 400


def test_a_part_is_the_list_alone(filled: Portal) -> None:
    part = filled.part("/indicators?tab=ips")
    assert part.text.lstrip().startswith("<div")
    assert 'id="list"' in part.text
    assert "<html" not in part.text
    assert values(part) == ["192.0.2.17"]
    assert "sevrity" in filled.part("/indicators?q=sevrity:x").text


def test_filter_menus_write_the_search(filled: Portal) -> None:
    page = filled.get("/indicators?q=case+type:ip")
    assert 'href="/indicators?q=case+type%3Aip%2Cdomain"' in page.text  # one more
    assert 'href="/indicators?q=case"' in page.text  # the one that is chosen, again
    assert 'href="/indicators?q=case+type%3Aip+expires%3A%3C7d"' in page.text


def test_columns_are_remembered_for_whoever_chose_them(filled: Portal) -> None:
    assert "External id" not in re.findall(r"<th scope=.col.[^>]*>([^<]*)", filled.get("/indicators").text)
    fields = {"column": ["type", "external-id"], "density": "compact", "size": "100", "next": "/indicators?q=evil"}
    reply = filled.post("/indicators/columns", fields)
    assert (reply.status_code, reply.headers["location"]) == (303, "/indicators?q=evil")
    page = filled.get("/indicators").text
    assert "External id" in page
    assert "density-compact" in page
    assert 'data-label="Severity"' not in page
    assert 'data-label="Severity"' in filled.get("/indicators?columns=severity").text
    for broken in ("no", [1], {"columns": 7, "size": "x"}, {"columns": ["nothing", 3]}):
        preferences.put(filled.app.database, filled.person, "indicators", broken)
        assert filled.get("/indicators").status_code == 200
    elsewhere = filled.post("/indicators/columns", {"next": "https://evil.example/indicators?q=x"})
    assert elsewhere.headers["location"] == "/indicators?q=x"


def test_the_export_is_exactly_what_is_listed(filled: Portal) -> None:
    filled.add("198.51.100.0/24", type="IpRange", action="Audit", generate_alert=True)
    filled.add("zz.example", title="=1+1")
    reply = filled.get("/indicators/export?q=type:domain,range")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in reply.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [row["IndicatorValue"] for row in rows] == ["zz.example", "co.uk", "evil.example"]
    assert rows[0]["Title"] == "'=1+1"
    full = list(csv.DictReader(io.StringIO(filled.get("/indicators/export?q=type:domain,range&full=1").text)))
    assert len(full) == 4
    chosen = filled.post("/indicators/export", {"id": ["1", "3"]})
    assert [row["IndicatorValue"] for row in csv.DictReader(io.StringIO(chosen.text))] == ["evil.example", "192.0.2.17"]
    assert filled.post("/indicators/export", {}).headers["location"].endswith("said=nothing-selected")


@pytest.mark.parametrize("column", [each for each in COLUMNS if each.sort])
def test_every_column_that_sorts_does(filled: Portal, column: Column) -> None:
    down = filled.get(f"/indicators?columns={column.key}&sort=-{column.sort}")
    up = filled.get(f"/indicators?columns={column.key}&sort={column.sort}")
    assert values(up) == values(down)[::-1]
    for page, order in ((up, "ascending"), (down, "descending")):
        assert re.findall(r'aria-sort="(ascending|descending)"', page.text) == [order]


def test_an_empty_list_says_what_to_do(portal: Portal) -> None:
    text = text_of(portal.get("/indicators"))
    assert "No indicators yet" in text
    assert "Load the sample" in text
    portal.add()
    assert "Nothing matches this search" in text_of(portal.get("/indicators?q=zzz"))
    assert "/check?value=nothing.example" in portal.get("/indicators?q=nothing.example").text
    assert "Nothing is held for review" in text_of(portal.get("/indicators?tab=held"))
    assert "No indicators of this kind" in text_of(portal.get("/indicators?tab=certificates"))


def test_the_same_search_for_other_doors(filled: Portal) -> None:
    page = html.unescape(filled.get("/indicators?q=severity:high").text)
    assert "severity eq 'High'" in page
    assert "indicia list --filter 'severity eq '\"'\"'High'\"'\"''" in page
    assert "/v1/indicators?filter=severity+eq+%27High%27" in page


def test_what_expires_soon_or_is_beaten_says_so(portal: Portal) -> None:
    portal.add("soon.example", expires=datetime.now(UTC) + timedelta(days=2))
    beaten = portal.add("a.wide.example", action="Block")
    portal.add("wide.example", action="Allowed")
    page = text_of(portal.get("/indicators?sort=value"))
    assert "Expiring" in page
    assert "Shadowed by another rule" in page
    assert f"row-{beaten}" in portal.get("/indicators").text


@pytest.mark.parametrize(
    "query",
    [
        "tab=nonsense",
        "size=7",
        "sort=nonsense",
        "columns=,,,",
        "density=x",
        "q=" + "(" * 500,
        "q=%00",
        "q=" + "a" * 6000,
        "after=i1.1&before=i1.2",
        "sort=-",
        "q=sort:",
        "q=%22",
    ],
)
def test_whatever_the_address_says_there_is_a_page(filled: Portal, query: str) -> None:
    for page in (filled.get(f"/indicators?{query}"), filled.part(f"/indicators?{query}")):
        assert page.status_code == 200
        assert "Indicators" in page.text or 'id="list"' in page.text
