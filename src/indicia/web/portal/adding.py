"""Adding indicators: the wizard Indicator, Action, Scope, Summary, Save, for one value or thousands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.approval import Reason
from indicia.domain.changes import Outcome
from indicia.domain.differences import Difference, differences
from indicia.domain.draft import Draft
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.indicator import Action
from indicia.domain.observable import ObservableType
from indicia.services import indicators
from indicia.services.certificates import Certificate, read_certificate
from indicia.services.foresight import About, Foreseen, about_values, foresee
from indicia.services.groups import list_groups
from indicia.services.indicators import Written
from indicia.services.pasting import MOST_VALUES, Pasted, Reading
from indicia.services.policy import Policy, Watched
from indicia.services.requests import submit_of
from indicia.store.database import Database
from indicia.web.portal.entry import STEPS, Entry, Faults, actions_for
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.portal.waiting import or_wait

#: Values whose rows a page shows; of the others it says how many they are.
MOST_ROWS: Final = 200
_SAVE: Final = "save"
_NEXT: Final = "next"
_PROPOSE: Final = "propose"
_CERTIFICATE: Final = "certificate"

router = APIRouter(include_in_schema=False)


class Planned(NamedTuple):
    """One value, and what saving would do, or has done."""

    pasted: Pasted
    written: Written

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What there is to know about it, apart from how it was read."""
        return tuple(each for each in self.written.problems if each.column != "generateAlert")

    @property
    def conflicts(self) -> bool:
        """Whether it contradicts what is stored."""
        return any(each.code.startswith("conflict") for each in self.written.problems)


@dataclass(frozen=True, slots=True)
class Plan:
    """What saving would do: row by row, in numbers, and for a single value in full."""

    rows: tuple[Planned, ...]
    counts: Mapping[str, int]
    conflicts: int
    foreseen: Foreseen | None
    changes: tuple[Difference, ...]
    takes_two: tuple[Reason, ...] = ()

    @property
    def shown(self) -> tuple[Planned, ...]:
        """The rows that the page has room for: those first about which there is something to say."""
        return tuple(
            sorted(self.rows, key=lambda each: (_ORDER.index(each.written.outcome), not each.notes))[:MOST_ROWS]
        )


@dataclass(frozen=True, slots=True)
class WizardPage:
    """The wizard: what was typed, the step it is at, what is wrong, and what is known of the values."""

    entry: Entry
    step: str
    reading: Reading
    about: tuple[About, ...]
    faults: Faults
    actions: tuple[Action, ...]
    group_names: tuple[str, ...]
    plan: Plan | None
    certificate: Certificate | None
    now: datetime
    steps: tuple[str, ...] = STEPS
    initial: Entry | None = None

    @property
    def kinds(self) -> tuple[ObservableType, ...]:
        """The types of the values."""
        return self.reading.kinds


@dataclass(frozen=True, slots=True)
class DonePage:
    """What became of many values, each by itself."""

    plan: Plan
    changeset: int | None
    can_undo: bool
    left_out: int


_ORDER: Final = (Outcome.REFUSED, Outcome.HELD, Outcome.UPDATED, Outcome.CREATED, Outcome.UNCHANGED)


@router.get("/indicators/new")
def show_wizard(visit: VisitDep) -> Response:
    """The first step, filled in as far as the link says."""
    entry = Entry.of_query(visit.request.query_params)
    return visit.page("wizard.html", _page(visit, entry, "indicator", Faults()))


@router.post("/indicators/new")
def take_step(visit: PostDep) -> Response:
    """Go to another step, or save; whatever is wrong, the form comes back as it was typed."""
    entry, certificate, problems = _with_certificate(Entry.of_form(visit.form), visit)
    here = visit.form.text("at")
    here = here if here in STEPS else STEPS[0]
    go = visit.form.text("go", _NEXT)
    if go == _CERTIFICATE or problems:
        return _answer(visit, entry, "indicator", Faults.of(problems), certificate=certificate)
    if go == _NEXT:
        go = STEPS[min(STEPS.index(here) + 1, len(STEPS) - 1)]
    target = go if go in STEPS else STEPS[-1]
    reading = entry.reading()
    if go not in (_SAVE, _PROPOSE) and STEPS.index(target) <= STEPS.index(here) and target != STEPS[-1]:
        return _answer(visit, entry, target, Faults(), reading=reading)
    plan, problems = plan_of(visit, entry, reading)
    faults = Faults.of(problems)
    seen = faults if target == STEPS[-1] else faults.up_to(target)
    if seen.first_step is not None:
        return _answer(visit, entry, seen.first_step, seen, reading=reading)
    if go not in (_SAVE, _PROPOSE):
        return _answer(visit, entry, target, Faults(), reading=reading, plan=plan)
    return _saved(visit, entry, reading)


def plan_of(visit: Visit, entry: Entry, reading: Reading) -> tuple[Plan, list[Problem]]:
    """Return what saving *entry* would do, and everything that is wrong with it."""
    problems = [*entry.problems(), *_of_values(reading, leave_out=entry.leave_out)]
    watched = Watched(visit.app.policy)
    try:
        rows = _planned(visit, entry, reading.good, watched)
    except InvalidInput as fault:
        return _plan([], None, ()), [*problems, *fault.problems]
    if not rows:  # nothing to save yet: what is wrong with the other fields is told all the same
        draft = entry.draft(visit.now)
        [written] = _submit(visit, visit.database, [draft], visit.app.policy, dry_run=True)
        problems += [each for each in written.problems if each.column not in ("indicatorValue", "indicatorType")]
    problems += [problem for row in rows for problem in row.written.problems if not problem.warning]
    foreseen: Foreseen | None = None
    changes: tuple[Difference, ...] = ()
    if len(rows) == 1 and rows[0].written.outcome is not Outcome.REFUSED:
        foreseen = _foreseen(visit, entry, rows[0].pasted)
        before = rows[0].written.stored
        if before is not None and foreseen is not None:
            changes = differences(before.indicator, foreseen.stored.indicator)
    return replace(_plan(rows, foreseen, changes), takes_two=watched.reasons), problems


def _of_values(reading: Reading, *, leave_out: bool) -> list[Problem]:
    if reading.over:
        message = f"these are more than {MOST_VALUES:,} values; import them as a file instead"
        return [Problem("too-many-values", message, "indicatorValue")]
    if not reading.values:
        return [Problem("missing", "type or paste at least one value, or drop a file", "indicatorValue")]
    if not reading.bad or (leave_out and reading.good):
        return []
    if len(reading.values) == 1:
        return [each for each in reading.values[0].problems if not each.warning]
    number = len(reading.bad)
    message = f"{number:,} of {len(reading.values):,} values cannot be used: mend or remove them, or leave them out"
    return [Problem("unusable-values", message, "indicatorValue")]


def _planned(visit: Visit, entry: Entry, values: Sequence[Pasted], watched: Watched) -> list[Planned]:
    drafts = [entry.draft_for(value, visit.now) for value in values]
    written = _submit(visit, visit.database, drafts, watched.policy, dry_run=True) if drafts else []
    return [Planned(*each) for each in zip(values, written, strict=True)]


def _submitted(visit: Visit, entry: Entry, values: Sequence[Pasted]) -> list[Planned] | Response:
    drafts = [entry.draft_for(value, visit.now) for value in values]
    reason = entry.reason.strip() or None
    written = or_wait(
        visit,
        lambda database: _submit(visit, database, drafts, visit.app.policy, dry_run=False, reason=reason),
        lambda _database: submit_of(drafts, reason=reason),
        reason=reason,
        ask=visit.form.text("go") == _PROPOSE,
    )
    return written if isinstance(written, Response) else [Planned(*each) for each in zip(values, written, strict=True)]


def _submit(
    visit: Visit,
    database: Database,
    drafts: Sequence[Draft],
    policy: Policy,
    *,
    dry_run: bool,
    reason: str | None = None,
) -> list[Written]:
    return indicators.submit(
        database,
        drafts,
        actor=visit.actor,
        now=visit.now,
        guard=visit.app.guard,
        dry_run=dry_run,
        reason=reason,
        policy=policy,
    )


def _foreseen(visit: Visit, entry: Entry, value: Pasted) -> Foreseen | None:
    return foresee(
        visit.database,
        entry.draft_for(value, visit.now),
        actor=visit.actor,
        now=visit.now,
        guard=visit.app.guard,
        engine=visit.app.engine,
        precedence=visit.app.settings.network_precedence,
    )


def _plan(rows: Sequence[Planned], foreseen: Foreseen | None, changes: tuple[Difference, ...]) -> Plan:
    counts = Counter(row.written.outcome.value for row in rows)
    return Plan(tuple(rows), counts, sum(row.conflicts for row in rows), foreseen, changes)


def _saved(visit: Visit, entry: Entry, reading: Reading) -> Response:
    """Write one changeset; show the one indicator, or what became of each of several."""
    try:
        rows = _submitted(visit, entry, reading.good)
    except InvalidInput as fault:
        return _answer(visit, entry, STEPS[-1], Faults.of(fault.problems), reading=reading)
    if isinstance(rows, Response):
        return rows
    changeset = next((row.written.changeset for row in rows if row.written.changeset is not None), None)
    if len(rows) == 1 and rows[0].written.stored is not None:
        path = f"/indicators/{rows[0].written.stored.id}"
        return visit.go(path, changed=changeset) if changeset else visit.go(path, said="unchanged")
    page = DonePage(_plan(rows, None, ()), changeset, changeset is not None, len(reading.bad))
    return visit.page("wizard_done_part.html" if visit.partial else "wizard_done.html", page)


def _with_certificate(entry: Entry, visit: Visit) -> tuple[Entry, Certificate | None, list[Problem]]:
    """Return *entry* with the thumbprint of a certificate that was chosen, what it says, or why it cannot be read."""
    upload = visit.form.upload("certificate_file")
    if upload is None:
        return entry, None, []
    try:
        found = read_certificate(upload.content)
    except InvalidInput as fault:
        return entry, None, [replace(each, message=f"{upload.name[:100]}: {each.message}") for each in fault.problems]
    lines = [line for line in entry.values.split("\n") if line.strip()]
    if found.thumbprint not in (line.strip().lower() for line in lines):
        lines.append(found.thumbprint)
    said = (*entry.certificates, f"{found.thumbprint} {found.as_text()}")
    entry = replace(entry, values="\n".join(lines), certificates=tuple(dict.fromkeys(said)))
    return entry, found, []


def _answer(
    visit: Visit,
    entry: Entry,
    step: str,
    faults: Faults,
    *,
    reading: Reading | None = None,
    plan: Plan | None = None,
    certificate: Certificate | None = None,
) -> Response:
    page = _page(visit, entry, step, faults, reading=reading, plan=plan, certificate=certificate)
    template = "wizard_form.html" if visit.partial else "wizard.html"
    return visit.page(template, page, status=422 if faults.errors else 200)


def _page(
    visit: Visit,
    entry: Entry,
    step: str,
    faults: Faults,
    *,
    reading: Reading | None = None,
    plan: Plan | None = None,
    certificate: Certificate | None = None,
) -> WizardPage:
    reading = reading or entry.reading()
    groups = tuple(group.name for group in list_groups(visit.database, actor=visit.actor))
    about = about_of(visit, reading)
    actions = actions_for(reading.kinds)
    return WizardPage(entry, step, reading, about, faults, actions, groups, plan, certificate, visit.now)


def about_of(visit: Visit, reading: Reading) -> tuple[About, ...]:
    """Return what is known about the values that the page has room for, those with problems first."""
    values = (*reading.bad[:MOST_ROWS], *reading.good[: max(0, MOST_ROWS - len(reading.bad))])
    return tuple(
        about_values(
            visit.database,
            values,
            actor=visit.actor,
            now=visit.now,
            guard=visit.app.guard,
            engine=visit.app.engine,
            precedence=visit.app.settings.network_precedence,
        )
    )
