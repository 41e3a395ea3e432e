"""The page `/indicators/bulk`: one change for many indicators, shown before it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from indicia.domain.approval import Reason
from indicia.domain.differences import Difference, differences
from indicia.domain.errors import Conflict, InvalidInput, Problem
from indicia.domain.query import InvalidFilter
from indicia.services.bulk import NAMED_AT_MOST, NOT_CONFIRMED, BulkPlan, Sample, Target, apply_bulk, plan_bulk
from indicia.services.bulk_change import BulkChange
from indicia.services.groups import list_groups
from indicia.services.indicators import Wanted
from indicia.services.policy import Watched
from indicia.services.requests import Bulk
from indicia.web.portal import finding
from indicia.web.portal.bulk_form import CATEGORIES, DOINGS, FIELDS, SEVERITIES, Problems, by_field, change_of
from indicia.web.portal.view import PATH, View
from indicia.web.portal.visit import PostDep, Visit
from indicia.web.portal.waiting import or_wait

#: From so many on the number has to be typed.
TYPED_FROM: Final = 1_000
REASON_CHARACTERS: Final = 1_000
#: How long a search with times such as `expires:<7d` means what it meant when it was shown.
_PREVIEW_STANDS: Final = timedelta(hours=1)
_DIGITS: Final = 12
_BULK: Final = "/indicators/bulk"

router = APIRouter(include_in_schema=False)


class Shown(NamedTuple):
    """One sample of a plan, and how it would differ."""

    sample: Sample
    changes: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class BulkPage:
    """The form of a change, and below what it would do where that was asked for."""

    doing: str
    title: str
    view: View
    back: str
    numbers: tuple[int, ...]
    whole: bool
    number: int
    at: str
    values: Mapping[str, str]
    groups: tuple[str, ...]
    chosen_groups: tuple[str, ...]
    problems: Problems
    plan: BulkPlan | None = None
    samples: tuple[Shown, ...] = ()
    must_type: bool = False
    typed_problem: tuple[Problem, ...] = ()
    changed_meanwhile: bool = False
    takes_two: tuple[Reason, ...] = ()
    severities: tuple[tuple[str, str], ...] = SEVERITIES
    categories: tuple[tuple[str, str], ...] = CATEGORIES

    def kept(self) -> Iterator[tuple[str, str]]:
        """Yield what the form carries on: which indicators, and since when."""
        yield "do", self.doing
        yield "at", self.at
        yield from self.view.pairs()
        if self.whole:
            yield "all", "1"
        yield from (("id", str(number)) for number in self.numbers)

    def change(self) -> Iterator[tuple[str, str]]:
        """Yield the fields of the change."""
        yield from self.values.items()
        yield from (("groups", group) for group in self.chosen_groups)

    def errors(self, name: str) -> list[Problem]:
        """Return what is wrong with the field *name*."""
        return self.problems.get(name, [])


@router.get(_BULK)
def read_bulk() -> Response:
    """Nothing is selected where nobody comes from the list."""
    return RedirectResponse(PATH, 303)


@router.post(_BULK)
def change_many(visit: PostDep) -> Response:
    """The form, then what it would do, then that done."""
    form = visit.form
    view = View.read(form.as_dict())
    doing, numbers = form.text("do"), form.numbers("id")
    whole = form.flag("all")
    only, _, number = form.text("only").partition(":")
    if only and number.isdecimal() and len(number) < 19:  # the menu of a row: this one alone
        doing, numbers, whole = {"extend": "expiry"}.get(only, only), (int(number),), False
    if doing not in DOINGS or not (whole or numbers):
        return visit.go(view.path(), said="nothing-selected")
    if len(numbers) > NAMED_AT_MOST:
        raise InvalidInput([Problem("too-many", f"at most {NAMED_AT_MOST:,} indicators can be named")])
    at = _since(visit, form.text("at"))
    target: Target = sorted(set(numbers))
    if whole:
        try:
            target = finding.wanted_by(visit, view, at)
        except InvalidFilter:
            return visit.go(view.path())  # the list says what is wrong with it
    asked = _Asked(visit, view, doing, () if whole else tuple(sorted(set(numbers))), whole, at, target)
    step = form.text("step") or ("preview" if doing == "delete" else "")
    if not step:
        return _answer(asked, {})
    change, problems = change_of(doing, form)
    if len(form.text("reason")) > REASON_CHARACTERS:
        message = f"a reason has at most {REASON_CHARACTERS:,} characters"
        problems.setdefault("reason", []).append(Problem("too-long", message, "reason"))
    if problems:
        return _answer(asked, problems)
    try:
        return _apply(asked, change) if step == "apply" else _preview(asked, change)
    except InvalidInput as error:
        return _answer(asked, by_field(error.problems))


class _Asked(NamedTuple):
    """What a form asks for, apart from the change itself."""

    visit: Visit
    view: View
    doing: str
    numbers: tuple[int, ...]
    whole: bool
    at: datetime
    target: Target


def _since(visit: Visit, text: str) -> datetime:
    """Return the moment at which this was begun, for times that the search says from now on."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return visit.now
    if at.tzinfo is None or not visit.now - _PREVIEW_STANDS <= at <= visit.now:
        return visit.now
    return at


def _preview(
    asked: _Asked, change: BulkChange, *, changed_meanwhile: bool = False, typed: str | None = None
) -> Response:
    visit = asked.visit
    watched = Watched(visit.app.policy)
    plan = plan_bulk(
        visit.database,
        asked.target,
        change,
        actor=visit.actor,
        now=visit.now,
        guard=visit.app.guard,
        policy=watched.policy,
    )
    problems = []
    if typed is not None:
        message = f"type {plan.changed:,} to say that you mean all of them"
        problems.append(Problem(NOT_CONFIRMED, message, "typed", typed))
    page = _answer_page(asked, {}, plan, changed_meanwhile=changed_meanwhile, typed_problem=tuple(problems))
    return _sent(asked, replace(page, takes_two=watched.reasons))


def _apply(asked: _Asked, change: BulkChange) -> Response:
    visit, form = asked.visit, asked.visit.form
    who: dict[str, Any] = {"actor": visit.actor, "now": visit.now, "guard": visit.app.guard}
    reason = form.text("reason").strip() or None
    typed = form.text("typed").replace(",", "").replace(" ", "").strip()
    agreed = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < _DIGITS else 0
    try:
        done = or_wait(
            visit,
            lambda database: apply_bulk(
                database,
                asked.target,
                change,
                expected=form.text("digest"),
                reason=reason,
                most=max(TYPED_FROM, agreed),
                policy=visit.app.policy,
                **who,
            ),
            lambda _database: Bulk(
                asked.target if isinstance(asked.target, Wanted) else tuple(asked.target), change, reason
            ),
            reason=change.release or reason,
        )
    except Conflict as conflict:
        unagreed = any(problem.code == NOT_CONFIRMED for problem in conflict.problems)
        return _preview(asked, change, changed_meanwhile=not unagreed, typed=typed if unagreed else None)
    if isinstance(done, Response):
        return done
    if done.changeset is None:
        return visit.go(asked.view.path(), said="unchanged")
    return visit.go(asked.view.path(), changed=done.changeset)


def _answer_page(
    asked: _Asked,
    problems: Problems,
    plan: BulkPlan | None = None,
    *,
    changed_meanwhile: bool = False,
    typed_problem: tuple[Problem, ...] = (),
) -> BulkPage:
    visit, form = asked.visit, asked.visit.form
    number = plan.total if plan else finding.number_of(visit, asked.target)
    return BulkPage(
        doing=asked.doing,
        title=f"{DOINGS[asked.doing]}: {number:,} indicator{'' if number == 1 else 's'}",
        view=asked.view,
        back=asked.view.path(),
        numbers=asked.numbers,
        whole=asked.whole,
        number=number,
        at=asked.at.isoformat(),
        values={name: form.text(name) for name in FIELDS if name != "groups"},
        groups=tuple(group.name for group in list_groups(visit.database, actor=visit.actor)),
        chosen_groups=form.texts("groups"),
        problems=problems,
        plan=plan,
        samples=tuple(_shown(sample) for sample in plan.samples) if plan else (),
        must_type=plan is not None and plan.changed > TYPED_FROM,
        typed_problem=typed_problem,
        changed_meanwhile=changed_meanwhile,
    )


def _sent(asked: _Asked, page: BulkPage) -> Response:
    status = 422 if page.problems or page.typed_problem else 409 if page.changed_meanwhile else 200
    return asked.visit.page("bulk.html", page, status=status)


def _answer(asked: _Asked, problems: Problems) -> Response:
    return _sent(asked, _answer_page(asked, problems))


def _shown(sample: Sample) -> Shown:
    before = sample.stored.indicator if sample.stored else None
    return Shown(sample, differences(before, sample.after) if sample.after else ())
