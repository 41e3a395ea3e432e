"""Versions of indicators as they are read: with their decision, and who made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.sql import FromClause

from indicia.domain.indicator import StoredIndicator
from indicia.store.rows import DECISION_COLUMNS, OWN_COLUMNS, decode
from indicia.store.schema import changesets, decisions, indicator_history, indicators

#: The columns of `schema.indicators`, in the order in which versions are written and read.
COLUMNS: Final = ("id", *OWN_COLUMNS, "created", "began")


def _versions(table: FromClause) -> Select[Any]:
    creation = changesets.alias("creation")
    version = changesets.alias("version")
    return (
        select(
            *(table.c[name] for name in COLUMNS),
            *(decisions.c[name] for name in DECISION_COLUMNS),
            creation.c.at,
            creation.c.actor,
            creation.c.actor_name,
            creation.c.source,
            version.c.at,
            version.c.actor,
        )
        .join_from(table, decisions, decisions.c.id == table.c.decision)
        .join(creation, creation.c.id == table.c.created)
        .join(version, version.c.id == table.c.began)
    )


# Built once: that takes longer than to look an indicator up.
_CURRENT: Final = _versions(indicators)
_PAST: Final = _versions(indicator_history)


def select_versions(table: FromClause, *more: ColumnElement[Any]) -> Select[Any]:
    """Return the query of whole versions in *table*, with the columns *more* after what `version_of` takes."""
    query = _CURRENT if table is indicators else _PAST if table is indicator_history else _versions(table)
    return query.add_columns(*more) if more else query


def version_of(row: Sequence[Any]) -> StoredIndicator:
    """Return the indicator that a row of `select_versions` is, nothing after it."""
    own, decided = row[: len(COLUMNS)], row[len(COLUMNS) : len(COLUMNS) + len(DECISION_COLUMNS)]
    number, *content, created, began = own
    created_at, created_by, created_by_name, source, updated_at, updated_by = row[len(own) + len(decided) :]
    return StoredIndicator(
        number,
        decode(content, decided),
        created,
        began,
        created_at,
        created_by,
        created_by_name,
        source,
        updated_at,
        updated_by if began != created else None,
    )
