"""Indicators as lines of JSON: what the API shows can come in again, what nobody knows is refused by name."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.draft import PROPERTY_NAMES, Draft
from indicia.importers.ndjson import READ_ONLY
from tests.unit.importers.reading import read
from tests.unit.indicators import drafts, made

GOOD = {
    "indicatorType": "DomainName",
    "indicatorValue": "evil.example.org",
    "action": "Block",
    "title": "t",
    "description": "d",
}


def line(properties: object) -> bytes:
    return orjson.dumps(properties, option=orjson.OPT_UTC_Z) + b"\n"


@given(st.lists(drafts(), max_size=4))
def test_every_property_comes_in(batch: list[Draft]) -> None:
    names = PROPERTY_NAMES
    body = b"".join(line({names[field]: value for field, value in draft._asdict().items()}) for draft in batch)
    found = read("ndjson", body, names=names)
    assert [each.indicator for each in found.read] == list(map(made, batch))
    assert found.refused == []


@pytest.mark.parametrize("name", sorted(READ_ONLY))
def test_what_the_api_adds_is_passed_over(name: str) -> None:
    found = read("ndjson", line(GOOD | {name.upper(): "x"}))
    assert (len(found.read), found.notes) == (1, [])


def test_an_unknown_property_is_refused_with_the_near_one() -> None:
    found = read("ndjson", line(GOOD | {"severty": "High"}))
    (problem,) = found.refused[0].problems
    assert (problem.code, problem.column, problem.suggestion, problem.line) == (
        "unknown-property",
        "severty",
        "severity",
        1,
    )


@pytest.mark.parametrize(
    "text, code",
    [
        ("[]", "not-an-object"),
        ("null", "not-an-object"),
        ('{"a":', "invalid-json"),
        ("{'a':1}", "invalid-json"),
        ('{"title":NaN}', "invalid-json"),
        ("\udcff", "invalid-json"),
        ('{"title":"' + "x" * 70_000 + '"}', "line-too-long"),
        ('{"title":' + "[" * 1_000 + "]" * 1_000 + "}", "missing"),
    ],
)
def test_a_bad_line_is_refused_and_the_next_is_read(text: str, code: str) -> None:
    found = read("ndjson", text.encode("utf-8", "surrogateescape") + b"\n" + line(GOOD))
    assert found.codes()[0] == (1, code)
    assert [each.line for each in found.read] == [2]
