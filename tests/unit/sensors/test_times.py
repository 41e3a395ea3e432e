"""Times as telemetry writes them."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.sensors import SENSORS
from indicia.sensors.times import read_time


@pytest.mark.parametrize(
    "value, iso",
    [
        ("2018-03-24T14:37:19.037299-0600", "2018-03-24T20:37:19.037299+00:00"),
        ("2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00.123456+00:00"),
        ("2022-08-03T18:32:13.156002300Z", "2022-08-03T18:32:13.156002+00:00"),
        ("2020-09-20 01:17:03.491", "2020-09-20T01:17:03.491000+00:00"),
        ("1521911720.865716", "2018-03-24T17:15:20.865716+00:00"),
        (1588205199.82437, "2020-04-30T00:06:39.824370+00:00"),
        (1588205199824, "2020-04-30T00:06:39.824000+00:00"),
        (0, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_times(value: object, iso: str) -> None:
    time = read_time(value)
    assert time is not None
    assert time.isoformat() == iso


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "-",
        "now",
        "0001-01-01T00:00:00+23:59",
        -1,
        float("nan"),
        float("inf"),
        1e300,
        [],
        "2024-13-01T00:00",
    ],
)
def test_what_is_no_time(value: object) -> None:
    assert read_time(value) is None


@given(value=st.text(max_size=80) | st.floats() | st.integers() | st.datetimes().map(str) | st.floats().map(str))
def test_any_value(value: object) -> None:
    time = read_time(value)
    assert time is None or time.tzinfo is UTC
    assert read_time(value, zone=True) in (time, None)


@pytest.mark.parametrize(
    "line, iso, device",
    [
        ("2024-01-01T10:00:00.5+02:00 hello", "2024-01-01T08:00:00.500000+00:00", None),
        ("2024-01-01 10:00:00,123 hello", None, None),
        ('192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200', "2000-10-10T20:55:36+00:00", None),
        ("[99/Oct/2000:13:55:36 -0700]", None, None),
        (
            "<34>1 2003-10-11T22:14:15.003Z mail.example su - ID47 - hello",
            "2003-10-11T22:14:15.003000+00:00",
            "mail.example",
        ),
        ("Oct 11 22:14:15 mail su: hello", None, None),
    ],
)
def test_lines_of_text(line: str, iso: str | None, device: str | None) -> None:
    event = SENSORS["text"]().event(line.encode())
    assert event is not None
    assert (event.time and event.time.isoformat(), event.device) == (iso, device)
