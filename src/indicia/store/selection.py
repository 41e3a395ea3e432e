"""Which indicators somebody asks for, and as of when: a value that only the store turns into SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause, and_, or_, select, union_all

from indicia.domain.query import OrderBy, Query
from indicia.store import filters
from indicia.store.schema import changesets, indicator_history, indicators

#: A number, or where a statement that is built once takes one.
Number = int | BindParameter[int]


@dataclass(frozen=True, slots=True)
class Selection:
    """The indicators that are live at ``now`` and match ``query``.

    ``owner`` keeps to those that one actor created; ``changeset`` looks at the past, just after that changeset;
    ``group_ids`` gives the number of each device group by name.
    """

    now: datetime
    query: Query | None = None
    owner: str | None = None
    changeset: int | None = None
    include_expired: bool = False
    order_by: tuple[OrderBy, ...] = ()
    group_ids: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> FromClause:
        """Return what to select from."""
        return indicators if self.changeset is None else as_of(self.changeset)

    def conditions(self, table: FromClause, *, walk: bool = False) -> list[ColumnElement[bool]]:
        """Return the conditions on *table*; with *walk*, for a reader that goes through it in order."""
        found: list[ColumnElement[bool]] = []
        if not self.include_expired:
            found.append(live(table, self.now))
        if self.query is not None:
            found.append(filters.where(self.query, table, groups=self.group_ids, walk=walk))
        if self.owner is not None:
            found.append(table.c.created.in_(select(changesets.c.id).where(changesets.c.actor == self.owner)))
        return found

    def order(self, table: FromClause) -> list[ColumnElement[Any]]:
        """Return what to sort by; the number of the indicator comes last."""
        return filters.order_by(self.order_by, table)


def live(table: FromClause, now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Return the condition that an indicator has not expired at *now* (SPEC 9.19: inert from the exact second)."""
    return or_(table.c.expires_at.is_(None), table.c.expires_at > now)


def begun(changeset: Number, first_id: Number, next_id: Number) -> list[ColumnElement[bool]]:
    """Return the conditions that together select the current versions that *changeset* began.

    It created indicators numbered from *first_id* to before *next_id*; those that it changed have an index.
    """
    now = indicators.c
    created = and_(now.id >= first_id, now.id < next_id, now.began == changeset, now.created == changeset)
    changed = and_(now.began == changeset, now.began != now.created)
    return [created, changed]


def expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a current indicator has expired at *now*."""
    return and_(indicators.c.expires_at.is_not(None), indicators.c.expires_at <= now)


def as_of(changeset: int) -> FromClause:
    """Return the indicators as they were just after *changeset*: a table with the columns of `indicators`."""
    names = [column.name for column in indicators.c]
    now = select(*(indicators.c[name] for name in names)).where(indicators.c.began <= changeset)
    past = select(*(indicator_history.c[name] for name in names)).where(
        indicator_history.c.began <= changeset, indicator_history.c.ended > changeset
    )
    return union_all(now, past).subquery("indicators_then")
