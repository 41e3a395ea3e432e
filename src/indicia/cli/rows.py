"""What becomes of each row of an import, written down: the refused ones to be mended, and the whole plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from indicia.cli.output import json_line
from indicia.cli.progress import Progress
from indicia.domain.changes import Step
from indicia.domain.draft import Draft
from indicia.domain.errors import Problem
from indicia.exporters.defender_csv import COLUMNS, MORE_COLUMNS, rejects_line
from indicia.importers.defender_csv import PROBLEMS_COLUMN, RAW_COLUMN
from indicia.importers.parsed import Refusal
from indicia.services.import_report import Listener


class Rows(Listener):
    """Hears of every row; writes the refused ones as CSV, and all of them as JSON lines, where that is asked for."""

    def __init__(self, rejects: Mapping[str, Path], plan: Path | None, progress: Progress) -> None:
        self._rejects = rejects
        self._open: dict[Path, BufferedWriter] = {}
        self._plan = plan.open("wb") if plan is not None else None
        self._progress = progress
        self._batch: list[dict[str, Any]] = []
        self._notes: dict[int | None, list[Problem]] = {}

    @property
    def rejects_written(self) -> tuple[Path, ...]:
        """The files of refused rows that were written."""
        return tuple(self._open)

    def refused(self, file: str, refusal: Refusal) -> None:
        path = self._rejects.get(file)
        if path is not None:
            self._reject(path, refusal)
        if self._plan is not None:
            draft = refusal.draft
            self._batch.append(_row(refusal.line, "refused", draft.type, draft.value, draft.action, refusal.problems))

    def noted(self, file: str, problems: Sequence[Problem]) -> None:
        if self._plan is not None:
            for problem in problems:
                self._notes.setdefault(problem.line, []).append(problem)

    def planned(self, file: str, steps: Sequence[Step]) -> None:
        if self._plan is None:
            return
        for candidate, outcome, _known, notes in steps:
            if outcome == "refused":  # heard of by `refused`
                continue
            line, indicator = candidate.line, candidate.indicator
            self._batch.append(_row(line, outcome, indicator.type, indicator.value, indicator.action, notes))

    def progress(self, file: str, position: int, rows: int) -> None:
        self._progress.tell(file, position, rows)
        if self._plan is not None and self._batch:
            for row in sorted(self._batch, key=lambda row: row["line"]):
                row["file"] = file
                more = self._notes.get(row["line"], ()) if row["outcome"] != "refused" else ()
                row["notes"] += [problem.as_dict() for problem in more]
                self._plan.write(json_line(row))
        self._batch.clear()
        self._notes.clear()
        # Nothing is committed yet: where there is no room for these, there is no import whose rejects are lost.
        for out in (*self._open.values(), self._plan):
            if out is not None:
                out.flush()

    def _reject(self, path: Path, refusal: Refusal) -> None:
        out = self._open.get(path)
        if out is None:
            out = self._open[path] = path.open("wb")
            out.write(rejects_line((*COLUMNS, *MORE_COLUMNS), PROBLEMS_COLUMN, RAW_COLUMN).encode())
        reasons = "; ".join([str(problem) for problem in refusal.problems])
        out.write(_bytes(rejects_line(_cells(refusal.draft), reasons, refusal.raw)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for out in (*self._open.values(), self._plan):
            if out is not None:
                out.close()


def _row(
    line: int, outcome: str, kind: object, value: object, action: object, notes: Sequence[Problem]
) -> dict[str, Any]:
    return {
        "file": None,
        "line": line,
        "outcome": str(outcome),
        "type": _plain(kind),
        "value": _plain(value),
        "action": _plain(action),
        "notes": [problem.as_dict() for problem in notes],
    }


def _plain(value: object) -> str | None:
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def _cells(draft: Draft) -> list[object]:
    """Return the cells of a refused row; JSON may have given lists."""
    return [",".join(map(str, value)) if isinstance(value, list | tuple) else value for value in draft]


def _bytes(line: str) -> bytes:
    """Return the bytes that a row came from, where it was no good UTF-8."""
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace")
