"""How deeply JSON nests is known before it is parsed."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indicia.web.dependencies import MAX_JSON_DEPTH, depth_of, parse_json
from indicia.web.problems import Refusal

texts = st.text(st.sampled_from('[]{}"\\,:a\n'), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=60,
)


def actual(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(actual, inside), default=0)


@given(values, st.integers(0, 60))
@example(['"', "[" * 40, "\\"], 33)
def test_the_depth_is_the_depth(value: Any, more: int) -> None:
    for _ in range(more):
        value = [value]
    body = orjson.dumps(value)
    if actual(value) <= MAX_JSON_DEPTH:
        assert parse_json(body) == value
        assert depth_of(body) in (0, actual(value))
    else:
        assert depth_of(body) == MAX_JSON_DEPTH + 1
        with pytest.raises(Refusal):
            parse_json(body)


@given(st.binary() | st.text(st.sampled_from('[{"\\]}:,1e')).map(str.encode))
def test_nothing_but_a_refusal_comes_of_any_bytes(body: bytes) -> None:
    with contextlib.suppress(Refusal):
        parse_json(body)


def test_text_made_to_take_long_takes_none() -> None:
    for body in (b'["' + b"\\" * 500_000, b"[" * 1_000_000, b'"[' * 500_000, b'"\\"[' * 300_000):
        with pytest.raises(Refusal):
            parse_json(body)
