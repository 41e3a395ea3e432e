"""The page `/settings`: what there is to set, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from indicia.services import applications, groups, people
from indicia.services.guarding import own_entries
from indicia.web.portal.visit import VisitDep

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """One line on each section."""

    section: str
    groups: int
    clients: int
    last_used_at: datetime | None
    people: int
    most_active: int | None
    own_entries: int


@router.get("/settings")
def read_settings(visit: VisitDep) -> Response:
    """The page."""
    # What somebody may not look into is not told here either; the page does not offer it.
    found = applications.list_applications(visit.database, actor=visit.actor) if visit.may("clients.write") else []
    clients = [each for each in found if each.revoked_at is None]
    persons = people.list_people(visit.database, actor=visit.actor) if visit.may("people.write") else []
    page = SettingsPage(
        section="",
        groups=len(groups.list_groups(visit.database, actor=visit.actor)),
        clients=len(clients),
        last_used_at=max((each.last_used_at for each in clients if each.last_used_at), default=None),
        people=sum(each.disabled_at is None for each in persons),
        most_active=visit.app.settings.max_active_indicators,
        own_entries=len(own_entries(visit.app.guard, 1_000_000)),
    )
    return visit.page("settings.html", page)
