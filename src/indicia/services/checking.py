"""Checking values for a person: the verdict, what it would be for each device group, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from indicia.domain.access import Actor
from indicia.domain.draft import NOTHING_GIVEN
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.guard import Guard
from indicia.domain.indicator import StoredIndicator
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType
from indicia.domain.verdict import NetworkPrecedence, Outcome, Verdict, resolve
from indicia.importers.bare_values import draft_of_value
from indicia.services.drafting import nameable
from indicia.services.engine import Engine
from indicia.services.indicators import as_of
from indicia.services.verdicts import Explained, explain
from indicia.store.database import Database

#: Device groups for which the verdict about one value is told; they come by their rank.
MOST_GROUPS: Final = 50
_NAMED: Final = 6
_WRAPPING: Final = " \t,;\"'`<>"


class Tried(NamedTuple):
    """One form of a value that was looked up, and the wider values above it: some of them, and how many more."""

    type: ObservableType
    value: str
    above: tuple[str, ...]
    more: int


class GroupVerdict(NamedTuple):
    """The verdict for the devices of *group*; None is a device whose group has no name."""

    group: str | None
    verdict: Verdict


class Otherwise(NamedTuple):
    """What would decide instead: without the winner, and from the moment at which the winner expires."""

    without: Verdict
    from_expiry: Verdict | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything there is to say about one value, as of ``moment`` and the changeset ``snapshot``."""

    explained: Explained
    indicators: Mapping[int, StoredIndicator]
    moment: datetime
    snapshot: int | None
    tried: tuple[Tried, ...]
    groups: tuple[GroupVerdict, ...]
    more_groups: int
    otherwise: Otherwise | None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """The verdicts about several values, in their order."""

    verdicts: tuple[Explained, ...]
    indicators: Mapping[int, StoredIndicator]
    moment: datetime
    snapshot: int | None
    group: str | None = None


class Question(NamedTuple):
    """For which devices somebody asks, and as of when; a *device* stands for the group that it is in."""

    group: str | None = None
    at: datetime | int | None = None
    device: str | None = None


def values_in(text: str, most: int) -> list[str]:
    """Return the values that somebody pasted, at most *most* and one: a line each, or between blanks on one line.

    >>> values_in("evil[.]example, 203.0.113.7", 10), values_in("hxxps://evil[.]example/a b", 10)
    (['evil[.]example', '203.0.113.7'], ['hxxps://evil[.]example/a b'])
    """
    found: list[str] = []
    for line in text.splitlines():
        words = line.split()
        bare = [word for each in words[: most + 1] if (word := each.strip(_WRAPPING))]
        # A URL may hold blanks, and so may a line of several values: whichever reading makes sense.
        if len(words) > 1 and (all(map(_is_one_value, bare)) or not _is_one_value(line)):
            found += bare
        elif value := line.strip():
            found.append(value)
        if len(found) > most:
            return found[: most + 1]
    return found


def check_one(
    database: Database,
    value: str,
    question: Question,
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    precedence: NetworkPrecedence,
    engine: Engine | None,
) -> Answer:
    """Return what the indicators decide about *value*, and all that explains it; raises as `explain` does.

    What other groups would get, and what would be without the winner, is worked out from the same matches.
    """
    group, at, device = question
    found = explain(
        database,
        [value],
        actor=actor,
        now=now,
        guard=guard,
        group=group,
        device=device,
        at=at,
        precedence=precedence,
        engine=engine,
    )
    explained, group = found.verdicts[0], found.group
    with database.snapshot() as tx:
        moment = as_of(tx, at, now)[1]
        mine = nameable(tx, actor)
        names = [each.name for each in tx.groups.all() if each.name in mine]
    matches = [each.match for each in explained.verdict.considered]

    def verdict(of: str | None, *, when: datetime = moment, but: int | None = None) -> Verdict:
        counting = [match for match in matches if match.rule.id != but]
        return resolve(counting, group=of, now=when, precedence=precedence)

    winner = explained.verdict.winner
    otherwise = None
    if winner is not None:
        ends = winner.expires_at
        otherwise = Otherwise(verdict(group, but=winner.id), None if ends is None else verdict(group, when=ends))
    nowhere: tuple[str | None, ...] = (None,) if actor.groups is None else ()
    groups = [GroupVerdict(each, verdict(each)) for each in (*nowhere, *names[:MOST_GROUPS])] if names else []
    return Answer(
        explained,
        found.indicators,
        moment,
        found.snapshot,
        () if explained.seen is None else tried(explained.seen),
        tuple(groups),
        max(0, len(names) - MOST_GROUPS),
        otherwise,
        group,
    )


def check_many(
    database: Database,
    values: Sequence[str],
    question: Question,
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    precedence: NetworkPrecedence,
    engine: Engine | None,
) -> Answers:
    """Return the verdicts about *values*, in their order; raises as `explain` does."""
    group, at, device = question
    found = explain(
        database,
        values,
        actor=actor,
        now=now,
        guard=guard,
        group=group,
        device=device,
        at=at,
        precedence=precedence,
        engine=engine,
    )
    with database.snapshot() as tx:
        moment = as_of(tx, at, now)[1]
    return Answers(tuple(found.verdicts), found.indicators, moment, found.snapshot, found.group)


def refuse_too_many(values: Sequence[str], most: int) -> None:
    """Raise `InvalidInput` where there are more of *values* than *most*, or none."""
    if not values:
        raise InvalidInput([Problem("wrong-number-of-values", "give a value to check", "value")])
    if len(values) > most:
        message = f"more than {most:,} values are given; this page takes {most:,} at a time"
        raise InvalidInput([Problem("wrong-number-of-values", message, "value")])


def tried(seen: Observable) -> tuple[Tried, ...]:
    """Return the forms as which *seen* was looked up, a SHA-1 also as the thumbprint that it may be."""
    forms = [_tried(part) for part in parts_of(seen)]
    if seen.type is ObservableType.FILE_SHA1:
        forms.append(Tried(ObservableType.CERTIFICATE_THUMBPRINT, seen.value, (), 0))
    return tuple(forms)


def _tried(part: Observable) -> Tried:
    above = [key.value for key in keys_of(part)[1:]]
    return Tried(part.type, part.value, tuple(above[:_NAMED]), max(0, len(above) - _NAMED))


def _is_one_value(line: str) -> bool:
    return not any(not note.warning for note in draft_of_value(NOTHING_GIVEN, line.strip())[1])


def decides(verdict: Verdict) -> tuple[int, int]:
    """Return how many indicators that matched count here, and how many were passed over."""
    ignored = sum(each.outcome is Outcome.IGNORED for each in verdict.considered)
    return len(verdict.considered) - ignored, ignored
