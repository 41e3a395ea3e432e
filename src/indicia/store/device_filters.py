"""Filters over machines as SQL: what `domain.device_filter.holds` says of one device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import eq, ge, gt, le, lt
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, true

from indicia.domain.device import INACTIVE_AFTER
from indicia.domain.device_filter import FIXED, Condition, Every, Opposite, Some, Test
from indicia.domain.grouping import folded
from indicia.store.dialects import among, by_code_point, contains, ends_with, starts_with
from indicia.store.dialects import folded as in_small_letters
from indicia.store.rows import join_list
from indicia.store.schema_devices import devices

_COLUMNS: Final[Mapping[str, ColumnElement[Any]]] = {
    "id": devices.c.machine_id,
    "computerDnsName": devices.c.dns_name,
    "osPlatform": in_small_letters(devices.c.os_platform, "lower"),
    "version": in_small_letters(devices.c.os_version, "lower"),
    "rbacGroupId": func.coalesce(devices.c.device_group, 0),
    "firstSeen": devices.c.first_seen,
    "lastSeen": devices.c.last_seen,
}

_COMPARES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"eq": eq, "gt": gt, "ge": ge, "lt": lt, "le": le}


def where(condition: Condition, *, groups: Mapping[int, str], now: datetime) -> ColumnElement[bool]:
    """Return *condition* as SQL; *groups* gives the name of each device group by its number."""
    match condition:
        case Every(operands):
            return and_(*(where(each, groups=groups, now=now) for each in operands))
        case Some(alternatives):
            return or_(*(where(each, groups=groups, now=now) for each in alternatives))
        case Opposite(of):
            return not_(where(of, groups=groups, now=now))
        case Test(field, operator, literal):
            return func.coalesce(_test(field, operator, literal, groups, now), false())


def _test(field: str, operator: str, literal: Any, groups: Mapping[int, str], now: datetime) -> ColumnElement[bool]:
    if field == "machineTags":
        return contains(in_small_letters(devices.c.tags, "lower"), join_list([literal]) or "")
    if field in FIXED:
        fixed = FIXED[field]
        return _sure(None if fixed is None else fixed.lower(), operator, literal)
    if field == "healthStatus":
        active = devices.c.last_seen > now - INACTIVE_AFTER
        return or_(
            and_(active, _sure("active", operator, literal)), and_(not_(active), _sure("inactive", operator, literal))
        )
    if field == "rbacGroupName":
        named = [number for number, name in groups.items() if _is(folded(name), operator, literal)]
        none = and_(devices.c.device_group.is_(None), _sure(None, operator, literal))
        return or_(none, func.coalesce(among(devices.c.device_group, named), false()))
    return _of_column(_COLUMNS[field], operator, literal)


def _of_column(column: ColumnElement[Any], operator: str, literal: Any) -> ColumnElement[bool]:
    if literal is None:
        return {"eq": column.is_(None), "ne": column.is_not(None)}.get(operator, false())
    match operator:
        case "ne":
            return (
                or_(column.is_(None), by_code_point(column) != literal)
                if isinstance(literal, str)
                else column != literal
            )
        case "contains":
            return contains(column, literal)
        case "startswith":
            return starts_with(column, literal) if literal else column.is_not(None)
        case "endswith":
            return ends_with(column, literal) if literal else column.is_not(None)
        case _:
            compared = by_code_point(column) if isinstance(literal, str) else column
            found: ColumnElement[bool] = _COMPARES[operator](compared, literal)
            return found


def _sure(value: str | None, operator: str, literal: Any) -> ColumnElement[bool]:
    return true() if _is(value, operator, literal) else false()


def _is(value: str | None, operator: str, literal: Any) -> bool:
    if operator in ("eq", "ne"):
        return (value == literal) is (operator == "eq")
    if value is None or literal is None:
        return False
    match operator:
        case "contains":
            return literal in value
        case "startswith":
            return bool(value.startswith(literal))
        case _:
            return bool(value.endswith(literal))
