"""How far long work with known steps is: a bar for people, a line now and then for logs, nothing for the quiet."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from indicia.cli.output import say
from indicia.cli.progress import LINE_EVERY_S, PATIENCE_S

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Steps:
    """Hears of steps and of the rows of each, and shows them on stderr."""

    def __init__(self, *, hidden: bool) -> None:
        self._hidden = hidden
        self._what = ""
        self._total = self._done = 0
        self._began = self._told = monotonic()
        self._bar: Bar | None = None
        self._task: Any = None

    def begin(self, what: str, rows: int) -> None:
        """Hear that *what* begins, which is about so many rows; 0 where nobody knows."""
        self._stop()
        self._what, self._total, self._done = what, rows, 0
        self._began = self._told = monotonic()

    def advance(self, rows: int) -> None:
        """Hear of that many more rows."""
        self._done += rows
        if self._hidden:
            return
        now = monotonic()
        if sys.stderr.isatty():
            if self._bar is not None or now - self._began > PATIENCE_S:
                self._draw()
        elif now - self._told > LINE_EVERY_S:
            self._told = now
            say(self.line(now))

    def line(self, now: float) -> str:
        """Return how far it is in one line.

        >>> steps = Steps(hidden=True)
        >>> steps.begin("copying", 2000)
        >>> steps.advance(500)
        >>> steps.line(steps._began + 5)
        'copying: 500 of 2,000 rows, 100 rows/s, about 15 s left'
        """
        rate = self._done / max(now - self._began, 0.001)
        if not self._total or not self._done:
            return f"{self._what}: {self._done:,} rows, {rate:,.0f} rows/s"
        left = max(self._total - self._done, 0) / rate
        return f"{self._what}: {self._done:,} of {self._total:,} rows, {rate:,.0f} rows/s, about {left:.0f} s left"

    def _draw(self) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=self._total or None)
            self._bar.start()
        self._bar.update(self._task, completed=self._done)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
