"""How much was changed on which day: sums over the chain of changesets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, CompoundSelect, Connection, Select, case, func, select, type_coerce, union_all

from indicia.store.schema import EPOCH, changesets, decisions, indicator_history, indicators
from indicia.store.touching import touching

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


def daily_among(connection: Connection, since: datetime, groups: frozenset[str]) -> list[Day]:
    """Return the same of the versions alone that touch one of the device *groups*: counted row by row."""
    head = select(changesets.c.id, changesets.c.next_id).where(changesets.c.at <= since - _MICROSECOND)
    last = connection.execute(head.order_by(changesets.c.id.desc()).limit(1)).first()
    before, next_id = (0, 1) if last is None else (last.id, last.next_id)
    ended = _ended(before, groups).subquery()
    begun = _begun(before, next_id, groups).subquery()
    both = _both(ended, groups).subquery()
    days: dict[int, dict[str, int]] = {}
    for name, rows in (("begun", begun), ("ended", ended), ("both", both)):
        # Counted by changeset first: these are few, and their days are looked up once each.
        some = select(rows.c.number, func.count().label("many")).group_by(rows.c.number).subquery()
        day = type_coerce(changesets.c.at, BigInteger) // _MICROSECONDS_A_DAY
        by_expiry = case((changesets.c.kind == "expiry", some.c.many), else_=0)
        query: Any = select(day.label("day"), func.sum(some.c.many).label("many"), func.sum(by_expiry).label("expired"))
        query = query.join_from(some, changesets, changesets.c.id == some.c.number).group_by(day)
        for row in connection.execute(query):
            found = days.setdefault(row.day, {"begun": 0, "ended": 0, "both": 0, "expired": 0})
            found[name] = int(row.many)
            if name == "ended":
                found["expired"] = int(row.expired)
    return [
        Day(
            EPOCH + timedelta(days=number),
            found["begun"] - found["both"],
            found["both"],
            found["expired"],
            found["ended"] - found["both"] - found["expired"],
        )
        for number, found in sorted(days.items())
    ]


def _begun(before: int, next_id: int, groups: frozenset[str]) -> CompoundSelect[Any]:
    """Return the indicators and changesets of the versions begun after *before*, which gave numbers to *next_id*."""
    now, past = indicators.c, indicator_history.c
    touch = select(decisions.c.id).where(*touching(groups))
    return union_all(
        # Each by an index: what was created has a new number, what was changed one of its own.
        select(now.id.label("id"), now.began.label("number")).where(
            now.id >= next_id, now.began == now.created, now.decision.in_(touch)
        ),
        select(now.id, now.began).where(now.began != now.created, now.began > before, now.decision.in_(touch)),
        select(past.id, past.began).where(past.began > before, past.decision.in_(touch)),
    )


def _ended(before: int, groups: frozenset[str]) -> Select[Any]:
    past, touch = indicator_history.c, select(decisions.c.id).where(*touching(groups))
    return select(past.id.label("id"), past.ended.label("number")).where(past.ended > before, past.decision.in_(touch))


def _both(ended: Any, groups: frozenset[str]) -> CompoundSelect[Any]:
    """Return those of the *ended* versions in whose place the same changeset put another."""
    touch = select(decisions.c.id).where(*touching(groups))
    return union_all(
        *(
            select(ended.c.number.label("number")).join(
                table,
                (table.c.id == ended.c.id) & (table.c.began == ended.c.number) & table.c.decision.in_(touch),
            )
            for table in (indicators, indicator_history)
        )
    )


def expiring(connection: Connection, after: datetime, until: datetime, groups: frozenset[str] | None = None) -> int:
    """Return how many current indicators expire past *after* and before *until*, and touch *groups* where given."""
    within = [indicators.c.expires_at > after, indicators.c.expires_at < until]
    if groups is not None:
        within.append(indicators.c.decision.in_(select(decisions.c.id).where(*touching(groups))))
    return connection.execute(select(func.count()).select_from(indicators).where(*within)).scalar_one()
