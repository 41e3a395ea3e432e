"""The page `/settings/groups`: the device groups that a scope may name."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import Conflict, InvalidInput
from indicia.services import groups
from indicia.store.groups import DeviceGroup
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.visit import PostDep, Visit, VisitDep

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """Every group, and the form that adds one with what was typed."""

    section: str
    groups: tuple[DeviceGroup, ...]
    name: str = ""
    rank: str = ""
    problems: Faults = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoveGroupPage:
    """Asks before a group is removed, or says what is in the way."""

    section: str
    name: str
    scoped: int


@router.get("/settings/groups")
def read_groups(visit: VisitDep) -> Response:
    """The page."""
    return visit.page("settings_groups.html", _page(visit))


@router.post("/settings/groups")
def add_group(visit: PostDep) -> Response:
    """Add a group."""
    name, rank = visit.form.text("name"), visit.form.text("rank")
    try:
        groups.add_group(visit.database, name, visit.form.number("rank"), actor=visit.actor, now=visit.now)
    except (InvalidInput, Conflict) as error:
        return visit.page("settings_groups.html", _page(visit, name, rank, by_field(error)), status=422)
    return visit.go("/settings/groups", said="group-added")


@router.get("/settings/groups/remove")
def ask_to_remove(visit: VisitDep, name: str = "") -> Response:
    """Ask whether a group shall be removed."""
    scoped = groups.scoped_to(visit.database, name, actor=visit.actor)
    return visit.page("settings_group_remove.html", RemoveGroupPage("groups", name, scoped))


@router.post("/settings/groups/remove")
def remove_group(visit: PostDep) -> Response:
    """Remove a group to which nothing is scoped."""
    name = visit.form.text("name")
    try:
        groups.remove_group(visit.database, name, actor=visit.actor, now=visit.now)
    except Conflict:  # something was scoped to it since the question: the page says how much
        scoped = groups.scoped_to(visit.database, name, actor=visit.actor)
        return visit.page("settings_group_remove.html", RemoveGroupPage("groups", name, scoped), status=409)
    return visit.go("/settings/groups", said="group-removed")


def _page(visit: Visit, name: str = "", rank: str = "", problems: Faults | None = None) -> GroupsPage:
    found = tuple(groups.list_groups(visit.database))
    return GroupsPage("groups", found, name[:300], rank[:20], problems or {})
