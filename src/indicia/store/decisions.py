"""What was decided about values: each distinct decision once, for the many indicators that share it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, func, select

from indicia.domain.indicator import Status
from indicia.store import engines
from indicia.store.rows import DECISION_COLUMNS, STATUS_OF, DecisionRow, Row, split_list
from indicia.store.schema import decisions

_COLUMNS: Final = ("id", "key", *DECISION_COLUMNS)
_LOOKUP_ROWS: Final = 5_000
_REMEMBERED: Final = 50_000
#: Where a plan keeps the decisions that it would add.
PLANNED: Final = "planned_decisions"
_KEPT: Final = "SELECT id, status, rbac_group_names, application, extras FROM {} WHERE id"

#: The status of a decision, the device groups that it names, and whether it has properties that few have.
Kept = tuple[Status, tuple[str, ...], bool]


class Decisions:
    """Gives every decision its number; rows are added and never changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers: dict[bytes, int] = {}
        self._kept: dict[int, Kept] = {}
        self._dry = False

    def plan_only(self) -> None:
        """From now on, new decisions go to a temporary table."""
        engines.temporary_copy(self._connection, "decisions", PLANNED)
        self._dry = True

    def number(self, rows: Iterable[DecisionRow]) -> dict[bytes, int]:
        """Return the number of each decision by its key; those that are new are stored."""
        if len(self._numbers) > _REMEMBERED:
            self._numbers.clear()
        missing = {row.key: row.values for row in rows if row.key not in self._numbers}
        if missing:
            self._find(list(missing))
            new = {key: values for key, values in missing.items() if key not in self._numbers}
            if new:
                self._add(new)
        return self._numbers

    def kept(self, numbers: Iterable[int]) -> dict[int, Kept]:
        """Return at least of the decisions *numbers* what `Known` wants of them."""
        if len(self._kept) > _REMEMBERED:
            self._kept.clear()
        missing = list({number for number in numbers if number not in self._kept})
        for start in range(0, len(missing), _LOOKUP_ROWS):
            part = missing[start : start + _LOOKUP_ROWS]
            for table in ("decisions", PLANNED)[: 1 + self._dry]:
                for number, status, groups, application, extras in engines.rows_in(
                    self._connection, _KEPT.format(table), part, but_held=not engines.held(self._connection, table)
                ):
                    rare = application is not None or extras is not None
                    self._kept[number] = (STATUS_OF[status], split_list(groups), rare)
        return self._kept

    def _find(self, keys: list[bytes]) -> None:
        for start in range(0, len(keys), _LOOKUP_ROWS):
            part = keys[start : start + _LOOKUP_ROWS]
            self._numbers.update(engines.rows_in(self._connection, "SELECT key, id FROM decisions WHERE key", part))
            if self._dry:
                planned = f"SELECT key, id FROM {PLANNED} WHERE key"  # noqa: S608 our own name
                self._numbers.update(engines.rows_in(self._connection, planned, part))

    def _add(self, new: dict[bytes, Row]) -> None:
        highest = self._connection.execute(select(func.max(decisions.c.id))).scalar_one() or 0
        if self._dry:
            planned = self._connection.exec_driver_sql(f"SELECT max(id) FROM {PLANNED}").scalar_one()  # noqa: S608 our own name
            highest = max(highest, planned or 0)
        numbered = dict(zip(new, range(highest + 1, highest + 1 + len(new)), strict=True))
        rows = [(numbered[key], key, *values) for key, values in new.items()]
        engines.bulk_insert(self._connection, PLANNED if self._dry else "decisions", _COLUMNS, rows)
        self._numbers.update(numbered)
