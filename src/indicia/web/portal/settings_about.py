"""The page `/settings/about`: which version this is, and how it is doing."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from indicia.services.health import Health, health
from indicia.services.node_health import node_checks
from indicia.web.portal.visit import VisitDep

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class AboutPage:
    """The version, and what was found."""

    section: str
    health: Health
    python: str
    system: str


@router.get("/settings/about")
def read_about(visit: VisitDep) -> Response:
    """The page."""
    found = health(visit.database, visit.app.engine, actor=visit.actor, now=visit.now)
    app = visit.app
    found = found._replace(checks=found.checks + node_checks(app.node, app.follower, app.clock, app.engine))
    system = f"{platform.system()} {platform.machine()}".strip()
    page = AboutPage("about", found, platform.python_version(), system)
    return visit.page("settings_about.html", page)
