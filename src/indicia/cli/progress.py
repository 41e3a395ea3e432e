"""How far an import is: a bar for people, a line now and then for logs, nothing for the quiet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from indicia.cli.output import say

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

#: A bar that flashes up for less than this tells nobody anything.
PATIENCE_S: Final = 0.5
LINE_EVERY_S: Final = 5.0


class Progress:
    """Shows rows, rows a second and, where the sizes are known, the remaining time."""

    def __init__(self, sizes: Sequence[int | None], *, hidden: bool) -> None:
        self._total = None if any(size is None for size in sizes) else sum(size or 0 for size in sizes)
        self._hidden = hidden
        self._bar: Bar | None = None
        self._task: Any = None
        self._began = self._told = monotonic()
        self._file = ""
        self._position = self._rows = 0
        self._bytes_before = self._rows_before = 0

    def tell(self, file: str, position: int, rows: int) -> None:
        """Hear how many bytes and rows of *file* were read."""
        if file != self._file or position < self._position:
            self._bytes_before += self._position
            self._rows_before += self._rows
            self._file = file
        self._position, self._rows = position, rows
        if self._hidden:
            return
        now = monotonic()
        if sys.stderr.isatty():
            if self._bar is not None or now - self._began > PATIENCE_S:
                self._draw(now)
        elif now - self._told > LINE_EVERY_S:
            self._told = now
            say(self.line(now))

    def line(self, now: float) -> str:
        """Return how far it is in one line.

        >>> progress = Progress([1000], hidden=True)
        >>> progress.tell("a.csv", 250, 50)
        >>> progress.line(progress._began + 5)
        'read 50 rows (25 %), 10 rows/s, about 15 s left'
        """
        seconds = max(now - self._began, 0.001)
        rows, read = self._rows_before + self._rows, self._bytes_before + self._position
        text = f"read {rows:,} rows"
        if not self._total or not read:
            return f"{text}, {rows / seconds:,.0f} rows/s"
        left = seconds * max(self._total - read, 0) / read
        return f"{text} ({read / self._total:.0%}), {rows / seconds:,.0f} rows/s, about {left:.0f} s left".replace(
            "%)", " %)"
        )

    def _draw(self, now: float) -> None:
        if self._bar is None:
            self._bar = self._new_bar()
            self._task = self._bar.add_task("reading", total=self._total, rows="", rate="")
            self._bar.start()
        rows = self._rows_before + self._rows
        rate = rows / max(now - self._began, 0.001)
        self._bar.update(
            self._task,
            completed=self._bytes_before + self._position,
            rows=f"{rows:,} rows",
            rate=f"{rate:,.0f} rows/s",
        )

    def _new_bar(self) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            BarColumn(),
            *((TaskProgressColumn(),) if self._total else ()),
            TextColumn("{task.fields[rows]}"),
            TextColumn("{task.fields[rate]}"),
            *((TimeRemainingColumn(),) if self._total else ()),
        )
        return Bar(*columns, console=Console(stderr=True), transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
