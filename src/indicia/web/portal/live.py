"""What is told while somebody types: how values are read, and what the guard and other indicators will say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from indicia.services.foresight import About
from indicia.services.pasting import Reading
from indicia.web.portal.adding import about_of, plan_of
from indicia.web.portal.entry import Entry
from indicia.web.portal.visit import PostDep

#: Notes that stand beside a form.
MOST_NOTES: Final = 12
#: Values of which more is told than how they are read: past them the summary tells it.
_MOST_VALUES: Final = 500
_PLACEHOLDER: Final = "-"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ValuesPart:
    """What the values were read as, and what is stored about them."""

    entry: Entry
    reading: Reading
    about: tuple[About, ...]


@dataclass(frozen=True, slots=True)
class NotesPart:
    """What there is to know before anything is saved, and how much more there is."""

    notes: tuple[str, ...]
    more: int


@router.post("/indicators/new/values")
def show_values(visit: PostDep) -> Response:
    """How the values in the form are read, each with its problem beside it."""
    entry = Entry.of_form(visit.form)
    reading = entry.reading()
    return visit.page("wizard_values.html", ValuesPart(entry, reading, about_of(visit, reading)))


@router.post("/indicators/new/notes")
def show_notes(visit: PostDep) -> Response:
    """What the guard and other indicators will say, as far as the form is filled in."""
    entry = Entry.of_form(visit.form)
    reading = entry.reading()
    if not entry.action or not reading.good or len(reading.good) > _MOST_VALUES:
        return visit.page("wizard_notes.html", NotesPart((), 0))
    # What is still to be typed is no news.
    entry = replace(
        entry, title=entry.title.strip() or _PLACEHOLDER, description=entry.description.strip() or _PLACEHOLDER
    )
    plan, _problems = plan_of(visit, entry, reading)
    notes: dict[str, None] = {}
    for row in plan.rows:
        value = str(row.pasted.canonical)
        stored = row.written.stored
        if stored is not None:
            notes[f"{value} is stored already as indicator {stored.id}; saving changes that one"] = None
        notes |= dict.fromkeys(
            note.message if value in note.message else f"{value}: {note.message}" for note in row.notes
        )
    told = list(notes)
    return visit.page("wizard_notes.html", NotesPart(tuple(told[:MOST_NOTES]), max(0, len(told) - MOST_NOTES)))
