"""Filters and orders as SQL: the same answers as `domain.query_memory`, on either engine.

Every condition that is built here is true or false and never null, so that ``NOT`` turns it round. Only bound values
and the columns named here reach SQL: two filters of one shape are one statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    and_,
    case,
    false,
    func,
    not_,
    or_,
    select,
    true,
    union_all,
)

from indicia.domain.networks import is_small
from indicia.domain.query import (
    KINDS,
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
    Kind,
    Not,
    Or,
    Order,
    OrderBy,
    Query,
    Scalar,
    Text,
    Touches,
    Within,
)
from indicia.store import dialects, valued
from indicia.store.codes import ACTIONS, CATEGORIES, SEVERITIES, STATUSES, TYPES
from indicia.store.nesting import deepest_first
from indicia.store.schema import changesets, decisions
from indicia.store.touching import touches

_COLUMNS: Final[Mapping[Field, str]] = {
    Field.ID: "id",
    Field.INDICATOR_TYPE: "type",
    Field.ACTION: "action",
    Field.SEVERITY: "severity",
    Field.CATEGORY: "category",
    Field.STATUS: "status",
    Field.TITLE: "title",
    Field.DESCRIPTION: "description",
    Field.RECOMMENDED_ACTIONS: "recommended_actions",
    Field.MITRE_TECHNIQUES: "mitre_techniques",
    Field.RBAC_GROUP_NAMES: "rbac_group_names",
    Field.RBAC_GROUP_IDS: "rbac_group_names",
    Field.EXPIRATION_TIME: "expires_at",
    Field.GENERATE_ALERT: "generate_alert",
    Field.APPLICATION: "application",
    Field.EXTERNAL_ID: "external_id",
}
# Properties of the changeset that created an indicator, or that began this version of it.
_OF_CHANGESETS: Final[Mapping[Field, tuple[str, str]]] = {
    Field.CREATED_BY: ("created", "actor"),
    Field.CREATED_BY_DISPLAY_NAME: ("created", "actor_name"),
    Field.CREATED_BY_SOURCE: ("created", "source"),
    Field.CREATION_TIME: ("created", "at"),
    Field.LAST_UPDATE_TIME: ("began", "at"),
    Field.LAST_UPDATED_BY: ("began", "actor"),
}
_CODES: Final[Mapping[Field, Mapping[Any, int]]] = {
    Field.INDICATOR_TYPE: TYPES,
    Field.ACTION: ACTIONS,
    Field.SEVERITY: SEVERITIES,
    Field.CATEGORY: CATEGORIES,
    Field.STATUS: STATUSES,
}
_NULLABLE: Final = frozenset(
    {
        Field.CATEGORY,
        Field.RECOMMENDED_ACTIONS,
        Field.MITRE_TECHNIQUES,
        Field.RBAC_GROUP_NAMES,
        Field.RBAC_GROUP_IDS,
        Field.EXPIRATION_TIME,
        Field.APPLICATION,
        Field.EXTERNAL_ID,
        Field.LAST_UPDATED_BY,
    }
)
# Properties of the decision, which many indicators share: asked of the few decisions, not of the many indicators.
_OF_DECISIONS: Final = frozenset(
    {
        Field.INDICATOR_TYPE,
        Field.ACTION,
        Field.SEVERITY,
        Field.CATEGORY,
        Field.STATUS,
        Field.RECOMMENDED_ACTIONS,
        Field.MITRE_TECHNIQUES,
        Field.RBAC_GROUP_NAMES,
        Field.RBAC_GROUP_IDS,
        Field.GENERATE_ALERT,
        Field.APPLICATION,
    }
)
_ORDERS: Final[Mapping[Order, Callable[[Any, Any], ColumnElement[bool]]]] = {"gt": gt, "ge": ge, "lt": lt, "le": le}
_FOLDED: Final[Mapping[Fold, Mapping[int, int]]] = {
    "lower": {code: code + 32 for code in range(ord("A"), ord("Z") + 1)},
    "upper": {code + 32: code for code in range(ord("A"), ord("Z") + 1)},
}
_SEPARATOR: Final = "\x1f"
# A name of its own, so that a statement that joins the changesets does not take this table for the one that it has.
_changes: Final = changesets.alias("changesets_asked")
_decided: Final = decisions.alias("decisions_asked")


def where(query: Query, table: FromClause, *, groups: Mapping[str, str], walk: bool = False) -> ColumnElement[bool]:
    """Return *query* as a condition on *table*, which has the columns of `schema.indicators`.

    *groups* gives the number of each device group, as text, by its name. With *walk* the engine is kept from
    using the index of decisions, for a reader that goes through the table in order anyway.
    """
    if not isinstance(query, Constant) and asks_decisions_only(query):
        column = (table.c.decision + 0) if walk else table.c.decision
        return column.in_(_decisions(query, groups))
    return _where(query, table, groups, walk=walk)


def shared_part(query: Query, groups: Mapping[str, str]) -> Select[int] | None:
    """Return the decisions that an indicator must have one of to match *query*, None where any will do."""
    if isinstance(query, Constant):
        return None
    if asks_decisions_only(query):
        return _decisions(query, groups)
    if isinstance(query, And):
        shared = tuple(operand for operand in query.operands if asks_decisions_only(operand))
        return _decisions(And(shared), groups) if shared else None
    return None


def is_pointed(query: Query) -> bool:
    """Return whether *query* asks for few indicators by an index that is sure to be good: a value, an id."""
    match query:
        case About(_, written):
            return not written
        case Compare(Field.ID) | Among():
            return True
        case Within(network):
            return is_small(network)
        case Compare(Field.EXTERNAL_ID, "eq", literal, None):
            return literal is not None
        case In(Field.ID | Field.EXTERNAL_ID, literals, None):
            return None not in literals
        case And(operands):
            return any(map(is_pointed, operands))
        case _:
            return False


def asks_expiry(query: Query) -> bool:
    """Return whether the index of expiries narrows *query* down."""
    match query:
        case Compare(Field.EXPIRATION_TIME, _, literal):
            return literal is not None
        case And(operands):
            return any(map(asks_expiry, operands))
        case _:
            return False


def by_last_update(query: Query, table: FromClause) -> CompoundSelect[int] | None:
    """Return the indicators of *table* that an indicator must be one of to match *query*, by when they last changed.

    They are found by indexes. None where *query* does not ask for that time.
    """
    match query:
        case Compare(Field.LAST_UPDATE_TIME):
            created, updated = _versions(query, table)
            return union_all(select(table.c.id).where(created), select(table.c.id).where(updated))
        case And(operands):
            return next((found for each in operands if (found := by_last_update(each, table)) is not None), None)
        case _:
            return None


def _decisions(query: Query, groups: Mapping[str, str]) -> Select[int]:
    return select(_decided.c.id).where(_where(query, _decided, groups, walk=False))


def _branch(query: Query, table: FromClause, groups: Mapping[str, str], *, walk: bool) -> ColumnElement[bool]:
    if table is _decided:
        return _where(query, table, groups, walk=walk)
    return where(query, table, groups=groups, walk=walk)


def asks_decisions_only(query: Query) -> bool:
    """Return whether the decision of an indicator tells whether *query* holds of it."""
    match query:
        case Constant() | Touches():
            return True
        case Not(operand):
            return asks_decisions_only(operand)
        case And(operands) | Or(operands):
            return all(map(asks_decisions_only, operands))
        case About() | Within() | Contested() | Among():
            return False
        case _:
            return query.field in _OF_DECISIONS


def _where(query: Query, table: FromClause, groups: Mapping[str, str], *, walk: bool) -> ColumnElement[bool]:
    match query:
        case Constant(value):
            return true() if value else false()
        case Not(operand):
            return not_(_branch(operand, table, groups, walk=walk))
        case And(operands):
            return and_(*(_branch(operand, table, groups, walk=walk) for operand in _together(And, operands, table)))
        case Or(operands):
            return or_(*(_branch(operand, table, groups, walk=walk) for operand in _together(Or, operands, table)))
        case Has(field, name):
            return _has(field, name, table, groups)
        case Touches(own):
            return touches(own, table.c.rbac_group_names)
        case About():
            return valued.about(query, table, _column(Field.INDICATOR_VALUE, table))
        case Within(network):
            return valued.within(network, table)
        case Among(ids):
            return dialects.among(table.c.id, ids)
        case Contested():
            raise ValueError("services say which indicators contradict others before anybody looks for them")
        case _ if query.field in _OF_CHANGESETS:
            return _of_changeset(query, table)
        case _:
            return _condition(query, _column(query.field, table), nullable=query.field in _NULLABLE)


def order_by(keys: Iterable[OrderBy], table: FromClause) -> list[ColumnElement[Any]]:
    """Return what to sort *table* by: *keys*, null lowest on either engine, and then the number of the indicator.

    Names sort by their codes: severity by how bad it is.
    """
    terms: list[ColumnElement[Any]] = []
    for key in keys:
        column = sort_key(key.field, table)
        term = column.desc() if key.descending else column.asc()
        if key.field in _NULLABLE:  # told only where it matters: it keeps PostgreSQL from using a plain index
            term = term.nulls_last() if key.descending else term.nulls_first()
        terms.append(term)
        if key.field is Field.ID:
            return terms
    return [*terms, table.c.id.asc()]


def sort_key(field: Field, table: FromClause) -> ColumnElement[Any]:
    """Return what an order by *field* compares."""
    column: ColumnElement[Any]
    if field in _OF_DECISIONS:
        column = _decided.c[_COLUMNS[field]]
        column = select(column).where(_decided.c.id == table.c.decision).correlate(table).scalar_subquery()
    elif field in _OF_CHANGESETS:
        own, name = _OF_CHANGESETS[field]
        column = select(_changes.c[name]).where(_changes.c.id == table.c[own]).correlate(table).scalar_subquery()
        if field is Field.LAST_UPDATED_BY:
            column = case((table.c.began != table.c.created, column))
    else:
        column = _column(field, table)
    return dialects.by_code_point(column) if KINDS[field] in (Kind.TEXT, Kind.VALUE) else column


def _column(field: Field, table: FromClause) -> ColumnElement[Any]:
    if field is Field.INDICATOR_VALUE:
        return func.coalesce(table.c.value, table.c.canonical)
    return table.c[_COLUMNS[field]]


def _condition(query: Compare | In | Text, column: ColumnElement[Any], *, nullable: bool) -> ColumnElement[bool]:
    """Return what *query* says of *column*, false where that is null and null was not asked for."""
    condition = _asked(query, column)
    if not nullable:
        return condition
    told = and_(column.is_not(None), condition)
    return or_(column.is_(None), told) if _asks_for_null(query) else told


def _asked(query: Compare | In | Text, column: ColumnElement[Any]) -> ColumnElement[bool]:
    if isinstance(query, Text) and query.function == "contains" and query.fold and query.literal:
        if query.literal != query.literal.translate(_FOLDED[query.fold]):
            return false()  # a letter that no folded text has
        return dialects.contains_in_any_case(column, query.literal)
    if query.fold is not None:
        column = dialects.folded(column, query.fold)
    match query:
        case Compare(field, operator, literal):
            if operator == "eq":
                return _is_one(field, column, (literal,))
            return _is_ordered(field, column, operator, literal)
        case In(field, literals):
            return _is_one(field, column, literals)
        case Text(function, _, part):
            return _PARTS[function](column, part) if part else true()


_PARTS: Final[Mapping[str, Callable[[ColumnElement[Any], str], ColumnElement[bool]]]] = {
    "contains": dialects.contains,
    "startswith": dialects.starts_with,
    "endswith": dialects.ends_with,
}


def _asks_for_null(query: Compare | In | Text) -> bool:
    match query:
        case Compare(_, "eq", None):
            return True
        case In(_, literals):
            return None in literals
        case _:
            return False


def _is_one(field: Field, column: ColumnElement[Any], literals: Sequence[Scalar]) -> ColumnElement[bool]:
    values = [_bound(field, literal) for literal in literals if literal is not None]
    return column.in_(values) if values else false()


def _is_ordered(field: Field, column: ColumnElement[Any], operator: Order, literal: Scalar) -> ColumnElement[bool]:
    if literal is None:
        return false()
    if KINDS[field] in (Kind.TEXT, Kind.VALUE):
        column = dialects.by_code_point(column)
    return _ORDERS[operator](column, _bound(field, literal))


def _bound(field: Field, literal: Scalar) -> Any:
    codes = _CODES.get(field)
    return literal if codes is None else codes[literal]


def _of_changeset(query: Compare | In | Text, table: FromClause) -> ColumnElement[bool]:
    created, updated = _versions(query, table)
    if _OF_CHANGESETS[query.field][0] == "created":
        return created
    if query.field is not Field.LAST_UPDATED_BY:
        return or_(created, updated)
    # Nobody has updated an indicator whose version is the one that was created.
    return or_(table.c.began == table.c.created, updated) if _asks_for_null(query) else updated


def _versions(query: Compare | In | Text, table: FromClause) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return what tells the indicators that changesets as *query* asks for created, and those that they updated."""
    own, name = _OF_CHANGESETS[query.field]
    told = _condition(query, _changes.c[name], nullable=False)
    asked = select(_changes.c.id).where(told)
    # What a changeset created has the numbers that it gave out: bounds that an engine can go to at once. Where no
    # changeset is asked for they are null, and IN is false already.
    first = select(func.min(_changes.c.first_id)).where(told).scalar_subquery()
    last = select(func.max(_changes.c.next_id)).where(told).scalar_subquery()
    created = and_(table.c.created.in_(asked), table.c.id >= first, table.c.id < last)
    if own == "began":
        created = and_(table.c.began == table.c.created, created)
    return created, and_(table.c.began != table.c.created, table.c.began.in_(asked))


def _has(field: Field, name: str, table: FromClause, groups: Mapping[str, str]) -> ColumnElement[bool]:
    names = [name]
    if field is Field.RBAC_GROUP_IDS:
        names = [known for known, number in groups.items() if number == name]
    column = table.c[_COLUMNS[field]]
    parts = [
        dialects.contains(column, f"{_SEPARATOR}{wanted}{_SEPARATOR}") for wanted in names if _SEPARATOR not in wanted
    ]
    return and_(column.is_not(None), or_(false(), *parts))


def _together(node: type[And | Or], operands: tuple[Query, ...], table: FromClause) -> Sequence[Query]:
    """Return *operands* with those that ask the decision only made one, so that the decisions are asked once."""
    shared = tuple(operand for operand in operands if asks_decisions_only(operand))
    if table is _decided or len(shared) < 2 or len(shared) == len(operands):
        return deepest_first(operands)
    others = tuple(operand for operand in operands if not asks_decisions_only(operand))
    return deepest_first((node(shared), *others))
