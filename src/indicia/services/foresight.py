"""What an indicator would do that is not stored yet, or not like that: its verdict, and who beats it or is beaten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, require_unlimited
from indicia.domain.draft import Draft
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.guard import Guard
from indicia.domain.indicator import StoredIndicator
from indicia.domain.observable import ObservableType
from indicia.domain.verdict import NetworkPrecedence
from indicia.services.drafting import checker_for
from indicia.services.engine import Engine
from indicia.services.pasting import Pasted
from indicia.services.standing import Coverage, Standing, coverage_of, standing_of
from indicia.services.verdicts import Explained, explain
from indicia.store.database import Database

#: Newer than every indicator that there is: of two that say the same the older one decides.
_NEWEST: Final = 1 << 62


class Foreseen(NamedTuple):
    """An indicator as it would be stored, what it would be then, and what it does to others and they to it."""

    stored: StoredIndicator
    standing: Standing
    coverage: Coverage


def foresee(
    database: Database,
    draft: Draft,
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    engine: Engine | None = None,
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION,
    instead_of: StoredIndicator | None = None,
) -> Foreseen | None:
    """Return what the indicator of *draft* would do, in the place of *instead_of* where given; None where it is none.

    Where the same indicator is stored already, it takes the place of that one.
    """
    require_unlimited(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        indicator = checker_for(tx, actor, guard, now).check(draft).indicator
        if indicator is None:
            return None
        if instead_of is None:
            stored = StoredIndicator(_NEWEST, indicator, 0, 0, now, actor.id, actor.name, actor.source, now, None)
        else:
            stored = instead_of._replace(indicator=indicator)
        coverage = coverage_of(tx, stored, actor=actor, now=now, engine=engine, precedence=precedence)
        same = [
            each.stored.id for each in coverage.same_or_wider if each.stored.indicator.identity == indicator.identity
        ]
        if same:
            stored = stored._replace(id=same[0])
            coverage = coverage_of(tx, stored, actor=actor, now=now, engine=engine, precedence=precedence)
        standing = standing_of(tx, [stored], actor=actor, now=now, engine=engine, precedence=precedence)[stored.id]
        return Foreseen(stored, standing, coverage)


class About(NamedTuple):
    """What there is about one value already: the indicators that match it, the one that decides, and the notes."""

    pasted: Pasted
    winner: StoredIndicator | None
    same: tuple[StoredIndicator, ...]
    notes: tuple[Problem, ...]


def about_values(
    database: Database,
    values: Sequence[Pasted],
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    engine: Engine | None = None,
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION,
) -> list[About]:
    """Return what is stored about each of *values* that can be read: who decides now, and who is about it exactly.

    Where there is too much to look up for them all, nothing is said of any.
    """
    good = [each for each in values if each.is_good]
    found: dict[Pasted, Explained] = {}
    indicators: Mapping[int, StoredIndicator] = {}
    by_kind: dict[ObservableType | None, list[Pasted]] = {}
    for each in good:
        by_kind.setdefault(each.kind, []).append(each)
    for kind, some in by_kind.items():
        with suppress(InvalidInput):
            answer = explain(
                database,
                [str(each.canonical) for each in some],
                actor=actor,
                now=now,
                guard=guard,
                kind=kind,
                precedence=precedence,
                engine=engine,
                anywhere=True,
            )
            found |= dict(zip(some, answer.verdicts, strict=True))
            indicators = {**indicators, **answer.indicators}
    return [_about(each, found.get(each), indicators) for each in values]


def _about(value: Pasted, said: Explained | None, indicators: Mapping[int, StoredIndicator]) -> About:
    if said is None:
        return About(value, None, (), ())
    verdict = said.verdict
    same = [
        indicators[each.match.rule.id]
        for each in verdict.considered
        if (each.match.rule.type, each.match.rule.canonical) == (value.kind, value.canonical)
    ]
    return About(value, indicators[verdict.winner.id] if verdict.winner else None, tuple(same), said.notes)
