"""Questions as plain values that JSON can hold, and back: for what is asked now and answered later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from indicia.domain.observable import ObservableType
from indicia.domain.query import (
    KINDS,
    NAMES,
    About,
    Among,
    And,
    Compare,
    Constant,
    Contested,
    Field,
    Has,
    In,
    Kind,
    Not,
    Or,
    Query,
    Scalar,
    Text,
    Touches,
    Within,
)

Plain = Mapping[str, Any]


def plain(query: Query) -> dict[str, Any]:
    """Return *query* as values of JSON; `asked` turns it back.

    >>> plain(Compare(Field.ACTION, "eq", "Block"))
    {'compare': 'action', 'operator': 'eq', 'literal': 'Block', 'fold': None}
    """
    match query:
        case Constant(value):
            return {"constant": value}
        case Not(operand):
            return {"not": plain(operand)}
        case And(operands):
            return {"and": [plain(each) for each in operands]}
        case Or(operands):
            return {"or": [plain(each) for each in operands]}
        case Compare(field, operator, literal, fold):
            return {"compare": field.value, "operator": operator, "literal": _flat(literal), "fold": fold}
        case In(field, literals, fold):
            return {"in": field.value, "literals": [_flat(each) for each in literals], "fold": fold}
        case Text(function, field, literal, fold):
            return {"text": field.value, "function": function, "literal": literal, "fold": fold}
        case Has(field, literal):
            return {"has": field.value, "literal": literal}
        case Touches(groups):
            return {"touches": sorted(groups)}
        case About(values, written):
            return {"about": sorted([kind.value, value] for kind, value in values), "written": sorted(written)}
        case Within(network):
            return {"within": network}
        case Contested():
            return {"contested": True}
        case Among(ids):
            return {"among": sorted(ids)}


def asked(kept: Plain) -> Query:
    """Return the question that `plain` made *kept* of."""
    match kept:
        case {"constant": value}:
            return Constant(value)
        case {"not": operand}:
            return Not(asked(operand))
        case {"and": operands}:
            return And(tuple(asked(each) for each in operands))
        case {"or": operands}:
            return Or(tuple(asked(each) for each in operands))
        case {"compare": name, "operator": operator, "literal": literal, "fold": fold}:
            return Compare(Field(name), operator, _full(Field(name), literal), fold)
        case {"in": name, "literals": literals, "fold": fold}:
            return In(Field(name), tuple(_full(Field(name), each) for each in literals), fold)
        case {"text": name, "function": function, "literal": literal, "fold": fold}:
            return Text(function, Field(name), literal, fold)
        case {"has": name, "literal": literal}:
            return Has(Field(name), literal)
        case {"touches": groups}:
            return Touches(frozenset(groups))
        case {"about": values, "written": written}:
            return About(frozenset((ObservableType(kind), value) for kind, value in values), frozenset(written))
        case {"within": network}:
            return Within(network)
        case {"contested": _}:
            return Contested()
        case {"among": ids}:
            return Among(frozenset(ids))
        case _:
            raise ValueError(f"{str(kept)[:100]!r} is no question that was kept here")


def _flat(literal: Scalar) -> Scalar:
    return literal.isoformat() if isinstance(literal, datetime) else literal


def _full(field: Field, literal: Scalar) -> Scalar:
    """Return *literal* as the field holds it: a moment, or a member of its enumeration."""
    if not isinstance(literal, str):
        return literal
    if KINDS[field] is Kind.TIME:
        return datetime.fromisoformat(literal)
    return next((name for name in NAMES.get(field, ()) if name == literal), literal)
