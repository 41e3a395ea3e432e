"""The pages `/settings/groups`: device groups by their rank, moving them, and taking one away."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import Conflict
from indicia.domain.grouping import UNGROUPED
from indicia.services import groups
from indicia.services.groups import GroupRow
from indicia.web.portal.visit import PostDep, Visit, VisitDep

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """Every group, the highest ranked first, and how many devices are in none."""

    section: str
    groups: tuple[GroupRow, ...]
    ungrouped: int
    default: str = UNGROUPED


@dataclass(frozen=True, slots=True)
class RemoveGroupPage:
    """Asks before a group is removed, or says what is in the way."""

    section: str
    name: str
    scoped: int
    members: int
    in_the_way: str | None = None


@router.get("/settings/groups")
def read_groups(visit: VisitDep) -> Response:
    """The page."""
    found = groups.overview(visit.database, actor=visit.actor, now=visit.now)
    return visit.page("settings_groups.html", GroupsPage("groups", found.groups, found.ungrouped))


@router.post("/settings/groups/move")
def move_group(visit: PostDep) -> Response:
    """Move a group up or down in rank."""
    by = -1 if visit.form.text("to") == "up" else 1
    groups.move_group(
        visit.database,
        visit.form.text("name"),
        by,
        actor=visit.actor,
        now=visit.now,
        grouping=visit.app.grouping,
    )
    return visit.go("/settings/groups", said="group-moved")


@router.get("/settings/groups/remove")
def ask_to_remove(visit: VisitDep, name: str = "") -> Response:
    """Ask whether a group shall be removed."""
    return visit.page("settings_group_remove.html", _question(visit, name))


@router.post("/settings/groups/remove")
def remove_group(visit: PostDep) -> Response:
    """Remove a group to which nothing is scoped."""
    name = visit.form.text("name")
    try:
        groups.remove_group(visit.database, name, actor=visit.actor, now=visit.now, grouping=visit.app.grouping)
    except Conflict as error:  # something is scoped or limited to it: the page says what
        return visit.page("settings_group_remove.html", _question(visit, name, str(error)), status=409)
    return visit.go("/settings/groups", said="group-removed")


def _question(visit: Visit, name: str, in_the_way: str | None = None) -> RemoveGroupPage:
    scoped = groups.scoped_to(visit.database, name, actor=visit.actor)
    row = groups.show_group(visit.database, name, actor=visit.actor, now=visit.now)
    return RemoveGroupPage("groups", name, scoped, row.members, None if scoped else in_the_way)
