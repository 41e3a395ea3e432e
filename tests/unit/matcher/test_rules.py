"""Rulings as bytes and back, and rules from entries; what is damaged says so."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.indicator import Action, Status
from indicia.domain.observable import ObservableType
from indicia.domain.verdict import Rule
from indicia.matcher import rules
from indicia.matcher.rules import TYPES, DamagedSnapshot, Ruling, Rulings
from indicia.store.codes import TYPES as STORED_TYPES
from tests.unit.matcher.rule_sets import case, contents_of, entries_of

_rulings = st.lists(
    st.builds(
        Ruling,
        st.sampled_from(Action),
        st.sampled_from(Status),
        st.booleans(),
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=3).map(tuple),
    )
).map(Rulings)


@given(_rulings)
def test_what_is_written_is_read(some: Rulings) -> None:
    assert Rulings.from_bytes(some.to_bytes()) == some
    assert len(Rulings.from_bytes(some.to_bytes())) == len(some)


@given(st.integers(0, 2**32))
def test_entries_are_the_rules_that_they_were_made_of(seed: int) -> None:
    some = case(random.Random(seed))
    contents = contents_of(some)
    again = Rulings.from_bytes(contents.rulings.to_bytes())
    assert [again.rule(entry) for entry in entries_of(contents)] == some


ONE = Rulings([Ruling(Action.BLOCK, Status.ACTIVE, True, ("Servers",))])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"form":2,"rulings":[]}',
        b'{"form":1}',
        b'{"form":1,"rulings":null}',
        b'{"form":1,"rulings":5}',
        b'{"form":1,"rulings":[],"more":1}',
        b'{"form":1,"rulings":[[]]}',
        b'{"form":1,"rulings":[["Blocks","active",true]]}',
        b'{"form":1,"rulings":[["Block","gone",true]]}',
        b'{"form":1,"rulings":[["Block","active",1]]}',
        b'{"form":1,"rulings":[["Block","active",true,""]]}',
        b'{"form":1,"rulings":[["Block","active",true,null]]}',
        b'{"form":1,"rulings":[[["Block"],"active",true]]}',
        b"[" * 100_000,
        b"9" * 10_000,
        ONE.to_bytes()[:-1],
        ONE.to_bytes() + b"x",
    ],
    ids=lambda data: ascii(data[:40]),
)
def test_what_is_not_ours_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedSnapshot, match="damaged"):
        Rulings.from_bytes(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_damaged_and_say_so_in_a_sentence(data: bytes) -> None:
    with pytest.raises(DamagedSnapshot) as found:
        Rulings.from_bytes(data)
    assert len(str(found.value)) < 400


def test_too_many_bytes_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_BYTES", 10)
    with pytest.raises(DamagedSnapshot, match="too many"):
        Rulings.from_bytes(ONE.to_bytes())


@pytest.mark.parametrize(
    "entry",
    [(0, "a", 1, 0, None), (9, "a", 1, 0, None), (1, "a", 1, 1, None), (1, "a", 1, -1, None), (1, "a", 1, 0, 2**62)],
)
def test_entries_of_another_snapshot_are_damaged(entry: tuple[int, str, int, int, int | None]) -> None:
    with pytest.raises(DamagedSnapshot, match="no entry"):
        ONE.rule(entry)


def test_an_entry_is_all_that_a_verdict_needs() -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    entry = (7, "evil.example", 5, 0, int(at.timestamp()) * 1_000_000)
    kind = ObservableType.DOMAIN_NAME
    assert ONE.rule(entry) == Rule(5, kind, "evil.example", Action.BLOCK, ("Servers",), Status.ACTIVE, at, True)


def test_a_snapshot_numbers_the_types_as_the_tables_do() -> None:
    assert TYPES == STORED_TYPES
