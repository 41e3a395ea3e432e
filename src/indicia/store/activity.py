"""How much was changed on which day: sums over the chain of changesets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, case, func, select, type_coerce

from indicia.store.schema import EPOCH, changesets, indicators

_MICROSECONDS_A_DAY: Final = 86_400_000_000
_MICROSECOND: Final = timedelta(microseconds=1)


class Day(NamedTuple):
    """What one day of UTC changed: indicators added, changed, removed by their expiry, and deleted otherwise."""

    begins: datetime
    added: int
    updated: int
    expired: int
    deleted: int


def daily(connection: Connection, since: datetime) -> list[Day]:
    """Return the days from *since* on of which there are changesets, the oldest first."""
    columns = changesets.c
    last: Any = select(func.max(columns.id)).where(columns.at <= since - _MICROSECOND)
    before = connection.execute(last).scalar_one() or 0
    day = type_coerce(columns.at, BigInteger) // _MICROSECONDS_A_DAY
    by_expiry = case((columns.kind == "expiry", columns.deleted), else_=0)
    query = (
        select(
            day.label("day"),
            func.sum(columns.created).label("added"),
            func.sum(columns.updated).label("updated"),
            func.sum(by_expiry).label("expired"),
            func.sum(columns.deleted).label("deleted"),
        )
        # Numbers rise with time: a walk along the key, with no look-up for each.
        .where(columns.id > before)
        .group_by(day)
        .order_by(day)
    )
    return [
        Day(
            EPOCH + timedelta(days=row.day),
            int(row.added),
            int(row.updated),
            int(row.expired),
            int(row.deleted) - int(row.expired),
        )
        for row in connection.execute(query)
    ]


def expiring(connection: Connection, after: datetime, until: datetime) -> int:
    """Return how many current indicators expire past *after* and before *until*."""
    within = (indicators.c.expires_at > after, indicators.c.expires_at < until)
    return connection.execute(select(func.count()).select_from(indicators).where(*within)).scalar_one()
