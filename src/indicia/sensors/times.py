"""Times as telemetry writes them, to aware UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from indicia.sensors.records import Record, get

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = 253_402_300_800  # until the year 9999
_MILLISECONDS: Final = 100_000_000_000  # more seconds than that are the year 5138: it was milliseconds
_LONGEST: Final = 64


def read_time(value: Any, *, zone: bool = False) -> datetime | None:
    """Return the moment that *value* names: ISO 8601 with any number of digits, or seconds or milliseconds since 1970.

    A time without a zone is UTC, unless *zone* asks for one; then it is None, as is everything that is no time.

    >>> read_time("2018-03-24T14:37:19.037299-0600").isoformat()
    '2018-03-24T20:37:19.037299+00:00'
    >>> read_time("1588205199.82437").isoformat()
    '2020-04-30T00:06:39.824370+00:00'
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _since_1970(value)
    if not isinstance(value, str) or not 8 <= len(value) <= _LONGEST:
        return None
    try:
        if value[4] != "-" and value[8] != "T":
            return _since_1970(float(value))
        time = datetime.fromisoformat(value.strip())
        if time.tzinfo is None:
            return None if zone else time.replace(tzinfo=UTC)
        return time.astimezone(UTC)
    except (ValueError, IndexError, OverflowError):  # the last: year 1 east of Greenwich
        return None


def _since_1970(number: float) -> datetime | None:
    if number >= _MILLISECONDS:
        number /= 1000
    if not 0 <= number < _SECONDS:  # so is what is no number
        return None
    return _EPOCH + timedelta(microseconds=round(number * 1_000_000))


def first_time(record: Record, paths: Iterable[str], *, zone: bool = False) -> datetime | None:
    """Return the first time that is found under one of *paths*."""
    for path in paths:
        time = read_time(get(record, path), zone=zone)
        if time is not None:
            return time
    return None
