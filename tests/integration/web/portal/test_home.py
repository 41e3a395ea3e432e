"""Home: its numbers lead to the lists behind them, its charts say in words what they show, and a start is one click."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.integration.web.portal.conftest import Portal, text_of

SVG_TEXT = re.compile(r"<svg class=\"chart.*?</svg>", re.DOTALL)


def test_an_empty_database_offers_three_steps(portal: Portal) -> None:
    page = portal.get("/")
    text = text_of(page)
    assert page.status_code == 200
    for step in ("Load the sample", "Check a value", "Connect a client"):
        assert step in text
    assert "https://indicia.example/api/indicators" in text
    assert 'href="/settings/clients"' in page.text
    assert "Recent changes" not in text


def test_the_sample_is_loaded_with_one_click_as_a_changeset_that_can_be_undone(portal: Portal) -> None:
    reply = portal.post("/")
    assert reply.status_code == 303
    number = portal.heads()
    assert reply.headers["location"] == f"/?changed={number}"
    page = portal.get(reply.headers["location"])
    assert f'action="/changes/{number}/undo"' in page.text
    assert "Three steps" not in page.text
    assert "5 added" in text_of(page)
    undone = portal.post(f"/changes/{number}/undo", {"next": "/"})
    assert undone.status_code == 303
    assert portal.app.census.counts(portal.app.database, datetime.now(UTC)).total == 0


def test_loading_the_sample_twice_changes_nothing_the_second_time(portal: Portal) -> None:
    portal.post("/")
    before = portal.heads()
    again = portal.post("/")
    assert (again.status_code, again.headers["location"]) == (303, "/?said=unchanged")
    assert portal.heads() == before


def test_tiles_count_what_the_lists_show_and_lead_there(portal: Portal) -> None:
    portal.add("one.example")
    portal.add("10.0.0.1", type="IpAddress")
    page = portal.get("/")
    tiles = dict(re.findall(r'<a class="tile[^"]*" href="([^"]*)">.*?tile-number">([\d,]+)<', page.text, re.DOTALL))
    assert tiles == {
        "/indicators": "1",
        "/indicators?tab=held": "1",
        "/indicators?q=expires%3A%3C7d": "0",
        "/indicators?q=created%3Atoday+sort%3A-created": "2",
    }
    for path in tiles:
        assert portal.get(path).status_code == 200, path


def test_a_chart_has_its_numbers_as_a_table_and_in_words(portal: Portal) -> None:
    portal.add("one.example")
    portal.add("two.example", action="Warn")
    page = portal.get("/")
    charts = SVG_TEXT.findall(page.text)
    assert len(charts) == 2
    assert all("<title" in chart and 'role="img"' in chart for chart in charts)
    assert "Domain: Block 1, Warn 1" in charts[0]
    assert "added 2, expired 0, deleted 0" in charts[1]
    assert "<desc" in charts[1]
    assert page.text.count("Show as table") == 2
    assert "style=" not in page.text


def test_the_links_of_a_chart_are_searches_that_are_understood(portal: Portal) -> None:
    samples = {
        "FileSha256": "a" * 64,
        "FileSha1": "c" * 40,
        "FileMd5": "d" * 32,
        "IpAddress": "81.2.69.160",
        "IpRange": "81.2.70.0/24",
        "DomainName": "other.example",
        "Url": "https://evil.example/a",
        "CertificateThumbprint": "b" * 40,
    }
    for kind, value in samples.items():
        portal.add(value, type=kind)
    links = re.findall(r'chart-name"><a href="([^"]*)"', portal.get("/").text)
    assert len(links) == len(samples)
    for link in links:
        found = portal.get(link)
        assert found.status_code == 200, link
        assert sum(value in found.text for value in samples.values()) == 1, link


def test_recent_changes_name_who_and_why(portal: Portal) -> None:
    portal.add("one.example")
    text = text_of(portal.get("/"))
    assert "Recent changes" in text
    assert "Saved" in text
    assert "Command line" in text
