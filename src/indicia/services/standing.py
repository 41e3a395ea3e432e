"""What became of stored indicators: whether each decides about its own value, and which others it beats or loses to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from indicia.domain.access import Actor
from indicia.domain.indicator import Action, Status, StoredIndicator
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable
from indicia.domain.precedence import NETWORK_TYPES
from indicia.domain.verdict import Considered, Match, NetworkPrecedence, Outcome, Rule, Verdict, resolve
from indicia.services.engine import Engine
from indicia.store.database import Database, Transaction
from indicia.store.narrower import narrower
from indicia.store.selection import Selection

#: An indicator that ends within this time is said to be expiring.
EXPIRING: Final = timedelta(days=7)
#: Rules about wider values, and about narrower ones, that the page of one indicator names.
MOST_RELATED: Final = 25
#: Keys that are looked up for one page where the engine cannot answer: a long URL alone has thousands.
_MOST_KEYS: Final = 100_000
#: Indicators over which looking for narrower values takes long enough to be done apart.
MANY: Final = 100_000


class Condition(StrEnum):
    """What an indicator is at a moment; the first that is true of: expired, held, shadowed, expiring, active."""

    ACTIVE = "Active"
    EXPIRING = "Expiring"
    HELD = "Held"
    SHADOWED = "Shadowed"
    EXPIRED = "Expired"


class Standing(NamedTuple):
    """What an indicator is, the rule that decides in its place if one does, and a sentence on why."""

    status: Condition
    by: Rule | None
    why: str


class Relation(StrEnum):
    """What another indicator does to one: it wins where both match, it loses, or neither hinders the other."""

    BEATS = "beats"
    BEATEN = "beaten"
    AGREES = "agrees"
    BESIDE = "beside"
    IDLE = "idle"


class Related(NamedTuple):
    """Another indicator that matches where one does, what it does to it, why, and on the devices of which group."""

    stored: StoredIndicator
    relation: Relation
    because: str
    group: str | None


class Coverage(NamedTuple):
    """The indicators about the same and wider values, and about narrower ones; ``more`` says that there are others.

    ``narrower`` is None where nobody has looked yet.
    """

    same_or_wider: tuple[Related, ...]
    narrower: tuple[Related, ...] | None
    more: bool


def standing_of(
    source: Database | Transaction,
    indicators: Sequence[StoredIndicator],
    *,
    actor: Actor,
    now: datetime,
    engine: Engine | None = None,
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION,
) -> dict[int, Standing]:
    """Return what each of *indicators* is at *now*, by the verdict about its own value, by its number.

    An indicator for device groups is judged for each of these; it is shadowed where another decides in all of them.
    Only what exists for *actor* is taken into account. With *engine* a page of some hundred takes milliseconds;
    without, as long as it takes to look up all their keys.
    """
    found: dict[int, Standing] = {}
    open_ones = []
    for stored in indicators:
        rule = Rule.of(stored)
        if rule.is_expired(now):
            found[stored.id] = Standing(Condition.EXPIRED, None, f"it expired at {rule.expires_at:%Y-%m-%dT%H:%M:%SZ}")
        elif rule.status is Status.HELD:
            found[stored.id] = Standing(
                Condition.HELD, None, "it is held by the guard, and not enforced until somebody releases it"
            )
        else:
            open_ones.append(rule)
    if open_ones:
        with _reading(source) as tx:
            matches = _matches(tx, open_ones, engine, actor, now)
        for rule in open_ones:
            found[rule.id] = _judged(rule, matches.get(rule.id), now, precedence)
    return found


def coverage_of(
    source: Database | Transaction,
    stored: StoredIndicator,
    *,
    actor: Actor,
    now: datetime,
    engine: Engine | None = None,
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION,
    narrow: bool | None = None,
) -> Coverage:
    """Return the indicators that exist for *actor* and match where *stored* does, and what they do to each other.

    Looking for narrower values means reading through all indicators: with *narrow* it is done, by default only where
    there are not many.
    """
    own = Rule.of(stored)
    with _reading(source) as tx:
        others = [
            match for match in _matches(tx, [own], engine, actor, now).get(own.id) or () if match.rule.id != own.id
        ]
        numbers = list(dict.fromkeys(match.rule.id for match in others))
        kept = tx.indicators.get(numbers[:MOST_RELATED])
        wide = tuple(_related(own, kept[number], _seen(own), now, precedence) for number in kept)
        if narrow is None:
            narrow = not tx.entries.are_over(MANY)
        below: list[int] | None = None
        if narrow:
            below = narrower(tx.connection, _seen(own), _of_interest(own), now, MOST_RELATED + 1, actor.groups)
        under = tx.indicators.get((below or [])[:MOST_RELATED])
        narrow_ones = tuple(_related(own, each, _seen(Rule.of(each)), now, precedence) for each in under.values())
    more = len(numbers) > MOST_RELATED or len(below or ()) > MOST_RELATED
    return Coverage(_in_order(wide), None if below is None else _in_order(narrow_ones), more)


# -- what matches -----------------------------------------------------------------------------------------------------


@contextmanager
def _reading(source: Database | Transaction) -> Iterator[Transaction]:
    if isinstance(source, Database):
        with source.snapshot() as tx:
            yield tx
    else:
        yield source


def _seen(rule: Rule) -> Observable:
    return Observable(rule.type, rule.canonical)


def _matches(
    tx: Transaction, rules: Sequence[Rule], engine: Engine | None, actor: Actor, now: datetime
) -> Mapping[int, Sequence[Match]]:
    """Return what matches the value of each of *rules*, itself too; nothing for those that were too much to look up.

    What does not touch the device groups of *actor* is not among it.
    """
    found = _by_engine(tx, rules, engine) if engine is not None else None
    if found is None:
        found = _by_store(tx, rules, now)
    # A rule is judged as the caller read it, even where it has been changed since.
    return {
        rule.id: [
            *(match for match in found[rule.id] if match.rule.id != rule.id and actor.sees(match.rule.groups)),
            Match(rule, parts_of(_seen(rule))[0]),
        ]
        for rule in rules
        if rule.id in found
    }


def _by_engine(tx: Transaction, rules: Sequence[Rule], engine: Engine) -> dict[int, list[Match]] | None:
    view = engine.within(tx)
    if view is None:
        return None
    match = view.matcher.match
    found = {rule.id: [Match(each, part) for part in parts_of(_seen(rule)) for each in match(part)] for rule in rules}
    own = {rule.id: rule for rule in rules}
    doubtful = {
        each.rule.id: each.rule for matches in found.values() for each in matches if own.get(each.rule.id) != each.rule
    }
    if doubtful:  # read from the store what is not known yet: it has to say the same
        stored = tx.indicators.get(sorted(doubtful))
        if any(number not in stored or Rule.of(stored[number]) != rule for number, rule in doubtful.items()):
            engine.distrust()
            return None
    return found


def _by_store(tx: Transaction, rules: Sequence[Rule], now: datetime) -> dict[int, list[Match]]:
    wanted: dict[int, list[tuple[Observable, Observable]]] = {}
    size = 0
    for rule in rules:
        pairs = [(part, key) for part in parts_of(_seen(rule)) for key in keys_of(part)]
        size += len(pairs)
        if size <= _MOST_KEYS:
            wanted[rule.id] = pairs
    keys = {(key.type, key.value) for pairs in wanted.values() for _part, key in pairs}
    about: dict[Observable, list[Rule]] = {}
    for stored in tx.indicators.about(keys, Selection(now, include_expired=True)):
        each = Rule.of(stored)
        about.setdefault(_seen(each), []).append(each)
    return {
        number: [Match(rule, part) for part, key in pairs for rule in about.get(key, ())]
        for number, pairs in wanted.items()
    }


# -- what it means ----------------------------------------------------------------------------------------------------


def _judged(rule: Rule, matches: Sequence[Match] | None, now: datetime, precedence: NetworkPrecedence) -> Standing:
    ends_soon = rule.expires_at is not None and rule.expires_at - now <= EXPIRING
    status = Condition.EXPIRING if ends_soon else Condition.ACTIVE
    if matches is None:
        return Standing(status, None, "whether another decides in its place is being worked out: look again soon")
    if len(matches) == 1:
        return Standing(status, None, _decides(rule))
    lost: list[tuple[str | None, Rule, str]] = []
    groups = rule.groups or (None,)
    for group, verdict in _verdicts(matches, groups, now, precedence):
        own = _own(verdict, rule)
        winner = verdict.winner
        if winner is not None and own.outcome is Outcome.LOST and _hinders(winner, rule):
            lost.append((group, winner, own.because))
    if not lost:
        return Standing(status, None, _decides(rule))
    group, winner, because = lost[0]
    why = f"indicator {winner.id} ({winner.action} {winner.canonical}) decides: {because}"
    if len(lost) == len(groups):
        return Standing(Condition.SHADOWED, winner, why)
    names = ", ".join(str(name) for name, _winner, _because in lost[:3])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    return Standing(status, None, f"{_decides(rule)}, but not in {names}{more}: there {why}")


def _decides(rule: Rule) -> str:
    return "it raises an alert about its value" if rule.action is Action.AUDIT else "it decides about its value"


def _hinders(winner: Rule, rule: Rule) -> bool:
    """Return whether *winner* leaves nothing for *rule* to do: an Audit indicator adds its alert beside others."""
    return rule.action is not Action.AUDIT or winner.action is Action.AUDIT


def _verdicts(
    matches: Sequence[Match], groups: Sequence[str | None], now: datetime, precedence: NetworkPrecedence
) -> Iterator[tuple[str | None, Verdict]]:
    """Yield the verdict for each of *groups*; those that the same rules are for have the same one."""
    scopes = [frozenset(match.rule.groups) for match in matches]
    known: dict[tuple[bool, ...], Verdict] = {}
    for group in groups:
        applying = tuple(not scope or group in scope for scope in scopes)
        if applying not in known:
            known[applying] = resolve(matches, group=group, now=now, precedence=precedence)
        yield group, known[applying]


def _own(verdict: Verdict, rule: Rule) -> Considered:
    return next(each for each in verdict.considered if each.match.rule == rule)


def _of_interest(own: Rule) -> list[Action]:
    """Return the actions of narrower rules that do something to *own*, or it to them."""
    if own.type not in NETWORK_TYPES or own.action is Action.AUDIT:
        return []
    return [action for action in (Action.ALLOWED, Action.WARN, Action.BLOCK) if action is not own.action]


def _related(
    own: Rule, other: StoredIndicator, seen: Observable, now: datetime, precedence: NetworkPrecedence
) -> Related:
    """Return what *other* does to *own* where both match *seen* and there is nothing else."""
    rule = Rule.of(other)
    group, shared = _shared_group(own.groups, rule.groups)
    if not shared:
        return Related(other, Relation.IDLE, "no device is in a group of both", None)
    if rule.is_expired(now):
        return Related(other, Relation.IDLE, f"it expired at {rule.expires_at:%Y-%m-%dT%H:%M:%SZ}", None)
    if rule.status is Status.HELD:
        return Related(other, Relation.IDLE, "it is held by the guard until somebody releases it", None)
    parts = parts_of(seen)
    matches = [Match(each, parts[0] if each.type is seen.type else parts[-1]) for each in (own, rule)]
    # As if *own* were enforced: what it will do when it is released is worth knowing before.
    verdict = resolve(
        [match._replace(rule=match.rule._replace(status=Status.ACTIVE, expires_at=None)) for match in matches],
        group=group,
        now=now,
        precedence=precedence,
    )
    because = {each.match.rule.id: each.because for each in verdict.considered}
    if Action.AUDIT in (own.action, rule.action) and own.action is not rule.action:
        return Related(other, Relation.BESIDE, "Audit never changes the outcome; it adds an alert", group)
    wins = verdict.winner is not None and verdict.winner.id == rule.id
    why = because[own.id if wins else rule.id]
    if own.action is rule.action:
        return Related(other, Relation.AGREES, why, group)
    return Related(other, Relation.BEATS if wins else Relation.BEATEN, why, group)


def _shared_group(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str | None, bool]:
    """Return a device group that both scopes have, None for any device; and whether there is one at all."""
    if not some and not others:
        return None, True
    if not some or not others:
        return (some or others)[0], True
    common = [name for name in some if name in set(others)]
    return (common[0], True) if common else (None, False)


def _in_order(related: Sequence[Related]) -> tuple[Related, ...]:
    order = list(Relation)
    return tuple(sorted(related, key=lambda each: (order.index(each.relation), each.stored.id)))
