"""The indicators that are and that were: one repository for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, literal, or_, select, union_all
from sqlalchemy.sql import FromClause

from indicia.domain.changes import Known
from indicia.domain.identity import subject
from indicia.domain.indicator import Action, Indicator, StoredIndicator
from indicia.domain.observable import ObservableType
from indicia.domain.precedence import Winner, Winners, wider
from indicia.store import engines
from indicia.store.codes import ACTIONS, TYPES
from indicia.store.rows import ACTION_OF, CONTENT_COLUMNS, STATUS_OF, TYPE_OF, Row, decode, split_list
from indicia.store.schema import changesets, from_microseconds, indicator_history, indicators

LOOKUP_ROWS: Final = 5_000
_COLUMNS: Final = ("id", *CONTENT_COLUMNS, "created", "began")
_KNOWN: Final = (
    "SELECT subject, id, action, digest, status, rbac_group_names, expires_at, began, created, "
    "CASE WHEN extras IS NULL AND external_id IS NULL AND application IS NULL THEN 0 ELSE 1 END "
)
_PLANNED: Final = "planned_indicators"


class Indicators:
    """Reads and writes versions of indicators; every write names the changeset that it belongs to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dry = False

    # -- planning -------------------------------------------------------------------------------------------------

    def known(self, subjects: Iterable[bytes], changeset: int) -> dict[bytes, list[Known]]:
        """Return what is stored about each of *subjects*; `Known.new` marks versions that *changeset* made."""
        found: dict[bytes, list[Known]] = {}
        wanted = list(set(subjects))
        for start in range(0, len(wanted), LOOKUP_ROWS):
            part = wanted[start : start + LOOKUP_ROWS]
            for row in engines.rows_in(self._connection, f"{_KNOWN} FROM indicators WHERE subject", part):
                found.setdefault(row[0], []).append(_known(row, changeset))
            if self._dry:
                for row in engines.rows_in(self._connection, f"{_KNOWN} FROM {_PLANNED} WHERE subject", part):
                    siblings = found.setdefault(row[0], [])
                    siblings[:] = [known for known in siblings if known.id != row[1]]
                    siblings.append(_known(row, changeset))
        return found

    def plan_only(self) -> None:
        """From now on, `add` only remembers what it was given, in a temporary table, and `end` does nothing."""
        self._connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {_PLANNED} AS SELECT * FROM indicators WHERE 1 = 0"
        )
        self._connection.exec_driver_sql(f"DELETE FROM {_PLANNED}")  # noqa: S608 our own name
        self._connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS ix_{_PLANNED} ON {_PLANNED} (subject)")
        self._dry = True

    def winners(self, most: int, now: datetime) -> list[Winner] | None:
        """Return the Allowed and Warn indicators of the network family, or None where there are over *most*."""
        kinds = [code for kind, code in TYPES.items() if kind in _NETWORK]
        actions = [ACTIONS[Action.ALLOWED], ACTIONS[Action.WARN]]
        columns = indicators.c
        found = self._connection.execute(
            select(columns.id, columns.type, columns.canonical, columns.action, columns.rbac_group_names)
            .where(columns.type.in_(kinds), columns.action.in_(actions), live(indicators, now))
            .limit(most + 1)
        ).all()
        if len(found) > most:
            return None
        return [
            Winner(row.id, TYPE_OF[row.type], row.canonical, ACTION_OF[row.action], split_list(row.rbac_group_names))
            for row in found
        ]

    def winners_over(self, batch: Sequence[Indicator], now: datetime) -> Winners:
        """Return those of the winners that can beat an indicator of *batch*, found by the wider values of each."""
        names = {name for indicator in batch for name in wider(indicator)}
        subjects = {subject(kind, text): (kind, text) for kind, text in names}
        found = Winners()
        for key, siblings in self.known(subjects, -1).items():
            for known in siblings:
                if known.expires_at is None or known.expires_at > now:
                    found.add(Winner(known.id, *subjects[key], known.action, known.groups))
        ranges = self.read(indicators.c.type == TYPES[ObservableType.IP_RANGE], live(indicators, now), limit=10_000)
        for stored in ranges:
            indicator = stored.indicator
            groups = indicator.rbac_group_names
            found.add(Winner(stored.id, indicator.type, indicator.canonical, indicator.action, groups))
        return found

    # -- writing --------------------------------------------------------------------------------------------------

    def add(self, changeset: int, rows: Sequence[tuple[int, Row, int]]) -> None:
        """Add versions that begin with *changeset*: (id, row, the changeset that created the indicator)."""
        table = _PLANNED if self._dry else "indicators"
        versions = [(number, *row, created, changeset) for number, row, created in rows]
        engines.bulk_insert(self._connection, table, _COLUMNS, versions)

    def end(self, changeset: int, ids: Sequence[int]) -> None:
        """Move the current versions of *ids* to history as ended by *changeset*."""
        if self._dry:
            return
        for start in range(0, len(ids), LOOKUP_ROWS):
            self.end_where(changeset, indicators.c.id.in_(ids[start : start + LOOKUP_ROWS]))

    def end_where(self, changeset: int, condition: ColumnElement[bool]) -> int:
        """Move the current versions that *condition* selects to history; return how many they were."""
        names = [column.name for column in indicator_history.c]
        columns = [indicators.c[name] if name != "ended" else literal(changeset) for name in names]
        self._connection.execute(
            insert(indicator_history).from_select(names, select(*columns).where(condition).order_by(indicators.c.id))
        )
        return self._connection.execute(delete(indicators).where(condition)).rowcount

    def restore_where(self, changeset: int, condition: ColumnElement[bool]) -> int:
        """Make the past versions that *condition* selects current again, as begun by *changeset*."""
        names = list(_COLUMNS)
        columns = [indicator_history.c[name] if name != "began" else literal(changeset) for name in names]
        past = select(*columns).where(condition).order_by(indicator_history.c.id)
        return self._connection.execute(insert(indicators).from_select(names, past)).rowcount

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, ids: Sequence[int]) -> dict[int, StoredIndicator]:
        """Return the current indicators among *ids*, whatever their expiry."""
        found: dict[int, StoredIndicator] = {}
        for start in range(0, len(ids), LOOKUP_ROWS):
            part = ids[start : start + LOOKUP_ROWS]
            for stored in self._read(_select(indicators).where(indicators.c.id.in_(part))):
                found[stored.id] = stored
        return found

    def read(
        self,
        *conditions: ColumnElement[bool],
        order_by: Sequence[ColumnElement[Any]] = (),
        limit: int | None = None,
        offset: int = 0,
        table: FromClause = indicators,
    ) -> list[StoredIndicator]:
        """Return the indicators that *conditions* select, in order of their number unless told otherwise."""
        query = _select(table).where(*conditions).order_by(*(order_by or (table.c.id,))).limit(limit)
        return list(self._read(query.offset(offset) if offset else query))

    def stream(
        self, *conditions: ColumnElement[bool], table: FromClause = indicators, page: int = 5_000
    ) -> Iterator[StoredIndicator]:
        """Yield the indicators that *conditions* select by number, never more than a page of them in memory."""
        last = 0
        while True:
            rows = self.read(*conditions, table.c.id > last, limit=page, table=table)
            yield from rows
            if len(rows) < page:
                return
            last = rows[-1].id

    def count(self, *conditions: ColumnElement[bool], most: int | None = None, table: FromClause = indicators) -> int:
        """Return how many indicators *conditions* select, counting no further than *most*."""
        inner = select(literal(1)).select_from(table).where(*conditions)
        if most is not None:
            inner = inner.limit(most)
        return self._connection.execute(select(func.count()).select_from(inner.subquery())).scalar_one()

    def history(self, number: int) -> list[tuple[StoredIndicator, int | None]]:
        """Return every version of indicator *number*, oldest first, with the changeset that ended it."""
        past = [
            (_stored(row[:-1]), row[-1])
            for row in self._connection.execute(
                _select(indicator_history, indicator_history.c.ended)
                .where(indicator_history.c.id == number)
                .order_by(indicator_history.c.began)
            )
        ]
        return [*past, *((stored, None) for stored in self._read(_select(indicators).where(indicators.c.id == number)))]

    def _read(self, query: Select[Any]) -> Iterator[StoredIndicator]:
        for row in self._connection.execute(query):
            yield _stored(row)


_NETWORK: Final = frozenset(kind for kind in TYPES if kind.name in ("IP_ADDRESS", "IP_RANGE", "DOMAIN_NAME", "URL"))


def live(table: FromClause, now: datetime) -> ColumnElement[bool]:
    """Return the condition that an indicator has not expired at *now* (SPEC 9.19: inert from the exact second)."""
    return or_(table.c.expires_at.is_(None), table.c.expires_at > now)


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


def _select(table: FromClause, *more: ColumnElement[Any]) -> Select[Any]:
    creation = changesets.alias("creation")
    version = changesets.alias("version")
    return (
        select(
            *(table.c[name] for name in _COLUMNS),
            creation.c.at,
            creation.c.actor,
            creation.c.actor_name,
            creation.c.source,
            version.c.at,
            version.c.actor,
            *more,
        )
        .join_from(table, creation, creation.c.id == table.c.created)
        .join(version, version.c.id == table.c.began)
    )


def _stored(row: Sequence[Any]) -> StoredIndicator:
    number, *content = row[: len(_COLUMNS) - 2]
    created, began, created_at, created_by, created_by_name, source, updated_at, updated_by = row[len(_COLUMNS) - 2 :]
    return StoredIndicator(
        number,
        decode(content),
        created,
        began,
        created_at,
        created_by,
        created_by_name,
        source,
        updated_at,
        updated_by if began != created else None,
    )


def _known(row: tuple[Any, ...], changeset: int) -> Known:
    _subject, number, action, digest, status, groups, expires, began, created, rare = row
    return Known(
        number,
        ACTION_OF[action],
        digest,
        STATUS_OF[status],
        split_list(groups) if groups else (),
        None if expires is None else from_microseconds(expires),
        began,
        created,
        bool(rare),
        began == changeset,
    )


