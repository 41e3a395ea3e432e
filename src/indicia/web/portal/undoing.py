"""Undo: what taking a changeset back would do, what is in the way, and doing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query
from starlette.responses import Response

from indicia.domain.approval import Reason
from indicia.domain.errors import Conflict
from indicia.services import changesets, history
from indicia.services.changesets import Undone
from indicia.services.history import Line
from indicia.services.policy import Watched
from indicia.services.requests import Undo
from indicia.web.portal.changes import Told, existing, told
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.portal.waiting import or_wait
from indicia.web.session import local_path

router = APIRouter(include_in_schema=False)


class InTheWay(NamedTuple):
    """An indicator that cannot be put back, and why."""

    indicator: str
    message: str


@dataclass(frozen=True, slots=True)
class UndoPage:
    """What an undo would do, or why it cannot; ``rest`` is what it would do if it left alone what is in the way."""

    told: Told
    plan: Undone | None
    rest: Undone | None
    in_the_way: tuple[InTheWay, ...]
    more_in_the_way: int
    refusal: str | None
    reason: str
    next: str
    tried: bool
    takes_two: tuple[Reason, ...] = ()


@router.get("/changes/{number}/undo")
def preview_undo(visit: VisitDep, number: str, back: Annotated[str, Query(alias="next")] = "") -> Response:
    """What an undo would do; nothing is changed."""
    return _undo_page(visit, existing(number), back=back)


@router.post("/changes/{number}/undo")
def undo(visit: PostDep, number: str) -> Response:
    """Take a changeset back, and go where the button stood; what is in the way is shown with the choice to keep it."""
    form = visit.form
    wanted, reason, goes_to = existing(number), form.text("reason").strip(), form.text("next")
    try:
        done = or_wait(
            visit,
            lambda database: changesets.undo(
                database,
                wanted,
                actor=visit.actor,
                now=visit.now,
                reason=reason or None,
                keep_later=form.flag("keep_later"),
                policy=visit.app.policy,
            ),
            lambda _database: Undo(wanted, form.flag("keep_later"), reason or None),
            reason=reason or None,
        )
    except Conflict as error:
        return _undo_page(visit, wanted, back=goes_to, reason=reason, conflict=error)
    if isinstance(done, Response):
        return done
    target = local_path(goes_to) if goes_to else f"/changes/{wanted}"
    if done.changeset is None:
        return visit.go(target, said="nothing-left")
    return visit.go(target, changed=done.changeset.id)


def _undo_page(visit: Visit, number: int, *, back: str, reason: str = "", conflict: Conflict | None = None) -> Response:
    shown = history.show(visit.database, number, actor=visit.actor)
    plan = rest = None
    watched = Watched(visit.app.policy)
    told_of = told(Line(shown.record, shown.undone_by))
    if conflict is None and shown.undone_by is not None:
        return visit.page("change_undo.html", UndoPage(told_of, None, None, (), 0, None, reason, "", tried=False))
    try:
        plan = _planned(visit, number, watched, keep_later=False)
    except Conflict as error:
        conflict = error
        watched = Watched(visit.app.policy)
        rest = _planned(visit, number, watched, keep_later=True) if error.problems else None
    problems = conflict.problems if conflict is not None else ()
    page = UndoPage(
        told=told_of,
        plan=plan,
        rest=rest,
        in_the_way=tuple(
            InTheWay(each.value or "", each.message.removeprefix(f"indicator {each.value} ")) for each in problems
        ),
        more_in_the_way=max(0, len(rest.kept) - len(problems)) if rest is not None else 0,
        refusal=str(conflict) if conflict is not None and not problems else None,
        reason=reason,
        next=local_path(back) if back else "",
        tried=visit.request.method == "POST",
        takes_two=watched.reasons,
    )
    return visit.page("change_undo.html", page, status=409 if page.tried else 200)


def _planned(visit: Visit, number: int, watched: Watched, *, keep_later: bool) -> Undone:
    return changesets.undo(
        visit.database,
        number,
        actor=visit.actor,
        now=visit.now,
        keep_later=keep_later,
        dry_run=True,
        policy=watched.policy,
    )
