"""The condition that a scope touches some device groups, for everything that looks at what was decided."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, or_

from indicia.store import dialects
from indicia.store.schema import decisions

_SEPARATOR: Final = "\x1f"


def touches(groups: frozenset[str], scope: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Return the condition that *scope*, a column as `rows.join_list` makes it, is empty or names one of *groups*.

    It is true or false and never null. A name with a separator in it is none that there could be.
    """
    names = [name for name in sorted(groups) if _SEPARATOR not in name]
    named = [dialects.contains(scope, f"{_SEPARATOR}{name}{_SEPARATOR}") for name in names]
    return or_(scope.is_(None), *(scope.is_not(None) & each for each in named))


def touching(groups: frozenset[str] | None) -> list[ColumnElement[bool]]:
    """Return the condition that a decision touches one of the device *groups*; none where those are None."""
    return [] if groups is None else [touches(groups, decisions.c.rbac_group_names)]
