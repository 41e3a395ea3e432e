"""Asking what the indicators decide about values, and why: now by the engine, of the past from the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, require, require_unlimited
from indicia.domain.contradictions import contradictions
from indicia.domain.draft import NOTHING_GIVEN
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.guard import Guard
from indicia.domain.indicator import StoredIndicator
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType, Unspellable
from indicia.domain.sight import exists_for, own_groups
from indicia.domain.verdict import NO_VERDICT, Match, NetworkPrecedence, Rule, Verdict, resolve
from indicia.importers.bare_values import SAY_TYPE, draft_of_value
from indicia.services.devices import group_of
from indicia.services.engine import Engine
from indicia.services.indicators import as_of, group_ids_in
from indicia.store.database import Database, Transaction
from indicia.store.selection import Selection

#: Values of one question.
MOST_VALUES: Final = 10_000
#: About so many keys are looked up, and kept in memory, at a time.
_KEYS_AT_ONCE: Final = 100_000
#: A question of more keys is refused: 10,000 IPv6 addresses have 1.3 million, which takes some seconds.
MOST_KEYS: Final = 2_000_000
#: Keys for each segment of a path: by either scheme, with and without a slash at the end.
_SITES: Final = 4


class Explained(NamedTuple):
    """The verdict about one value: how it was read (None where it is of no type), and what there is to say about it."""

    value: str
    seen: Observable | None
    verdict: Verdict
    notes: tuple[Problem, ...]


class Explanation(NamedTuple):
    """Verdicts in the order of the values, the numbers of device groups, and the changeset that they are as of.

    ``indicators`` are those that the verdicts name by their number; ``group`` is that of the devices.
    """

    verdicts: list[Explained]
    group_ids: dict[str, str]
    snapshot: int | None
    indicators: Mapping[int, StoredIndicator]
    group: str | None


def require_to_ask(actor: Actor) -> None:
    """Raise `Forbidden` unless *actor* may ask for verdicts: for who would keep a file first."""
    require_unlimited(actor, Permission.INDICATORS_READ)


def explain(
    database: Database,
    values: Sequence[str],
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    group: str | None = None,
    at: datetime | int | None = None,
    kind: ObservableType | None = None,
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION,
    engine: Engine | None = None,
    anywhere: bool = False,
    device: str | None = None,
) -> Explanation:
    """Return the verdict about each of *values* for a device of *group*, as of *at* where that is given.

    In place of *group* a *device* may be named: then it is about the group that this one is in now, if any.

    Types are detected unless *kind* is given. A value that is of no type gets no verdict and a note that says why. With
    *engine* what is current is looked up there, as far as it can follow the store; the answers are the same. Somebody
    who is limited to device groups asks about devices of these only, and has to say which where it has several, unless
    devices *anywhere*, which are in no group, will do. Raises `InvalidInput` where there is no such group, or there are
    too many values or too much to look up for them; `NotFound` where there is no such changeset.
    """
    require_to_ask(actor)
    if not 1 <= len(values) <= MOST_VALUES:
        given = f"more than {MOST_VALUES:,} values are given" if values else "no value is given"
        message = f"{given}; allowed: 1 to {MOST_VALUES:,}"
        raise InvalidInput([Problem("wrong-number-of-values", message, "values")])
    with database.snapshot() as tx:
        # Read where they are needed: there may be thousands of groups, and most verdicts name none.
        group_ids = group_ids_in(tx) if group is not None or actor.groups is not None else {}
        if device is not None:
            group = _group_of_device(tx, device, group, actor)
        elif not (anywhere and group is None):
            group = group_for(actor, group, group_ids)
        changeset, moment = as_of(tx, at, now)
        tip = tx.changesets.tip() if changeset is None else None
        snapshot = (tip.id or None) if tip is not None else changeset
        read = [_read(value, kind, guard) for value in values]
        parts = {seen: parts_of(seen) for _value, seen, _notes in read if seen is not None}
        if kind is None:
            _add_thumbprints(parts)
        found = _by_engine(engine, tx, parts) if engine is not None and at is None else None
        if found is None:
            found = _by_store(tx, Selection(moment, changeset=changeset, include_expired=True), parts)
        if not group_ids and any(each.indicator.rbac_group_names for each in found.indicators.values()):
            group_ids = group_ids_in(tx)
    explained = []
    for value, seen, notes in read:
        # What is not for devices of the actor's groups neither decides there nor exists for it.
        matches = [] if seen is None else [each for each in found.matches[seen] if actor.sees(each.rule.groups)]
        verdict = NO_VERDICT
        if matches:
            verdict = resolve(matches, group=group, now=moment, precedence=precedence)
            notes = (*notes, *contradictions(verdict, group=group, now=moment, precedence=precedence))
        explained.append(Explained(value, seen, verdict, notes))
    shown = {number: each for number, each in found.indicators.items() if exists_for(actor, each)}
    return Explanation(explained, group_ids, snapshot, shown, group)


def group_for(actor: Actor, group: str | None, known: Collection[str]) -> str | None:
    """Return which of the *known* device groups a verdict for *actor* is about that named *group*; `InvalidInput`.

    A group that is there and not its own is as unknown as one that is not there.
    """
    if group is None and actor.groups is None:
        return None
    names = sorted(own_groups(actor, known))
    if group is None:
        if len(names) == 1:
            return names[0]
        message = "say for the devices of which of your device groups: you have several"
        if not names:
            message = "you are limited to device groups, and none of them is there any more; ask an administrator"
        raise InvalidInput([Problem("group-needed", message, "group", None, tuple(names[:50]))])
    if group not in names:
        message = f"there is no device group named {group[:100]!r}"
        raise InvalidInput([Problem("unknown-group", message, "group", group[:100], tuple(names[:50]))])
    return group


def _group_of_device(tx: Transaction, device: str, group: str | None, actor: Actor) -> str | None:
    require(actor, Permission.DEVICES_READ)
    if group is not None:
        message = "name a device or a device group, not both: a device is in one group"
        raise InvalidInput([Problem("contradicting-question", message, "device", device[:100])])
    return group_of(tx, device, actor)


class _Found(NamedTuple):
    matches: Mapping[Observable, Sequence[Match]]
    indicators: Mapping[int, StoredIndicator]


def _read(value: str, kind: ObservableType | None, guard: Guard) -> tuple[str, Observable | None, tuple[Problem, ...]]:
    draft, notes = draft_of_value(NOTHING_GIVEN._replace(type=kind), value.strip())
    if any(not note.warning for note in notes):
        return value, None, tuple(replace(note, message=note.message.removesuffix(SAY_TYPE)) for note in notes)
    try:
        seen = Observable.parse(ObservableType(draft.type), str(draft.value))
    except Unspellable as fault:
        return value, None, (*notes, Problem(fault.code, str(fault), value=value[:200], suggestion=fault.suggestion))
    reason = guard.reason(seen.type, seen.value)
    if reason is not None:
        message = f"{reason.message}; an indicator that stops it is held until somebody releases it"
        notes = (*notes, Problem(f"held-{reason.code}", message, value=value[:200], warning=True))
    elif (popular := guard.note(seen.type, seen.value)) is not None:
        notes = (*notes, Problem("popular-name", popular, value=value[:200], warning=True))
    return value, seen, notes


def _add_thumbprints(parts: dict[Observable, list[Observable]]) -> None:
    """Look up a SHA-1 that was only detected as what it may be too: the thumbprint of a certificate."""
    for seen, looked_up in parts.items():
        if seen.type is ObservableType.FILE_SHA1:
            looked_up.append(Observable(ObservableType.CERTIFICATE_THUMBPRINT, seen.value))


def _by_engine(engine: Engine, tx: Transaction, parts: Mapping[Observable, Sequence[Observable]]) -> _Found | None:
    """Return what matches by the engine, None where the store has to answer; only what matched is read from it."""
    view = engine.within(tx)
    if view is None:
        return None
    _refuse_too_much(_SITES * seen.value.count("/") for seen in parts if seen.type is ObservableType.URL)
    match = view.matcher.match
    matches = {seen: [Match(rule, part) for part in among for rule in match(part)] for seen, among in parts.items()}
    rules = {each.rule.id: each.rule for found in matches.values() for each in found}
    indicators = tx.indicators.get(sorted(rules))
    if any(number not in indicators or Rule.of(indicators[number]) != rule for number, rule in rules.items()):
        engine.distrust()  # a file that was altered or damaged, and nobody has verified yet
        return None
    return _Found(matches, indicators)


def _by_store(tx: Transaction, selection: Selection, parts: Mapping[Observable, Sequence[Observable]]) -> _Found:
    """Return what matches by the store, looked up in portions: a long URL has thousands of keys."""
    matches: dict[Observable, list[Match]] = {}
    indicators: dict[int, StoredIndicator] = {}
    portion: dict[Observable, list[tuple[Observable, Observable]]] = {}
    size = total = 0
    for seen, looked_up in parts.items():
        portion[seen] = [(part, key) for part in looked_up for key in keys_of(part)]
        size += len(portion[seen])
        total += len(portion[seen])
        _refuse_too_much([total])
        if size >= _KEYS_AT_ONCE:
            matches |= _looked_up(tx, selection, portion, indicators)
            portion, size = {}, 0
    matches |= _looked_up(tx, selection, portion, indicators)
    return _Found(matches, indicators)


def _refuse_too_much(keys: Iterable[int]) -> None:
    if sum(keys) > MOST_KEYS:
        message = "these values have too many parents, networks and path prefixes together; ask about fewer at a time"
        raise InvalidInput([Problem("wrong-number-of-values", message, "values")])


def _looked_up(
    tx: Transaction,
    selection: Selection,
    portion: Mapping[Observable, Sequence[tuple[Observable, Observable]]],
    indicators: dict[int, StoredIndicator],
) -> dict[Observable, list[Match]]:
    keys = {(key.type, key.value) for pairs in portion.values() for _part, key in pairs}
    found: dict[Observable, list[Rule]] = {}
    for stored in tx.indicators.about(keys, selection):
        indicators[stored.id] = stored
        rule = Rule.of(stored)
        found.setdefault(Observable(rule.type, rule.canonical), []).append(rule)
    return {
        seen: [Match(rule, part) for part, key in pairs for rule in found.get(key, ())]
        for seen, pairs in portion.items()
    }
