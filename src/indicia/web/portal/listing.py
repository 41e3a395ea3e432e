"""The page `/indicators`: tabs, search, the table, its columns, and the file that it can be saved as."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from indicia.domain.indicator import Status, StoredIndicator
from indicia.domain.query import Field, In, InvalidFilter
from indicia.exporters.defender_csv import CsvWriter
from indicia.services import indicators
from indicia.services.indicators import Wanted
from indicia.services.searching import Found, Tab
from indicia.services.standing import Standing, standing_of
from indicia.web.noting import note_export
from indicia.web.origin import origin_of
from indicia.web.portal import finding
from indicia.web.portal.columns import (
    COLUMNS,
    DENSITIES,
    SIZES,
    Column,
    Likes,
    chosen,
    columns_of,
    keep_likes,
    likes_of,
)
from indicia.web.portal.finding import EXAMPLES, QUALIFIER_HELP, Choice, Menu
from indicia.web.portal.view import PATH, TABS, View
from indicia.web.portal.visit import PostDep, Visit, VisitDep

_LINES_AT_ONCE: Final = 500

router = APIRouter(include_in_schema=False)


class TabLink(NamedTuple):
    """One kind of indicators: its name, how many there are where that is known, and its address."""

    title: str
    number: str
    path: str
    current: bool


class Header(NamedTuple):
    """The head of a column: ``order`` is what `aria-sort` says, empty where nobody can sort by it."""

    column: Column
    path: str
    order: str


class Row(NamedTuple):
    """An indicator, and what it is now."""

    stored: StoredIndicator
    standing: Standing


class Command(NamedTuple):
    """The same search for another door."""

    name: str
    text: str


class SearchProblem(NamedTuple):
    """Where and why a search cannot be understood; ``path`` leads to what may have been meant."""

    message: str
    before: str
    token: str
    after: str
    allowed: tuple[str, ...]
    suggestion: str
    path: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """All that the page shows; ``said`` is how many there are, in words."""

    view: View
    tabs: tuple[TabLink, ...]
    menus: tuple[Menu, ...]
    headers: tuple[Header, ...]
    rows: tuple[Row, ...]
    keys: tuple[str, ...]
    density: str
    sizes: tuple[Choice, ...]
    said: str
    total: int = 0
    exact: bool = True
    previous: str = ""
    next: str = ""
    is_empty: bool = False
    any_held: bool = False
    searched: int = 0
    widened: bool = False
    checkable: str = ""
    export_path: str = ""
    export_full_path: str = ""
    commands: tuple[Command, ...] = ()
    problem: SearchProblem | None = None
    columns: tuple[Column, ...] = COLUMNS
    examples: tuple[tuple[str, str], ...] = EXAMPLES
    qualifiers: tuple[tuple[str, str, tuple[str, ...]], ...] = QUALIFIER_HELP


@router.get(PATH)
def read_list(visit: VisitDep) -> Response:
    """The list, or its changing part."""
    view = View.read(visit.request.query_params)
    template = "indicators_table.html" if visit.partial else "indicators.html"
    likes = likes_of(visit.database, visit.session.person)
    keys = view.columns or likes.columns
    size = view.size or likes.size
    page = ListPage(
        view=view,
        tabs=(),
        menus=(),
        headers=(),
        rows=(),
        keys=keys,
        density=view.density or likes.density,
        sizes=tuple(Choice(str(each), view.path(size=each), each == size) for each in SIZES),
        said="This search cannot be understood",
    )
    try:
        found = finding.find(visit, view, size)
    except InvalidFilter as error:
        counts = {tab: f"{number:,}" for tab, number in finding.tab_counts(visit).items()}
        return visit.page(template, replace(page, tabs=_tabs(view, counts), problem=_problem(view, error)))
    return visit.page(template, _filled(visit, page, found))


def _tabs(view: View, counts: Mapping[Tab, str]) -> tuple[TabLink, ...]:
    return tuple(
        TabLink(title, counts.get(Tab(key), ""), view.path(tab=key), key == view.tab) for key, title in TABS.items()
    )


def _filled(visit: Visit, page: ListPage, found: Found) -> ListPage:
    view = page.view
    standings = standing_of(
        visit.database,
        found.items,
        actor=visit.actor,
        now=visit.now,
        engine=visit.app.engine,
        precedence=visit.app.policy.precedence,
    )
    odata = finding.odata_of(found.wanted)
    exports = view.but(after="", before="")
    return replace(
        page,
        tabs=_tabs(view, {tab: str(number) for tab, number in found.tabs.items() if number is not None}),
        menus=tuple(finding.menus(visit, view)),
        headers=tuple(_headers(view, finding.sort_of(found.order), page.keys)),
        rows=tuple(Row(stored, standings[stored.id]) for stored in found.items),
        said=_said(found),
        total=found.total.number,
        exact=found.total.exact,
        previous=view.path(before=found.before, after="") if found.before else "",
        next=view.path(after=found.after, before="") if found.after else "",
        is_empty=not found.items and found.counts.total == 0,
        any_held=found.counts.by_status.get(Status.HELD, 0) > 0,
        searched=found.searched or 0,
        widened=found.widened,
        checkable=f"/check?{urlencode({'value': view.q})}" if found.search.exact else "",
        export_path=exports.path("/indicators/export"),
        export_full_path=exports.path("/indicators/export") + ("&" if exports.path() != PATH else "?") + "full=1",
        commands=tuple(_commands(visit, odata)),
    )


def _said(found: Found) -> str:
    total = found.total
    return f"{total} indicator{'' if total.number == 1 and total.exact else 's'}"


def _headers(view: View, sort: str, keys: tuple[str, ...]) -> Iterator[Header]:
    plain = view.but(q=finding.without_sort(view.q))
    for column in columns_of(keys):
        if not column.sort:
            yield Header(column, "", "")
        elif column.sort != sort.removeprefix("-"):
            yield Header(column, plain.path(sort=column.sort), "none")
        else:
            descending = sort.startswith("-")
            other = column.sort if descending else f"-{column.sort}"
            yield Header(column, plain.path(sort=other), "descending" if descending else "ascending")


def _problem(view: View, error: InvalidFilter) -> SearchProblem:
    text, message = view.q, error.message
    if error.suggestion:  # it stands below, as a link
        message = message.removesuffix(f"; did you mean {error.suggestion}?")
    start, end = error.position, error.position + len(error.token)
    if text[start:end] != error.token:
        end = len(text)
    mended = text[:start] + error.suggestion + text[end:] if error.suggestion else ""
    return SearchProblem(
        f"{message[:1].upper()}{message[1:]}.",
        text[:start],
        text[start:end],
        text[end:],
        error.allowed,
        mended,
        view.path(q=mended) if mended else "",
    )


def _commands(visit: Visit, odata: str) -> Iterator[Command]:
    address = f"{origin_of(visit.request)}/v1/indicators"
    asked = f"?{urlencode({'filter': odata})}" if odata else ""
    if odata:
        yield Command("OData", odata)
    yield Command("curl", f"curl -s {shlex.quote(address + asked)} -H 'Authorization: Bearer TOKEN'")
    yield Command("CLI", f"indicia list --filter {shlex.quote(odata)}" if odata else "indicia list")


# -- the look of the table --------------------------------------------------------------------------------------------


@router.post("/indicators/columns")
def keep_columns(visit: PostDep) -> Response:
    """Remember which columns somebody wants, how high the rows are, and how many stand on a page."""
    form = visit.form
    size, density = form.text("size"), form.text("density")
    usual = likes_of(visit.database, visit.session.person)
    likes = Likes(
        chosen(form.texts("column")),
        density if density in DENSITIES else usual.density,
        int(size) if size in map(str, SIZES) else usual.size,
    )
    keep_likes(visit.database, visit.session.person, likes)
    return visit.go(list_path(form.text("next")))


def list_path(given: str) -> str:
    """Return the address of a list that a form carried: nothing but our own list can come of it."""
    return View.read(dict(parse_qsl(urlsplit(given[:16_000]).query))).path()


# -- the file ---------------------------------------------------------------------------------------------------------


@router.get("/indicators/export")
def export_list(visit: VisitDep) -> Response:
    """All indicators that the list shows, as a CSV that is made as it is sent."""
    query = visit.request.query_params
    return _all_as_csv(visit, View.read(query), full=query.get("full") == "1")


@router.post("/indicators/export")
def export_selection(visit: PostDep) -> Response:
    """The indicators that were selected on a page, or all that match."""
    if visit.form.flag("all"):
        return _all_as_csv(visit, View.read(visit.form.as_dict()), full=True)
    numbers = visit.form.numbers("id")
    if not numbers:
        return visit.go(View.read(visit.form.as_dict()).path(), said="nothing-selected")
    return _csv(visit, Wanted(In(Field.ID, numbers)), full=True)


def _all_as_csv(visit: Visit, view: View, *, full: bool) -> Response:
    try:
        wanted = finding.wanted_by(visit, view)
    except InvalidFilter:
        return visit.go(view.path())  # the list says what is wrong with its search
    return _csv(visit, wanted, full=full)


def _csv(visit: Visit, wanted: Wanted, *, full: bool) -> Response:
    # Opened before the answer begins: what goes wrong with the question is told by a page, not by half a file.
    opened = ExitStack()
    stored, _group_ids = opened.enter_context(
        indicators.stream_indicators(visit.database, wanted, actor=visit.actor, now=visit.now)
    )
    writer = CsvWriter(full=full)

    def pieces() -> Iterator[bytes]:
        with opened:
            lines = chain([writer.header()], writer.lines(each.indicator for each in stored))
            rows = -1  # the header is no row
            try:
                while some := list(islice(lines, _LINES_AT_ONCE)):
                    rows += len(some)
                    yield "".join(some).encode()
            finally:
                told = {"query": str(visit.request.query_params.get("q", ""))[:300]} if wanted.query is not None else {}
                note_export(
                    visit.request, visit.actor, visit.now, "indicators", rows=max(rows, 0), filters=told, form="csv"
                )

    name = f"indicators-{visit.now:%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces(), headers=headers, media_type="text/csv; charset=utf-8")
