"""What to say where several indicators about one value want different things (SPEC 9.1: they are all stored)."""

from __future__ import annotations

from datetime import datetime

from indicia.domain.errors import Problem
from indicia.domain.observable import ObservableType
from indicia.domain.precedence import beats
from indicia.domain.verdict import Match, NetworkPrecedence, Outcome, Verdict, resolve


def contradictions(
    verdict: Verdict, *, group: str | None, now: datetime, precedence: NetworkPrecedence = NetworkPrecedence.ACTION
) -> tuple[Problem, ...]:
    """Return a note for each value about which indicators that count in *verdict* contradict each other.

    An Audit indicator contradicts nothing, and what is ignored here contradicts nobody.
    """
    about: dict[tuple[ObservableType, str], list[Match]] = {}
    for match, outcome, _because in verdict.considered:
        if outcome is not Outcome.IGNORED:
            about.setdefault((match.rule.type, match.rule.canonical), []).append(match)
    notes = []
    for (kind, canonical), matches in about.items():
        winner = resolve(matches, group=group, now=now, precedence=precedence).winner if len(matches) > 1 else None
        if winner is None or not any(_differ(kind, one, other) for one in matches for other in matches):
            continue
        named = " and ".join(f"{match.rule.action} (indicator {match.rule.id})" for match in matches)
        message = f"{kind} {canonical} is stored with the actions {named}: {winner.action} wins"
        notes.append(Problem("conflict-same-value", message, value=canonical[:200], warning=True))
    return tuple(notes)


def _differ(kind: ObservableType, one: Match, other: Match) -> bool:
    return beats(kind, one.rule.action, other.rule.action)
