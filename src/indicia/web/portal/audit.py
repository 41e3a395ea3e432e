"""The audit: what happened, changes or not; its checkpoints, its proof, and all of it to take away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from indicia.domain.errors import Problem
from indicia.services import audit_export, audit_told, checkpoints, history
from indicia.services.audit_export import KINDS, Format, Sought
from indicia.store.changesets import ChangeSetRecord
from indicia.store.checkpoints import Checkpoint
from indicia.web.noting import note_export
from indicia.web.portal.changes import SOURCES, day_after, day_of, number_in
from indicia.web.portal.visit import Visit, VisitDep

_PAGE: Final = 50
_CHECKPOINTS: Final = 3
_LINES_AT_ONCE: Final = 500
_REFUSED: Final = frozenset({"access.denied", "audit.overflow", "sign-in.refused"})

router = APIRouter(include_in_schema=False)


class Told(NamedTuple):
    """An entry in words: what it was, by which door, and what it is about."""

    record: ChangeSetRecord
    what: str
    source: str
    about: str
    times: int
    refused: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to, as it was typed, and what can be chosen."""

    actor: str = ""
    kind: str = ""
    since: str = ""
    until: str = ""
    actors: Sequence[tuple[str, str]] = ()
    kinds: Sequence[tuple[str, str]] = ()

    @property
    def is_set(self) -> bool:
        """Whether anything is left out."""
        return any((self.actor, self.kind, self.since, self.until))

    def query(self, **more: str | int) -> str:
        """Return the query of an address that keeps this."""
        names = ("actor", "kind", "since", "until")
        kept: dict[str, str | int] = {name: getattr(self, name) for name in names if getattr(self, name)}
        return urlencode(kept | more)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """The list, a page of it; ``newer`` and ``older`` are where the next ones are."""

    filters: Filters
    lines: tuple[Told, ...]
    newer: str | None
    older: str | None
    checkpoints: tuple[Checkpoint, ...] = ()
    shipped: bool = False
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)


@router.get("/audit")
def read_audit(
    visit: VisitDep,
    *,
    actor: str = "",
    kind: str = "",
    since: str = "",
    until: str = "",
    before: str = "",
    after: str = "",
) -> Response:
    """Every entry of the chain, the newest first."""
    filters = _filters(visit, actor, kind, since, until)
    sought, problems = _sought(filters, visit.now)
    if sought is None:
        return visit.page("audit.html", AuditPage(filters, (), None, None, problems=problems), status=400)
    over, under = number_in(after), number_in(before)
    found = audit_export.page(visit.database, sought, actor=visit.actor, limit=_PAGE + 1, before=under, after=over)
    more = len(found) > _PAGE
    records = found[-_PAGE:] if over is not None else found[:_PAGE]
    newer = older = None
    if records:
        if more if over is not None else under is not None:
            newer = f"/audit?{filters.query(after=records[0].id)}"
        if over is not None or more:
            older = f"/audit?{filters.query(before=records[-1].id)}"
    newest = checkpoints.newest(visit.database, limit=_CHECKPOINTS, actor=visit.actor)
    shipping = visit.app.checkpoints.shipping
    shipped = bool(shipping.file or shipping.url)
    page = AuditPage(filters, tuple(map(told, records)), newer, older, tuple(newest), shipped)
    return visit.page("audit.html", page)


@router.get("/audit/export")
def export_audit(
    visit: VisitDep,
    *,
    format: str = "jsonl",
    actor: str = "",
    kind: str = "",
    since: str = "",
    until: str = "",
) -> Response:
    """All entries that the list shows, as a file that is made as it is sent."""
    filters = _filters(visit, actor, kind, since, until)
    sought, _problems = _sought(filters, visit.now)
    if sought is None or format not in tuple(Format):
        return visit.go(f"/audit?{filters.query()}")  # the list says what is wrong
    form = Format(format)
    lines = audit_export.lines_of(audit_export.walk(visit.database, sought, actor=visit.actor), form)

    def pieces() -> Iterator[bytes]:
        count = 0
        try:
            while some := list(islice(lines, _LINES_AT_ONCE)):
                count += len(some)
                yield "".join(some).encode()
        finally:
            asked = (("actor", actor), ("kind", kind), ("since", since), ("until", until))
            given = {name: value for name, value in asked if value}
            note_export(visit.request, visit.actor, visit.now, "audit", rows=count, filters=given, form=form)

    name = f"indicia-audit-{visit.now:%Y-%m-%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces(), headers=headers, media_type=form.media_type)


def told(record: ChangeSetRecord) -> Told:
    """Return an entry in words."""
    details = record.details
    times = details.get("times")
    return Told(
        record,
        KINDS.get(record.kind, record.kind),
        SOURCES.get(record.source, record.source),
        audit_told.told(record),
        times if isinstance(times, int) else 1,
        record.kind in _REFUSED,
    )


def _filters(visit: Visit, actor: str, kind: str, since: str, until: str) -> Filters:
    there = audit_export.kinds_of(visit.database, actor=visit.actor)
    who = history.who(visit.database, actor=visit.actor)
    actors = [("", "Anybody"), *sorted(who.items(), key=lambda each: each[1])]
    kinds = [("", "Anything"), *sorted(((each, KINDS.get(each, each)) for each in there), key=lambda each: each[1])]
    return Filters(actor[:200], kind[:100], since[:20], until[:20], actors, kinds)


def _sought(filters: Filters, now: datetime) -> tuple[Sought | None, dict[str, tuple[Problem, ...]]]:
    problems: dict[str, tuple[Problem, ...]] = {}
    since = day_of("since", filters.since, now, problems)
    until = day_after(day_of("until", filters.until, now, problems))
    if problems:
        return None, problems
    return Sought(actor=filters.actor or None, kind=filters.kind or None, since=since, until=until), problems
