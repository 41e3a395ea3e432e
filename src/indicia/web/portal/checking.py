"""Check a value: what the indicators decide about one value or many, and all that explains it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from indicia.domain.errors import InvalidInput, NotFound, Problem
from indicia.domain.indicator import Action, Status, StoredIndicator
from indicia.domain.observable import ObservableType
from indicia.domain.verdict import Considered, Outcome, Verdict
from indicia.services import checking, groups
from indicia.services.checking import Answer, Question, Tried
from indicia.services.verdicts import Explained
from indicia.web.api_shapes import as_of
from indicia.web.origin import origin_of
from indicia.web.portal.visit import PostDep, Visit, VisitDep

#: Values that one page answers.
MOST_VALUES: Final = 500
#: Characters of values that an address carries; more are sent in the body, and the page has no address of its own.
_LONGEST_QUERY: Final = 2_000
_LONGEST_TEXT: Final = 1_000_000
_RANKS: Final = {Outcome.WON: 0, Outcome.LOST: 1, Outcome.IGNORED: 2}
#: What the empty page offers to try; the addresses and names are those of documentation.
EXAMPLES: Final = (
    ("hxxps://phishing[.]example/login", "a URL, defanged: its host is looked up too"),
    ("www.malware.example", "a name: its parents are looked up too"),
    ("192.0.2.17", "an address: the networks around it are looked up too"),
    ("d41d8cd98f00b204e9800998ecf8427e", "a hash: this one is of the empty file, which the guard knows"),
)

router = APIRouter(include_in_schema=False)


class Said(NamedTuple):
    """A verdict in a line: what happens, by which indicator, and until when."""

    action: Action | None
    winner: StoredIndicator | None
    until: datetime | None
    alert: bool


class Rule(NamedTuple):
    """One indicator that was considered, and what became of it."""

    id: int
    stored: StoredIndicator
    matched_on: str
    is_other: bool
    scope: tuple[str, ...]
    status: str
    outcome: Outcome
    because: str


class ForGroup(NamedTuple):
    """The verdict for the devices of a group; ``asked`` is the one that the page is about."""

    group: str | None
    said: Said
    asked: bool


class Single(NamedTuple):
    """All that the page says about one value."""

    value: str
    type: ObservableType
    canonical: str
    said: Said
    why_not: str | None
    tried: tuple[Tried, ...]
    rules: tuple[Rule, ...]
    notes: tuple[Problem, ...]
    groups: tuple[ForGroup, ...]
    more_groups: int
    without: Said | None
    from_expiry: Said | None
    moment: datetime
    snapshot: int | None
    is_past: bool


class Listed(NamedTuple):
    """One of many values: how it was read, its verdict in a line, and what there is to know."""

    value: str
    type: ObservableType | None
    said: Said
    ignored: int
    notes: tuple[Problem, ...]
    href: str


class Many(NamedTuple):
    """The verdicts about many values, and how many there are of each."""

    rows: tuple[Listed, ...]
    counts: tuple[tuple[str, int], ...]
    snapshot: int | None
    moment: datetime
    is_past: bool


@dataclass(frozen=True, slots=True)
class CheckPage:
    """What the page shows: what was asked, what is wrong with it beside each field, or the answer."""

    value: str
    group: str
    at: str
    groups: tuple[str, ...]
    device: str = ""
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    single: Single | None = None
    many: Many | None = None
    suggestion: str | None = None
    curl: str = ""
    command: str = ""
    examples: Sequence[tuple[str, str]] = EXAMPLES
    most: int = MOST_VALUES

    @property
    def group_options(self) -> tuple[tuple[str, str], ...]:
        """The groups to choose from, and a device of none of them."""
        return (("", "none of these"), *((each, each) for each in self.groups))

    @property
    def is_asked(self) -> bool:
        """Whether anything was asked."""
        return bool(self.value.strip())


@router.get("/check")
def read_check(visit: VisitDep, value: str = "", group: str = "", device: str = "", at: str = "") -> Response:
    """The page, with the answer where something was asked; it can be passed on by its address."""
    return _answered(visit, value, group, device, at)


@router.post("/check")
def check(visit: PostDep) -> Response:
    """Answer what was pasted: what fits into an address gets one, so that it can be passed on."""
    form = visit.form
    value, group, device, at = (form.text(name) for name in ("value", "group", "device", "at"))
    asked = (("value", value), ("group", group), ("device", device), ("at", at))
    query = urlencode({name: text for name, text in asked if text.strip()})
    if len(query) <= _LONGEST_QUERY:
        return RedirectResponse(f"/check?{query}" if query else "/check", 303)
    return _answered(visit, value, group, device, at)


def _answered(visit: Visit, value: str, group: str, device: str, at: str) -> Response:
    names = tuple(each.name for each in groups.list_groups(visit.database, actor=visit.actor))
    if visit.actor.groups is not None and not group and names:
        group = names[0]  # whoever is limited asks about devices of their own groups
    device = device.strip()[:256]
    # A device is in one group: which one was chosen does not count beside it.
    blank = CheckPage(value[:_LONGEST_TEXT], "" if device else group[:256], at[:64], names, device)
    if not blank.is_asked:
        return visit.page("check.html", blank)
    try:
        page = _explained(visit, blank)
    except InvalidInput as error:
        page = _refused(blank, error.problems)
    except NotFound as error:
        page = _refused(blank, [Problem("unknown-changeset", f"{error}; Changes lists all", "at", at[:64])])
    return visit.page("check.html", page, status=400 if page.problems else 200)


def _refused(page: CheckPage, problems: Sequence[Problem]) -> CheckPage:
    """Return *page* with each problem beside the field that it is about."""
    beside: dict[str, tuple[Problem, ...]] = {}
    for problem in problems:
        if problem.allowed and problem.column != "value":
            problem = replace(problem, message=f"{problem.message}; allowed: {', '.join(problem.allowed[:20])}")
        name = problem.column if problem.column in ("group", "device", "at") else "value"
        beside[name] = (*beside.get(name, ()), problem)
    return _copy(page, problems=beside)


def _copy(page: CheckPage, **changed: object) -> CheckPage:
    fields = {name: getattr(page, name) for name in CheckPage.__dataclass_fields__}
    return CheckPage(**fields | changed)


def _explained(visit: Visit, page: CheckPage) -> CheckPage:
    values = checking.values_in(page.value, MOST_VALUES)
    checking.refuse_too_many(values, MOST_VALUES)
    question = Question(page.group or None, as_of(page.at.strip() or None), page.device or None)
    if len(values) > 1:
        return _copy(page, many=_many(visit, values, question, page))
    answer = checking.check_one(
        visit.database,
        values[0],
        question,
        actor=visit.actor,
        now=visit.now,
        guard=visit.app.guard,
        precedence=visit.app.settings.network_precedence,
        engine=visit.app.engine,
    )
    seen = answer.explained.seen
    if seen is None:
        faults = [note for note in answer.explained.notes if not note.warning]
        refused = _refused(page, faults)
        return _copy(refused, suggestion=next((fault.suggestion for fault in faults if fault.suggestion), None))
    curl, command = _commands(visit, values[0], page)
    group = answer.group or "" if page.device else page.group
    return _copy(page, single=_single(answer, question), curl=curl, command=command, group=group)


# -- one value --------------------------------------------------------------------------------------------------------


def _single(answer: Answer, question: Question) -> Single:
    explained, found = answer.explained, answer.indicators
    assert explained.seen is not None
    verdict = explained.verdict
    rules = sorted(verdict.considered, key=lambda each: (_RANKS[each.outcome], each.match.rule.id))
    told = [ForGroup(group, _said(each, found), group == answer.group) for group, each in answer.groups]
    otherwise = answer.otherwise
    return Single(
        value=explained.value,
        type=explained.seen.type,
        canonical=explained.seen.value,
        said=_said(verdict, found),
        why_not=_why_not(verdict),
        tried=answer.tried,
        rules=tuple(_rule(each, answer) for each in rules),
        notes=explained.notes,
        groups=tuple(told),
        more_groups=answer.more_groups,
        without=None if otherwise is None else _said(otherwise.without, found),
        from_expiry=None if otherwise is None or otherwise.from_expiry is None else _said(otherwise.from_expiry, found),
        moment=answer.moment,
        snapshot=answer.snapshot,
        is_past=question.at is not None,
    )


def _said(verdict: Verdict, found: Mapping[int, StoredIndicator]) -> Said:
    winner = verdict.winner
    if winner is None:
        return Said(None, None, None, alert=verdict.alert)
    return Said(verdict.action, found[winner.id], winner.expires_at, verdict.alert)


def _why_not(verdict: Verdict) -> str | None:
    """Return why nothing decides, None where something does."""
    if verdict.winner is not None:
        return None
    number = len(verdict.considered)
    if not number:
        return "No indicator is about this value, or about anything that covers it."
    if number == 1:
        return "One indicator matches, and it does not count here: see below why."
    return f"{number} indicators match, and none of them counts here: see below why."


def _rule(each: Considered, answer: Answer) -> Rule:
    rule, seen = each.match
    status = "Held" if rule.status is Status.HELD else "Expired" if rule.is_expired(answer.moment) else "Active"
    stored = answer.indicators[rule.id]
    is_other = answer.explained.seen is not None and seen.value != answer.explained.seen.value
    return Rule(rule.id, stored, seen.value, is_other, rule.groups, status, each.outcome, each.because)


def _commands(visit: Visit, value: str, page: CheckPage) -> tuple[str, str]:
    """Return how to ask the same by the API and by the command line."""
    asked = [("value", value), ("group", page.group), ("device", page.device), ("at", page.at.strip())]
    given = " ".join(f"--data-urlencode {shlex.quote(f'{name}={text}')}" for name, text in asked if text)
    url = f"{origin_of(visit.request)}/v1/verdicts"
    options = "".join(f" --{name} {shlex.quote(text)}" for name, text in asked[1:] if text)
    mark = "-- " if value.startswith("-") else ""
    curl = f'curl -s --get {url} -H "Authorization: Bearer $TOKEN" {given}'
    return curl, f"indicia check{options} {mark}{shlex.quote(value)}"


# -- many values ------------------------------------------------------------------------------------------------------


def _many(visit: Visit, values: Sequence[str], question: Question, page: CheckPage) -> Many:
    answers = checking.check_many(
        visit.database,
        values,
        question,
        actor=visit.actor,
        now=visit.now,
        guard=visit.app.guard,
        precedence=visit.app.settings.network_precedence,
        engine=visit.app.engine,
    )
    rows = tuple(_listed(each, answers.indicators, page) for each in answers.verdicts)
    counts: dict[str, int] = {}
    for row in rows:
        key = "unread" if row.type is None else row.said.action.value if row.said.action else "nothing"
        counts[key] = counts.get(key, 0) + 1
    order = ["BlockAndRemediate", "Block", "Warn", "Audit", "Allowed", "nothing", "unread"]
    told = tuple((key, counts[key]) for key in order if key in counts)
    return Many(rows, told, answers.snapshot, answers.moment, question.at is not None)


def _listed(explained: Explained, found: Mapping[int, StoredIndicator], page: CheckPage) -> Listed:
    value, seen, verdict, notes = explained
    ignored = sum(each.outcome is Outcome.IGNORED for each in verdict.considered)
    asked = {"group": page.group, "device": page.device, "at": page.at}
    query = {"value": value} | {name: text for name, text in asked.items() if text}
    kind = None if seen is None else seen.type
    return Listed(value, kind, _said(verdict, found), ignored, notes, f"/check?{urlencode(query)}")
