"""What a device reports: kept where it makes sense, told where it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.device import MOST_TAGS, Report, machine_id_of, report_of, split_name
from indicia.domain.errors import Problem

NOW = datetime(2030, 6, 15, 12, 30, tzinfo=UTC)


def read(given: Any) -> Report:
    problems: list[Problem] = []
    report = report_of(given, NOW, problems)
    assert report is not None, problems
    return report


def test_a_full_name_and_its_parts_are_the_same_device() -> None:
    one = read({"name": "SRV1.corp.example"})
    assert (one.name, one.domain) == ("SRV1", "corp.example")
    for same in (
        {"name": "srv1", "domain": "Corp.Example"},
        {"name": "srv1.corp.example", "domain": "corp.example"},
        {"name": " srv1.CORP.example ", "domain": None},
    ):
        assert read(same).machine_id == one.machine_id
    assert read({"name": "srv1"}).machine_id != one.machine_id
    assert len(one.machine_id) == 40


@given(st.text(), st.text())
def test_an_id_of_our_own_is_always_the_same(name: str, domain: str) -> None:
    assert machine_id_of(name, domain) == machine_id_of(name.upper().lower(), domain) or not name.isascii()
    assert len(machine_id_of(name, domain)) == 40


@given(st.text(max_size=40), st.none() | st.text(max_size=20))
def test_a_name_that_was_taken_apart_stays_so(name: str, domain: str | None) -> None:
    first, rest = split_name(name, domain)
    assert split_name(first, rest or None)[1] == rest or not rest


@pytest.mark.parametrize(
    "given, code",
    [
        (None, "not-an-object"),
        ([], "not-an-object"),
        ({}, "missing"),
        ({"name": ""}, "missing"),
        ({"name": 5}, "not-a-text"),
        ({"name": "a\x02"}, "invalid-text"),
        ({"name": "a" * 256}, "invalid-text"),
        ({"name": "a", "nmae": 1}, "unknown-property"),
        ({"name": "a", "machineId": "xyz"}, "invalid-machine-id"),
        ({"name": "a", "tags": "x"}, "not-a-list"),
        ({"name": "a", "tags": [1]}, "not-a-list"),
        ({"name": "a", "tags": [""]}, "invalid-tag"),
        ({"name": "a", "tags": [f"t{n}" for n in range(MOST_TAGS + 1)]}, "too-many-values"),
        ({"name": "a", "addresses": ["10.0.0.999"]}, "invalid-address"),
        ({"name": "a", "addresses": ["10.0.0.1"] * 51}, "too-many-values"),
        ({"name": "a", "lastSeen": "yesterday"}, "invalid-time"),
        ({"name": "a", "lastSeen": "2030-01-01T00:00:00"}, "invalid-time"),
        ({"name": "a", "lastSeen": 5}, "invalid-time"),
    ],
)
def test_what_is_wrong_is_told(given: Any, code: str) -> None:
    problems: list[Problem] = []
    assert report_of(given, NOW, problems) is None
    assert code in [problem.code for problem in problems]


def test_tags_are_kept_once_and_the_future_is_now() -> None:
    report = read({"name": "a", "tags": ["Lab", "lab ", "web"], "lastSeen": "2031-01-01T00:00:00Z", "addresses": []})
    assert report.tags == ("Lab", "web")
    assert report.last_seen == NOW
    assert report.addresses == ()
    assert read({"name": "a", "lastSeen": "2030-06-15T12:00:00+02:00"}).last_seen == NOW - timedelta(hours=2.5)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "domain", "tags", "addresses", "lastSeen", "machineId"]), inner)
        ),
    )
)
def test_whatever_is_sent_is_a_report_or_a_problem(given: Any) -> None:
    problems: list[Problem] = []
    assert (report_of(given, NOW, problems) is None) is bool(problems)
