"""Whether the server lives, whether it can answer, and its numbers."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from indicia.domain.errors import Unavailable
from indicia.web import metrics, problems
from indicia.web.dependencies import AppDep

router = APIRouter(tags=["status"])


class State(BaseModel):
    """What the server says of itself."""

    status: str


@router.get("/healthz", response_model=State)
async def health() -> State:
    """Return that the process lives; nothing else is looked at."""
    return State(status="ok")


@router.get("/readyz", response_model=State, responses=problems.documented(503))
def ready(app: AppDep) -> State:
    """Return that the database answers and has the tables of this version."""
    if not app.database.schema_is_current():
        raise Unavailable("the database has not the tables of this version; run `indicia db upgrade`")
    return State(status="ready")


@router.get("/metrics", response_class=PlainTextResponse, responses=problems.documented(503))
def numbers(request: Request) -> Response:
    """Return the numbers of this process in the exposition format of Prometheus."""
    found = cast(metrics.Metrics, request.app.state.metrics)
    return Response(found.text(), headers={"Content-Type": metrics.CONTENT_TYPE})
