"""Explain and the fast path agree: every matcher finds what the law says, and the verdict is the same."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.indicator import Action
from indicia.domain.matching import parts_of
from indicia.domain.observable import ObservableType, detect
from indicia.domain.verdict import Match, NetworkPrecedence, Rule, resolve
from indicia.matcher.layered import Layered
from indicia.matcher.lookup import COMPILED, Contents, Mapped, Matcher, fill, in_memory
from indicia.matcher.reference import Reference
from tests.unit.matcher.rule_sets import (
    SECRET,
    SEEN_FILES,
    SEEN_NETWORK,
    a_verdict_of,
    case,
    contents_of,
    entries_of,
    naive,
)

NO_KERNEL = "the compiled kernel is not built: make install"


def reference(contents: Contents) -> Matcher:
    return Reference(entries_of(contents), contents.rulings)


def compiled(contents: Contents) -> Matcher:
    return fill(contents, SECRET).in_memory()


def layered(contents: Contents) -> Matcher:
    """Return the same in two layers, with some in the lower one that are dead."""
    [rows] = contents.pieces
    lower, upper = [row for row in rows if row[2] % 2], [row for row in rows if not row[2] % 2]
    below = contents._replace(pieces=[[*lower, *upper[:2]]])
    return Layered(
        reference(below), in_memory(contents._replace(pieces=[upper]), SECRET), [row[2] for row in upper[:2]]
    )


Maker = Callable[[Contents], Matcher]
#: Sets of rules in one matcher: making one takes longer than asking it.
TOGETHER = 25
TEXTS = [
    *(each.value for each in (*SEEN_FILES, *SEEN_NETWORK)),
    *("EVIL.example.org.", "Evil.Example.ORG/a/b", " 185.220.101.7 ", "185.220.101.0-185.220.101.255", "2A00:0::7"),
    *(
        "::ffff:185.220.101.7",
        "HTTP://evil.example.org:80/a/../a/b",
        "http://evil%2eexample.org/",
        "1E" * 20,
        "ｅvil.example.org",
    ),
]
MATCHERS = [
    reference,
    layered,
    pytest.param(compiled, marks=pytest.mark.skipif(not COMPILED, reason=NO_KERNEL)),
]


def agree(make: Maker, sets: int, seed: int) -> None:
    """Try *sets* of rules, the same for the same *seed*; a matcher holds some of them, told apart by their numbers."""
    chance = random.Random(seed)
    for number in range(sets // TOGETHER):
        together = [case(chance, first=1 + 100 * each) for each in range(TOGETHER)]
        matcher = make(contents_of([rule for rules in together for rule in rules]))
        for rules in together:
            seen, group, now = a_verdict_of(chance, rules)
            precedence = chance.choice(list(NetworkPrecedence))
            expected = [match for each in seen for match in naive(rules, each)]
            numbers = {rule.id for rule in rules}
            parts = [part for each in seen for part in parts_of(each)]
            found = [Match(rule, part) for part in parts for rule in matcher.match(part) if rule.id in numbers]
            assert sorted(found) == sorted(expected), (seed, number, rules, seen)
            chance.shuffle(found)
            verdict = resolve(found, group=group, now=now, precedence=precedence)
            assert verdict == resolve(expected, group=group, now=now, precedence=precedence), (seed, number)


@pytest.mark.parametrize("make", MATCHERS)
def test_a_thousand_rule_sets(make: Maker) -> None:
    agree(make, 1_000, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("make", MATCHERS)
def test_a_hundred_thousand_rule_sets(make: Maker) -> None:
    agree(make, 100_000, seed=2)


# -- one value after the other ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MATCHERS)
@given(seed=st.integers(0, 2**32), text=st.one_of(st.text(max_size=40), st.sampled_from(TEXTS)))
def test_check_reads_a_value_as_detect_does(make: Maker, seed: int, text: str) -> None:
    rules = case(random.Random(seed), most=30)
    matcher = make(contents_of(rules))
    seen = detect(text)
    assert sorted(matcher.check(text)) == sorted(naive(rules, seen) if seen is not None else [])


@pytest.mark.parametrize("make", MATCHERS)
def test_of_nothing_nothing_is_found(make: Maker) -> None:
    matcher = make(contents_of([]))
    assert len(matcher) == 0
    for seen in (*SEEN_FILES, *SEEN_NETWORK):
        assert matcher.match(seen) == []
        assert matcher.check(seen.value) == []


def test_layers_count_what_they_answer() -> None:
    rules = case(random.Random(3), most=30)
    contents = contents_of(rules)
    assert len(layered(contents)) == len(reference(contents)) == len(rules)


def test_where_a_part_has_no_scanner_the_whole_has_none() -> None:
    empty = contents_of([])
    assert reference(empty).scanners() is None
    assert Layered(reference(empty), in_memory(empty, SECRET), []).scanners() is None


@pytest.mark.skipif(not COMPILED, reason=NO_KERNEL)
def test_all_layers_scan() -> None:
    empty = contents_of([])
    one, other = compiled(empty), compiled(empty)
    assert isinstance(one, Mapped)
    assert isinstance(other, Mapped)
    assert Layered(one, other, []).scanners() == [one.snapshot, other.snapshot]


def test_a_row_that_refers_to_nothing_is_refused() -> None:
    contents = contents_of([])._replace(pieces=[[(5, "evil.example", 1, None)]])
    with pytest.raises(ValueError, match="indicator 1"):
        in_memory(contents, SECRET)
    with pytest.raises(ValueError, match="indicator 1 refers to decision 5"):
        Reference.of_rows(contents.pieces, contents.rulings, contents.decisions)


@pytest.mark.parametrize("make", MATCHERS)
def test_the_widest_networks(make: Maker) -> None:
    rules = [
        Rule(number, ObservableType.IP_RANGE, block, Action.AUDIT)
        for number, block in enumerate(("0.0.0.0/0", "128.0.0.0/1", "::/0", "8000::/1"), 1)
    ]
    matcher = make(contents_of(rules))
    for seen in SEEN_NETWORK:
        expected = [match.rule for match in naive(rules, seen)]
        assert sorted(rule for part in parts_of(seen) for rule in matcher.match(part)) == sorted(expected)
