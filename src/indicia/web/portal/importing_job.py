"""The page of one import: what would happen, row by row; correct it, import it, watch it, take it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response, StreamingResponse

from indicia.domain.approval import Need, Reason
from indicia.domain.errors import Conflict, IndiciaError, InvalidInput, NotFound, Problem
from indicia.services import changesets, import_findings, planned_imports, proposals
from indicia.services.import_correcting import Correction, Row, rejected_rows, row_at
from indicia.services.import_findings import PIECE, Found, Kind
from indicia.services.import_job import Job, Sample, State
from indicia.services.import_records import Edit
from indicia.services.imports import Format
from indicia.services.requests import import_of
from indicia.web.portal.importing import WAIT_SECONDS, Choices, by_field, choices_of
from indicia.web.portal.importing_form import FIELD_OF, REASON_CHARACTERS, Entered
from indicia.web.portal.importing_words import Told, told_of, what_it_is
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.portal.waiting import parts_of

#: What can be looked at: a tab for each, and what its tile says.
TABS: Final[Mapping[str, str]] = {
    "created": "New",
    "updated": "Updated",
    "unchanged": "Unchanged",
    "refused": "Refused",
    "held": "Held for review",
    "conflicts": "Conflicts",
}
_PROBLEMS: Final = "problems"
#: Of so many kinds that nobody asked for so many problems are shown.
_KINDS_PREVIEWED: Final = 20
_PREVIEWED: Final = 5
_MOST_LINE: Final = 10**12

router = APIRouter(include_in_schema=False)


class KindPage(NamedTuple):
    """Some problems of a kind: a page of them, or the first few."""

    items: tuple[Found, ...]
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class JobPage:
    """Everything the page of one import shows."""

    told: Told
    job: Job
    file: str
    tabs: Mapping[str, str]
    show: str
    kinds: tuple[Kind, ...]
    opened: Mapping[int, KindPage]
    samples: tuple[Sample, ...]
    entered: Entered
    choices: Choices
    problems: Mapping[str, Sequence[Problem]]
    undone_by: int | None
    waiting: Told | None
    correctable: bool
    takes_two: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class RowPage:
    """One row to be corrected, and what was wrong with what was sent."""

    job: Job
    row: Row
    problems: tuple[Problem, ...]


@router.get("/import/{id}")
def show(visit: VisitDep, id: str) -> Response:
    """Show one import: its progress, its plan, or its result."""
    return _shown(visit, visit.app.imports.get(id, actor=visit.actor))


def _shown(
    visit: Visit, job: Job, problems: Sequence[Problem] = (), status: int = 200, entered: Entered | None = None
) -> Response:
    query = visit.request.query_params
    kinds = tuple(job.kinds)
    what = query.get("show", "")
    if what not in (*TABS, _PROBLEMS):
        what = _PROBLEMS if any(not kind.warning for kind in kinds) or not job.counts["created"] else "created"
        if what == _PROBLEMS and not kinds:
            what = next((name for name in TABS if job.counts[name]), _PROBLEMS)
    found = list(problems)
    if job.state is State.REFUSED and job.wish.format is Format.TEXT:
        found += [Problem(p["code"], p["message"], FIELD_OF.get(p["column"] or "")) for p in job.fatal]
    page = JobPage(
        told=told_of(job),
        job=job,
        file=what_it_is(job),
        tabs=TABS,
        show=what,
        kinds=kinds,
        opened=_opened(visit, job, kinds) if what == _PROBLEMS else {},
        samples=tuple(job.samples.get(what, ())),
        entered=entered or Entered.of_wish(job.wish),
        choices=choices_of(visit),
        problems=by_field(found),
        undone_by=_undone_by(visit, job),
        waiting=_waiting(visit, job) if job.state is State.APPLIED else None,
        correctable=job.kept and job.state in (State.PLANNED, State.REFUSED),
        takes_two=takes_two(job),
    )
    return visit.page("import_job.html", page, status=status)


def _opened(visit: Visit, job: Job, kinds: Sequence[Kind]) -> dict[int, KindPage]:
    """Return a page of the kind that is asked for, and the first few problems of the others."""
    query = visit.request.query_params
    number, page = _small(query.get("kind", "")), _small(query.get("page", "1"))
    if number is None and len(kinds) == 1:
        number = kinds[0].number
    opened = {}
    for place, kind in enumerate(kinds):
        asked = kind.number == number
        if not asked and place >= _KINDS_PREVIEWED:
            continue
        pages = max(1, -(-kind.count // PIECE))
        at = min(max(page or 1, 1), pages) if asked else 1
        items = tuple(import_findings.page_of(visit.database, job.id, kind.number, at - 1))
        opened[kind.number] = KindPage(items if asked else items[:_PREVIEWED], at, pages if asked else 1)
    return opened


def _undone_by(visit: Visit, job: Job) -> int | None:
    number = job.record.changeset
    if not number:
        return None
    try:
        return changesets.show_changeset(visit.database, number, actor=visit.actor)[1]
    except NotFound:
        return None


def _waiting(visit: Visit, done: Job) -> Told | None:
    """Return the file of the same person that waits longest to be looked at."""
    for job in reversed(visit.app.imports.newest(actor=visit.actor)):
        if job.state in (State.PLANNED, State.REFUSED) and job.record.actor == visit.actor.id and job.id != done.id:
            return told_of(job)
    return None


# -- what can be done with it -----------------------------------------------------------------------------------------


@router.post("/import/{id}/apply")
def apply(visit: PostDep, id: str) -> Response:
    """Import what was shown."""
    form = visit.form
    entered = Entered.of(form)
    job = visit.app.imports.get(id, actor=visit.actor)
    try:
        if len(entered.reason) > REASON_CHARACTERS:
            message = f"{len(entered.reason):,} characters are given, at most {REASON_CHARACTERS:,} are allowed"
            raise InvalidInput([Problem("too-long", message, "reason")])
        if takes_two(job) or form.flag("propose"):
            return _proposed(visit, job, entered)
        visit.app.imports.apply(
            id,
            plan=form.text("plan"),
            skip_bad_rows=entered.on_error == "skip",
            reason=entered.reason or None,
            actor=visit.actor,
        )
    except InvalidInput as error:
        return _shown(visit, job, error.problems, 400, entered)
    except Conflict as error:
        now = visit.app.imports.get(id, actor=visit.actor)
        return _shown(visit, now, [Problem("conflict", str(error))], 409, entered)
    return _soon(visit, id)


def takes_two(job: Job) -> tuple[Reason, ...]:
    """Return why importing what is shown takes a second person."""
    kept = job.record.summary.get("takes_two", ())
    return tuple(Reason(Need(each["need"]), each["rows"], each["limit"]) for each in kept)


def _proposed(visit: Visit, job: Job, entered: Entered) -> Response:
    if job.state is not State.PLANNED or job.plan != visit.form.text("plan"):
        raise Conflict("this is not the plan that you saw any more: look at it again, then import")
    planned = planned_imports.planned_import(visit.database, job.id, actor=visit.actor)
    asked = import_of(planned, skip_bad_rows=entered.on_error == "skip", reason=entered.reason or None)
    made = proposals.propose(
        visit.database, asked, actor=visit.actor, now=visit.now, parts=parts_of(visit), reason=entered.reason or None
    )
    return visit.go(f"/proposals/{made.id}", said="proposed")


@router.post("/import/{id}/again")
def again(visit: PostDep, id: str) -> Response:
    """Plan the file once more: as before, or with the options of the form."""
    job = visit.app.imports.get(id, actor=visit.actor)
    wish = None
    entered = None
    if visit.form.flag("options"):
        entered = Entered.of(visit.form)
        try:
            asked = entered.wish()
        except InvalidInput as error:
            return _shown(visit, job, error.problems, 400, entered)
        wish = asked._replace(skip_bad_rows=job.wish.skip_bad_rows, reason=job.wish.reason)
    try:
        visit.app.imports.plan_again(id, actor=visit.actor, wish=wish)
    except Conflict as error:
        return _shown(visit, job, [Problem("conflict", str(error))], 409, entered)
    return _soon(visit, id)


@router.post("/import/{id}/stop")
def stop(visit: PostDep, id: str) -> Response:
    """Stop what is under way, or give up what waits."""
    visit.app.imports.stop(id, actor=visit.actor)
    return _soon(visit, id)


@router.post("/import/{id}/correct")
def correct(visit: PostDep, id: str) -> Response:
    """Change cells of the kept file, and plan it anew."""
    form = visit.form
    line, kind = form.number("line"), form.number("kind")
    column = form.text("column") or None
    if line is not None:
        old = form.text("value") or None
        correction = Correction(line=line, edits=(Edit(column, form.text("text"), old),))
    elif kind is not None and form.flag("suggested"):
        correction = Correction(kind=kind)
    elif kind is not None:
        correction = Correction(kind=kind, value=form.text("value"), replacement=form.text("text"))
    else:
        raise InvalidInput([Problem("missing", "say which row or which problems to correct", "line")])
    return _corrected(visit, id, correction)


def _corrected(visit: Visit, id: str, correction: Correction) -> Response:
    correction.check()
    visit.app.imports.plan_again(id, actor=visit.actor, correction=correction)
    visit.app.imports.wait(id, WAIT_SECONDS)
    return RedirectResponse(f"/import/{id}{_back(visit, id)}", 303)


def _back(visit: Visit, id: str) -> str:
    """Return where on the page somebody corrects: the kind of problem, which may have another number by now."""
    job = visit.app.imports.get(id, actor=visit.actor)
    code, _, rest = visit.form.text("back").partition(" ")
    column, _, page = rest.partition(" ")
    kind = next((each for each in job.kinds if each.code == code and (each.column or "-") == column), None)
    if kind is None:
        return "#rows" if job.has_plan else ""
    return f"?show=problems&kind={kind.number}&page={_small(page) or 1}#kind-{kind.number}"


def _soon(visit: Visit, id: str) -> Response:
    """Go to the page of the import, which may be done by then."""
    visit.app.imports.wait(id, WAIT_SECONDS)
    return visit.go(f"/import/{id}")


@router.get("/import/{id}/rows/{line}")
def row(visit: VisitDep, id: str, line: str) -> Response:
    """Show one row of the file, to be corrected as a whole."""
    return _row(visit, id, line)


def _row(visit: Visit, id: str, line: str, problems: Sequence[Problem] = (), status: int = 200) -> Response:
    job = visit.app.imports.get(id, actor=visit.actor)
    found = row_at(visit.database, job, _line(line))
    form = visit.form
    if form.fields:  # nothing that was typed is lost
        cells = tuple(each._replace(text=form.text(f"cell-{n}", each.text)) for n, each in enumerate(found.cells))
        found = found._replace(cells=cells, text=form.text("text", found.text))
    page = RowPage(job, found, tuple(problems))
    return visit.page("import_row.html", page, status=status)


@router.post("/import/{id}/rows/{line}")
def change_row(visit: PostDep, id: str, line: str) -> Response:
    """Change one row, and plan the file anew."""
    job = visit.app.imports.get(id, actor=visit.actor)
    at = _line(line)
    found = row_at(visit.database, job, at)
    given = [visit.form.text(f"cell-{number}", cell.text) for number, cell in enumerate(found.cells)]
    changed = zip(found.cells, given, strict=True)
    edits = tuple(Edit(cell.column, text) for cell, text in changed if text != cell.text.replace("\r\n", "\n"))
    if not found.cells:
        edits = (Edit(None, visit.form.text("text")),)
    try:
        return _corrected(visit, id, Correction(line=at, edits=edits))
    except IndiciaError as error:
        problems = error.problems if isinstance(error, InvalidInput) else [Problem("conflict", str(error))]
        return _row(visit, id, line, problems, 400)


@router.get("/import/{id}/rejected")
def rejected(visit: VisitDep, id: str) -> Response:
    """Give the refused rows with their reasons, as a file that can be mended and given again."""
    job = visit.app.imports.get(id, actor=visit.actor)
    if not job.kept:
        raise NotFound("the file is not kept any more: files are kept for a day")
    stem = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in job.name.rsplit(".", 1)[0])
    ending, kind = {
        Format.CSV: ("csv", "text/csv"),
        Format.TEXT: ("txt", "text/plain"),
        Format.NDJSON: ("jsonl", "application/x-ndjson"),
    }[job.wish.format]
    headers = {"Content-Disposition": f'attachment; filename="{stem[:80]}-rejected.{ending}"'}
    body = rejected_rows(visit.database, job)
    return StreamingResponse(body, 200, headers, media_type=f"{kind}; charset=utf-8")


def _line(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 12 and 0 < int(text) < _MOST_LINE):
        raise NotFound(f"there is no line {text[:50]!r}")
    return int(text)


def _small(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
