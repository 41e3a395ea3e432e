"""Filters answered for one indicator in memory: the specification of what `store.filters` has SQL say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from operator import ge, gt, le, lt
from typing import Any, Final

from indicia.domain.indicator import Severity, StoredIndicator
from indicia.domain.networks import is_within
from indicia.domain.query import (
    About,
    Among,
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
    Order,
    Query,
    Scalar,
    Text,
    Touches,
    Within,
)

_READ: Final[Mapping[Field, Callable[[StoredIndicator], Any]]] = {
    Field.ID: lambda row: row.id,
    Field.INDICATOR_VALUE: lambda row: row.indicator.value,
    Field.INDICATOR_TYPE: lambda row: row.indicator.type,
    Field.ACTION: lambda row: row.indicator.action,
    Field.SEVERITY: lambda row: row.indicator.severity,
    Field.CATEGORY: lambda row: row.indicator.category,
    Field.STATUS: lambda row: row.indicator.status,
    Field.TITLE: lambda row: row.indicator.title,
    Field.DESCRIPTION: lambda row: row.indicator.description,
    Field.RECOMMENDED_ACTIONS: lambda row: row.indicator.recommended_actions,
    Field.MITRE_TECHNIQUES: lambda row: row.indicator.mitre_techniques,
    Field.RBAC_GROUP_NAMES: lambda row: row.indicator.rbac_group_names,
    Field.RBAC_GROUP_IDS: lambda row: row.indicator.rbac_group_names,
    Field.EXPIRATION_TIME: lambda row: row.indicator.expires_at,
    Field.GENERATE_ALERT: lambda row: row.indicator.generate_alert,
    Field.APPLICATION: lambda row: row.indicator.application,
    Field.EXTERNAL_ID: lambda row: row.indicator.external_id,
    Field.CREATED_BY: lambda row: row.created_by,
    Field.CREATED_BY_DISPLAY_NAME: lambda row: row.created_by_name,
    Field.CREATED_BY_SOURCE: lambda row: row.created_source,
    Field.CREATION_TIME: lambda row: row.created_at,
    Field.LAST_UPDATE_TIME: lambda row: row.updated_at,
    Field.LAST_UPDATED_BY: lambda row: row.updated_by,
}
_ORDERS: Final[Mapping[Order, Callable[[Any, Any], bool]]] = {"gt": gt, "ge": ge, "lt": lt, "le": le}
_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}
_FOLDS: Final[Mapping[Fold, Mapping[int, int]]] = {
    "lower": {code: code + 32 for code in range(ord("A"), ord("Z") + 1)},
    "upper": {code + 32: code for code in range(ord("A"), ord("Z") + 1)},
}


def matches(query: Query, row: StoredIndicator, groups: Mapping[str, str]) -> bool:
    """Return whether *query* holds of *row*; *groups* gives the number of each device group, as text, by its name."""
    match query:
        case Constant(value):
            return value
        case Not(operand):
            return not matches(operand, row, groups)
        case And(operands):
            return all(matches(operand, row, groups) for operand in operands)
        case Or(operands):
            return any(matches(operand, row, groups) for operand in operands)
        case Compare(field, operator, literal, fold):
            if operator == "eq":
                return _is_one(row, field, (literal,), fold)
            return _is_ordered(row, field, operator, literal, fold)
        case In(field, literals, fold):
            return _is_one(row, field, literals, fold)
        case Text(function, field, literal, fold):
            return _has_part(_read(row, field, fold), function, literal)
        case Has(field, literal):
            return _has(row, field, literal, groups)
        case Touches(own):
            return not row.indicator.rbac_group_names or not own.isdisjoint(row.indicator.rbac_group_names)
        case About(values, written):
            return (row.indicator.type, row.indicator.canonical) in values or row.indicator.value in written
        case Within(network):
            return is_within(row.indicator.type, row.indicator.canonical, network)
        case Among(ids):
            return row.id in ids
        case Contested():
            raise ValueError("only the store knows what contradicts what")


def _read(row: StoredIndicator, field: Field, fold: Fold | None) -> Any:
    value = _READ[field](row)
    return value if fold is None or value is None else value.translate(_FOLDS[fold])


def _is_one(row: StoredIndicator, field: Field, literals: Collection[Scalar], fold: Fold | None) -> bool:
    value = _read(row, field, fold)
    return (None if value == () else value) in literals


def _is_ordered(row: StoredIndicator, field: Field, operator: Order, literal: Scalar, fold: Fold | None) -> bool:
    value = _read(row, field, fold)
    if value is None or literal is None:
        return False
    if isinstance(literal, Severity):
        return _ORDERS[operator](_RANKS[value], _RANKS[literal])
    return _ORDERS[operator](value, literal)


def _has_part(value: str | None, function: str, literal: str) -> bool:
    if value is None:
        return False
    match function:
        case "contains":
            return literal in value
        case "startswith":
            return value.startswith(literal)
        case _:
            return value.endswith(literal)


def _has(row: StoredIndicator, field: Field, literal: str, groups: Mapping[str, str]) -> bool:
    names: tuple[str, ...] = _READ[field](row)
    if field is Field.RBAC_GROUP_IDS:
        return any(groups.get(name) == literal for name in names)
    return literal in names
