"""The Import page: files are chosen, dropped or pasted, and looked at before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.indicator import Action, Category, Severity
from indicia.domain.observable import ObservableType
from indicia.services.groups import list_groups
from indicia.services.import_job import Job
from indicia.services.samples import sample_csv
from indicia.web.portal.importing_form import Entered, Posted, read_posted
from indicia.web.portal.importing_words import Told, told_of
from indicia.web.portal.page import words
from indicia.web.portal.visit import Visit, VisitDep, unmasked
from indicia.web.session import check_csrf

_RECENT: Final = 50
#: So long a reply waits for a plan that is nearly done: then nobody sees a page that only says "wait".
WAIT_SECONDS: Final = 1.5

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the lists of the options offer."""

    actions: tuple[tuple[str, str], ...]
    severities: tuple[tuple[str, str], ...]
    categories: tuple[tuple[str, str], ...]
    types: tuple[tuple[str, str], ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportPage:
    """The page: what stands in the form, what is wrong with it, and the imports there were."""

    entered: Entered
    choices: Choices
    problems: Mapping[str, Sequence[Problem]]
    recent: tuple[Told, ...]
    most_bytes: int


def choices_of(visit: Visit) -> Choices:
    """Return what the options offer."""
    return Choices(
        (("", "Choose…"), *((each.value, words(each.value)) for each in Action)),
        (("", "Informational"), *((each.value, each.value) for each in Severity if each is not Severity.INFORMATIONAL)),
        (("", "None"), *((each.value, words(each.value)) for each in Category)),
        (("", "Detected for each value"), *((each.value, words(each.value)) for each in ObservableType)),
        tuple(group.name for group in list_groups(visit.database, actor=visit.actor)),
    )


def by_field(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    """Return *problems* by the field that each is about."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.column or "", []).append(problem)
    return found


def _page(visit: Visit, entered: Entered, problems: Sequence[Problem] = (), status: int = 200) -> Response:
    recent = tuple(told_of(job) for job in visit.app.imports.newest(actor=visit.actor, limit=_RECENT))
    most = visit.app.settings.max_import_bytes
    page = ImportPage(entered, choices_of(visit), by_field(problems), recent, most)
    return visit.page("import.html", page, status=status)


@router.get("/import")
def show(visit: VisitDep) -> Response:
    """Show the form and the imports of the last days."""
    return _page(visit, Entered())


@router.get("/import/sample.csv")
def sample(visit: VisitDep) -> Response:
    """Give the sample file, as `indicia sample` prints it."""
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": 'attachment; filename="sample.csv"'}
    return Response(sample_csv(visit.now), 200, headers)


@router.post("/import")
async def begin(visit: VisitDep, csrf: str = "") -> Response:
    """Keep the files that were sent and begin to look at each."""
    request = visit.request
    given = request.headers.get("x-csrf-token") or csrf
    check_csrf(request, visit.session, unmasked(given))  # before anything is read
    visit.app.imports.require_may_begin(visit.actor)
    posted = await read_posted(request, visit.app.settings.max_import_bytes)
    try:
        return await run_in_threadpool(_begun, visit, posted)
    finally:
        for chosen in posted.files:
            chosen.stream.close()


def _begun(visit: Visit, posted: Posted) -> Response:
    entered = Entered.of(posted.form)
    wants_json = "application/json" in visit.request.headers.get("accept", "")
    try:
        jobs = _start(visit, entered, posted)
    except InvalidInput as error:
        if wants_json:
            return _json({"problems": [problem.as_dict() for problem in error.problems]}, 400)
        return _page(visit, entered, error.problems, 400)
    visit.app.imports.wait(jobs[-1].id, WAIT_SECONDS)
    if wants_json:
        return _json({"imports": [{"id": job.id, "name": job.name, "href": f"/import/{job.id}"} for job in jobs]}, 201)
    return visit.go(f"/import/{jobs[0].id}" if len(jobs) == 1 else "/import#recent")


def _start(visit: Visit, entered: Entered, posted: Posted) -> list[Job]:
    wish = entered.wish()
    if not posted.files:
        message = "choose a file, drop one, or paste what is to be imported"
        raise InvalidInput([Problem("missing", message, "file")])
    empty = [chosen.name for chosen in posted.files if not chosen.stream.read(1)]
    if empty:
        message = "{} is empty; choose a file that holds indicators"
        raise InvalidInput([Problem("empty-file", message.format(name), "file") for name in empty])
    jobs = []
    for number, chosen in enumerate(posted.files):
        # What was said for one file is not meant for the next, unless that was said too.
        own = wish if number == 0 or entered.repeat else Entered(on_error=entered.on_error).wish()
        jobs.append(visit.app.imports.start(chosen.name, chosen.stream, own, actor=visit.actor))
    return jobs


def _json(value: Any, status: int) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
