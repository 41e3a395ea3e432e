"""A field is read as what it spells, or has a problem that says what would have been right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.checking import checked, made, only


def test_a_message_names_the_value_and_what_is_allowed() -> None:
    problem = only(checked(action="Blok"))
    assert problem.message == (
        "'Blok' is not one of Allowed, Audit, Warn, Block, BlockAndRemediate; did you mean Block?"
    )
    assert problem.value == "Blok"


@pytest.mark.parametrize("text", ["true", "True", "TRUE", " tRuE ", "1", "yes", True, 1, 1.0])
def test_true(text: Any) -> None:
    assert made(generate_alert=text).generate_alert


@pytest.mark.parametrize("text", ["false", "False", "FALSE", "0", "no", "", None, False, 0])
def test_false(text: Any) -> None:
    assert not made(generate_alert=text).generate_alert


@pytest.mark.parametrize("field, most", [("title", 4_000), ("description", 4_000), ("recommended_actions", 8_000)])
def test_texts_are_never_cut(field: str, most: int) -> None:
    assert getattr(made(**{field: "é" * most}), field) == "é" * most
    problem = only(checked(**{field: "é" * (most + 1)}))
    assert problem.code == "too-long"
    assert str(most + 1) in problem.message


@given(st.characters())
def test_control_characters(character: str) -> None:
    allowed = character in "\t\n\r" or not (
        ord(character) < 32 or ord(character) == 127 or "\ud800" <= character <= "\udfff"
    )
    found = checked(title=f"a{character}b")
    assert (found.indicator is not None) is allowed
    if found.indicator is not None:
        assert found.indicator.title == f"a{character}b"
