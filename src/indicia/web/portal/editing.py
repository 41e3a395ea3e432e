"""Editing an indicator: the same form, with what was changed marked, and what somebody else changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.domain.indicator import Action, StoredIndicator
from indicia.domain.observable import ObservableType
from indicia.services import changesets, indicators
from indicia.services.foresight import foresee
from indicia.services.groups import list_groups
from indicia.services.indicators import STALE, Written, draft_from, show_indicator
from indicia.services.policy import Watched
from indicia.services.requests import edit_of
from indicia.services.standing import Relation
from indicia.store.changesets import ChangeSetRecord
from indicia.web.portal.entry import EVERYWHERE, NEVER, Entry, Faults, actions_for
from indicia.web.portal.live import MOST_NOTES, NotesPart
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.portal.waiting import or_wait

_MOST_NUMBER: Final = (1 << 63) - 1

router = APIRouter(include_in_schema=False)


class Theirs(NamedTuple):
    """A field that somebody else changed while it was edited here: what it was and what it is."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class EditPage:
    """The form of one indicator: as it is stored, as it was typed, and what came between."""

    number: int
    version: int
    value: str
    entry: Entry
    initial: Entry
    faults: Faults
    actions: tuple[Action, ...]
    kinds: tuple[ObservableType, ...]
    group_names: tuple[str, ...]
    now: datetime
    theirs: tuple[Theirs, ...] = ()
    other: ChangeSetRecord | None = None
    gone: bool = False

    @property
    def was(self) -> tuple[tuple[str, str], ...]:
        """What a browser would send of the form as it is stored: a script compares with it."""
        found: list[tuple[str, str]] = []
        for name in _SHOWN:
            value = getattr(self.initial, name)
            if isinstance(value, bool):
                found += [(name, "on")] if value else []
            else:
                found += [(name, each) for each in (value if isinstance(value, tuple) else (value,))]
        return tuple(found)


@router.get("/indicators/{number:int}/edit")
def show_form(visit: VisitDep, number: int) -> Response:
    """The form, filled in with what is stored."""
    stored = stored_of(visit, number)
    entry = Entry.of_stored(stored)
    return visit.page("edit.html", _page(visit, stored, entry, Faults()))


@router.post("/indicators/{number:int}/edit")
def save(visit: PostDep, number: int) -> Response:
    """Save what was changed; where somebody else was faster, show what they changed and keep what was typed."""
    entry = Entry.of_form(visit.form)
    version = visit.form.number("version")
    try:
        stored = stored_of(visit, number)
    except NotFound:
        return _deleted(visit, number, entry)
    if version is not None and version != stored.began:
        return _overtaken(visit, stored, entry, version)
    initial = Entry.of_stored(stored)
    problems = problems_of(entry, initial)
    if problems:
        return _again(visit, stored, entry, problems)
    try:
        written = _written(visit, stored, entry, initial)
    except InvalidInput as fault:
        return _again(visit, stored, entry, fault.problems)
    except Conflict as fault:
        if any(problem.code == STALE for problem in fault.problems):
            return _overtaken(visit, stored_of(visit, number), entry, stored.began)
        return _again(visit, stored, entry, [Problem("already-exists", str(fault), "action")], status=409)
    if isinstance(written, Response):
        return written
    path = f"/indicators/{number}"
    if written.changeset is None:
        return visit.go(path, said="unchanged")
    return visit.go(path, changed=written.changeset)


def _written(visit: Visit, stored: StoredIndicator, entry: Entry, initial: Entry) -> Written | Response:
    def change(each: StoredIndicator) -> tuple[Draft, Sequence[Problem]]:
        return entry.edited(draft_from(each.indicator), initial, visit.now), ()

    reason = entry.reason.strip() or None
    who: dict[str, Any] = {"actor": visit.actor, "now": visit.now, "version": stored.began, "reason": reason}
    return or_wait(
        visit,
        lambda database: indicators.edit(
            database, stored.id, change, **who, guard=visit.app.guard, policy=visit.app.policy
        ),
        lambda database: edit_of(database, stored.id, change, **who),
        reason=reason,
    )


@router.post("/indicators/{number:int}/edit/notes")
def show_notes(visit: PostDep, number: int) -> Response:
    """What the guard and other indicators will say to the indicator as it stands in the form."""
    entry = Entry.of_form(visit.form)
    stored = stored_of(visit, number)
    initial = Entry.of_stored(stored)
    draft = entry.edited(draft_from(stored.indicator), initial, visit.now)
    if problems_of(entry, initial) or entry == replace(initial, reason=entry.reason):
        return visit.page("wizard_notes.html", NotesPart((), 0))
    notes = _notes(visit, stored, draft)
    return visit.page("wizard_notes.html", NotesPart(tuple(notes[:MOST_NOTES]), max(0, len(notes) - MOST_NOTES)))


def stored_of(visit: Visit, number: int) -> StoredIndicator:
    """Return indicator *number*; raises `NotFound` where it is none, or has expired."""
    if number > _MOST_NUMBER:
        raise NotFound(f"there is no indicator {number}")
    return show_indicator(visit.database, number, actor=visit.actor, now=visit.now)[0]


def problems_of(entry: Entry, initial: Entry) -> list[Problem]:
    """Return what is wrong with the form itself, its value included where that was changed."""
    problems = entry.problems()
    if (entry.values, entry.type) == (initial.values, initial.type):
        return problems
    values = entry.reading().values
    if len(values) != 1:
        message = "give one value" if not values else f"these are {len(values)} values; an indicator has one"
        return [*problems, Problem("wrong-number-of-values", message, "indicatorValue")]
    return [*problems, *(each for each in values[0].problems if not each.warning)]


def _notes(visit: Visit, stored: StoredIndicator, draft: Draft) -> list[str]:
    watched = Watched(visit.app.policy)
    try:
        written = indicators.edit(
            visit.database,
            stored.id,
            lambda _each: (draft, ()),
            actor=visit.actor,
            now=visit.now,
            guard=visit.app.guard,
            dry_run=True,
            policy=watched.policy,
        )
    except (InvalidInput, Conflict) as fault:
        found = [problem.message for problem in fault.problems if problem.code != "missing"]
        return found if fault.problems else [str(fault)]
    notes = [f"this will wait for somebody else: {each.message}" for each in watched.reasons]
    notes += [problem.message for problem in written.problems if problem.column == "indicatorValue"]
    foreseen = foresee(
        visit.database,
        draft,
        actor=visit.actor,
        now=visit.now,
        guard=visit.app.guard,
        engine=visit.app.engine,
        precedence=visit.app.settings.network_precedence,
        instead_of=stored,
    )
    for each in foreseen.coverage.same_or_wider + (foreseen.coverage.narrower or ()) if foreseen else ():
        rule = each.stored.indicator
        if each.relation in (Relation.BEATS, Relation.BEATEN):
            what = "beats this one" if each.relation is Relation.BEATS else "will be beaten by this one"
            notes.append(f"indicator {each.stored.id} ({rule.action} {rule.canonical}) {what}: {each.because}")
    return notes


# -- pages ------------------------------------------------------------------------------------------------------------


def _again(
    visit: Visit, stored: StoredIndicator, entry: Entry, problems: Sequence[Problem], *, status: int = 422
) -> Response:
    page = _page(visit, stored, entry, Faults.of(problems))
    return _reply(visit, page, status)


def _overtaken(visit: Visit, stored: StoredIndicator, entry: Entry, version: int) -> Response:
    """Show the form over what is stored now: fields that were not touched here take what the other typed."""
    versions = changesets.history_of(visit.database, stored.id, actor=visit.actor)
    base = next((each.stored for each in versions if each.stored.began == version), None)
    before, now = Entry.of_stored(base or stored), Entry.of_stored(stored)
    differing = [name for name in _SHOWN if getattr(before, name) != getattr(now, name)]
    untouched = {name: getattr(now, name) for name in differing if getattr(entry, name) == getattr(before, name)}
    theirs = tuple(Theirs(name, _said(before, name), _said(now, name)) for name in differing)
    page = _page(visit, stored, replace(entry, **untouched), Faults())
    page = replace(page, theirs=theirs, other=versions[-1].began)
    return _reply(visit, page, 409)


def _deleted(visit: Visit, number: int, entry: Entry) -> Response:
    """Show what was typed for an indicator that is gone, so that it can be added anew; raises `NotFound`."""
    last = changesets.history_of(visit.database, min(number, _MOST_NUMBER), actor=visit.actor)[-1]
    page = _page(visit, last.stored, entry, Faults())
    return _reply(visit, replace(page, other=last.ended, gone=True), 409)


def _reply(visit: Visit, page: EditPage, status: int) -> Response:
    return visit.page("edit_form.html" if visit.partial else "edit.html", page, status=status)


def _page(visit: Visit, stored: StoredIndicator, entry: Entry, faults: Faults) -> EditPage:
    kind = entry.kind or stored.indicator.type
    return EditPage(
        stored.id,
        stored.began,
        stored.indicator.value,
        entry,
        Entry.of_stored(stored),
        faults,
        _actions(kind, entry),
        (kind,),
        tuple(group.name for group in list_groups(visit.database, actor=visit.actor)),
        visit.now,
    )


def _actions(kind: ObservableType, entry: Entry) -> tuple[Action, ...]:
    """Return the actions that go with the type, and the one that is chosen even where it does not."""
    fitting = actions_for([kind])
    return tuple(action for action in Action if action in fitting or action == entry.action)


#: The fields in which two versions are compared.
_SHOWN: Final = tuple(
    name for name in Entry.__dataclass_fields__ if name not in ("reason", "leave_out", "certificates")
)


def _said(entry: Entry, name: str) -> str:
    found = getattr(entry, name)
    if name == "expiry":
        return "never" if found == NEVER else "a date and time"
    if name == "scope":
        return "all devices" if found == EVERYWHERE else "chosen groups"
    if isinstance(found, bool):
        return "yes" if found else "no"
    return ", ".join(found) if isinstance(found, tuple) else str(found)
