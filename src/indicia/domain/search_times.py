"""Times as people search for them: ages, days, months, years, and the spans between."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from indicia.domain.query import And, Compare, Field, Query
from indicia.domain.search_terms import Value, refusal

_AGE = re.compile(r"([0-9]{1,5})([hdwy])", re.IGNORECASE)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?", re.ASCII)
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
_DAYS: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}
_OPERATOR = re.compile("([<>]?=?)(.*)", re.DOTALL)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
#: What a message shows of the ways to write a time.
WAYS: Final = ("<7d", ">30d", "2026-12-05", "2026-12", ">=2026-12-05", "2026-11..2026-12", "today")
#: What is about to expire: no longer than this is left of it.
SOON: Final = timedelta(days=7)


class _Span(NamedTuple):
    """From *start* up to, and without, *end*."""

    start: datetime
    end: datetime


def split_operator(value: Value) -> tuple[str, Value]:
    """Return the sign that *value* begins with, empty for none, and what follows; in quotes there are no signs."""
    found = _OPERATOR.fullmatch(value.text)
    if value.quoted or found is None:
        return "", value
    sign = "" if found[1] == "=" else found[1]
    return sign, Value(found[2], value.position + found.end(1))


def time_question(field: Field, value: Value, now: datetime, *, ahead: bool) -> Query:
    """Return the question that *value* asks of the time in *field*: an age counts *ahead* of now, or back from it."""
    first, dots, last = value.text.partition("..")
    if dots and not value.quoted:
        start = _date(Value(first, value.position), now)
        end = _date(Value(last, value.position + len(first) + len(dots)), now)
        if start.start >= end.end:
            raise refusal("{} ends before it begins", value, ("2026-11..2026-12",))
        return _between(field, _Span(start.start, end.end))
    sign, rest = split_operator(value)
    age = _AGE.fullmatch(rest.text)
    if age is not None:
        return _aged(field, sign, _distance(age, value), now, ahead=ahead)
    span = _date(rest, now)
    match sign:
        case "<":
            return Compare(field, "lt", span.start)
        case "<=":
            return Compare(field, "lt", span.end)
        case ">":
            return Compare(field, "ge", span.end)
        case ">=":
            return Compare(field, "ge", span.start)
        case _:
            return _between(field, span)


def _aged(field: Field, sign: str, away: timedelta, now: datetime, *, ahead: bool) -> Query:
    """Return what is nearer to *now* than *away*, or with ``>`` further; no sign is as ``<=``."""
    try:
        limit = now + away if ahead else now - away
    except OverflowError:
        limit = _LAST if ahead else datetime.min.replace(tzinfo=UTC)
    nearer = sign in ("<", "<=", "")
    strict = sign in ("<", ">")
    if nearer is ahead:
        return Compare(field, "lt" if strict else "le", limit)
    return Compare(field, "gt" if strict else "ge", limit)


def _distance(age: re.Match[str], value: Value) -> timedelta:
    try:
        return int(age[1]) * _UNITS[age[2].lower()]
    except OverflowError:  # not with five digits, but who knows the next unit
        raise refusal("{} is further away than there are days", value, WAYS) from None


def _between(field: Field, span: _Span) -> Query:
    return And((Compare(field, "ge", span.start), Compare(field, "lt", span.end)))


def _date(value: Value, now: datetime) -> _Span:
    text = value.text.lower()
    try:
        if text in _DAYS:
            today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            start = today + timedelta(days=_DAYS[text])
            return _Span(start, start + timedelta(days=1))
        found = _DATE.fullmatch(text)
        if found is None:
            raise ValueError(text)
        return _calendar(int(found[1]), found[2], found[3])
    except (ValueError, OverflowError):
        raise refusal("{} is not a time that can be searched for", value, WAYS) from None


def _calendar(year: int, month: str | None, day: str | None) -> _Span:
    start = datetime(year, int(month or 1), int(day or 1), tzinfo=UTC)
    if start.year == _LAST.year and (not month or start.month == 12):
        return _Span(start, _LAST)
    if day:
        return _Span(start, start + timedelta(days=1))
    if month and start.month < 12:
        return _Span(start, start.replace(month=start.month + 1))
    return _Span(start, start.replace(year=start.year + 1, month=1))
