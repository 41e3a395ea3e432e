"""Requests about indicators that are named: add, change, release and delete them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from indicia.domain.access import Actor
from indicia.domain.changes import Outcome
from indicia.domain.draft import PROPERTY_NAMES, Draft
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.indicator import StoredIndicator
from indicia.domain.rules import Strictness
from indicia.services import indicators
from indicia.services.indicators import draft_from
from indicia.services.request import NAMED, NoFile, Parts, named
from indicia.store.database import Database


@dataclass(frozen=True, slots=True)
class Submit(NoFile):
    """Create or update an indicator of each draft."""

    kind: ClassVar[str] = "submit"
    drafts: tuple[Draft, ...]
    strictness: Strictness = Strictness.NATIVE
    create_only: bool = False
    reason: str | None = None

    @property
    def title(self) -> str:
        """What is added."""
        values = ", ".join(str(draft.value)[:100] for draft in self.drafts[:NAMED])
        more = len(self.drafts) - NAMED
        actions = ", ".join(sorted({str(draft.action)[:20] for draft in self.drafts}))
        return f"Add {values}" + (f" and {more:,} more" if more > 0 else "") + f" ({actions})"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it: of each draft what is given."""
        return {
            "drafts": [_given(draft) for draft in self.drafts],
            "strictness": self.strictness.value,
            "create_only": self.create_only,
            "reason": self.reason,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Submit:
        """Return what `as_dict` made *kept* of."""
        drafts = tuple(Draft(**each) for each in kept["drafts"])
        return cls(drafts, Strictness(kept["strictness"]), kept["create_only"], kept["reason"])

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Submit them; one that is refused refuses all."""
        written = indicators.submit(
            parts.database,
            self.drafts,
            actor=parts.actor,
            now=parts.now,
            guard=parts.guard,
            strictness=self.strictness,
            create_only=self.create_only,
            dry_run=dry_run,
            reason=self.reason,
            policy=parts.policy,
        )
        refused = [each for each in written if each.outcome is Outcome.REFUSED]
        if refused:
            raise InvalidInput([problem for each in refused for problem in each.problems if not problem.warning])


@dataclass(frozen=True, slots=True)
class Edit(NoFile):
    """Give one indicator other values: only those that somebody changed, whatever else becomes of it meanwhile."""

    kind: ClassVar[str] = "edit"
    number: int
    values: Mapping[str, Any]
    reason: str | None = None

    @classmethod
    def between(cls, stored: StoredIndicator, draft: Draft, reason: str | None) -> Edit:
        """Return the edit that makes *draft* of *stored*."""
        before = draft_from(stored.indicator)._asdict()
        return cls(stored.id, {k: v for k, v in draft._asdict().items() if _flat(v) != _flat(before[k])}, reason)

    @property
    def title(self) -> str:
        """Which one is edited."""
        return f"Change indicator {self.number}: {', '.join(PROPERTY_NAMES[name] for name in self.values)}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"number": self.number, "values": dict(self.values), "reason": self.reason}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Edit:
        """Return what `as_dict` made *kept* of."""
        return cls(kept["number"], kept["values"], kept["reason"])

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Edit it."""

        def change(stored: StoredIndicator) -> tuple[Draft, Sequence[Problem]]:
            return draft_from(stored.indicator)._replace(**self.values), ()

        indicators.edit(
            parts.database,
            self.number,
            change,
            actor=parts.actor,
            now=parts.now,
            guard=parts.guard,
            reason=self.reason,
            dry_run=dry_run,
            policy=parts.policy,
        )


@dataclass(frozen=True, slots=True)
class Release(NoFile):
    """Enforce indicators that the guard holds."""

    kind: ClassVar[str] = "release"
    numbers: tuple[int, ...]
    reason: str

    @property
    def title(self) -> str:
        """Which are released."""
        return f"Release {named(self.numbers)}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"numbers": list(self.numbers), "reason": self.reason}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Release:
        """Return what `as_dict` made *kept* of."""
        return cls(tuple(kept["numbers"]), kept["reason"])

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Release them."""
        indicators.release(
            parts.database,
            self.numbers,
            actor=parts.actor,
            now=parts.now,
            reason=self.reason,
            dry_run=dry_run,
            policy=parts.policy,
        )


@dataclass(frozen=True, slots=True)
class Delete(NoFile):
    """Delete the indicators with these numbers."""

    kind: ClassVar[str] = "delete"
    numbers: tuple[int, ...]
    reason: str | None = None

    @property
    def title(self) -> str:
        """Which are deleted."""
        return f"Delete {named(self.numbers)}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"numbers": list(self.numbers), "reason": self.reason}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Delete:
        """Return what `as_dict` made *kept* of."""
        return cls(tuple(kept["numbers"]), kept["reason"])

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Delete them."""
        indicators.delete(
            parts.database,
            self.numbers,
            actor=parts.actor,
            now=parts.now,
            reason=self.reason,
            dry_run=dry_run,
            policy=parts.policy,
        )


def _given(draft: Draft) -> dict[str, Any]:
    return {name: value for name, value in draft._asdict().items() if value is not None}


def _flat(value: Any) -> Any:
    """Return *value* as two spellings of it are compared: a list is a list, and nothing is nothing."""
    if isinstance(value, list | tuple):
        return list(value)
    return None if value in ("", None) else value


def submit_of(
    drafts: Sequence[Draft],
    faults: Sequence[Sequence[Problem]] = (),
    *,
    strictness: Strictness = Strictness.NATIVE,
    create_only: bool = False,
    reason: str | None = None,
) -> Submit:
    """Return the request to submit *drafts*; `InvalidInput` where a door found *faults* in them already."""
    wrong = [problem for each in faults for problem in each if not problem.warning]
    if wrong:
        raise InvalidInput(wrong)
    return Submit(tuple(drafts), strictness, create_only, reason)


def edit_of(
    database: Database,
    number: int,
    change: Callable[[StoredIndicator], tuple[Draft, Sequence[Problem]]],
    *,
    actor: Actor,
    now: datetime,
    version: int | None = None,
    reason: str | None = None,
) -> Edit:
    """Return the request to give indicator *number* what *change* makes of it now, of which it keeps the difference.

    `Conflict` where the indicator is not in that *version* any more; `InvalidInput` where the change is wrong.
    """
    stored, _group_ids = indicators.show_indicator(database, number, actor=actor, now=now)
    if version is not None and version != stored.began:
        raise indicators.stale(stored)
    draft, faults = change(stored)
    wrong = [problem for problem in faults if not problem.warning]
    if wrong:
        raise InvalidInput(wrong)
    return Edit.between(stored, draft, reason)
