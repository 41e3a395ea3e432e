"""Pages of the indicators in any order, forward and back, by the cheapest way there.

A page begins after a place: the value that is sorted by, and the number of an indicator. Ties go by that number, in the
direction of the order, so that an order read from its end is the order turned round. Null is lowest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, func, select, type_coerce

from indicia.domain.query import KINDS, And, Compare, Field, Kind, OrderBy, Query, Scalar, negated
from indicia.store import dialects, engines, filters
from indicia.store.codes import ACTIONS, CATEGORIES, SEVERITIES, STATUSES, TYPES
from indicia.store.schema import changesets, indicators
from indicia.store.selection import Selection
from indicia.store.walking import Path, Place, Walked, in_order, past, places

#: So few that it is cheapest to go by an index to all of them and sort.
FEW: Final = 20_000
#: A row that an index leads to takes so many times as long as the next one of the table.
_SLOWER: Final = 4
#: Rows that are walked through by an index before all are looked at instead.
_TRIED: Final = 100_000
#: Decisions whose indicators are merged, each from the index; with more of them, a walk finds some soon.
_MERGED: Final = 200
_BY_NUMBER: Final = frozenset({Field.ID, Field.CREATION_TIME})
_CODED: Final[Mapping[Field, Mapping[Any, int]]] = {
    Field.INDICATOR_TYPE: TYPES,
    Field.ACTION: ACTIONS,
    Field.SEVERITY: SEVERITIES,
    Field.CATEGORY: CATEGORIES,
    Field.STATUS: STATUSES,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of which list somebody asks for: what is past *after* in *order*, or *backwards* before it.

    *budget* is how many rows may be walked through where no index leads to those that match, None for all.
    """

    selection: Selection
    order: OrderBy
    limit: int
    after: Place | None = None
    backwards: bool = False
    budget: int | None = None

    @property
    def down(self) -> bool:
        """Whether large comes before small in the direction that is read."""
        return self.order.descending is not self.backwards


class Pages:
    """Finds the places of pages; *live* tells how many live indicators each decision has, where that is known."""

    def __init__(self, connection: Connection, live: Mapping[int, int] | None) -> None:
        self._connection = connection
        self._live = live

    def find(self, asked: Asked) -> Walked:
        """Return up to ``asked.limit`` places."""
        if self.is_narrow(asked.selection):
            return Walked(self._sorted(asked, narrow=True))
        field = asked.order.field
        if field in _BY_NUMBER:
            return self._by_number(asked)
        if field in _CODED:
            return self._by_code(asked, _CODED[field])
        by_index = {Field.EXPIRATION_TIME: self._by_expiry, Field.LAST_UPDATE_TIME: self._by_update}.get(field)
        if by_index is None:
            return Walked(self._sorted(asked))
        tried = by_index(asked if asked.budget is not None else replace(asked, budget=_TRIED))
        if tried.reached is None or asked.budget is not None:
            return tried
        # All has to be looked at: then a walk through the table is faster than one by an index.
        return Walked(self._sorted(asked, narrow=True))

    def is_narrow(self, selection: Selection) -> bool:
        """Return whether an index leads to the few indicators that may match."""
        query = selection.query
        if query is None:
            return False
        if filters.is_pointed(query):
            return True
        shared = filters.shared_part(query, selection.group_ids)
        if shared is not None and self._has_few(shared):
            return True
        if filters.asks_expiry(query):
            expiring = replace(selection, query=_expiry_part(query))
            table = indicators
            some = select(table.c.id).where(*expiring.conditions(table), table.c.expires_at.is_not(None))
            if self._are_few(some):
                return True
        changed = filters.by_last_update(query, indicators)
        return changed is not None and self._are_few(select(changed.subquery().c.id))

    def count(self, selection: Selection, most: int) -> int:
        """Return how many match, counting no further than *most*."""
        inner = select(indicators.c.id).where(*self._conditions(selection)).limit(most)
        return self._number(select(func.count()).select_from(inner.subquery()))

    def count_newest(self, selection: Selection, most: int, budget: int) -> tuple[int, bool]:
        """Return how many of the newest *budget* indicators match, *most* at most, and whether those are all."""
        conditions = selection.conditions(indicators, walk=True)
        return Path(indicators.c.id, down=True).count(self._connection, conditions, most=most, budget=budget)

    # -- by an index, or all of them ------------------------------------------------------------------------------

    def _sorted(self, asked: Asked, *, narrow: bool = False) -> list[Place]:
        key = _key(asked.order.field)
        query = select(key, indicators.c.id).where(*self._conditions(asked.selection))
        if asked.after is not None:
            query = query.where(past(key, asked.after, down=asked.down))
        # Where an index leads to what matches, it is not to be one of the order instead.
        order = in_order(key, down=asked.down, narrow=narrow)
        with engines.by_index(self._connection) if narrow else nullcontext():
            return places(self._connection, query.order_by(*order).limit(asked.limit))

    def _conditions(self, selection: Selection) -> list[ColumnElement[bool]]:
        query = selection.query
        if query is not None and not filters.is_pointed(query):
            changed = filters.by_last_update(query, indicators)
            if changed is not None and self._are_few(select(changed.subquery().c.id)):
                numbers = self._connection.execute(select(changed.subquery().c.id)).scalars()
                return [dialects.among(indicators.c.id, numbers), *selection.conditions(indicators, walk=True)]
        return selection.conditions(indicators)

    # -- by number ------------------------------------------------------------------------------------------------

    def _by_number(self, asked: Asked) -> Walked:
        query, live = asked.selection.query, self._live
        if query is not None and live is not None and filters.asks_decisions_only(query):
            shared = filters.shared_part(query, asked.selection.group_ids)
            if shared is not None and asked.selection.owner is None:
                alive = [number for number in self._connection.execute(shared).scalars() if number in live]
                if len(alive) <= _MERGED:
                    return Walked(self._merged(asked, alive))
        return self._walk(asked, Path(indicators.c.id, asked.down))

    def _merged(self, asked: Asked, numbers: list[int]) -> list[Place]:
        """Return the indicators of the decisions *numbers*, which the index of decisions has in order of number."""
        streams = [self._of_decision(asked, number) for number in numbers]
        merged = heapq.merge(*streams, reverse=asked.down)
        found: list[Place] = []
        while len(found) < asked.limit and (some := list(islice(merged, asked.limit))):
            alive = select(indicators.c.id).where(
                indicators.c.id.in_(some), *replace(asked.selection, query=None).conditions(indicators)
            )
            there = set(self._connection.execute(alive).scalars())
            found += [Place(None, number) for number in some if number in there]
        return found[: asked.limit]

    def _of_decision(self, asked: Asked, number: int) -> Iterator[int]:
        last = asked.after.id if asked.after is not None else None
        size = 16
        while True:
            rows = engines.numbers_of(self._connection, number, last, size, down=asked.down)
            yield from rows
            if len(rows) < size:
                return
            last, size = rows[-1], 8 * size

    def _walk(self, asked: Asked, path: Path) -> Walked:
        budget = asked.budget
        if budget is not None and path.key is not indicators.c.id:
            budget = max(1, budget // _SLOWER)
        conditions = asked.selection.conditions(indicators, walk=True)
        return path.walk(self._connection, conditions, after=asked.after, limit=asked.limit, budget=budget)

    # -- by what is stored elsewhere ------------------------------------------------------------------------------

    def _by_code(self, asked: Asked, codes: Mapping[Any, int]) -> Walked:
        """Return the indicators with each name in turn, in the order of the names' codes."""
        members: list[Scalar] = sorted(codes, key=codes.__getitem__)
        if asked.order.field is Field.CATEGORY:
            members.insert(0, None)
        ranks = {None: -1, **codes}
        if asked.down:
            members.reverse()
        found: list[Place] = []
        for member in members:
            code = None if member is None else codes[member]
            after = None
            if asked.after is not None:
                there = -1 if asked.after.key is None else int(asked.after.key)
                if ranks[member] == there:
                    after = asked.after
                elif (ranks[member] < there) is not asked.down:
                    continue
            part = _narrowed(asked, Compare(asked.order.field, "eq", member), after, len(found))
            walked = self._segment(part)
            found += [Place(code, place.id) for place in walked.places]
            if len(found) >= asked.limit:
                break
            if walked.reached is not None:
                return Walked(found, Place(code, walked.reached.id), walked.searched)
        return Walked(found)

    def _segment(self, asked: Asked) -> Walked:
        """Return a part of a list in order of number, whatever the order of the list."""
        by_number = replace(asked, order=OrderBy(Field.ID, asked.order.descending))
        return (
            Walked(self._sorted(by_number, narrow=True))
            if self.is_narrow(asked.selection)
            else self._by_number(by_number)
        )

    def _by_expiry(self, asked: Asked) -> Walked:
        never: Query = Compare(Field.EXPIRATION_TIME, "eq", None)
        at_never = asked.after is not None and asked.after.key is None
        parts = [True, False] if not asked.down else [False, True]
        if asked.after is not None:
            parts = parts[parts.index(at_never) :]
        found: list[Place] = []
        for has_none in parts:
            after = asked.after if at_never is has_none else None
            if has_none:
                walked = self._segment(_narrowed(asked, never, after, len(found)))
                some = [Place(None, place.id) for place in walked.places]
                reached = None if walked.reached is None else Place(None, walked.reached.id)
                searched = walked.searched
            else:
                part = _narrowed(asked, negated(never), after, len(found))
                path = Path(_key(Field.EXPIRATION_TIME), asked.down, (indicators.c.expires_at.is_not(None),))
                some, reached, searched = self._walk(part, path)
            found += some
            if reached is not None:
                return Walked(found, reached, searched)
            if len(found) >= asked.limit:
                break
        return Walked(found)

    def _by_update(self, asked: Asked) -> Walked:
        """Return a merger of what was changed, by its index, and of what was not, which is in order of number."""
        now = indicators.c
        changed = self._walk(asked, Path(now.began, asked.down, (now.began != now.created,)))
        kept = self._kept(asked)
        places = sorted([*changed.places, *kept.places], reverse=asked.down)
        searched = changed.searched + kept.searched
        limits = sorted((each.reached for each in (changed, kept) if each.reached is not None), reverse=asked.down)
        if not limits:
            return Walked(places[: asked.limit])
        # Past where one of the walks gave up, nobody knows what comes between.
        known = [place for place in places if (place >= limits[0] if asked.down else place <= limits[0])]
        return Walked(known[: asked.limit], None if len(known) >= asked.limit else limits[0], searched)

    def _kept(self, asked: Asked) -> Walked:
        """Return what was never changed: the numbers rise with the changesets that gave them out."""
        if asked.after is not None:
            query = select(changesets.c.first_id, changesets.c.next_id).where(changesets.c.id == asked.after.key)
            given = self._connection.execute(query).first()
            if given is None:
                return Walked([])
            low, high = (given.first_id, given.next_id) if asked.down else (given.first_id - 1, given.next_id - 1)
            asked = replace(asked, after=Place(None, min(max(asked.after.id, low), high)))
        walked = self._walk(asked, Path(indicators.c.id, asked.down, (indicators.c.began == indicators.c.created,)))
        began = self._began([*walked.places, *([walked.reached] if walked.reached else [])])
        reached = None if walked.reached is None else began[walked.reached.id]
        return Walked([began[place.id] for place in walked.places], reached, walked.searched)

    def _began(self, found: list[Place]) -> dict[int, Place]:
        ids = [place.id for place in found]
        return {
            place.id: place
            for place in places(
                self._connection, select(indicators.c.began, indicators.c.id).where(indicators.c.id.in_(ids))
            )
        }

    # -- helpers --------------------------------------------------------------------------------------------------

    def _has_few(self, shared: Select[int]) -> bool:
        live = self._live
        if live is None:
            return self._are_few(select(indicators.c.id).where(indicators.c.decision.in_(shared)))
        return sum(live.get(number, 0) for number in self._connection.execute(shared).scalars()) <= FEW

    def _are_few(self, numbers: Select[Any]) -> bool:
        return self._number(select(func.count()).select_from(numbers.limit(FEW + 1).subquery())) <= FEW

    def _number(self, query: Select[Any]) -> int:
        return int(self._connection.execute(query).scalar_one())


def fits(field: Field, place: Place) -> bool:
    """Return whether *place* can be one in an order by *field*."""
    if place.key is None:
        return field is not Field.LAST_UPDATE_TIME
    return isinstance(place.key, str) is (KINDS[field] in (Kind.TEXT, Kind.VALUE))


def _key(field: Field) -> ColumnElement[Any]:
    """Return what places in an order by *field* hold: for times of changesets, what rises with them."""
    if field in _BY_NUMBER:
        return indicators.c.id
    if field is Field.LAST_UPDATE_TIME:
        return indicators.c.began
    key = filters.sort_key(field, indicators)
    return type_coerce(key, BigInteger) if KINDS[field] is Kind.TIME else key


def _narrowed(asked: Asked, query: Query, after: Place | None, found: int) -> Asked:
    own = asked.selection.query
    both = query if own is None else And((own, query))
    return replace(asked, selection=replace(asked.selection, query=both), after=after, limit=asked.limit - found)


def _expiry_part(query: Query) -> Query:
    """Return what *query* asks of expiries, which has an index."""
    if not isinstance(query, And):
        return query
    return And(tuple(_expiry_part(operand) for operand in query.operands if filters.asks_expiry(operand)))
