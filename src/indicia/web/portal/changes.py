"""Changes: every changeset, what each one did, taking it back, and the proof that nobody rewrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.access import Source
from indicia.domain.errors import NotFound, Problem
from indicia.services import history
from indicia.services.audit_export import KINDS
from indicia.services.audit_told import what_it_did
from indicia.services.history import Effect, Found, Line, Rows, Shown, Sought
from indicia.store.changesets import ChangeSetRecord
from indicia.web.portal import verifying
from indicia.web.portal.page import words
from indicia.web.portal.visit import VisitDep

_PAGE: Final = 50
_ROWS: Final = 50
_DIGITS: Final = 18
_HASH_CHARACTERS: Final = 64
#: Most histories are verified while somebody waits for the page.
_WAIT_SECONDS: Final = 1.5
_KINDS: Final = {
    "import": "Import",
    "submit": "Saved",
    "create": "Added",
    "edit": "Edited",
    "release": "Released",
    "delete": "Deleted",
    "undo": "Undo",
    "expiry": "Expired",
    "group.add": "Device group added",
    "group.remove": "Device group removed",
    "app.add": "API client added",
    "app.revoke": "API client revoked",
    "user.add": "Person added",
    "user.reset": "Password reset",
    "user.password": "Password changed",
    "user.disable": "Person disabled",
    "user.enable": "Person enabled",
    "user.sign-out": "Signed out everywhere",
}
SOURCES: Final = {
    Source.PORTAL.value: "Portal",
    Source.PUBLIC_API.value: "API",
    Source.CLI.value: "Command line",
    Source.FEED.value: "Feed",
    Source.SYSTEM.value: "Indicia itself",
}

#: What the list of changes is told to leave nothing out.
ALL: Final = "all"
_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {}, 0)

router = APIRouter(include_in_schema=False)
router.include_router(verifying.router)  # before the numbers of changesets


class Told(NamedTuple):
    """A changeset in words: what kind of change it was, by which door, and what it did."""

    record: ChangeSetRecord
    undone_by: int | None
    what: str
    source: str
    did: str
    touched: bool
    can_undo: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to, as it was typed, and what can be chosen."""

    actor: str = ""
    source: str = ""
    kind: str = ""
    since: str = ""
    until: str = ""
    show: str = ""
    actors: Sequence[tuple[str, str]] = ()
    sources: Sequence[tuple[str, str]] = (("", "Any door"), *SOURCES.items())
    kinds: Sequence[tuple[str, str]] = (("", "Any change"), *_KINDS.items())

    @property
    def is_set(self) -> bool:
        """Whether anything is left out, but for what changed no indicator."""
        return any((self.actor, self.source, self.kind, self.since, self.until))

    def query(self, **more: str | int) -> str:
        """Return the query of an address that keeps this."""
        names = ("actor", "source", "kind", "since", "until", "show")
        kept: dict[str, str | int] = {name: getattr(self, name) for name in names if getattr(self, name)}
        return urlencode(kept | more)


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """The list, a page of it; ``newer`` and ``older`` are where the next ones are."""

    filters: Filters
    lines: tuple[Told, ...]
    newer: str | None
    older: str | None
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)


class Tab(NamedTuple):
    """Rows of one kind: how many there are, and where."""

    effect: str
    name: str
    number: int
    current: bool


class File(NamedTuple):
    """One file of an import, and what became of its rows."""

    name: str
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ChangePage:
    """One changeset: its header, its files, and a page of what it did."""

    told: Told
    shown: Shown
    files: tuple[File, ...]
    details: tuple[tuple[str, str], ...]
    tabs: tuple[Tab, ...]
    effect: str
    rows: Rows
    previous_hash: str
    hash: str
    first: str | None
    more: str | None


def told(line: Line) -> Told:
    """Return *line* in words."""
    record, undone_by = line
    touched = bool(record.created or record.updated or record.deleted)
    return Told(
        record,
        undone_by,
        _KINDS.get(record.kind, KINDS.get(record.kind, record.kind)),
        SOURCES.get(record.source, record.source),
        what_it_did(record),
        touched,
        touched and undone_by is None and record.kind != "expiry",
    )


# -- the list ---------------------------------------------------------------------------------------------------------


@router.get("/changes")
def read_changes(
    visit: VisitDep,
    *,
    actor: str = "",
    source: str = "",
    kind: str = "",
    since: str = "",
    until: str = "",
    show: str = "",
    before: str = "",
    after: str = "",
) -> Response:
    """The changesets, the newest first: those that changed indicators, or all that changed anything."""
    actors = [
        ("", "Anybody"),
        *sorted(history.who(visit.database, actor=visit.actor).items(), key=lambda each: each[1]),
    ]
    everything = ALL if show == ALL or kind else ""
    filters = Filters(actor[:200], source[:50], kind[:50], since[:20], until[:20], everything, actors)
    problems: dict[str, tuple[Problem, ...]] = {}
    sought = Sought(
        filters.actor or None,
        filters.source or None,
        filters.kind or None,
        day_of("since", filters.since, visit.now, problems),
        day_after(day_of("until", filters.until, visit.now, problems)),
        moved=not everything,
        events=False,
    )
    if problems:
        return visit.page("changes.html", ChangesPage(filters, (), None, None, problems), status=400)
    found = history.find(
        visit.database, sought, actor=visit.actor, limit=_PAGE, before=number_in(before), after=number_in(after)
    )
    return visit.page("changes.html", _list(filters, found))


def _list(filters: Filters, found: Found) -> ChangesPage:
    lines = found.lines
    newer = f"/changes?{filters.query(after=lines[0].record.id)}" if found.newer and lines else None
    older = f"/changes?{filters.query(before=lines[-1].record.id)}" if found.older and lines else None
    return ChangesPage(filters, tuple(told(line) for line in lines), newer, older)


def day_of(name: str, text: str, now: datetime, problems: dict[str, tuple[Problem, ...]]) -> datetime | None:
    """Return when the day begins that *text* names; what it is not goes to *problems*."""
    text = text.strip().lower()
    if not text:
        return None
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    ago = {"today": 0, "yesterday": 1}.get(text)
    if ago is None and text.endswith("d"):
        ago = number_in(text[:-1])
    try:
        if ago is not None:
            return today - timedelta(days=ago)
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is no day; write it as 2026-01-31, today, yesterday, or 7d for seven days ago"
        problems[name] = (Problem("invalid-time", message, name, text, ("2026-01-31", "today", "7d")),)
        return None


def day_after(day: datetime | None) -> datetime | None:
    """Return when *day* is over: until then means that day too."""
    if day is None:
        return None
    return day + timedelta(days=1) if day < datetime.max.replace(tzinfo=UTC) - timedelta(days=2) else None


def number_in(text: str) -> int | None:
    """Return the number that *text* is, None where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None


# -- one changeset ----------------------------------------------------------------------------------------------------


@router.get("/changes/{number}")
def read_change(visit: VisitDep, number: str, effect: str = "", after: str = "") -> Response:
    """One changeset, and what it did."""
    wanted = existing(number)
    shown = history.show(visit.database, wanted, actor=visit.actor)
    record = shown.record
    only = Effect(effect) if effect in tuple(Effect) else None
    rows = history.rows_of(visit.database, wanted, only, actor=visit.actor, limit=_ROWS, after=number_in(after) or 0)
    here = f"/changes/{wanted}"
    chosen = {"effect": only.value} if only else {}
    more = f"{here}?{urlencode(chosen | {'after': str(rows.more_after)})}" if rows.more_after is not None else None
    first = (f"{here}?{urlencode(chosen)}" if chosen else here) if number_in(after) else None
    page = ChangePage(
        told=told(Line(record, shown.undone_by)),
        shown=shown,
        files=tuple(_file(each) for each in _dicts(record.details.get("files"))),
        details=_details(record.details),
        tabs=_tabs(record, only),
        effect=only.value if only else "",
        rows=rows,
        previous_hash=record.prev_hash.hex(),
        hash=record.hash.hex(),
        first=first,
        more=more,
    )
    return visit.page("change.html", page)


def existing(number: str) -> int:
    """Return the number of a changeset that an address names; raises `NotFound`."""
    found = number_in(number)
    if not found:
        raise NotFound(f"there is no changeset {number[:50]!r}")
    return found


def _tabs(record: ChangeSetRecord, only: Effect | None) -> tuple[Tab, ...]:
    counts = (
        ("created", "Added", record.created),
        ("updated", "Changed", record.updated),
        ("deleted", "Deleted", record.deleted),
    )
    total = sum(number for _effect, _name, number in counts)
    found = [Tab(effect, name, number, only == effect) for effect, name, number in counts if number]
    return (Tab("", "All", total, only is None), *found) if len(found) > 1 else tuple(found)


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _file(details: Mapping[str, Any]) -> File:
    names = ("rows", "created", "updated", "unchanged", "held", "refused", "conflicts")
    counts = tuple((name, details[name]) for name in names if isinstance(details.get(name), int))
    return File(str(details.get("name", "")), counts)


def _details(details: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what else the changeset says of itself, but for the files."""
    found = []
    for name, value in sorted(details.items()):
        if name != "files" and value not in _NOTHING:
            found.append((_label(name), _in_words(value)))
    return tuple(found)


def _in_words(value: Any) -> str:
    """Return what a changeset says of itself: JSON, as a person would write it."""
    if isinstance(value, Mapping):
        parts = [f"{_label(name).lower()} {_in_words(each)}" for name, each in value.items() if each not in _NOTHING]
        return ", ".join(parts)
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    return str(value)


def _label(name: str) -> str:
    return words(name.replace("_", " ").replace(".", " "))
