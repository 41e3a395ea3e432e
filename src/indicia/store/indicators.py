"""The indicators that are and that were: one repository for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    not_,
    select,
    true,
    union,
)

from indicia.domain.changes import Known
from indicia.domain.identity import subject
from indicia.domain.indicator import Indicator, StoredIndicator
from indicia.domain.observable import ObservableType
from indicia.domain.precedence import Sees, Winner, Winners, wider
from indicia.store import decisions as decisions_store
from indicia.store import engines, filters
from indicia.store.dialects import among, contains
from indicia.store.rows import (
    ACTION_OF,
    Version,
    join_list,
)
from indicia.store.schema import changesets, decisions, from_microseconds, indicator_history, indicators
from indicia.store.selection import Selection, begun, expired
from indicia.store.versions import COLUMNS, select_versions, version_of
from indicia.store.winners import planned_range, winners

LOOKUP_ROWS: Final = 5_000
#: A walk through the one number of indicators, or a sort of the other, takes a few milliseconds.
WALKED_FIRST: Final = 30_000
FEW_ROWS: Final = 10_000
_KNOWN: Final = (
    "SELECT subject, id, action, digest, decision, expires_at, began, created, external_id FROM {} WHERE subject"
)
_AS_KNOWN: Final = itemgetter(
    *map(
        COLUMNS.index,
        ("subject", "id", "action", "digest", "decision", "expires_at", "began", "created", "external_id"),
    )
)
_SUBJECT: Final = COLUMNS.index("subject")
_VALUES: Final = "SELECT id, COALESCE(value, canonical) FROM {} WHERE id"
_PLANNED: Final = "planned_indicators"
# Statements of every verdict are built once: see `versions`.
_NUMBERS: Final[BindParameter[Any]] = bindparam("numbers", expanding=True)
_NUMBERED: Final = select_versions(indicators).where(indicators.c.id.in_(_NUMBERS))
_NUMBERED_BEFORE: Final = select_versions(indicator_history).where(
    indicator_history.c.id.in_(_NUMBERS), indicator_history.c.ended == bindparam("before")
)


class Indicators:
    """Reads and writes versions of indicators; every write names the changeset that it belongs to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dry = False
        self._planned_ranges: dict[int, Winner] = {}
        self._times: dict[int, datetime] = {}
        self._decisions = decisions_store.Decisions(connection)

    # -- planning -------------------------------------------------------------------------------------------------

    def known(self, subjects: Iterable[bytes], changeset: int) -> dict[bytes, list[Known]]:
        """Return what is stored about each of *subjects*; `Known.new` marks versions that *changeset* made."""
        found: dict[bytes, list[Known]] = {}
        # In the order of the index: a quarter faster.
        wanted = sorted(set(subjects))
        at_once = engines.keys_at_once(self._connection)
        for start in range(0, len(wanted), at_once):
            part = wanted[start : start + at_once]
            for key, stored in self._read_known("indicators", part, changeset):
                found.setdefault(key, []).append(stored)
            if self._dry:
                for key, planned in self._read_known(_PLANNED, part, changeset):
                    siblings = found.setdefault(key, [])
                    siblings[:] = [known for known in siblings if known.id != planned.id]
                    siblings.append(planned)
        engines.send(self._connection)
        return found

    def values(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the value of each of *ids* as it was written, planned ones included."""
        found: dict[int, str] = {}
        for start in range(0, len(ids), LOOKUP_ROWS):
            part = list(ids[start : start + LOOKUP_ROWS])
            for table in ("indicators", _PLANNED)[: 1 + self._dry]:
                found |= dict(engines.rows_in(self._connection, _VALUES.format(table), part))
        return found

    def plan_only(self) -> None:
        """From now on, `add` only remembers what it was given, in a temporary table, and `end` does nothing."""
        engines.temporary_copy(self._connection, "indicators", _PLANNED)
        self._connection.exec_driver_sql(f"CREATE INDEX ix_{_PLANNED} ON {_PLANNED} (subject)")
        self._connection.exec_driver_sql(f"CREATE INDEX ix_{_PLANNED}_id ON {_PLANNED} (id)")
        self._decisions.plan_only()
        self._dry = True

    def winners(self, most: int, now: datetime) -> list[Winner] | None:
        """Return the Allowed and Warn indicators of the network family, or None where there are over *most*."""
        kinds = (ObservableType.IP_ADDRESS, ObservableType.IP_RANGE, ObservableType.DOMAIN_NAME)
        found = winners(self._connection, kinds, now, most + 1)
        return None if len(found) > most else list(found.values())

    def winners_over(self, batch: Sequence[Indicator], now: datetime, sees: Sees | None = None) -> Winners:
        """Return those of the winners that can beat an indicator of *batch*, found by the wider values of each."""
        names = {name for indicator in batch for name in wider(indicator)}
        subjects = {subject(kind, text): (kind, text) for kind, text in names}
        found = Winners(sees=sees)
        for key, siblings in self.known(subjects, -1).items():
            for known in siblings:
                if known.decides(now):
                    found.add(Winner(known.id, *subjects[key], known.action, known.groups))
        ranges = winners(self._connection, (ObservableType.IP_RANGE,), now, 10_000) | self._planned_ranges
        for number in sorted(ranges):
            found.add(ranges[number])
        return found

    def _read_known(self, table: str, subjects: list[bytes], changeset: int) -> Iterator[tuple[bytes, Known]]:
        rows = engines.rows_in(self._connection, _KNOWN.format(table), subjects, but_held=True)
        if some := engines.held(self._connection, table):
            asked = set(subjects)
            rows += [_AS_KNOWN(row) for row in some if row[_SUBJECT] in asked]
        # Decisions are few, and asked for once: no planner joins well what the same transaction has just filled.
        decided = self._decisions.kept([row[4] for row in rows])
        for subject_, number, action, digest, decision, expires, began, created, external_id in rows:
            status, groups, rare = decided[decision]
            yield (
                subject_,
                tuple.__new__(
                    Known,
                    (
                        number,
                        ACTION_OF[action],
                        digest,
                        status,
                        groups,
                        None if expires is None else self._time(expires),
                        began,
                        created,
                        rare or external_id is not None,
                        began == changeset,
                    ),
                ),
            )

    def _time(self, stored: int) -> datetime:
        """Return the time that *stored* is; the expiries of a list are few and its rows many."""
        known = self._times.get(stored)
        if known is None:
            if len(self._times) > LOOKUP_ROWS:
                self._times.clear()
            known = self._times[stored] = from_microseconds(stored)
        return known

    # -- writing --------------------------------------------------------------------------------------------------

    def add(self, versions: Sequence[Version]) -> None:
        """Add *versions*."""
        table = _PLANNED if self._dry else "indicators"
        if self._dry:
            self._planned_ranges |= {each.id: each for each in map(planned_range, versions) if each and each.id}
        numbers = self._decisions.number([row[-1] for _number, row, _created, _began in versions])
        rows = [(number, *row[:-1], numbers[row[-1][0]], created, began) for number, row, created, began in versions]
        engines.bulk_insert(self._connection, table, COLUMNS, rows)

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

    def undo(self, changeset: int, undone: int, keep: Sequence[int]) -> tuple[int, int, int]:
        """Take back what the changeset *undone* did, except to the indicators *keep*, as *changeset*.

        What it began is ended, what it ended is current again. Returns how many indicators were created
        (again), updated and deleted by that.
        """
        counts = self.undo_counts(undone, keep)
        now, past = indicators.c, indicator_history.c
        for began in self._begun(undone):
            self.end_where(changeset, and_(began, _but(now.id, keep)))
        # What was just ended is in history as well, but as ended by *changeset*, so it is not meant here.
        self.restore_where(changeset, and_(past.ended == undone, _but(past.id, keep)))
        return counts

    def undo_counts(self, undone: int, keep: Sequence[int]) -> tuple[int, int, int]:
        """Return how many indicators `undo` would create (again), update and delete."""
        now, past = indicators.c, indicator_history.c
        had_before = select(past.id).where(past.ended == undone)
        begun = [(began, _but(now.id, keep)) for began in self._begun(undone)]
        ended = sum(self._number(select(func.count()).where(*each)) for each in begun)
        updated = sum(self._number(select(func.count()).where(*each, now.id.in_(had_before))) for each in begun)
        restored = self._number(select(func.count()).where(past.ended == undone, _but(past.id, keep)))
        return restored - updated, updated, ended - updated

    def touched_since(self, undone: int) -> list[tuple[int, int]]:
        """Return what stands in the way of undoing *undone*: indicators that later changesets touched, and which."""
        past, later = indicator_history.c, indicator_history.alias().c
        overwritten = select(past.id, past.ended).where(past.began == undone, past.ended != undone)
        now = indicators.c
        come_back = select(past.id, now.began).where(past.ended == undone, now.id == past.id, now.began > undone)
        gone_again = select(past.id, later.ended).where(past.ended == undone, later.id == past.id, later.began > undone)
        # Somebody else's indicator has taken the identity of one that would come back.
        taken = select(past.id, now.began).where(
            past.ended == undone,
            now.subject == past.subject,
            now.action == past.action,
            now.id != past.id,
            now.began > undone,
        )
        found = self._connection.execute(union(overwritten, come_back, gone_again, taken)).all()
        return sorted((row[0], row[1]) for row in found)

    def _begun(self, changeset: int) -> list[ColumnElement[bool]]:
        """Return the conditions that together select the current versions that *changeset* began, each by an index."""
        record = self._connection.execute(
            select(changesets.c.first_id, changesets.c.next_id).where(changesets.c.id == changeset)
        ).one()
        return begun(changeset, record.first_id, record.next_id)

    def _number(self, query: Select[Any]) -> int:
        return int(self._connection.execute(query).scalar_one())

    def restore_where(self, changeset: int, condition: ColumnElement[bool]) -> int:
        """Make the past versions that *condition* selects current again, as begun by *changeset*."""
        names = list(COLUMNS)
        columns = [indicator_history.c[name] if name != "began" else literal(changeset) for name in names]
        past = select(*columns).where(condition).order_by(indicator_history.c.id)
        return self._connection.execute(insert(indicators).from_select(names, past)).rowcount

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, ids: Sequence[int], *, before: int | None = None) -> dict[int, StoredIndicator]:
        """Return the current indicators among *ids*, whatever their expiry; as they were *before* a new changeset."""
        found: dict[int, StoredIndicator] = {}
        for start in range(0, len(ids), LOOKUP_ROWS):
            values = {"numbers": ids[start : start + LOOKUP_ROWS], "before": before}
            queries = [_NUMBERED] if before is None else [_NUMBERED, _NUMBERED_BEFORE]
            found |= {stored.id: stored for query in queries for stored in self._read(query, values)}
        return found

    def about(self, keys: Iterable[tuple[ObservableType, str]], wanted: Selection) -> Iterator[StoredIndicator]:
        """Yield the *wanted* indicators about any of *keys*: types and canonical values."""
        table = wanted.table()
        subjects = sorted({subject(kind, value) for kind, value in keys})
        for start in range(0, len(subjects), LOOKUP_ROWS):
            among = table.c.subject.in_(subjects[start : start + LOOKUP_ROWS])
            yield from self._read(select_versions(table).where(among, *wanted.conditions(table)))

    def select(
        self, wanted: Selection, *, limit: int, offset: int = 0, after: int | None = None, before: int | None = None
    ) -> list[StoredIndicator]:
        """Return up to *limit* of the *wanted* indicators, those with a number past *after* or under *before*."""
        table = wanted.table()
        query = select_versions(table)
        if after is not None:
            query = query.where(table.c.id > after)
        if before is not None:
            query = query.where(table.c.id < before)
        asked = wanted.query
        ordinary = asked is None or wanted.order_by or wanted.changeset is not None or before is not None
        if asked is None or ordinary or filters.is_pointed(asked):
            query = query.where(*wanted.conditions(table)).order_by(*wanted.order(table)).limit(limit)
            return list(self._read(query.offset(offset) if offset else query))
        return self._by_number(query, wanted, limit=limit, offset=offset, after=after or 0)

    def _by_number(
        self, query: Select[Any], wanted: Selection, *, limit: int, offset: int, after: int
    ) -> list[StoredIndicator]:
        """Return a page in order of the numbers, fast whether many indicators match or next to none.

        No engine knows which of the two it is. So: walk through the first part of the table, which is enough
        where many match; else go on by the index where few decisions' indicators are left, or walk on.
        """
        now = indicators.c
        walk = wanted.conditions(indicators, walk=True)
        end = min(after + WALKED_FIRST, (1 << 63) - 1)
        first = query.where(now.id <= end, *walk).order_by(now.id).limit(offset + limit)
        with engines.by_index(self._connection):
            found = list(self._read(first))
        if len(found) < offset + limit:
            rest = query.where(now.id > end).limit(offset + limit - len(found))
            changed = filters.by_last_update(wanted.query, indicators) if wanted.query is not None else None
            if changed is not None and self._are_few(select(changed.subquery().c.id), end):
                numbers = self._connection.execute(select(changed.subquery().c.id)).scalars()
                rest = rest.where(among(now.id, numbers), *walk).order_by(now.id)
            elif self._is_rare(wanted, end):
                rest = rest.where(*wanted.conditions(indicators)).order_by(now.id + 0)
            else:
                rest = rest.where(*walk).order_by(now.id)
            found += self._read(rest)
        return found[offset:]

    def _is_rare(self, wanted: Selection, after: int) -> bool:
        """Return whether it is sure to be cheap to go by an index to the *wanted* indicators past *after*."""
        if wanted.query is None:
            return False
        shared = filters.shared_part(wanted.query, wanted.group_ids)
        if shared is None:
            return filters.asks_expiry(wanted.query)
        return self._are_few(select(indicators.c.id).where(indicators.c.decision.in_(shared)), after)

    def _are_few(self, numbers: Select[int], after: int) -> bool:
        some = numbers.where(numbers.selected_columns.id > after).limit(FEW_ROWS + 1)
        return self._number(select(func.count()).select_from(some.subquery())) <= FEW_ROWS

    def stream(self, wanted: Selection, *, page: int = 5_000) -> Iterator[StoredIndicator]:
        """Yield the *wanted* indicators in their order, never more than a page of them in memory."""
        if wanted.order_by:  # no number to go on from: the statement runs once and is read as it goes
            table = wanted.table()
            query = select_versions(table).where(*wanted.conditions(table)).order_by(*wanted.order(table))
            yield from self._read(query.execution_options(yield_per=page))
            return
        last = 0
        while True:
            rows = self.select(wanted, limit=page, after=last)
            yield from rows
            if len(rows) < page:
                return
            last = rows[-1].id

    def count(self, wanted: Selection, *, most: int | None = None) -> int:
        """Return how many indicators are *wanted*, counting no further than *most*."""
        table = wanted.table()
        inner = select(literal(1)).select_from(table).where(*wanted.conditions(table))
        if most is not None:
            inner = inner.limit(most)
        return self._connection.execute(select(func.count()).select_from(inner.subquery())).scalar_one()

    def expired(self, now: datetime, most: int) -> list[int]:
        """Return the numbers of up to *most* current indicators that have expired at *now*, the oldest first."""
        query = select(indicators.c.id).where(expired(now)).order_by(indicators.c.expires_at).limit(most)
        return list(self._connection.execute(query).scalars())

    def scoped_to(self, group: str) -> int:
        """Return how many current indicators name the device group *group*."""
        named = select(decisions.c.id).where(contains(decisions.c.rbac_group_names, join_list([group]) or ""))
        return self._number(select(func.count()).where(indicators.c.decision.in_(named)))

    def history(self, number: int) -> list[tuple[StoredIndicator, int | None]]:
        """Return every version of indicator *number*, oldest first, with the changeset that ended it."""
        past = [
            (version_of(row[:-1]), row[-1])
            for row in self._connection.execute(
                select_versions(indicator_history, indicator_history.c.ended)
                .where(indicator_history.c.id == number)
                .order_by(indicator_history.c.began)
            )
        ]
        return [
            *past,
            *((stored, None) for stored in self._read(select_versions(indicators).where(indicators.c.id == number))),
        ]

    def _read(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Iterator[StoredIndicator]:
        for row in self._connection.execute(query, values):
            yield version_of(row)


def _but(column: ColumnElement[int], keep: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that *column* is none of *keep*, which may be longer than a statement may have values."""
    return not_(among(column, keep)) if keep else true()
