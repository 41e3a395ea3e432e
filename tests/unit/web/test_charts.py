"""Shapes of charts: what is drawn is what was counted, inside the picture, and told in words too."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.web.portal.charts import Row, Series, bars, columns

SERIES = [Series("one", "One"), Series("two", "Two"), Series("three", "Three")]
NUMBERS = st.lists(st.tuples(*[st.integers(0, 10**9)] * 3), max_size=40)


def rows(numbers: list[tuple[int, ...]]) -> list[Row]:
    return [Row(f"row {place}", str(place), each) for place, each in enumerate(numbers)]


@given(NUMBERS)
def test_bars_are_as_long_as_their_numbers_and_never_wider_than_the_chart(numbers: list[tuple[int, ...]]) -> None:
    chart = bars("c", "Title", SERIES, rows(numbers))
    assert [bar.total for bar in chart.bars] == [sum(each) for each in numbers]
    longest = max(map(sum, numbers), default=0)
    for bar, given_numbers in zip(chart.bars, numbers, strict=True):
        assert [segment.number for segment in bar.segments] == [each for each in given_numbers if each]
        end = 0.0
        for segment in bar.segments:
            assert float(segment.x) == pytest.approx(end, abs=0.01)
            assert float(segment.width) > 0.3
            end = float(segment.x) + float(segment.width)
        if longest:
            # What is next to nothing is drawn a little longer than it is, so that it can be seen.
            assert end == pytest.approx(100 * bar.total / longest, abs=0.41 * len(bar.segments))
            assert end <= 100.01


@given(NUMBERS)
def test_a_series_of_which_there_is_nothing_is_not_in_the_legend(numbers: list[tuple[int, ...]]) -> None:
    chart = bars("c", "Title", SERIES, rows(numbers))
    assert [each.name for each in chart.series] == [
        each.name for place, each in enumerate(SERIES) if any(row[place] for row in numbers)
    ]


@given(NUMBERS)
def test_columns_stay_inside_and_begin_at_the_line_of_nothing(numbers: list[tuple[int, ...]]) -> None:
    chart = columns("c", "Title", SERIES, rows(numbers))
    assert [column.numbers for column in chart.columns] == numbers
    for column in chart.columns:
        for block in column.blocks:
            assert block.height >= 1
            # Two pixels for each of what is too little to be seen.
            assert block.y >= -4
            assert block.y + block.height <= chart.height + 4
            assert 0 <= float(block.x) <= float(block.x) + float(block.width) <= 100.1
        above = [block for block in column.blocks if block.series == SERIES[0]]
        assert all(block.y + block.height == chart.zero for block in above)
        below = [block for block in column.blocks if block.series != SERIES[0]]
        assert all(block.y >= chart.zero for block in below)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_the_lines_are_few_and_hold_what_is_between_them(up: int, down: int) -> None:
    chart = columns("c", "Title", SERIES[:2], rows([(up, down)]))
    numbers = [line.number for line in chart.lines]
    assert 2 <= len(numbers) <= 10
    zero = numbers.index(0)
    assert numbers[-1] >= up
    assert numbers[0] >= down
    assert sorted(numbers[zero:]) == numbers[zero:]
    assert [line.y for line in chart.lines] == sorted((line.y for line in chart.lines), reverse=True)


def test_the_last_column_has_a_label_and_the_others_are_as_far_apart() -> None:
    chart = columns("c", "Title", SERIES, rows([(1, 0, 0)] * 30))
    labelled = [place for place, label in enumerate(chart.labels) if label]
    assert labelled[-1] == 29
    assert {after - before for before, after in itertools.pairwise(labelled)} == {5}


def test_what_is_drawn_is_told() -> None:
    assert bars("c", "T", SERIES, [Row("Domain", "d", (3, 0, 1))]).description == "Domain: 4 (One 3, Three 1)."
    chart = columns("c", "T", SERIES, [Row("1 Nov", "a", (3, 0, 1)), Row("2 Nov", "b", (2_000, 5, 0))])
    assert chart.description == "1 Nov to 2 Nov: one 2,003, two 5, three 1."
    assert not chart.is_empty


def test_nothing_makes_charts_of_nothing() -> None:
    assert bars("c", "T", SERIES, []).bars == ()
    assert columns("c", "T", SERIES, []).is_empty
    assert columns("c", "T", SERIES, rows([(0, 0, 0)])).is_empty
