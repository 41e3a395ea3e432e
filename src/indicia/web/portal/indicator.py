"""The page of one indicator: what it is, what became of it, what it beats, and everything that ever changed it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.differences import Difference, differences
from indicia.domain.errors import InvalidInput, NotFound
from indicia.domain.indicator import Indicator, Status, StoredIndicator
from indicia.exporters.entity import entity, native
from indicia.services import changesets, indicators
from indicia.services.changesets import Version
from indicia.services.groups import list_groups
from indicia.services.requests import Delete, Release
from indicia.services.standing import Condition, Coverage, Standing, coverage_of, standing_of
from indicia.store.changesets import ChangeSetRecord
from indicia.web.portal.entry import Faults
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.portal.waiting import or_wait

#: Changes that the page shows; a link leads to the others.
MOST_CHANGES: Final = 30
_MOST_NUMBER: Final = (1 << 63) - 1
_NOT_UNDONE_HERE: Final = ("undo", "expiry", "group.rename")
_DELETED: Final = "Deleted"

router = APIRouter(include_in_schema=False)


class Change(NamedTuple):
    """One entry of the history: the changeset, what it did to this indicator, field by field, and who can go back."""

    record: ChangeSetRecord
    what: str
    differences: tuple[Difference, ...]
    undone_by: int | None
    can_undo: bool
    others: int


@dataclass(frozen=True, slots=True)
class IndicatorPage:
    """Everything about one indicator, also of one that is deleted or has expired."""

    stored: StoredIndicator
    status: str
    standing: Standing
    is_live: bool
    ended: ChangeSetRecord | None
    coverage: Coverage | None
    changes: tuple[Change, ...]
    older: int
    compat: str
    native: str
    faults: Faults
    reason: str
    guarded: str
    now: datetime
    release_waits: bool

    @property
    def is_held(self) -> bool:
        """Whether it waits for somebody to release it."""
        return self.is_live and self.stored.indicator.status is Status.HELD


@dataclass(frozen=True, slots=True)
class CoveragePart:
    """The indicators about narrower values, looked up apart."""

    stored: StoredIndicator
    coverage: Coverage


@router.get("/indicators/{number:int}")
def show_indicator(visit: VisitDep, number: int) -> Response:
    """The page of one indicator."""
    return visit.page("indicator.html", _page(visit, number, Faults()))


@router.get("/indicators/{number:int}/coverage")
def show_coverage(visit: VisitDep, number: int) -> Response:
    """The part about narrower values, which takes a while where there are many indicators."""
    stored, _ids = indicators.show_indicator(visit.database, _known(number), actor=visit.actor, now=visit.now)
    return visit.page("indicator_narrower.html", CoveragePart(stored, _coverage(visit, stored, narrow=True)))


@router.post("/indicators/{number:int}/delete")
def delete(visit: PostDep, number: int) -> Response:
    """Delete it, with a reason if one is given, and offer the way back."""
    reason = visit.form.text("reason").strip()[:1_000]
    version = visit.form.number("version")
    who: dict[str, Any] = {"actor": visit.actor, "now": visit.now, "reason": reason or None, "version": version}
    done = or_wait(
        visit,
        lambda database: indicators.delete(database, [_known(number)], **who, policy=visit.app.policy),
        lambda _database: Delete((_known(number),), reason or None),
        reason=reason or None,
    )
    if isinstance(done, Response):
        return done
    last = changesets.history_of(visit.database, number, actor=visit.actor)[-1]
    return visit.go(_back(visit), changed=last.ended.id if last.ended else None)


@router.post("/indicators/{number:int}/release")
def release(visit: PostDep, number: int) -> Response:
    """Enforce what the guard holds, for a reason that is kept."""
    reason = visit.form.text("reason")[:1_000]
    try:
        done = or_wait(
            visit,
            lambda database: indicators.release(
                database, [_known(number)], actor=visit.actor, now=visit.now, reason=reason, policy=visit.app.policy
            ),
            lambda _database: Release((_known(number),), reason),
            reason=reason,
        )
    except InvalidInput as fault:
        page = _page(visit, number, Faults.of(fault.problems), reason=reason)
        return visit.page("indicator.html", page, status=422)
    if isinstance(done, Response):
        return done
    return visit.go(f"/indicators/{number}", changed=done[0].began)


def _known(number: int) -> int:
    if number > _MOST_NUMBER:
        raise NotFound(f"there is no indicator {number}")
    return number


def _back(visit: Visit) -> str:
    """Return the view of the list that the form came from, a path of ours."""
    path = visit.form.text("next", "/indicators")
    return path if path.partition("?")[0] == "/indicators" else "/indicators"


def _page(visit: Visit, number: int, faults: Faults, *, reason: str = "") -> IndicatorPage:
    versions = changesets.history_of(visit.database, _known(number), actor=visit.actor)
    last = versions[-1]
    stored = last.stored
    is_live = last.ended is None and not stored.indicator.is_expired(visit.now)
    [standing] = standing_of(
        visit.database,
        [stored],
        actor=visit.actor,
        now=visit.now,
        engine=visit.app.engine,
        precedence=visit.app.settings.network_precedence,
    ).values()
    deleted = last.ended is not None and last.ended.kind != "expiry"
    status = _DELETED if deleted else standing.status.value if is_live else Condition.EXPIRED.value
    group_ids = {group.name: str(group.id) for group in list_groups(visit.database)}
    told = _history(versions)
    shown = tuple(_change(visit, *each) for each in told[:MOST_CHANGES])
    return IndicatorPage(
        stored,
        status,
        standing,
        is_live,
        last.ended,
        _coverage(visit, stored, narrow=True if "narrower" in visit.request.query_params else None)
        if is_live
        else None,
        shown,
        max(0, len(told) - MOST_CHANGES),
        _json(entity(stored, group_ids)),
        _json(native(stored, group_ids)),
        faults,
        reason,
        _guarded(visit, stored.indicator),
        visit.now,
        visit.app.policy.rule.release or not visit.may("indicators.release"),
    )


def _guarded(visit: Visit, indicator: Indicator) -> str:
    reason = visit.app.guard.reason(indicator.type, indicator.canonical)
    return reason.message if reason is not None else ""


def _coverage(visit: Visit, stored: StoredIndicator, *, narrow: bool | None) -> Coverage:
    return coverage_of(
        visit.database,
        stored,
        actor=visit.actor,
        now=visit.now,
        engine=visit.app.engine,
        precedence=visit.app.settings.network_precedence,
        narrow=narrow,
    )


_Told = tuple[ChangeSetRecord, str, Indicator | None, Indicator | None]


def _history(versions: Sequence[Version]) -> list[_Told]:
    """Return what each changeset did, the newest first: the versions before and after it."""
    told: list[_Told] = []
    beginnings = {version.began.id for version in versions}
    before: Version | None = None
    for version in versions:
        goes_on = before is not None and before.ended is not None and before.ended.id == version.began.id
        if before is not None and goes_on:
            told.append((version.began, "changed", before.stored.indicator, version.stored.indicator))
        else:
            told.append((version.began, "restored" if before else "added", None, version.stored.indicator))
        before = version
        if version.ended is not None and version.ended.id not in beginnings:
            what = "expired" if version.ended.kind == "expiry" else "deleted"
            told.append((version.ended, what, version.stored.indicator, None))
    return told[::-1]


def _change(
    visit: Visit, record: ChangeSetRecord, what: str, before: Indicator | None, after: Indicator | None
) -> Change:
    theirs = visit.actor.sees_all or record.actor == visit.actor.id
    undone_by = changesets.show_changeset(visit.database, record.id, actor=visit.actor)[1] if theirs else None
    found = differences(before, after) if before is not None and after is not None else ()
    others = record.created + record.updated + record.deleted - 1
    return Change(
        record,
        what,
        found,
        undone_by,
        theirs and undone_by is None and record.kind not in _NOT_UNDONE_HERE,
        max(0, others),
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
