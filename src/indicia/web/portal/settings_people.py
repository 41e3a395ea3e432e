"""The pages under `/settings/people`: who may sign in, what each may do, and for which device groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.access import Role
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.services import people, standings
from indicia.services.groups import list_groups
from indicia.services.people import Link
from indicia.store.people import Person
from indicia.web.origin import origin_of
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.visit import PostDep, Visit, VisitDep

router = APIRouter(include_in_schema=False)

#: Device groups that are offered each with a box to tick; where there are more, their names are typed.
MOST_BOXES: Final = 40
ROLES: Final = tuple((role.value, role.value.title(), role.sentence) for role in Role)


@dataclass(frozen=True, slots=True)
class StandingForm:
    """What somebody may do, as it was typed: a role, whether device groups limit it, and which."""

    role: str = Role.VIEWER.value
    limited: bool = False
    chosen: tuple[str, ...] = ()

    def problems(self) -> list[Problem]:
        """Return what is wrong before any service is asked."""
        found = []
        if self.role not in list(Role):
            message = "choose one of the roles"
            found.append(Problem("unknown-role", message, "role", self.role[:50], tuple(Role)))
        if self.limited and not self.chosen:
            message = "choose the device groups, or all of them: nobody can be limited to none"
            found.append(Problem("required", message, "groups"))
        return found

    def groups(self) -> tuple[str, ...] | None:
        """Return the device groups to be limited to, None for no limit."""
        return self.chosen if self.limited else None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the form about a person offers: the roles with a sentence each, and the device groups."""

    roles: tuple[tuple[str, str, str], ...]
    groups: tuple[str, ...]
    boxes: bool


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Everybody, and the form that adds somebody with what was typed; ``me`` is who looks at it."""

    section: str
    people: tuple[Person, ...]
    me: str
    choices: Choices
    given: StandingForm
    name: str = ""
    problems: Faults = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PersonPage:
    """The form that changes what somebody may do."""

    section: str
    person: Person
    choices: Choices
    given: StandingForm
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
    name, given = visit.form.text("name"), _given(visit)
    try:
        if found := given.problems():
            raise InvalidInput(found)
        made = people.add_person(
            visit.database, name, actor=visit.actor, now=visit.now, role=Role(given.role), groups=given.groups()
        )
    except (InvalidInput, Conflict) as error:
        return visit.page("settings_people.html", _page(visit, given, name, by_field(error)), status=422)
    return _link_page(visit, made, is_new=True)


@router.get("/settings/people/{person_id}")
def read_person(visit: VisitDep, person_id: str) -> Response:
    """The form that changes what somebody may do."""
    person = _person(visit, person_id)
    given = StandingForm(person.role.value, person.groups is not None, tuple(sorted(person.groups or ())))
    return visit.page("settings_person.html", PersonPage("people", person, _choices(visit), given))


@router.post("/settings/people/{person_id}")
def change_person(visit: PostDep, person_id: str) -> Response:
    """Give somebody another role, or other device groups."""
    person, given = _person(visit, person_id), _given(visit)
    try:
        if found := given.problems():
            raise InvalidInput(found)
        after = standings.change_person(
            visit.database,
            person.id,
            role=Role(given.role),
            groups=given.groups(),
            everywhere=not given.limited,
            actor=visit.actor,
            now=visit.now,
        )
    except (InvalidInput, Conflict) as error:
        page = PersonPage("people", person, _choices(visit), given, by_field(error))
        return visit.page("settings_person.html", page, status=422)
    return visit.go("/settings/people", said="unchanged" if after == person else "person-changed")


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


def _given(visit: Visit) -> StandingForm:
    """Return what was chosen: boxes that were ticked, or names that were typed, one a line or with commas between."""
    form = visit.form
    typed = [name.strip() for line in form.texts("groups") for name in line.replace("\n", ",").split(",")]
    return StandingForm(
        form.text("role") or Role.VIEWER.value,
        form.text("reach") == "groups",
        tuple(dict.fromkeys(name for name in typed if name)),
    )


def _choices(visit: Visit) -> Choices:
    names = tuple(group.name for group in list_groups(visit.database, actor=visit.actor))
    return Choices(ROLES, names, len(names) <= MOST_BOXES)


def _page(
    visit: Visit, given: StandingForm | None = None, name: str = "", problems: Faults | None = None
) -> PeoplePage:
    found = tuple(people.list_people(visit.database, actor=visit.actor))
    me, choices = visit.session.person.id, _choices(visit)
    return PeoplePage("people", found, me, choices, given or StandingForm(), name[:300], problems or {})


def _link_page(visit: Visit, made: Link, *, is_new: bool) -> Response:
    url = f"{origin_of(visit.request)}/welcome/{made.token}"
    return visit.page("settings_person_link.html", LinkPage("people", made, url, is_new))


def _person(visit: Visit, person_id: str) -> Person:
    for each in people.list_people(visit.database, actor=visit.actor):
        if each.id == person_id:
            return each
    raise NotFound("there is no such person")
