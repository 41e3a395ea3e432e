"""What people are shown of an import: the first rows with what becomes of them, and the first problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from indicia.domain.changes import Outcome, Step
from indicia.importers.parsed import Refusal
from indicia.services.import_report import ImportReport, Listener

MOST_ITEMS: Final = 1_000
# Problems may list what is allowed at length: a report stays something that can be kept and sent.
MOST_BYTES: Final = 400 * 1024
_MOST_CHARACTERS: Final = 500


class Preview(Listener):
    """Remembers the first rows of an import in the order of the file, with what becomes of each."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._batch: list[dict[str, Any]] = []

    def refused(self, file: str, refusal: Refusal) -> None:
        if self._wants_more():
            draft = refusal.draft
            row = _row(refusal.line, Outcome.REFUSED, draft.type, draft.value, draft.action)
            self._batch.append(row | {"notes": [problem.message for problem in refusal.problems]})

    def planned(self, file: str, steps: Sequence[Step]) -> None:
        if not self._wants_more():
            return
        for candidate, outcome, _known, notes in steps[:MOST_ITEMS]:
            if outcome is not Outcome.REFUSED:  # of those `refused` was told
                indicator = candidate.indicator
                row = _row(candidate.line, outcome, indicator.type, indicator.value, indicator.action)
                self._batch.append(row | {"notes": [problem.message for problem in notes]})

    def progress(self, file: str, position: int, rows: int) -> None:
        self._batch.sort(key=lambda row: row["line"])
        self._rows += self._batch[: MOST_ITEMS - len(self._rows)]
        self._batch.clear()

    def kept(self, report: ImportReport) -> dict[str, Any]:
        return problems_of(report) | {"rows": first(self._rows)}

    def _wants_more(self) -> bool:
        return len(self._rows) < MOST_ITEMS


def problems_of(report: ImportReport) -> dict[str, Any]:
    """Return the first problems of *report*, and how many there are."""
    problems = first(problem.as_dict() for problem in report.problems.first(MOST_ITEMS))
    return {"problems": problems, "problemsTotal": len(report.problems)}


def first(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first of *items*: as many as may be shown, by number and by size."""
    found: list[dict[str, Any]] = []
    size = 0
    for item in items:
        size += len(orjson.dumps(item))
        if size > MOST_BYTES or len(found) == MOST_ITEMS:
            break
        found.append(item)
    return found


def _row(line: int, outcome: Outcome, kind: Any, value: Any, action: Any) -> dict[str, Any]:
    return {
        "line": line,
        "outcome": outcome.value,
        "indicatorType": _cut(kind),
        "indicatorValue": _cut(value),
        "action": _cut(action),
    }


def _cut(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value)[:_MOST_CHARACTERS]
    return text.encode(errors="replace").decode()
