"""Walks through the indicators in an order that an index has, in stretches, so that a walk can end before the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from indicia.store import dialects, engines
from indicia.store.schema import indicators

#: Rows that are walked through before it is looked where the walk would end: most pages are found among them.
FIRST_STRETCH: Final = 10_000
Conditions = list[ColumnElement[bool]]


class Place(NamedTuple):
    """Where in an order an indicator is: the value that is sorted by as it is stored, and its number."""

    key: int | str | None
    id: int


class Walked(NamedTuple):
    """Places in the direction that was read.

    *reached* is where a walk gave up, None where it did not, and *searched* how many rows it had looked at by then.
    """

    places: list[Place]
    reached: Place | None = None
    searched: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """A way through the indicators: by *key*, which is the number or has an index, and with it is never null.

    *only* says which rows that index has; *down* whether large comes before small.
    """

    key: ColumnElement[Any]
    down: bool
    only: tuple[ColumnElement[bool], ...] = ()

    def walk(
        self, connection: Connection, conditions: Conditions, *, after: Place | None, limit: int, budget: int | None
    ) -> Walked:
        """Return up to *limit* places of rows past *after* that meet *conditions*, looking at *budget* rows at most."""
        with engines.by_index(connection):
            return self._walk(connection, conditions, after=after, limit=limit, budget=budget)

    def _walk(
        self, connection: Connection, conditions: Conditions, *, after: Place | None, limit: int, budget: int | None
    ) -> Walked:
        found: list[Place] = []
        start, spent = after, 0
        while True:
            stretch = FIRST_STRETCH if not spent else None if budget is None else budget - spent
            end = None if stretch is None else self._end(connection, start, stretch)
            for part in self._between(start, end):
                query = self._select(*part, *conditions).limit(limit - len(found))
                found += places(connection, query)
                if len(found) == limit:
                    return Walked(found)
            if end is None or stretch is None:
                return Walked(found)
            start, spent = end, spent + stretch
            if budget is not None and spent >= budget:
                return Walked(found, end, spent)

    def count(self, connection: Connection, conditions: Conditions, *, most: int, budget: int) -> tuple[int, bool]:
        """Return how many of the first *budget* rows meet *conditions*, *most* at most, and whether those are all."""
        with engines.by_index(connection):
            end = self._end(connection, None, budget)
        inner = self._select(*self._between(None, end)[0], *conditions).limit(most)
        found = connection.execute(select(func.count()).select_from(inner.subquery())).scalar_one()
        return found, end is None

    def _select(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        query = select(self.key, indicators.c.id).where(*self.only, *conditions)
        if self.key is indicators.c.id:
            return query.order_by(*in_order(self.key, down=self.down))
        # The key is never null here: to say where nulls would be would hide the order from PostgreSQL's index.
        return query.order_by(*((each.desc() if self.down else each.asc()) for each in (self.key, indicators.c.id)))

    def _end(self, connection: Connection, start: Place | None, rows: int) -> Place | None:
        """Return the last of the next *rows* rows, None where there are not so many: told by the index alone."""
        for part in self._between(start, None):
            found = places(connection, self._select(*part).offset(rows - 1).limit(1))
            if found:
                return found[0]
            inner = select(indicators.c.id).where(*self.only, *part)
            rows -= connection.execute(select(func.count()).select_from(inner.subquery())).scalar_one()
        return None

    def _between(self, start: Place | None, end: Place | None) -> list[Conditions]:
        """Return what tells the rows past *start* up to *end*, in parts that follow each other and are each a range.

        One condition for all of it would be no range: an engine would read whatever ties with either place.
        """
        key, number = self.key, indicators.c.id
        if key is number:
            return [
                [
                    *([self._beyond(number, start.id)] if start is not None else []),
                    *([self._up_to(number, end.id)] if end is not None else []),
                ]
            ]
        if start is not None and end is not None and start.key == end.key:
            return [[key == start.key, self._beyond(number, start.id), self._up_to(number, end.id)]]
        parts: list[Conditions] = []
        middle: Conditions = []
        if start is not None:
            parts.append([key == start.key, self._beyond(number, start.id)])
            middle.append(self._beyond(key, start.key))
        if end is None:
            return [*parts, middle]
        middle.append(self._short_of(key, end.key))
        return [*parts, middle, [key == end.key, self._up_to(number, end.id)]]

    def _beyond(self, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = column < value if self.down else column > value
        return condition

    def _short_of(self, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = column > value if self.down else column < value
        return condition

    def _up_to(self, number: ColumnElement[int], last: int) -> ColumnElement[bool]:
        return number >= last if self.down else number <= last


def places(connection: Connection, query: Select[Any]) -> list[Place]:
    """Return the rows of *query*, which selects a key and a number."""
    return [Place(key, number) for key, number in connection.execute(query)]


def in_order(key: ColumnElement[Any], *, down: bool, narrow: bool = False) -> list[ColumnElement[Any]]:
    """Return what sorts by *key*, null lowest, and then by the number in the same direction; *narrow*: by no index."""
    number: ColumnElement[int] = dialects.unindexed(indicators.c.id) if narrow else indicators.c.id
    own = number.desc() if down else number.asc()
    if key is indicators.c.id:
        return [own]
    key = dialects.unindexed(key) if narrow else key
    return [key.desc().nulls_last() if down else key.asc().nulls_first(), own]


def past(key: ColumnElement[Any], place: Place, *, down: bool) -> ColumnElement[bool]:
    """Return the condition that a row comes after *place* in that direction, whatever *key* is."""
    number = indicators.c.id
    tie = number < place.id if down else number > place.id
    if key is number:
        return tie
    if place.key is None:
        return and_(key.is_(None), tie) if down else or_(and_(key.is_(None), tie), key.is_not(None))
    further = or_(key < place.key, key.is_(None)) if down else key > place.key
    return or_(further, and_(key == place.key, tie))
