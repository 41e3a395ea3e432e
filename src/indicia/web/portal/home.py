"""Home: the numbers at a glance, what happened last, and on an empty database three steps to start."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import InvalidInput
from indicia.domain.indicator import Action
from indicia.domain.observable import ObservableType
from indicia.services import overview as numbers
from indicia.services.imports import Options, Source, import_indicators
from indicia.services.overview import DAYS, EXPIRING_DAYS, Overview
from indicia.services.samples import sample_csv
from indicia.web.origin import origin_of
from indicia.web.portal import charts
from indicia.web.portal.changes import Told, told
from indicia.web.portal.charts import Bars, Columns, Row, Series
from indicia.web.portal.visit import PostDep, Visit, VisitDep

_ACTIONS: Final = (
    (Action.BLOCK_AND_REMEDIATE, "Block and remediate"),
    (Action.BLOCK, "Block"),
    (Action.WARN, "Warn"),
    (Action.AUDIT, "Audit"),
    (Action.ALLOWED, "Allow"),
)
_TYPES: Final = {
    ObservableType.FILE_SHA256: ("SHA-256", "sha256"),
    ObservableType.FILE_SHA1: ("SHA-1", "sha1"),
    ObservableType.FILE_MD5: ("MD5", "md5"),
    ObservableType.IP_ADDRESS: ("IP address", "address"),
    ObservableType.IP_RANGE: ("IP range", "range"),
    ObservableType.DOMAIN_NAME: ("Domain", "domain"),
    ObservableType.URL: ("URL", "url"),
    ObservableType.CERTIFICATE_THUMBPRINT: ("Certificate", "certificate"),
}
#: Imports that are looked at for those which are under way.
_JOBS: Final = 20
_OVER_TIME: Final = (Series("added", "Added"), Series("expired", "Expired"), Series("deleted", "Deleted"))

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class HomePage:
    """What the first page shows; ``origin`` is for the command of the third step."""

    numbers: Overview
    types: Bars
    activity: Columns
    recent: tuple[Told, ...]
    expiring_days: int
    origin: str
    imports_running: int


@router.get("/")
def read_home(visit: VisitDep) -> Response:
    """The page."""
    found = numbers.overview(visit.database, visit.app.census, actor=visit.actor, now=visit.now)
    return visit.page("home.html", _page(visit, found))


@router.post("/")
def load_sample(visit: PostDep) -> Response:
    """Load the sample as any file is imported, with a way back."""
    source = Source("sample.csv", io.BytesIO(sample_csv(visit.now)))
    report = import_indicators(
        visit.database,
        [source],
        Options(reason="The sample, to see how it works"),
        actor=visit.actor,
        now=visit.now,
        guard=visit.app.guard,
        policy=visit.app.policy,
    )
    if not report.applied:
        raise InvalidInput([problem for problem in report.problems if not problem.warning])
    if report.changeset is None:
        return visit.go("/", said="unchanged")
    return visit.go("/", changed=report.changeset)


def _page(visit: Visit, found: Overview) -> HomePage:
    jobs = visit.app.imports.newest(actor=visit.actor, limit=_JOBS)
    return HomePage(
        numbers=found,
        types=_types(found),
        activity=_activity(found),
        recent=tuple(told(line) for line in found.recent),
        expiring_days=EXPIRING_DAYS,
        origin=origin_of(visit.request),
        imports_running=sum(job.under_way for job in jobs),
    )


def _types(found: Overview) -> Bars:
    series = [Series(f"action-{action}", name) for action, name in _ACTIONS]
    rows = []
    for each in sorted(found.types, key=lambda each: -each.total):
        name, qualifier = _TYPES[each.type]
        amounts = [each.by_action.get(action, 0) for action, _name in _ACTIONS]
        rows.append(Row(name, each.type.value, amounts, f"/indicators?q=type%3A{qualifier}"))
    return charts.bars("by-type", "Active by type and action", series, rows)


def _activity(found: Overview) -> Columns:
    rows = [
        Row(f"{day.begins.day} {day.begins:%b}", f"{day.begins:%Y-%m-%d}", (day.added, day.expired, day.deleted))
        for day in found.days
    ]
    return charts.columns("over-time", f"Added and removed in the last {DAYS} days", _OVER_TIME, rows)
