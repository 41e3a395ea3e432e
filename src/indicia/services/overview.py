"""The numbers of the first page: what is active, what was added and removed, and what happened last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, require_unlimited
from indicia.domain.indicator import Action, Status
from indicia.domain.observable import ObservableType
from indicia.domain.search_times import SOON
from indicia.services import history
from indicia.services.census import Census
from indicia.services.history import Line, Sought
from indicia.store.activity import Day, expiring
from indicia.store.database import Database, Transaction

__all__ = ["DAYS", "EXPIRING_DAYS", "Day", "Overview", "TypeCounts", "overview"]

#: Days of the series, today included.
DAYS: Final = 30
#: What expires within so many days is told.
EXPIRING_DAYS: Final = SOON.days
_RECENT: Final = 8


class TypeCounts(NamedTuple):
    """How many active indicators of a type there are, by action."""

    type: ObservableType
    by_action: dict[Action, int]

    @property
    def total(self) -> int:
        """How many there are of any action."""
        return sum(self.by_action.values())


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page tells; ``days`` are of UTC and without gaps, the oldest first."""

    active: int
    held: int
    expiring: int
    added_today: int
    added_week: int
    types: tuple[TypeCounts, ...]
    days: tuple[Day, ...]
    recent: tuple[Line, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show yet: no indicator, and none that ever was."""
        return not (self.active or self.held or any(day.added for day in self.days) or self.has_changed_indicators)

    @property
    def has_changed_indicators(self) -> bool:
        """Whether a recent changeset touched indicators."""
        return any(line.record.created or line.record.updated or line.record.deleted for line in self.recent)


def overview(database: Database, census: Census, *, actor: Actor, now: datetime) -> Overview:
    """Return the numbers as of *now*, of what exists for *actor*."""
    require_unlimited(actor, Permission.INDICATORS_READ)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=DAYS - 1)
    with database.snapshot() as tx:
        types, waiting = _counts(tx, census, actor, now)
        soon = expiring(tx.connection, now, now + SOON, actor.groups)
        kept = {day.begins: day for day in census.days(tx, since, actor.groups)}
    begins = [since + timedelta(days=number) for number in range(DAYS)]
    days = tuple(kept.get(each, Day(each, 0, 0, 0, 0)) for each in begins)
    recent = history.find(database, Sought(), actor=actor, limit=_RECENT).lines
    return Overview(
        active=sum(each.total for each in types),
        held=waiting,
        expiring=soon,
        added_today=days[-1].added,
        added_week=sum(day.added for day in days[-7:]),
        types=types,
        days=days,
        recent=tuple(recent),
    )


def _counts(tx: Transaction, census: Census, actor: Actor, now: datetime) -> tuple[tuple[TypeCounts, ...], int]:
    """Return how many active indicators there are of each type that has any, and how many wait for a release."""
    counted = census.counts_for(tx, actor, now)
    by_type: dict[ObservableType, dict[Action, int]] = {kind: {} for kind in ObservableType}
    for (kind, action, status), number in counted.by_type_action_status.items():
        if status is Status.ACTIVE:
            by_type[kind][action] = number
    waiting = counted.by_status.get(Status.HELD, 0)
    return tuple(TypeCounts(kind, counts) for kind, counts in by_type.items() if counts), waiting
