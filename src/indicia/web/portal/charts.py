"""Charts as shapes: pure functions from numbers to rectangles, which a template draws as SVG and as a table.

Places and widths are shares of the whole in percent, so that a chart is as wide as its column and its text never
shrinks; heights are pixels. Colours are names of classes: the style sheet knows light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

_HEIGHT: Final = 140
_STEPS: Final = (1, 2, 5)
#: The least that is drawn of what is not nothing.
_LEAST_SHARE: Final = 0.4
_LEAST_HEIGHT: Final = 2


class Series(NamedTuple):
    """One kind of thing that is counted: the name of its colour, and what people call it."""

    colour: str
    name: str


class Segment(NamedTuple):
    """One rectangle of a bar that lies: where it begins and how wide it is, in percent."""

    series: Series
    number: int
    x: str
    width: str


class Bar(NamedTuple):
    """One bar: what it is about, how many there are in all, its segments, and where it leads."""

    name: str
    key: str
    total: int
    segments: tuple[Segment, ...]
    href: str | None = None


class Bars(NamedTuple):
    """Bars that lie under each other, each of segments side by side; the longest is as wide as the chart."""

    id: str
    title: str
    description: str
    series: tuple[Series, ...]
    bars: tuple[Bar, ...]


class Block(NamedTuple):
    """One rectangle of a column: where it begins and how wide it is in percent, its top and height in pixels."""

    series: Series
    number: int
    x: str
    width: str
    y: int
    height: int


class Column(NamedTuple):
    """One column: what it is about and, for a reader, its numbers in the order of the series."""

    name: str
    numbers: tuple[int, ...]
    blocks: tuple[Block, ...]
    x: str
    width: str


class Line(NamedTuple):
    """A line across the chart, and the number that it stands for."""

    y: int
    number: int


class Columns(NamedTuple):
    """Columns side by side: the first series goes up from the ``zero`` line, the others down from it."""

    id: str
    title: str
    description: str
    series: tuple[Series, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    labels: tuple[str, ...]
    zero: int
    height: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(any(column.numbers) for column in self.columns)


class Row(NamedTuple):
    """What one bar is made of: a number for each series."""

    name: str
    key: str
    numbers: Sequence[int]
    href: str | None = None


def bars(id: str, title: str, series: Sequence[Series], rows: Sequence[Row]) -> Bars:
    """Return the chart of *rows*; series of which there is nothing are left out.

    >>> chart = bars("c", "Active", [Series("block", "Block")], [Row("Domain", "DomainName", [3])])
    >>> chart.bars[0].segments[0].width, chart.description
    ('100', 'Domain: 3 (Block 3).')
    """
    longest = max((sum(row.numbers) for row in rows), default=0)
    drawn = [number for number, _each in enumerate(series) if any(row.numbers[number] for row in rows)]
    made, told = [], []
    for row in rows:
        widths = {
            number: max(100 * row.numbers[number] / longest, _LEAST_SHARE) for number in drawn if row.numbers[number]
        }
        shrink = 100 / max(sum(widths.values()), 100)  # what was drawn longer than it is must not push out the last
        segments, start = [], 0.0
        for number, width in widths.items():
            wide = width * shrink
            segments.append(Segment(series[number], row.numbers[number], _percent(start), _percent(wide)))
            start += wide
        made.append(Bar(row.name, row.key, sum(row.numbers), tuple(segments), row.href))
        parts = ", ".join(f"{segment.series.name} {segment.number:,}" for segment in segments)
        told.append(f"{row.name}: {sum(row.numbers):,}" + (f" ({parts})" if parts else ""))
    return Bars(id, title, "; ".join(told) + ".", tuple(series[number] for number in drawn), tuple(made))


def columns(
    id: str, title: str, series: Sequence[Series], rows: Sequence[Row], *, labelled: int = 6, height: int = _HEIGHT
) -> Columns:
    """Return the chart of *rows*: the first number of each goes up, the others down; about *labelled* have a label."""
    ups = max((row.numbers[0] for row in rows), default=0)
    downs = max((sum(row.numbers[1:]) for row in rows), default=0)
    step = _step(max(ups, downs, 1))
    top, bottom = _whole(ups, step) or step, _whole(downs, step)
    scale = height / (top + bottom)
    zero = round(top * scale)
    wide = 100 / max(len(rows), 1)
    made = [_column(row, series, wide * place, wide, zero, scale) for place, row in enumerate(rows)]
    every = max(1, -(-len(rows) // labelled))
    # The last one has a label, and what is between them is equal: count from the end.
    labels = tuple(row.name if (len(rows) - 1 - place) % every == 0 else "" for place, row in enumerate(rows))
    lines = tuple(Line(round((top - number) * scale), abs(number)) for number in range(-bottom, top + 1, step))
    totals = [sum(row.numbers[number] for row in rows) for number in range(len(series))]
    told = ", ".join(f"{each.name.lower()} {total:,}" for each, total in zip(series, totals, strict=True))
    span = f"{rows[0].name} to {rows[-1].name}: " if rows else ""
    return Columns(id, title, f"{span}{told}.", tuple(series), tuple(made), lines, labels, zero, height)


def _column(row: Row, series: Sequence[Series], x: float, wide: float, zero: int, scale: float) -> Column:
    blocks = []
    down = zero
    for number, (each, amount) in enumerate(zip(series, row.numbers, strict=True)):
        if not amount:
            continue
        tall = max(round(amount * scale), _LEAST_HEIGHT)
        y = zero - tall if number == 0 else down
        down = down if number == 0 else down + tall
        blocks.append(Block(each, amount, _percent(x + wide * 0.14), _percent(wide * 0.72), y, tall))
    return Column(row.name, tuple(row.numbers), tuple(blocks), _percent(x), _percent(wide))


def _step(most: int) -> int:
    """Return a round number of which at most four make *most*.

    >>> [_step(most) for most in (1, 4, 7, 30, 1_000)]
    [1, 1, 2, 10, 500]
    """
    size = 1
    while True:
        for each in _STEPS:
            if each * size * 4 >= most:
                return each * size
        size *= 10


def _whole(number: int, step: int) -> int:
    """Return the least multiple of *step* that is not under *number*."""
    return -(-number // step) * step


def _percent(share: float) -> str:
    return f"{min(share, 100):.3f}".rstrip("0").rstrip(".")
