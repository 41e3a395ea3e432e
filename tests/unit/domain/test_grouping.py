"""Device groups: the compiled rules say what their definition says, whatever the rules and the devices."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.errors import Problem
from indicia.domain.grouping import (
    MOST_ROWS,
    MOST_VALUES,
    Condition,
    Facts,
    Field,
    Grouper,
    Operator,
    Rule,
    Ruled,
    folded,
    group_by_definition,
    matches,
    rule_as_list,
    rule_of,
    unmet,
)
from indicia.domain.substrings import Substrings

# Few letters, so that parts overlap; some that change their length when they are folded, and a sign of the automaton.
LETTERS = "abABß.ﬁⅧİ-"
texts = st.text(LETTERS, max_size=8)
values = st.text(LETTERS, min_size=1, max_size=4)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    operator = draw(st.sampled_from(list(Operator)))
    most = 3 if operator is Operator.IN else 1
    found = draw(st.lists(values, min_size=1, max_size=most))
    return Condition(draw(st.sampled_from(list(Field))), operator, tuple(found))


facts = st.builds(Facts, texts, texts, st.lists(texts, max_size=3).map(tuple), texts)
rules: st.SearchStrategy[Rule] = st.lists(conditions(), max_size=6).map(tuple)
grouped = st.lists(st.tuples(st.integers(1, 9), rules), max_size=8).map(
    lambda ranked: [Ruled(number, rank, rule) for number, (rank, rule) in enumerate(ranked, 1)]
)


@given(grouped, st.lists(facts, min_size=1, max_size=12))
def test_compiled_rules_mean_what_the_definition_says(groups: list[Ruled], devices: list[Facts]) -> None:
    grouper = Grouper.of(groups)
    assert [grouper.group_of(each) for each in devices] == [group_by_definition(groups, each) for each in devices]


@given(grouped, facts, st.randoms(use_true_random=False))
def test_the_order_in_which_anything_stands_makes_no_difference(
    groups: list[Ruled], device: Facts, chance: random.Random
) -> None:
    shuffled = [group._replace(rule=tuple(chance.sample(group.rule, len(group.rule)))) for group in groups]
    chance.shuffle(shuffled)
    tags = tuple(chance.sample(device.tags, len(device.tags)))
    assert Grouper.of(shuffled).group_of(device._replace(tags=tags)) == Grouper.of(groups).group_of(device)


@given(grouped, facts)
def test_upper_and_lower_case_are_alike(groups: list[Ruled], device: Facts) -> None:
    small = Facts(*(tuple(map(folded, part)) if isinstance(part, tuple) else folded(part) for part in device))
    assert group_by_definition(groups, small) == group_by_definition(groups, device) == Grouper(groups).group_of(small)


@given(rules, facts)
def test_a_rule_matches_where_no_field_is_unmet(rule: Rule, device: Facts) -> None:
    assert matches(rule, device) is (bool(rule) and unmet(rule, device) is None)
    if rule and (field := unmet(rule, device)) is not None:
        assert not matches(tuple(row for row in rule if row.field is field), device)


@given(st.dictionaries(st.text("ab\x02", min_size=1, max_size=4), st.integers(1, 255), max_size=12), st.text("ab\x02"))
def test_substrings_are_found_all(bits: dict[str, int], text: str) -> None:
    wanted = 0
    for part, of_part in bits.items():
        wanted |= of_part if part in text else 0
    assert Substrings(bits).within(text) == wanted


@given(rules)
def test_a_rule_comes_back_from_plain_values(rule: Rule) -> None:
    problems: list[Problem] = []
    rule = tuple(dict.fromkeys(row._replace(values=tuple(dict.fromkeys(row.values))) for row in rule))
    assert rule_of(json.loads(json.dumps(rule_as_list(rule))), problems) == rule
    assert not problems


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["field", "operator", "values", "value", "x"]), inner)
        ),
    )
)
def test_whatever_is_given_as_a_rule_is_a_rule_or_a_problem(rows: Any) -> None:
    problems: list[Problem] = []
    rule = rule_of(rows, problems)
    assert problems or isinstance(rows, list)
    assert all(1 <= len(row.values) <= MOST_VALUES for row in rule)


@pytest.mark.parametrize(
    "rows, code",
    [
        ("name", "not-a-list"),
        ([1], "not-an-object"),
        ([{}], "invalid-field"),
        ([{"field": "nam", "operator": "equals", "values": ["a"]}], "invalid-field"),
        ([{"field": "name", "operator": "like", "values": ["a"]}], "invalid-operator"),
        ([{"field": "name", "operator": "equals"}], "no-value"),
        ([{"field": "name", "operator": "equals", "values": []}], "no-value"),
        ([{"field": "name", "operator": "equals", "values": ["a", "b"]}], "too-many-values"),
        ([{"field": "name", "operator": "in", "values": ["a"] * (MOST_VALUES + 1)}], "too-many-values"),
        ([{"field": "name", "operator": "equals", "values": [" "]}], "invalid-value"),
        ([{"field": "name", "operator": "equals", "values": ["a\x02"]}], "invalid-value"),
        ([{"field": "name", "operator": "equals", "values": ["a" * 257]}], "invalid-value"),
        ([{"field": "name", "operator": "equals", "values": ["a"], "x": 1}], "unknown-property"),
        (
            [{"field": "tag", "operator": "equals", "values": [f"{n}"]} for n in range(MOST_ROWS + 1)],
            "too-many-conditions",
        ),
    ],
)
def test_what_is_no_rule_is_told(rows: Any, code: str) -> None:
    problems: list[Problem] = []
    rule_of(rows, problems)
    assert code in [problem.code for problem in problems]


def test_names_of_fields_and_operators_are_taken_as_people_write_them() -> None:
    problems: list[Problem] = []
    rows = [{"field": "OS Platform", "operator": "starts with", "value": "Win"}]
    assert rule_of(rows, problems) == (Condition(Field.OS_PLATFORM, Operator.STARTS_WITH, ("Win",)),)
    assert not problems
    rule_of([{"field": "nmae", "operator": "equals", "values": ["a"]}], problems)
    assert problems[0].suggestion == "name"


def test_the_higher_rank_wins_and_no_rule_is_no_member() -> None:
    servers = (Condition(Field.NAME, Operator.STARTS_WITH, ("srv-",)),)
    web = (*servers, Condition(Field.TAG, Operator.IN, ("web", "edge")))
    groups = [Ruled(1, 2, servers), Ruled(2, 1, web), Ruled(3, 0, ())]
    grouper = Grouper.of(groups)
    assert grouper.group_of(Facts("SRV-1", "", (), "")) == 1
    assert grouper.group_of(Facts("srv-1", "", ("x", "Edge"), "")) == 2
    assert grouper.group_of(Facts("pc-srv-1", "", ("web",), "")) is None
