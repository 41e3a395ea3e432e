"""The Allowed and Warn indicators of wider values, which conflict notes name (SPEC 9.15)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Integer, bindparam, select

from indicia.domain.indicator import Status
from indicia.domain.observable import ObservableType
from indicia.domain.precedence import WINNING, Winner
from indicia.store.codes import ACTIONS, STATUSES, TYPES
from indicia.store.rows import ACTION_OF, DECISION_COLUMNS, OWN_COLUMNS, TYPE_OF, Version, split_list
from indicia.store.schema import UtcDateTime, decisions, indicators
from indicia.store.selection import live

_ACTIONS: Final = tuple(sorted(ACTIONS[action] for action in WINNING))
_ACTIVE: Final = STATUSES[Status.ACTIVE]
_CANONICAL: Final = OWN_COLUMNS.index("canonical")
_STATUS: Final = DECISION_COLUMNS.index("status")
_DECIDING: Final = select(decisions.c.id).where(
    decisions.c.type.in_(bindparam("types", expanding=True)),
    decisions.c.action.in_(_ACTIONS),
    decisions.c.status == _ACTIVE,
)
# Built once: every write asks.
_WINNERS: Final = (
    select(
        indicators.c.id,
        decisions.c.type,
        indicators.c.canonical,
        indicators.c.action,
        decisions.c.rbac_group_names,
    )
    .join_from(indicators, decisions, decisions.c.id == indicators.c.decision)
    .where(indicators.c.decision.in_(_DECIDING), live(indicators, bindparam("now", type_=UtcDateTime)))
    .limit(bindparam("most", type_=Integer))
)


def winners(connection: Connection, kinds: Sequence[ObservableType], now: datetime, most: int) -> dict[int, Winner]:
    """Return up to *most* winners of *kinds* by their numbers, found by the index of decisions."""
    values = {"types": [TYPES[kind] for kind in kinds], "now": now, "most": most}
    rows = connection.execute(_WINNERS, values)
    return {row[0]: _winner(*row) for row in rows}


def planned_range(version: Version) -> Winner | None:
    """Return the winner that a version is which is only planned, where it is about a range: no index finds these."""
    number, row, _created, _began = version
    values = row[-1].values
    if values[0] != TYPES[ObservableType.IP_RANGE] or values[1] not in _ACTIONS or values[_STATUS] != _ACTIVE:
        return None
    groups = values[DECISION_COLUMNS.index("rbac_group_names")]
    return _winner(number, values[0], row[_CANONICAL], values[1], groups)


def _winner(number: int, kind: int, canonical: str, action: int, groups: str | None) -> Winner:
    return Winner(number, TYPE_OF[kind], canonical, ACTION_OF[action], split_list(groups))
