"""Verdicts as JSON: one shape for the command line, the API and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indicia.domain.errors import Problem
from indicia.domain.indicator import StoredIndicator
from indicia.domain.observable import Observable
from indicia.domain.verdict import Verdict
from indicia.exporters.entity import native


def verdict_as_dict(
    value: str,
    seen: Observable | None,
    verdict: Verdict,
    notes: tuple[Problem, ...],
    *,
    indicators: Mapping[int, StoredIndicator],
    group_ids: Mapping[str, str],
    snapshot: int | None,
) -> dict[str, Any]:
    """Return the verdict about *value*; ``type`` and ``canonical`` are null where it is of no type.

    *indicators* are those that the verdict names by their number.
    """
    named = {each.match.rule.id for each in verdict.considered}
    if verdict.winner is not None:
        named.add(verdict.winner.id)
    shown = {number: native(indicators[number], group_ids) for number in named}  # the winner is among the considered
    return {
        "value": value.encode("utf-8", "backslashreplace").decode(),  # an argument may be bytes that are no text
        "type": None if seen is None else seen.type.value,
        "canonical": None if seen is None else seen.value,
        "action": None if verdict.action is None else verdict.action.value,
        "winner": None if verdict.winner is None else shown[verdict.winner.id],
        "considered": [
            {
                "indicator": shown[each.match.rule.id],
                "matched_on": each.match.seen.value,
                "outcome": each.outcome.value,
                "because": each.because,
            }
            for each in verdict.considered
        ],
        "alert": verdict.alert,
        "snapshot": snapshot,
        "notes": [note.as_dict() for note in notes],
    }
