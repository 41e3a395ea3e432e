"""How many indicators share each decision or kind: all of them, those that have expired, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, literal, select

from indicia.domain.indicator import Action, Category, Severity, Status
from indicia.domain.observable import ObservableType
from indicia.store.rows import ACTION_OF, CATEGORY_OF, SEVERITY_OF, STATUS_OF, TYPE_OF
from indicia.store.schema import MOVED, changesets, decisions, indicator_history, indicators
from indicia.store.selection import Selection

#: What indicators are counted by: the number of their decision, or where there are too many of these, the codes of its
#: type, action, severity, category (0 for none) and status, as one number.
Cell = int
#: Indicators by cell.
Tally = dict[Cell, int]
_CODES: Final = 100


class Kind(NamedTuple):
    """What of a decision counts are asked by."""

    type: ObservableType
    action: Action
    severity: Severity
    category: Category | None
    status: Status


class Population:
    """Counts indicators, by their decisions or by their kinds."""

    def __init__(self, connection: Connection, *, by_decision: bool) -> None:
        self._connection = connection
        self._by_decision = by_decision

    def all(self) -> Tally:
        """Return how many current indicators each decision has, expired ones too: from its index alone."""
        return self._tally(indicators, [])

    def selected(self, wanted: Selection) -> Tally:
        """Return how many of the *wanted* indicators, current ones, each decision or kind has."""
        return self._tally(indicators, wanted.conditions(indicators))

    def expired(self, since: datetime | None, now: datetime) -> Tally:
        """Return how many current indicators of each decision expired after *since* and have at *now*."""
        expires = indicators.c.expires_at
        conditions = [expires.is_not(None), expires <= now]
        return self._tally(indicators, conditions if since is None else [*conditions, expires > since])

    def changed(self, changeset: int, next_id: int, expired_at: datetime) -> tuple[list[Tally], list[Tally]]:
        """Return the tallies of what began after *changeset* and of what ended, each with its part that had expired.

        *next_id* is the number of the indicator that would have come next; *expired_at* the moment that tells.
        """
        now, past = indicators.c, indicator_history.c
        created = and_(now.id >= next_id, now.began == now.created)
        updated = and_(now.began != now.created, now.began > changeset)
        ended = and_(past.ended > changeset, past.began <= changeset)
        begun = [self._both(indicators, condition, expired_at) for condition in (created, updated)]
        gone = self._both(indicator_history, ended, expired_at)
        return [added(begun[0][0], begun[1][0]), added(begun[0][1], begun[1][1])], list(gone)

    def versions_since(self, changeset: int) -> int:
        """Return how many versions the changesets after *changeset* began and ended."""
        counted = changesets.c.created + 2 * changesets.c.updated + changesets.c.deleted
        query = select(func.coalesce(func.sum(counted), 0)).where(changesets.c.id > changeset, MOVED)
        return int(self._connection.execute(query).scalar_one())

    def _both(self, table: FromClause, condition: ColumnElement[bool], expired_at: datetime) -> tuple[Tally, Tally]:
        expired = and_(table.c.expires_at.is_not(None), table.c.expires_at <= expired_at)
        return self._tally(table, [condition]), self._tally(table, [condition, expired])

    def _tally(self, table: FromClause, conditions: Iterable[ColumnElement[bool]]) -> Tally:
        query: Any = select(table.c.decision, func.count().label("many")).where(*conditions).group_by(table.c.decision)
        if not self._by_decision:
            some = query.subquery()
            cell = _cell()
            query = (
                select(cell, func.sum(some.c.many)).join_from(some, decisions, decisions.c.id == some.c.decision)
            ).group_by(cell)
        return {int(row[0]): int(row[1]) for row in self._connection.execute(query)}


def decided(connection: Connection) -> int:
    """Return how many decisions there are, or were: the number of the newest."""
    return int(connection.execute(select(func.coalesce(func.max(decisions.c.id), 0))).scalar_one())


def cells(connection: Connection, after: int) -> dict[int, Cell]:
    """Return the kind of each decision with a number past *after*, as one number."""
    return {row[0]: row[1] for row in connection.execute(select(decisions.c.id, _cell()).where(decisions.c.id > after))}


def kind_of(cell: Cell) -> Kind:
    """Return the kind that `cells` made a number of."""
    parts = []
    for _ in Kind._fields:
        cell, code = divmod(cell, _CODES)
        parts.append(code)
    status, category, severity, action, kind = parts
    return Kind(
        TYPE_OF[kind],
        ACTION_OF[action],
        SEVERITY_OF[severity],
        CATEGORY_OF[category] if category else None,
        STATUS_OF[status],
    )


def _cell() -> ColumnElement[int]:
    of, number = decisions.c, literal(_CODES)
    category = func.coalesce(of.category, 0)
    return ((of.type * number + of.action) * number + of.severity) * number * number + category * number + of.status


def added(one: Tally, other: Tally, sign: int = 1) -> Tally:
    """Return *one* and *other* together, or with the *sign* -1 one without the other; what is nothing is left out."""
    total = dict(one)
    for number, count in other.items():
        total[number] = total.get(number, 0) + sign * count
    return {number: count for number, count in total.items() if count}
