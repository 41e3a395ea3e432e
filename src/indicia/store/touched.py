"""Which indicators a changeset touched, a page at a time, however many they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, not_, or_, select
from sqlalchemy.sql import FromClause

from indicia.domain.changes import Effect
from indicia.store.rows import split_list
from indicia.store.schema import changesets, decisions, indicator_history, indicators
from indicia.store.selection import begun


class Touched:
    """Reads the numbers of the indicators that a changeset began or ended a version of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def numbers(self, changeset: int, effect: Effect | None, *, after: int, limit: int) -> list[int]:
        """Return up to *limit* numbers past *after* of what *changeset* touched, or of what it had *effect* on.

        Each part of the answer comes from an index in the order of the numbers.
        """
        found: set[int] = set()
        for table, condition in self._parts(changeset, effect, after):
            query = select(table.c.id).where(condition, table.c.id > after).order_by(table.c.id).limit(limit)
            found.update(self._connection.execute(query).scalars())
        return sorted(found)[:limit]

    def ended_by(self, changeset: int, numbers: Sequence[int]) -> dict[int, int]:
        """Return what ended the versions of *numbers* that *changeset* began, where they are not current any more."""
        past = indicator_history.c
        query = select(past.id, past.ended).where(past.id.in_(numbers), past.began == changeset)
        return {row.id: row.ended for row in self._connection.execute(query)}

    def scopes(self, changeset: int) -> list[tuple[str, ...]]:
        """Return the scopes of the versions that *changeset* began or ended, each once."""
        found: set[str | None] = set()
        for table, condition in self._parts(changeset, None, 0):
            own = select(table.c.decision).where(condition)
            query = select(decisions.c.rbac_group_names).where(decisions.c.id.in_(own)).distinct()
            found.update(self._connection.execute(query).scalars())
        return [split_list(names) for names in sorted(found, key=str)]

    def _parts(self, changeset: int, effect: Effect | None, after: int) -> list[tuple[FromClause, ColumnElement[bool]]]:
        """Return the tables and conditions that together select what is asked for."""
        record = self._connection.execute(
            select(changesets.c.first_id, changesets.c.next_id).where(changesets.c.id == changeset)
        ).one()
        past, earlier = indicator_history.c, indicator_history.alias()
        # Of two lower bounds an engine takes either: there is one.
        began: list[tuple[Any, ColumnElement[bool]]] = [
            *((indicators, each) for each in begun(changeset, max(record.first_id, after + 1), record.next_id)),
            (indicator_history, past.began == changeset),
        ]
        ended = (indicator_history, past.ended == changeset)
        match effect:
            case None:
                return [*began, ended]
            case Effect.DELETED:
                now, again = indicators.alias(), indicator_history.alias()
                still_there = or_(
                    exists().where(now.c.id == past.id, now.c.began == changeset),
                    exists().where(again.c.id == past.id, again.c.began == changeset),
                )
                return [(indicator_history, and_(ended[1], not_(still_there)))]
            case Effect.CREATED | Effect.UPDATED:
                parts = []
                for table, condition in began:
                    before = exists().where(earlier.c.id == table.c.id, earlier.c.ended == changeset)
                    parts.append((table, and_(condition, before if effect is Effect.UPDATED else not_(before))))
                return parts
