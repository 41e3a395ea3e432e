"""Whether the server lives, whether it can answer, and its numbers."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from indicia.domain.errors import Unavailable
from indicia.services.node_health import node_checks
from indicia.web import metrics, problems
from indicia.web.dependencies import AppDep
from indicia.web.draining import is_draining

router = APIRouter(tags=["status"])


class State(BaseModel):
    """What the server says of itself."""

    status: str


class Readiness(State):
    """Whether it can answer, and what is not as it should be though it can."""

    degraded: list[str] = []


@router.get("/healthz", response_model=State)
async def health() -> State:
    """Return that the process lives; nothing else is looked at."""
    return State(status="ok")


@router.get("/readyz", response_model=Readiness, responses=problems.documented(503))
def ready(app: AppDep, request: Request) -> Readiness:
    """Return that the database answers and has the tables of this version; not while this process is stopping.

    What is `degraded` is worth a look, and no reason to send requests elsewhere.
    """
    if is_draining(request):
        raise Unavailable("this node is stopping; send requests to another one")
    if not app.database.schema_is_current():
        raise Unavailable("the database has not the tables of this version; run `indicia db upgrade`")
    found = node_checks(app.node, app.follower, app.clock, app.engine)
    return Readiness(status="ready", degraded=[check.text for check in found if check.state != "ok"])


@router.get("/metrics", response_class=PlainTextResponse, responses=problems.documented(503))
def numbers(request: Request) -> Response:
    """Return the numbers of this process in the exposition format of Prometheus."""
    found = cast(metrics.Metrics, request.app.state.metrics)
    return Response(found.text(), headers={"Content-Type": metrics.CONTENT_TYPE})
