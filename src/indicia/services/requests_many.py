"""Requests about many indicators: those that match, those that a changeset touched, those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.domain.query_plain import asked, plain
from indicia.services import bulk, changesets, indicators, planned_imports
from indicia.services.bulk_change import BulkChange
from indicia.services.import_job import State
from indicia.services.imports import Source, import_indicators
from indicia.services.indicators import Wanted
from indicia.services.planned_imports import body_of
from indicia.services.request import NoFile, Parts, named
from indicia.store.imports import PlannedImport

_REFUSALS_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class DeleteMatching(NoFile):
    """Delete every indicator that matches by the time that it is done."""

    kind: ClassVar[str] = "delete-matching"
    wanted: Wanted
    reason: str | None = None

    @property
    def title(self) -> str:
        """What is deleted."""
        return "Delete every indicator that matches" if self.wanted.query else "Delete every indicator"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"wanted": _plain_wanted(self.wanted), "reason": self.reason}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> DeleteMatching:
        """Return what `as_dict` made *kept* of."""
        return cls(_wanted(kept["wanted"]), kept["reason"])

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Delete them."""
        indicators.delete_matching(
            parts.database,
            self.wanted,
            actor=parts.actor,
            now=parts.now,
            reason=self.reason,
            dry_run=dry_run,
            policy=parts.policy,
        )


@dataclass(frozen=True, slots=True)
class Bulk(NoFile):
    """Change many indicators alike: those that are named, or all that match."""

    kind: ClassVar[str] = "bulk"
    target: tuple[int, ...] | Wanted
    change: BulkChange
    reason: str | None = None

    @property
    def title(self) -> str:
        """What is changed."""
        verb = "Delete" if self.change.delete else "Release" if self.change.release is not None else "Change"
        which = "all that match" if isinstance(self.target, Wanted) else named(self.target)
        return f"{verb} {which}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        named = None if isinstance(self.target, Wanted) else list(self.target)
        return {
            "numbers": named,
            "wanted": _plain_wanted(self.target) if isinstance(self.target, Wanted) else None,
            "values": dict(self.change.values),
            "extend_days": self.change.extend.days if self.change.extend is not None else None,
            "delete": self.change.delete,
            "release": self.change.release,
            "reason": self.reason,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Bulk:
        """Return what `as_dict` made *kept* of."""
        days = kept["extend_days"]
        change = BulkChange(
            kept["values"], None if days is None else timedelta(days=days), kept["delete"], kept["release"]
        )
        target = _wanted(kept["wanted"]) if kept["wanted"] is not None else tuple(kept["numbers"])
        return cls(target, change, kept["reason"])

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Change them."""
        database, target, change, actor, now, guard = (
            parts.database, self.target, self.change, parts.actor, parts.now, parts.guard
        )  # fmt: skip
        if dry_run:
            bulk.plan_bulk(database, target, change, actor=actor, now=now, guard=guard, policy=parts.policy)
            return
        bulk.apply_bulk(
            database,
            target,
            change,
            actor=actor,
            now=now,
            guard=guard,
            expected=None,
            reason=self.reason,
            policy=parts.policy,
        )


@dataclass(frozen=True, slots=True)
class Undo(NoFile):
    """Take a changeset back."""

    kind: ClassVar[str] = "undo"
    number: int
    keep_later: bool = False
    reason: str | None = None

    @property
    def title(self) -> str:
        """What is taken back."""
        return f"Undo changeset {self.number}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"number": self.number, "keep_later": self.keep_later, "reason": self.reason}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Undo:
        """Return what `as_dict` made *kept* of."""
        return cls(kept["number"], kept["keep_later"], kept["reason"])

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Undo it."""
        changesets.undo(
            parts.database,
            self.number,
            actor=parts.actor,
            now=parts.now,
            reason=self.reason,
            keep_later=self.keep_later,
            dry_run=dry_run,
            policy=parts.policy,
        )


@dataclass(frozen=True, slots=True)
class Import:
    """Import the file that is kept under a number, as it was planned."""

    kind: ClassVar[str] = "import"
    import_id: str
    name: str
    skip_bad_rows: bool = False
    reason: str | None = None

    @property
    def title(self) -> str:
        """Which file is imported."""
        return f"Import {self.name[:200]}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "import": self.import_id,
            "name": self.name,
            "skip_bad_rows": self.skip_bad_rows,
            "reason": self.reason,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Import:
        """Return what `as_dict` made *kept* of."""
        return cls(kept["import"], kept["name"], kept["skip_bad_rows"], kept["reason"])

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Import it; a refused row refuses all, unless it was agreed to skip those."""
        with parts.database.snapshot() as tx:
            planned = tx.imports.get(self.import_id)
        if planned is None:
            raise NotFound("the file of this import is not kept any more")
        if planned.changeset is not None:
            raise Conflict("this import was applied already")
        options = planned_imports.options_of(planned, self.skip_bad_rows, self.reason, dry_run=dry_run)
        with body_of(parts.database, self.import_id) as body:
            report = import_indicators(
                parts.database,
                [Source(self.name, body)],
                options,
                actor=parts.actor,
                now=parts.now,
                guard=parts.guard,
                policy=parts.policy,
            )
        with report.problems:
            if report.fatal or (report.must_stop and not self.skip_bad_rows):
                faults = [each for each in report.problems.first(_REFUSALS_NAMED) if not each.warning]
                raise InvalidInput(faults or [Problem("refused-rows", "rows are refused")])
        if not dry_run:
            self._done(parts, report.changeset or 0)

    def _done(self, parts: Parts, changeset: int) -> None:
        with parts.database.transaction() as tx:
            tx.imports.mark_applied(self.import_id, changeset)
            tx.imports.drop_body(self.import_id)
            moved: dict[str, Any] = {"state": State.APPLIED, "state_at": parts.now, "changeset": changeset}
            tx.import_jobs.move(self.import_id, among=[State.PLANNED], **moved)


def _plain_wanted(wanted: Wanted) -> dict[str, Any]:
    if wanted.at is not None:
        raise InvalidInput([Problem("in-the-past", "what is in the past cannot be changed", "at")])
    query = None if wanted.query is None else plain(wanted.query)
    return {"query": query, "include_expired": wanted.include_expired}


def _wanted(kept: Mapping[str, Any]) -> Wanted:
    query = None if kept["query"] is None else asked(kept["query"])
    return Wanted(query, include_expired=kept["include_expired"])


def import_of(planned: PlannedImport, *, skip_bad_rows: bool | None = None, reason: str | None = None) -> Import:
    """Return the request to import *planned*, as its options say where nothing else is said."""
    kept = planned.options
    skip = bool(kept["skip_bad_rows"]) if skip_bad_rows is None else skip_bad_rows
    if kept.get("fatal") or not (skip or kept["applicable"]):
        raise InvalidInput([Problem("refused-rows", "the plan has refused rows; mend them, or plan with onError=skip")])
    return Import(planned.id, kept["name"], skip, reason if reason is not None else kept["reason"])
