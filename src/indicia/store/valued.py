"""Questions about values as SQL: this very value, and the addresses of a network."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, and_, false, not_, or_, select

from indicia.domain.identity import subject
from indicia.domain.networks import beginning, is_small, members
from indicia.domain.observable import ObservableType
from indicia.domain.query import About
from indicia.store import dialects
from indicia.store.codes import TYPES
from indicia.store.schema import decisions

_ADDRESS: Final = TYPES[ObservableType.IP_ADDRESS]
_RANGE: Final = TYPES[ObservableType.IP_RANGE]


def about(query: About, table: FromClause, written: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that an indicator of *table* is about what *query* names; *written* is its value."""
    parts: list[ColumnElement[bool]] = []
    if query.values:
        parts.append(table.c.subject.in_(sorted(subject(kind, canonical) for kind, canonical in query.values)))
    if query.written:  # no index has these; but only a text that is no value at all comes here
        parts.append(written.in_(sorted(query.written)))
    return or_(false(), *parts)


def within(network: str, table: FromClause) -> ColumnElement[bool]:
    """Return the condition that an indicator of *table* is about an address or a range in *network*."""
    if is_small(network):
        subjects = sorted(subject(kind, canonical) for kind, canonical in members(network))
        condition: ColumnElement[bool] = table.c.subject.in_(subjects)
        return condition
    shape = beginning(network)
    if shape is None:
        raise ValueError(f"no text begins all the addresses of {network} and no others")
    canonical = table.c.canonical
    begins = [dialects.starts_with(canonical, shape.head)] if shape.head else [not_(dialects.contains(canonical, ":"))]
    if shape.low is not None:
        begins.append(dialects.leading_number(canonical, len(shape.head)).between(shape.low, shape.high))
    # A range that begins in the network and is wider than it begins where the network does, but ends elsewhere.
    bits = int(network.rpartition("/")[2])
    wider = [dialects.ends_with(canonical, f"/{length}") for length in range(bits)]
    return and_(*begins, or_(_is(_ADDRESS, table), and_(_is(_RANGE, table), not_(or_(*wider)))))


def _is(kind: int, table: FromClause) -> ColumnElement[bool]:
    return table.c.decision.in_(select(decisions.c.id).where(decisions.c.type == kind))
