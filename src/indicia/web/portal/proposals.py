"""The pages of proposals: what waits for a second person, what it would do, and deciding it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from indicia.services import deciding, proposals
from indicia.services.proposals import Proposal, Shown, State
from indicia.web.portal.entry import Faults
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.portal.waiting import parts_of

_PAGE: Final = 50
_DIGITS: Final = 18
#: Tabs of the list: the name in the address, what it is called, which state, whose.
_TABS: Final = (
    ("", "Waiting", State.OPEN, None),
    ("others", "To decide", State.OPEN, False),
    ("mine", "Mine", None, True),
    ("all", "All", None, None),
)

router = APIRouter(include_in_schema=False)


class Tab(NamedTuple):
    """One way to look at the list."""

    name: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class ProposalsPage:
    """Some proposals, the newest first."""

    tabs: tuple[Tab, ...]
    show: str
    items: tuple[Proposal, ...]
    older: str | None
    rule_is_on: bool


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """One proposal: what it would do, what was said, and what whoever looks may do about it."""

    shown: Shown
    reasons: tuple[str, ...]
    can_decide: bool
    comment: str
    faults: Faults
    message: str

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return self.shown.proposal.state is State.OPEN


@router.get("/proposals")
def list_proposals(visit: VisitDep, show: str = "", before: str = "") -> Response:
    """What waits, and what became of the others."""
    name, _title, state, mine = next((each for each in _TABS if each[0] == show), _TABS[0])
    found = proposals.find(
        visit.database, state, actor=visit.actor, now=visit.now, limit=_PAGE, before=_number_in(before), mine=mine
    )
    kept = {"show": name} if name else {}
    older = None if found.more_before is None else f"/proposals?{urlencode(kept | {'before': str(found.more_before)})}"
    tabs = tuple(
        Tab(title, f"/proposals?show={key}" if key else "/proposals", key == name) for key, title, _s, _m in _TABS
    )
    page = ProposalsPage(tabs, name, tuple(found.items), older, visit.app.policy.rule.is_on)
    return visit.page("proposals.html", page)


@router.get("/proposals/{number}")
def show_proposal(visit: VisitDep, number: str, again: str = "") -> Response:
    """One proposal."""
    return _page(visit, _known(number), again=True if again else None)


@router.post("/proposals/{number}/apply")
def apply_proposal(visit: PostDep, number: str) -> Response:
    """Do what is shown; where it would be something else by now, show that instead."""
    wanted, comment = _known(number), visit.form.text("comment")
    try:
        done = deciding.apply(
            visit.database,
            wanted,
            plan=visit.form.text("plan"),
            actor=visit.actor,
            now=visit.now,
            parts=parts_of(visit),
            comment=comment,
        )
    except InvalidInput as error:
        return _page(visit, wanted, comment=comment, problems=error.problems, status=422)
    except Conflict as error:
        return _page(visit, wanted, again=True, comment=comment, message=str(error), status=409)
    return visit.go(f"/proposals/{wanted}", changed=done.changeset)


@router.post("/proposals/{number}/decline")
def decline_proposal(visit: PostDep, number: str) -> Response:
    """Say no, and why."""
    wanted, comment = _known(number), visit.form.text("comment")
    try:
        deciding.decline(visit.database, wanted, actor=visit.actor, now=visit.now, comment=comment)
    except InvalidInput as error:
        return _page(visit, wanted, comment=comment, problems=error.problems, status=422)
    except Conflict as error:
        return _page(visit, wanted, comment=comment, message=str(error), status=409)
    return visit.go(f"/proposals/{wanted}", said="proposal-declined")


@router.post("/proposals/{number}/withdraw")
def withdraw_proposal(visit: PostDep, number: str) -> Response:
    """Take it back."""
    wanted, comment = _known(number), visit.form.text("comment")
    try:
        deciding.withdraw(visit.database, wanted, actor=visit.actor, now=visit.now, comment=comment)
    except InvalidInput as error:
        return _page(visit, wanted, comment=comment, problems=error.problems, status=422)
    except Conflict as error:
        return _page(visit, wanted, comment=comment, message=str(error), status=409)
    return visit.go(f"/proposals/{wanted}", said="proposal-withdrawn")


@router.post("/proposals/{number}/comment")
def comment_on_proposal(visit: PostDep, number: str) -> Response:
    """Say something about it."""
    wanted, comment = _known(number), visit.form.text("comment")
    try:
        deciding.comment(visit.database, wanted, comment, actor=visit.actor, now=visit.now)
    except InvalidInput as error:
        return _page(visit, wanted, comment=comment, problems=error.problems, status=422)
    except (Conflict, Forbidden) as error:
        return _page(visit, wanted, comment=comment, message=str(error), status=409)
    return visit.go(f"/proposals/{wanted}#said", said="saved")


def _page(
    visit: Visit,
    number: int,
    *,
    again: bool | None = None,
    comment: str = "",
    problems: tuple[Problem, ...] = (),
    message: str = "",
    status: int = 200,
) -> Response:
    shown = proposals.show(visit.database, number, actor=visit.actor, now=visit.now, parts=parts_of(visit), again=again)
    page = ProposalPage(
        shown,
        tuple(each.message for each in shown.proposal.reasons),
        visit.may("proposals.decide") and not shown.mine,
        comment,
        Faults.of(problems),
        message,
    )
    return visit.page("proposal.html", page, status=status)


def _known(number: str) -> int:
    found = _number_in(number)
    if not found:
        raise NotFound(f"there is no proposal {number[:50]!r}")
    return found


def _number_in(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None


#: What each state is called, the sign that stands before it, and the tone of its pill.
STATES: Final[Mapping[State, tuple[str, str]]] = {
    State.OPEN: ("Waiting", "clock"),
    State.APPLIED: ("Applied", "check"),
    State.DECLINED: ("Declined", "close"),
    State.WITHDRAWN: ("Withdrawn", "undo"),
    State.EXPIRED: ("Ran out", "clock"),
}
