"""Changes in the portal that take a second person: said before they are sent, and led to their proposal after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from indicia.services.proposals import Parts, Proposal, or_propose
from indicia.services.requests import Request
from indicia.store.database import Database
from indicia.web.portal.visit import Visit

Done = TypeVar("Done")


def parts_of(visit: Visit) -> Parts:
    """Return what plans are made with."""
    return Parts(visit.app.guard, visit.app.policy)


def or_wait(
    visit: Visit,
    do: Callable[[Database], Done],
    request: Callable[[Database], Request],
    *,
    reason: str | None = None,
    ask: bool = False,
) -> Done | Response:
    """Return what *do* returns, or the way to the proposal where it takes two, or the form asks for a second person."""
    ask = ask or visit.form.flag("propose")
    done = or_propose(
        visit.database,
        do,
        request,
        actor=visit.actor,
        now=visit.now,
        parts=parts_of(visit),
        ask=ask,
        reason=reason,
    )
    return visit.go(f"/proposals/{done.id}", said="proposed") if isinstance(done, Proposal) else done
