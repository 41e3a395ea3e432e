"""A JSON object is a draft, whatever the case of its names; what is no field of ours is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.draft import COLUMN_NAMES, COMMON_FIELDS, NOTHING_RARE, PROPERTY_NAMES, Draft, draft_of

NAMES = st.sampled_from(list(PROPERTY_NAMES.values()))


def test_every_field_has_a_property_and_a_column() -> None:
    assert tuple(PROPERTY_NAMES) == Draft._fields
    assert set(COLUMN_NAMES) == set(Draft._fields)
    assert len(set(map(str.lower, PROPERTY_NAMES.values()))) == len(Draft._fields)
    assert len(set(map(str.lower, COLUMN_NAMES.values()))) == len(Draft._fields)
    assert (None,) * (len(Draft._fields) - COMMON_FIELDS) == NOTHING_RARE


@given(st.dictionaries(NAMES, st.integers()), st.sampled_from([str.lower, str.upper, str.swapcase, str]))
def test_names_match_in_any_case(given: dict[str, int], spell: type[str]) -> None:
    draft, unknown = draft_of({spell(name): value for name, value in given.items()})
    assert unknown == []
    assert {PROPERTY_NAMES[field]: value for field, value in draft._asdict().items() if value is not None} == given


@given(st.dictionaries(NAMES | st.text(), st.none() | st.integers()))
def test_nothing_is_lost_without_a_word(given: dict[str, int | None]) -> None:
    draft, unknown = draft_of(given)
    known = {name.lower() for name in PROPERTY_NAMES.values()}
    assert unknown == [name for name in given if name.lower() not in known]
    assert all(value is None or value in given.values() for value in draft)


@pytest.mark.parametrize("field", Draft._fields)
def test_what_is_given_replaces_the_base_even_by_null(field: str) -> None:
    base = Draft(*range(len(Draft._fields)))
    draft, _ = draft_of({PROPERTY_NAMES[field]: None}, base)
    assert draft == base._replace(**{field: None})
