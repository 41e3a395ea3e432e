"""How many live indicators there are of each kind: exact to the second, and never counted twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from indicia.domain.access import Actor
from indicia.domain.indicator import Action, Category, Severity, Status
from indicia.domain.observable import ObservableType
from indicia.domain.query import Constant, Query
from indicia.domain.sight import in_sight_of, owner_for
from indicia.services.conflicts import Conflicts
from indicia.store import filters
from indicia.store.activity import Day, daily, daily_among
from indicia.store.census import Cell, Kind, Population, Tally, added, cells, decided, kind_of
from indicia.store.changesets import Tip
from indicia.store.database import Database, Transaction
from indicia.store.selection import Selection

_Key = TypeVar("_Key")
#: Versions that changesets may have begun and ended before everything is counted anew, which takes 35 ms a million.
_FOLLOWED: Final = 20_000
#: Decisions that are counted each by itself; with more of them only their kinds are, so that it stays a small table.
_DECISIONS: Final = 50_000
#: For how many sets of device groups the days of the first page are remembered.
_REMEMBERED: Final = 16


@dataclass(frozen=True, slots=True)
class Counts:
    """The live indicators by what is decided about them: what has none is absent."""

    total: int
    by_type: Mapping[ObservableType, int]
    by_action: Mapping[Action, int]
    by_severity: Mapping[Severity, int]
    by_category: Mapping[Category | None, int]
    by_status: Mapping[Status, int]
    by_type_action_status: Mapping[tuple[ObservableType, Action, Status], int]
    by_type_and_action: Mapping[tuple[ObservableType, Action], int]
    by_type_and_status: Mapping[tuple[ObservableType, Status], int]

    def of_types(self, *types: ObservableType, status: Status | None = None) -> int:
        """Return how many are of one of *types*, and have *status*."""
        if status is None:
            return sum(self.by_type.get(kind, 0) for kind in types)
        return sum(self.by_type_and_status.get((kind, status), 0) for kind in types)


@dataclass(frozen=True, slots=True)
class _State:
    """What there was after a changeset, and how much of it had expired at a moment."""

    tip: Tip
    by_decision: bool
    all: Tally
    expired_at: datetime
    expired: Tally
    live: Tally
    counts: Counts | None = None


class Census:
    """Counts for any thread, brought forward by what later changesets began and ended and by what has expired."""

    def __init__(self) -> None:
        self.conflicts = Conflicts()
        self._lock = threading.Lock()
        self._state: _State | None = None
        self._cells: dict[int, Cell] = {}
        self._days: dict[tuple[Tip, datetime, frozenset[str]], list[Day]] = {}

    def counts(self, source: Database | Transaction, now: datetime) -> Counts:
        """Return the counts of what is live at *now*."""
        with _within(source) as tx:
            return self._counted(tx, now)

    def counts_for(self, source: Database | Transaction, actor: Actor, now: datetime) -> Counts:
        """Return the counts of what is live at *now* and exists for *actor*."""
        if actor.sees_all:
            return self.counts(source, now)
        query, owner = in_sight_of(actor, None), owner_for(actor)
        with _within(source) as tx:
            counted = self.count(tx, query, {}, now) if owner is None else None
            if counted is None:
                population = Population(tx.connection, by_decision=False)
                counted = counts_of(population.selected(Selection(now, query, owner)))
            return counted

    def days(self, tx: Transaction, since: datetime, groups: frozenset[str] | None) -> list[Day]:
        """Return what was changed on each day from *since* on; with *groups* of what touches these device groups.

        The latter is counted row by row, and remembered until rows change again.
        """
        if groups is None:
            return daily(tx.connection, since)
        key = (tx.changesets.moved(), since, groups)
        with self._lock:
            known = self._days.get(key)
        if known is None:
            known = daily_among(tx.connection, since, groups)
            with self._lock:
                while len(self._days) >= _REMEMBERED:
                    del self._days[next(iter(self._days))]
                self._days[key] = known
        return known

    def live(self, tx: Transaction, now: datetime) -> Mapping[int, int] | None:
        """Return how many indicators that are live at *now* each decision has, None where decisions are too many."""
        state = self._follow(tx, now)
        return state.live if state.by_decision else None

    def count(self, tx: Transaction, query: Query | None, groups: Mapping[str, str], now: datetime) -> Counts | None:
        """Return the counts of the live indicators that match *query*, None where their decisions do not tell."""
        if query is None:
            return self.counts(tx, now)
        live = self.live(tx, now)
        if live is None or not filters.asks_decisions_only(query):
            return None
        if isinstance(query, Constant):
            return self.counts(tx, now) if query.value else counts_of({})
        shared = filters.shared_part(query, groups)
        assert shared is not None, "a query of decisions selects decisions"
        numbers = tx.connection.execute(shared).scalars()
        return self._sorted(tx, {number: live[number] for number in numbers if number in live}, by_decision=True)

    def _counted(self, tx: Transaction, now: datetime) -> Counts:
        state = self._follow(tx, now)
        if state.counts is None:
            state = replace(state, counts=self._sorted(tx, state.live, by_decision=state.by_decision))
            with self._lock:
                if self._state is not None and self._state.live is state.live:
                    self._state = state
        assert state.counts is not None, "they were just counted"
        return state.counts

    def _sorted(self, tx: Transaction, live: Tally, *, by_decision: bool) -> Counts:
        if not by_decision:
            return counts_of(live)
        found: Counter[Cell] = Counter()
        known = self._cells_of(tx)
        for number, count in live.items():
            found[known[number]] += count
        return counts_of(found)

    def _cells_of(self, tx: Transaction) -> Mapping[int, Cell]:
        with self._lock:
            known = self._cells
        # Decisions are only ever added, and never changed.
        more = cells(tx.connection, max(known, default=0))
        if more:
            known = known | more
            with self._lock:
                self._cells = known
        return known

    def _follow(self, tx: Transaction, now: datetime) -> _State:
        tip = tx.changesets.moved()
        with self._lock:
            state = self._state
        if state is not None and state.tip == tip and state.expired_at == now:
            return state
        by_decision = decided(tx.connection) <= _DECISIONS
        population = Population(tx.connection, by_decision=by_decision)
        found = None
        if state is not None and state.by_decision is by_decision:
            found = self._forward(tx, population, state, tip)
        if found is None:
            everything, expired = population.all(), population.expired(None, now)
            found = _State(tip, by_decision, everything, now, expired, added(everything, expired, -1))
        elif now > found.expired_at:
            more = population.expired(found.expired_at, now)
            if more:
                expired = added(found.expired, more)
                found = replace(found, expired=expired, live=added(found.all, expired, -1), counts=None)
            found = replace(found, expired_at=now)
        elif now < found.expired_at:  # another clock, or the past: told, and not remembered
            expired = population.expired(None, now)
            return replace(found, expired=expired, expired_at=now, live=added(found.all, expired, -1), counts=None)
        with self._lock:
            if self._state is None or found.tip.id >= self._state.tip.id:
                self._state = found
        return found

    def _forward(self, tx: Transaction, population: Population, state: _State, tip: Tip) -> _State | None:
        """Return *state* as of *tip*; None where that is another chain, its past, or too far to be worth it."""
        if state.tip == tip:
            return state
        if tip.id < state.tip.id or tx.changesets.tip(state.tip.id) != state.tip:
            return None
        if population.versions_since(state.tip.id) > _FOLLOWED:
            return None
        begun, gone = population.changed(state.tip.id, state.tip.next_id, state.expired_at)
        everything = added(added(state.all, begun[0]), gone[0], -1)
        expired = added(added(state.expired, begun[1]), gone[1], -1)
        return _State(tip, state.by_decision, everything, state.expired_at, expired, added(everything, expired, -1))


def counts_of(live: Mapping[Cell, int]) -> Counts:
    """Return the counts of a tally by kinds."""
    by_kind = Counter({kind_of(cell): count for cell, count in live.items()})
    return Counts(
        by_kind.total(),
        _by(by_kind, lambda kind: kind.type),
        _by(by_kind, lambda kind: kind.action),
        _by(by_kind, lambda kind: kind.severity),
        _by(by_kind, lambda kind: kind.category),
        _by(by_kind, lambda kind: kind.status),
        _by(by_kind, lambda kind: (kind.type, kind.action, kind.status)),
        _by(by_kind, lambda kind: (kind.type, kind.action)),
        _by(by_kind, lambda kind: (kind.type, kind.status)),
    )


def _by(counted: Counter[Kind], key: Callable[[Kind], _Key]) -> Counter[_Key]:
    found: Counter[_Key] = Counter()
    for kind, count in counted.items():
        found[key(kind)] += count
    return found


def _within(source: Database | Transaction) -> AbstractContextManager[Transaction]:
    if isinstance(source, Transaction):
        return nullcontext(source)
    return source.snapshot()
