"""Drafts given to a checker, good but for what is changed or hostile, and short names for what it found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from indicia.domain.checker import Checked
from indicia.domain.draft import Draft
from indicia.domain.errors import Problem
from indicia.domain.indicator import Action, Indicator
from indicia.domain.observable import ObservableType
from indicia.domain.rules import Strictness
from tests.unit.indicators import GOOD, checker

COMPAT, NATIVE, STRICT = Strictness.COMPAT, Strictness.NATIVE, Strictness.STRICT
T = ObservableType
EVERY_DOOR = pytest.mark.parametrize("strictness", Strictness)


def checked(strictness: Strictness = NATIVE, **changed: Any) -> Checked:
    return checker(strictness).check(GOOD._replace(**changed))


def made(strictness: Strictness = NATIVE, **changed: Any) -> Indicator:
    found = checked(strictness, **changed)
    assert found.indicator is not None, found.problems
    return found.indicator


def faults(found: Checked) -> list[str]:
    return [problem.code for problem in found.problems if not problem.warning]


def warnings(found: Checked) -> list[str]:
    return [problem.code for problem in found.problems if problem.warning]


def only(found: Checked) -> Problem:
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


# -- at random --------------------------------------------------------------------------------------------------------

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**4_400, max_value=10**5_000),
    st.floats(),
    st.text(st.characters()),
    st.sampled_from([*Draft._fields, *T, *Action, "2031-01-01T00:00:00+14:00", "T1059", "Servers", "1", "5", "²", "٣"]),
)
json_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
        inner.map(lambda value: _nested(value, 2_000)),
    ),
    max_leaves=4,
)


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


hostile = st.dictionaries(st.sampled_from(Draft._fields), json_values, max_size=4).map(lambda bad: GOOD._replace(**bad))
