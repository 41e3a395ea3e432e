"""The page `/settings/people`: who may sign in."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import Conflict, InvalidInput, NotFound
from indicia.services import people
from indicia.services.people import Link
from indicia.store.people import Person
from indicia.web.origin import origin_of
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.visit import PostDep, Visit, VisitDep

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Everybody, and the form that adds somebody with what was typed; ``me`` is who looks at it."""

    section: str
    people: tuple[Person, ...]
    me: str
    name: str = ""
    problems: Faults = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinkPage:
    """The link that lets somebody set a password: shown here and never again."""

    section: str
    link: Link
    url: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class DisablePage:
    """Asks before somebody is disabled."""

    section: str
    person: Person


@router.get("/settings/people")
def read_people(visit: VisitDep) -> Response:
    """The page."""
    return visit.page("settings_people.html", _page(visit))


@router.post("/settings/people")
def add_person(visit: PostDep) -> Response:
    """Add somebody and show the link by which they set their password."""
    name = visit.form.text("name")
    try:
        made = people.add_person(visit.database, name, actor=visit.actor, now=visit.now)
    except (InvalidInput, Conflict) as error:
        return visit.page("settings_people.html", _page(visit, name, by_field(error)), status=422)
    return _link_page(visit, made, is_new=True)


@router.post("/settings/people/{person_id}/reset")
def reset_person(visit: PostDep, person_id: str) -> Response:
    """Make a new link for somebody."""
    person = _person(visit, person_id)
    made = people.reset_link(visit.database, person.name, actor=visit.actor, now=visit.now)
    return _link_page(visit, made, is_new=False)


@router.get("/settings/people/{person_id}/disable")
def ask_to_disable(visit: VisitDep, person_id: str) -> Response:
    """Ask whether somebody shall be disabled."""
    return visit.page("settings_person_disable.html", DisablePage("people", _person(visit, person_id)))


@router.post("/settings/people/{person_id}/disable")
def disable_person(visit: PostDep, person_id: str) -> Response:
    """Let somebody sign in no more."""
    person = _person(visit, person_id)
    if person.disabled_at is None:
        people.disable_person(visit.database, person.name, actor=visit.actor, now=visit.now)
    return visit.go("/settings/people", said="person-disabled")


@router.post("/settings/people/{person_id}/enable")
def enable_person(visit: PostDep, person_id: str) -> Response:
    """Let somebody sign in again."""
    person = _person(visit, person_id)
    if person.disabled_at is not None:
        people.enable_person(visit.database, person.name, actor=visit.actor, now=visit.now)
    return visit.go("/settings/people", said="person-enabled")


def _page(visit: Visit, name: str = "", problems: Faults | None = None) -> PeoplePage:
    found = tuple(people.list_people(visit.database, actor=visit.actor))
    return PeoplePage("people", found, visit.session.person.id, name[:300], problems or {})


def _link_page(visit: Visit, made: Link, *, is_new: bool) -> Response:
    url = f"{origin_of(visit.request)}/welcome/{made.token}"
    return visit.page("settings_person_link.html", LinkPage("people", made, url, is_new))


def _person(visit: Visit, person_id: str) -> Person:
    for each in people.list_people(visit.database, actor=visit.actor):
        if each.id == person_id:
            return each
    raise NotFound("there is no such person")
