"""Verifying the history: a button that runs it, how far it is, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.errors import Problem
from indicia.services import changesets
from indicia.services.verification import Progress, Verification
from indicia.store.changesets import ChangeSetRecord
from indicia.web.portal.visit import PostDep, Visit, VisitDep

_HASH_CHARACTERS: Final = 64
#: Most histories are verified while somebody waits for the page.
_WAIT_SECONDS: Final = 1.5

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class VerifyPage:
    """What the last verification found, and whether one is under way."""

    progress: Progress
    newest: ChangeSetRecord | None
    head: str
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)


@router.get("/changes/verify")
def read_verification(visit: VisitDep) -> Response:
    """What was found last, and what is under way."""
    page = _verify_page(visit, _verification(visit.request).progress)
    return visit.page("changes_verified.html" if visit.partial else "changes_verify.html", page)


@router.post("/changes/verify")
def verify(visit: PostDep) -> Response:
    """Begin to verify the whole history, where that is not under way already."""
    head = visit.form.text("head").strip().lower()
    if head and (len(head) != _HASH_CHARACTERS or not set(head) <= set("0123456789abcdef")):
        message = f"a hash has {_HASH_CHARACTERS} characters, 0 to 9 and a to f; paste it as it was shown"
        problem = Problem("not-a-chain-hash", message, "head", head[:100])
        page = _verify_page(visit, _verification(visit.request).progress, head=head[:100], problems=(problem,))
        return visit.page("changes_verify.html", page, status=400)
    running = _verification(visit.request)
    running.start(actor=visit.actor, head=head or None)
    running.wait(_WAIT_SECONDS)
    return visit.go("/changes/verify")


def _verification(request: Request) -> Verification:
    found: Verification = request.app.state.verification
    return found


def _verify_page(visit: Visit, progress: Progress, *, head: str = "", problems: tuple[Problem, ...] = ()) -> VerifyPage:
    newest = changesets.list_changesets(visit.database, actor=visit.actor, limit=1)
    return VerifyPage(progress, newest[0] if newest else None, head, {"head": problems} if problems else {})
