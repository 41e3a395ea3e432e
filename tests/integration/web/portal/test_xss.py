"""What people and files say stays text: every payload in every text field, and on every page that shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from starlette.testclient import TestClient

from indicia.services import sessions
from tests.integration.web.portal.conftest import ORIGIN, Portal
from tests.integration.web.portal.hostile import fill_devices, fill_indicators, fill_keys, fill_names, fill_proposals
from tests.integration.web.portal.pages import READS, portal_over
from tests.integration.web.portal.payloads import PAYLOADS
from tests.integration.web.portal.test_importing import begun
from tests.unit.web.markup import TEMPLATES, holes_of, macros_of_attributes, tags_of

MARK = re.compile(r"mark\d+mark", re.IGNORECASE)
# What the pages take from an address beside what somebody looks for.
OTHERS = (
    *("group", "tab", "sort", "after", "before", "columns", "at", "actor", "kind", "step", "said", "changed"),
    *("next", "limit", "size", "days", "density", "page", "source", "only", "id", "field"),
)
ADDRESSES = {"href", "src", "action", "formaction", "srcset", "data", "poster", "cite", "ping", "background"}


class Reader(HTMLParser):
    """Reads a page as a browser would, and notes where a payload became more than text."""

    def __init__(self, tags: frozenset[str], attributes: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.tags = tags
        self.attributes = attributes
        self.faults: list[str] = []
        self.text: list[str] = []
        self.inside: str = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        where = self.get_starttag_text() or ""
        if tag not in self.tags:
            self.faults.append(f"an element that no template has: {where[:200]}")
        if tag in {"script", "style", "textarea", "title"}:
            self.inside = tag
        for name, value in attrs:
            if name not in self.attributes or MARK.search(name):
                self.faults.append(f"an attribute that no template has, {name}: {where[:200]}")
            if name.startswith(("hx-", "data-hx-", "sse-")) and MARK.search(value or "") and not is_ours(value or ""):
                self.faults.append(f"htmx is told: {where[:200]}")
            if name in ADDRESSES and not is_ours(value or ""):
                self.faults.append(f"an address that is not ours: {where[:200]}")
            if name in {"id", "for", "name", "class", "is", "data-key", "http-equiv"} and MARK.search(value or ""):
                self.faults.append(f"{name} comes from what somebody wrote: {where[:200]}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.inside = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in {"script", "style"} and data.strip():
            self.faults.append(f"<{self.inside}> with text: {data[:200]}")
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"a comment: {data[:200]}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"a declaration: {data[:200]}")

    handle_pi = unknown_decl


def is_ours(address: str) -> bool:
    """Return whether a browser that follows *address* stays here, whatever somebody wrote into it."""
    return bool(re.match(r"(?:/(?![/\\])|[#?]|$)", address)) and not re.search(r"[\s<>\"'`\\]", address)


def written_in_templates() -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of all elements and attributes that stand in templates, and nowhere else come from."""
    tags, attributes = set(), set()
    text = "\n".join(file.read_text(encoding="utf-8") for file in TEMPLATES)
    text += "".join(f"<p {each}>" for each in macros_of_attributes().values())
    for tag in tags_of(holes_of(text)[0]):
        tags.add(tag.name)
        attributes |= {name.lower() for name, _ in tag.attributes}
    return frozenset(tags), frozenset(attributes)


KNOWN = written_in_templates()
# What stands in a page as it was written although it should have been escaped.
NOT_TEXT = [payload for payload in PAYLOADS if re.search("[<>&\"']", payload)]


def faults_of(page: str) -> list[str]:
    reader = Reader(*KNOWN)
    reader.feed(page)
    reader.close()
    raw = [payload for payload in NOT_TEXT if payload in page]
    return [*reader.faults, *(f"it stands there as it was written: {payload}" for payload in raw)]


@dataclass(frozen=True)
class Hostile:
    """A portal where everybody writes payloads, and the numbers of the indicators that hold them."""

    portal: Portal
    numbers: list[int]
    asked: list[int] = field(default_factory=list)

    def faults(self, path: str, **options: Any) -> list[str]:
        """Return what is wrong with the page at *path*, which has to be one."""
        reply = self.portal.http.get(path, follow_redirects=True, **options)
        return self.judged(reply, path)

    def judged(self, reply: Any, what: str) -> list[str]:
        assert reply.status_code < 500, (what, reply.status_code)
        if not reply.headers.get("content-type", "").startswith("text/html"):
            return []
        if not MARK.search(reply.text):
            return []  # nothing that anybody wrote: the templates by themselves have a test of their own
        return [f"{what[:100]}: {fault}" for fault in faults_of(reply.text)]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """Give a portal whose every text field was written by somebody hostile."""
    now = datetime.now(UTC)
    with portal_over(tmp_path_factory.mktemp("hostile")) as portal:
        names = fill_names(portal.app, now)
        numbers = fill_indicators(portal.app, names, now)
        fill_devices(portal.app, now)
        fill_keys(portal, now)
        asked = fill_proposals(portal.app, numbers, now)
        for payload in PAYLOADS[:40]:
            sessions.open_session(
                portal.app.database,
                portal.person,
                now=now,
                limits=sessions.Limits(),
                client=payload,
                address=payload,
            )
        yield Hostile(portal, numbers, asked)


def test_there_are_two_hundred() -> None:
    assert len(set(PAYLOADS)) >= 200
    assert all(MARK.search(payload) for payload in PAYLOADS)


def test_the_reader_sees_what_it_has_to_see() -> None:
    """Of the payloads that are markup, none passes where nothing is escaped."""
    passed = [
        payload for payload in PAYLOADS if re.search(r"(?i)<[a-z!?]", payload) and not faults_of(f"<p>{payload}</p>")
    ]
    assert not passed


@pytest.mark.parametrize("route", [each for each in READS if not each.path.startswith("/assets")], ids=str)
def test_every_page_shows_it_as_text(hostile: Hostile, route: Any) -> None:
    faults = []
    step = 1 if route.path == "/indicators/{number:int}" else 5
    for number in hostile.numbers[::step] if "{" in route.path else hostile.numbers[:1]:
        faults += hostile.faults(route.at(id=number, number=number))
    assert not faults


def test_the_list_shows_it_as_text(hostile: Hostile) -> None:
    every = (
        "value,type,action,severity,title,description,status,expires,scope,source,updated,created,category,external_id"
    )
    faults = []
    for query in ("", "sort:title", "sort:-updated", "is:held", "has:conflict", "type:url"):
        path = "/indicators?" + urlencode({"q": query, "limit": 250, "size": 250, "columns": every})
        faults += hostile.faults(path)
        faults += hostile.faults(path, headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    shown = hostile.portal.get("/indicators").text
    assert MARK.search(shown)
    assert not faults


@pytest.mark.parametrize(
    "path",
    [
        "/devices?order=seen",
        "/devices?group=none",
        "/settings/groups",
        "/settings/people",
        "/settings/keys",
        "/proposals",
        "/proposals?show=all",
        "/proposals?show=decided",
        "/audit",
        "/audit?kind=proposal.made",
        "/changes?show=all",
    ],
)
def test_what_people_are_named_and_say_is_text(hostile: Hostile, path: str) -> None:
    shown = hostile.portal.get(path)
    assert shown.status_code == 200
    assert MARK.search(shown.text)
    assert not faults_of(shown.text)


def test_proposals_and_what_is_said_of_them_are_text(hostile: Hostile) -> None:
    marked, faults = 0, []
    for number in hostile.asked:
        reply = hostile.portal.get(f"/proposals/{number}")
        assert reply.status_code == 200
        marked += MARK.search(reply.text) is not None
        faults += faults_of(reply.text)
    assert marked == len(hostile.asked)
    assert not faults


def test_devices_and_groups_with_rules_are_text(hostile: Hostile) -> None:
    faults = []
    for number in range(1, len(PAYLOADS), 3):
        faults += hostile.faults(f"/devices/{number}")
        faults += hostile.faults(f"/devices/{number}/remove")
    for payload in PAYLOADS:
        faults += hostile.faults(f"/settings/groups/edit?{urlencode({'name': payload})}")
        faults += hostile.faults(f"/settings/groups/remove?{urlencode({'name': payload})}")
        faults += hostile.faults(f"/devices?{urlencode({'search': payload, 'tag': payload, 'group': '=' + payload})}")
    assert not faults


@pytest.mark.parametrize("path", ["/indicators?q=", "/check?value=", "/indicators/new?value=", "/sign-in?next="])
def test_what_is_asked_for_comes_back_as_text(hostile: Hostile, path: str) -> None:
    faults = []
    if path.startswith("/sign-in"):
        hostile = Hostile(replace(hostile.portal, http=TestClient(hostile.portal.http.app, base_url=ORIGIN)), [])
    for payload in PAYLOADS:
        faults += hostile.faults(path + quote(payload))
    faults += hostile.faults(path + quote(f"title:{PAYLOADS[0]}"))
    assert not faults


@pytest.mark.parametrize("path", ["/", "/indicators", "/check", "/changes", "/import", "/settings/about"])
def test_what_else_an_address_says_comes_back_as_text(hostile: Hostile, path: str) -> None:
    faults = []
    for start in range(0, len(PAYLOADS), 3 * len(OTHERS)):
        values = dict(zip(OTHERS, PAYLOADS[start:], strict=False))
        for name, payload in values.items():  # each alone, and all at once
            faults += hostile.faults(f"{path}?{urlencode({name: payload, 'value': 'evil.example'})}")
        faults += hostile.faults(f"{path}?{urlencode(values)}")
    assert not faults


def test_what_a_form_sends_comes_back_as_text(hostile: Hostile) -> None:
    faults, shown = [], 0
    names = (
        "values",
        "title",
        "description",
        "category",
        "techniques",
        "application",
        "external_id",
        "expires",
        "reason",
    )
    for payload in PAYLOADS:
        reply = hostile.portal.post("/indicators/new", dict.fromkeys(names, payload))
        assert reply.status_code < 500
        shown += MARK.search(reply.text) is not None
        faults += faults_of(reply.text)
    assert shown
    assert not faults


def quoted(payload: str) -> str:
    """Return a row of a CSV with *payload* in every cell."""
    cell = payload.replace('"', '""')
    return ",".join([f'"{cell}"'] * 5)


def test_the_names_and_cells_of_an_imported_file_are_text(hostile: Hostile) -> None:
    faults, marked = [], 0
    for payload in PAYLOADS[::8]:
        body = "\r\n".join(["IndicatorType,IndicatorValue,Action,Title,Description", quoted(payload)])
        path = begun(hostile.portal, body, payload, reason=payload)
        for shown in (path, "/import"):
            reply = hostile.portal.get(shown)
            assert reply.status_code == 200
            marked += MARK.search(reply.text) is not None
            faults += faults_of(reply.text)
    assert marked
    assert not faults
