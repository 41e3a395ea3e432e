"""What has to be read to know which indicators contradict others: siblings about one value, and the network rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, func, select, type_coerce

from indicia.domain.indicator import Action, Status
from indicia.domain.observable import ObservableType
from indicia.store import engines
from indicia.store.codes import ACTIONS, STATUSES, TYPES
from indicia.store.rows import ACTION_OF, TYPE_OF, split_list
from indicia.store.schema import decisions, from_microseconds, indicators
from indicia.store.selection import live
from indicia.store.touching import touching

_ACTIVE: Final = STATUSES[Status.ACTIVE]


class Rule(NamedTuple):
    """What of an active, live indicator tells whether it contradicts another; its expiry as it is stored."""

    id: int
    type: ObservableType
    canonical: str
    action: Action
    groups: tuple[str, ...]
    expires: int | None


#: What a decision says of its indicators.
_Decided = tuple[ObservableType, Action, tuple[str, ...]]


class Rivals:
    """Reads the rules that may contradict each other."""

    def __init__(self, connection: Connection, now: datetime, groups: frozenset[str] | None = None) -> None:
        """Read the rules that are live at *now*; with *groups* only those that touch these device groups."""
        self._connection = connection
        self._now = now
        self._seen = touching(groups)

    def siblings(self) -> Iterator[list[Rule]]:
        """Yield the rules about each value that has several."""
        several = select(indicators.c.subject).group_by(indicators.c.subject).having(func.count() > 1)
        deciding = self._deciding()
        query = _rows(indicators.c.subject).where(indicators.c.subject.in_(several), live(indicators, self._now))
        subject: bytes | None = None
        together: list[Rule] = []
        for row in self._read(query.order_by(indicators.c.subject)):
            if row[0] != subject:
                if len(together) > 1:
                    yield together
                subject, together = row[0], []
            if row[2] in deciding:
                together.append(_rule(deciding, *row[1:]))
        if len(together) > 1:
            yield together

    def of(self, types: Sequence[ObservableType], actions: Sequence[Action]) -> Iterator[Rule]:
        """Yield the rules of *types* with one of *actions*, found by the index of decisions."""
        asked = [
            decisions.c.type.in_([TYPES[kind] for kind in types]),
            decisions.c.action.in_([ACTIONS[action] for action in actions]),
        ]
        deciding = self._deciding(*asked)
        numbers = select(decisions.c.id).where(*asked, decisions.c.status == _ACTIVE, *self._seen)
        query = _rows().where(indicators.c.decision.in_(numbers), live(indicators, self._now))
        for number, decision, canonical, expires in self._read(query):
            yield _rule(deciding, number, decision, canonical, expires)

    def _deciding(self, *conditions: ColumnElement[bool]) -> dict[int, _Decided]:
        """Return the decisions of active rules, which many share: looked up, not joined to each of a million."""
        of = decisions.c
        query = select(of.id, of.type, of.action, of.rbac_group_names).where(
            of.status == _ACTIVE, *conditions, *self._seen
        )
        return {
            number: (TYPE_OF[kind], ACTION_OF[action], split_list(groups))
            for number, kind, action, groups in self._read(query)
        }

    def _read(self, query: Select[Any]) -> Iterator[tuple[Any, ...]]:
        for part in engines.parts(self._connection, query):
            yield from part


def _rows(*more: ColumnElement[Any]) -> Select[Any]:
    now = indicators.c
    return select(*more, now.id, now.decision, now.canonical, type_coerce(now.expires_at, BigInteger))


def _rule(deciding: dict[int, _Decided], number: int, decision: int, canonical: str, expires: int | None) -> Rule:
    kind, action, groups = deciding[decision]
    return Rule(number, kind, canonical, action, groups, expires)


def moment_of(expires: int) -> datetime:
    """Return the moment that the expiry of a rule is."""
    return from_microseconds(expires)
