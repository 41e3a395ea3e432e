"""What snapshots are made of: the few columns that decide, of all indicators or of those that changed since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, and_, func, select, type_coerce, union_all

from indicia.domain.indicator import Action, Status
from indicia.domain.observable import ObservableType
from indicia.store import engines
from indicia.store.rows import ACTION_OF, STATUS_OF, TYPE_OF, split_list
from indicia.store.schema import indicator_history, indicators

#: Rows that are read at a time: more would be no faster, and take memory.
ROWS_AT_ONCE: Final = 50_000
_LOOKUP_ROWS: Final = 5_000
_ROWS: Final = "SELECT decision, canonical, id, expires_at FROM indicators"
_DECIDED: Final = "SELECT id, type, action, status, generate_alert, rbac_group_names FROM decisions"

#: (number of the decision, canonical value, id, expiry in µs since 1970 or None)
Row = tuple[int, str, int, int | None]


class Decided(NamedTuple):
    """What of a decision a verdict is made of."""

    number: int
    type: ObservableType
    action: Action
    status: Status
    generate_alert: bool
    groups: tuple[str, ...]


class Delta(NamedTuple):
    """What changed since a changeset: rows as they are now, and the indicators whose versions of then are gone."""

    rows: list[Row]
    gone: frozenset[int]


class Entries:
    """Reads what decides, fast: by the driver itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Iterator[list[Row]]:
        """Yield the rows of all current indicators, expired and held ones too, in pieces."""
        return engines.stream(self._connection, _ROWS, ROWS_AT_ONCE)

    def are_over(self, most: int) -> bool:
        """Return whether there are more indicators than *most*, counting no further."""
        some = select(indicators.c.id).limit(most + 1).subquery()
        return self._connection.execute(select(func.count()).select_from(some)).scalar_one() > most

    def decided(self, numbers: Sequence[int] | None = None) -> Iterator[Decided]:
        """Yield every decision, or those with *numbers*."""
        if numbers is None:
            pieces: Iterator[list[tuple[Any, ...]]] = engines.stream(self._connection, _DECIDED, ROWS_AT_ONCE)
        else:
            starts = range(0, len(numbers), _LOOKUP_ROWS)
            parts = (list(numbers[start : start + _LOOKUP_ROWS]) for start in starts)
            pieces = (engines.rows_in(self._connection, f"{_DECIDED} WHERE id", part) for part in parts)
        for piece in pieces:
            for number, kind, action, status, alert, groups in piece:
                yield Decided(
                    number, TYPE_OF[kind], ACTION_OF[action], STATUS_OF[status], bool(alert), split_list(groups)
                )

    def since(self, changeset: int, next_id: int, most: int) -> Delta | None:
        """Return what changed after *changeset*, which gave out numbers up to *next_id*; None where it is over *most*.

        An indicator that was changed is in both parts: its version of then is gone, that of now is a row.
        """
        now, past = indicators.c, indicator_history.c
        columns = (now.decision, now.canonical, now.id, type_coerce(now.expires_at, BigInteger))
        # Each part by an index: what was created has a new number, what was changed an index of its own.
        created = select(*columns).where(now.id >= next_id, now.began == now.created)
        changed = select(*columns).where(and_(now.began != now.created, now.began > changeset))
        rows = self._fetch(union_all(created, changed).limit(most + 1))
        if len(rows) > most:
            return None
        ended = select(past.id).where(past.ended > changeset, past.began <= changeset).limit(most + 1)
        gone = self._fetch(ended)
        if len(gone) > most:
            return None
        return Delta(rows, frozenset(row[0] for row in gone))

    def _fetch(self, query: Any) -> list[Any]:
        return [row for part in engines.parts(self._connection, query) for row in part]
