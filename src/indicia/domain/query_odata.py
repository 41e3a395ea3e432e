"""The filter tree written as OData, so that what was asked in one language can be asked in the other."""

from __future__ import annotations

from datetime import UTC, datetime

from indicia.domain.observable import ObservableType
from indicia.domain.query import (
    CONTESTED,
    WITHIN,
    About,
    And,
    Compare,
    Constant,
    Contested,
    Field,
    Fold,
    Has,
    In,
    Not,
    Or,
    Query,
    Scalar,
    Text,
    Within,
)
from indicia.domain.query_literals import spellings


def to_odata(query: Query) -> str:
    """Return *query* as a filter of OData that means the same.

    An `Among` has no such text: what services put into a tree never leaves it.

    >>> from indicia.domain.query_text import parse_filter
    >>> to_odata(parse_filter("severity ge 'high' and not (Title eq 'it''s')"))
    "severity ge 'High' and not (title eq 'it''s')"
    """
    match query:
        case Constant(value):
            return "true" if value else "false"
        case Not(operand):
            return f"not ({to_odata(operand)})"
        case And(operands):
            return " and ".join(map(_grouped, operands))
        case Or(operands):
            return " or ".join(map(_grouped, operands))
        case Compare(field, operator, literal, fold):
            return f"{_folded(field, fold)} {operator} {_literal(literal)}"
        case In(field, literals, fold):
            return f"{_folded(field, fold)} in ({', '.join(map(_literal, literals))})"
        case Text(function, field, literal, fold):
            return f"{function}({_folded(field, fold)}, {_literal(literal)})"
        case Has(field, literal):
            return f"{field}/any(x: x eq {_literal(literal)})"
        case About():
            return _about(query)
        case Within(network):
            return f"{WITHIN}({Field.INDICATOR_VALUE}, {_literal(network)})"
        case Contested():
            return CONTESTED
        case _:
            raise ValueError("a list of numbers is no filter that anybody could write")


def _grouped(query: Query) -> str:
    text = to_odata(query)
    return f"({text})" if isinstance(query, And | Or) or (isinstance(query, About) and " or " in text) else text


def _folded(field: Field, fold: Fold | None) -> str:
    return field.value if fold is None else f"to{fold}({field.value})"


def _literal(literal: Scalar) -> str:
    if literal is None:
        return "null"
    if isinstance(literal, bool):
        return "true" if literal else "false"
    if isinstance(literal, datetime):
        return literal.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(literal, int):
        return str(literal)
    return "'" + literal.replace("'", "''") + "'"


def _about(query: About) -> str:
    """Return what finds the values of *query* and no others: one text may be the spelling of several types."""
    texts: list[str] = sorted(query.written)
    alone: list[tuple[ObservableType, str]] = []
    for kind, canonical in sorted(query.values):
        if query.values.issuperset(spellings(canonical)):
            texts.append(canonical)
        else:
            alone.append((kind, canonical))
    parts = [_either(list(dict.fromkeys(texts)))] if texts or not alone else []
    parts += [
        f"({Field.INDICATOR_VALUE} eq {_literal(canonical)} and {Field.INDICATOR_TYPE} eq {_literal(kind.value)})"
        for kind, canonical in alone
    ]
    return " or ".join(parts)


def _either(texts: list[str]) -> str:
    if not texts:
        return f"{Field.INDICATOR_VALUE} eq null"
    if len(texts) == 1:
        return f"{Field.INDICATOR_VALUE} eq {_literal(texts[0])}"
    return f"{Field.INDICATOR_VALUE} in ({', '.join(map(_literal, texts))})"
