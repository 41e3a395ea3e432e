"""A batch that was packed and unpacked is the same batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.indicator import Indicator
from indicia.importers.parsed import Parsed, Read
from indicia.services.packing import Batch, pack, unpack
from indicia.store.rows import Encoder
from tests.unit.importers.reading import read
from tests.unit.indicators import indicators


@given(st.lists(indicators(), max_size=8))
def test_nothing_is_lost(some: list[Indicator]) -> None:
    encode = Encoder().encode
    parsed = Parsed([Read(line, each) for line, each in enumerate(some)], position=7)
    batch = Batch(parsed, [encode(each) for each in some])
    same = unpack(pack(batch))
    assert same == batch
    assert [type(each.indicator) for each in same.parsed.read] == [Indicator] * len(some)


def test_what_was_refused_and_noted_comes_along() -> None:
    found = read("text", "two words\nhxxps://evil[.]example[.]org/a\n")
    parsed = Parsed([], found.refused, found.notes, found.notes, 12)
    assert unpack(pack(Batch(parsed, []))) == Batch(parsed, [])
