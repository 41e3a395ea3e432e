"""Which indicators contradict others: the answer to ``has:conflict``, remembered until something changes or expires."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Final, NamedTuple

from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.indicator import Action
from indicia.domain.observable import ObservableType, host_of, is_address, parents
from indicia.domain.precedence import NETWORK_TYPES, WINNING, beats, overlap
from indicia.domain.query import CONTESTED, Among, Contested, Query, leaves, replaced
from indicia.store.changesets import Tip
from indicia.store.conflicts import Rivals, Rule, moment_of
from indicia.store.database import Transaction

#: Indicators in conflict that a question may mean; with more there is something else to mend first.
MOST: Final = 200_000
#: For how many sets of device groups the answer is remembered.
_REMEMBERED: Final = 8
_NAMES: Final = (ObservableType.DOMAIN_NAME, ObservableType.IP_ADDRESS)
_Network = tuple[int, int, int]  # the version, the bits of the prefix, the number that they make


class _Known(NamedTuple):
    """The indicators that contradict others after a changeset, from a moment until the first of them expires."""

    tip: Tip
    since: datetime
    until: datetime | None
    ids: frozenset[int]


class Conflicts:
    """Knows the indicators in conflict, in any thread; what was found out is kept for one place of the chain."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By the device groups that somebody is limited to, the ones asked about last coming last.
        self._known: dict[frozenset[str] | None, _Known] = {}

    def ids(self, tx: Transaction, now: datetime, groups: frozenset[str] | None = None) -> frozenset[int]:
        """Return the numbers of the live indicators that contradict another one; `InvalidInput` past `MOST`.

        With *groups* only what touches these device groups is looked at: what contradicts nothing else is in no
        conflict for who sees no more.

        Those are in conflict that share a value and devices with one that another action wins or loses against, and
        those that an Allowed or Warn about a wider value beats. Who is held or audits contradicts nobody.
        """
        tip = tx.changesets.moved()
        with self._lock:
            known = self._known.pop(groups, None)
            if known is None or known.tip != tip or not _holds(known, now):
                known = _find(tx, tip, now, groups)
            self._known[groups] = known
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        if len(known.ids) > MOST:
            message = f"more than {MOST:,} indicators contradict others: too many to search among"
            raise InvalidInput([Problem("too-many-conflicts", message, value="has:conflict")])
        return known.ids


def resolved(
    tx: Transaction,
    query: Query | None,
    now: datetime,
    conflicts: Conflicts | None = None,
    *,
    groups: frozenset[str] | None = None,
    past: bool = False,
) -> Query | None:
    """Return *query* with the numbers of the indicators in conflict where it asks for those; not of the *past*.

    With *groups* those in conflict for somebody who is limited to these device groups.
    """
    if query is None or not any(isinstance(leaf, Contested) for leaf in leaves(query)):
        return query
    if past:
        message = "which indicators contradict others is known of now only: leave out hasConflict, or the moment"
        raise InvalidInput([Problem("invalid-filter", message, value=CONTESTED)])
    ids = (conflicts or Conflicts()).ids(tx, now, groups)
    return replaced(query, lambda leaf: Among(ids) if isinstance(leaf, Contested) else leaf)


def _holds(known: _Known, now: datetime) -> bool:
    return known.since <= now and (known.until is None or now < known.until)


def _find(tx: Transaction, tip: Tip, now: datetime, groups: frozenset[str] | None) -> _Known:
    rivals = Rivals(tx.connection, now, groups)
    found: set[int] = set()
    expiries: set[int] = set()
    for one, other in chain(_about_the_same(rivals), _about_a_wider(rivals)):
        found.add(one.id)
        expiries.update(rule.expires for rule in (one, other) if rule.expires is not None)
        if len(found) > MOST:
            break
    until = moment_of(min(expiries)) if expiries else None
    return _Known(tip, now, until, frozenset(found))


def _about_the_same(rivals: Rivals) -> Iterator[tuple[Rule, Rule]]:
    for siblings in rivals.siblings():
        for one in siblings:
            for other in siblings:
                if _contradict(one, other):
                    yield one, other


def _contradict(one: Rule, other: Rule) -> bool:
    either = beats(one.type, one.action, other.action) or beats(one.type, other.action, one.action)
    return either and overlap(one.groups, other.groups)


def _about_a_wider(rivals: Rivals) -> Iterator[tuple[Rule, Rule]]:
    winners = _Wider(rivals.of([*_NAMES, ObservableType.IP_RANGE], sorted(WINNING)))
    if not winners:
        return
    for rule in rivals.of(sorted(NETWORK_TYPES), [Action.WARN, Action.BLOCK]):
        for winner in winners.over(rule):
            if beats(rule.type, winner.action, rule.action) and overlap(winner.groups, rule.groups):
                yield rule, winner
                break


class _Wider:
    """The Allowed and Warn rules about names, addresses and networks, to be found by what they cover."""

    def __init__(self, winners: Iterable[Rule]) -> None:
        self._by_name: dict[str, list[Rule]] = {}
        self._by_network: dict[_Network, list[Rule]] = {}
        for winner in winners:
            if winner.type is ObservableType.IP_RANGE:
                self._by_network.setdefault(_network(winner.canonical), []).append(winner)
            else:
                self._by_name.setdefault(winner.canonical, []).append(winner)
        self._lengths = {
            version: sorted({bits for its, bits, _number in self._by_network if its == version}) for version in (4, 6)
        }

    def __bool__(self) -> bool:
        return bool(self._by_name or self._by_network)

    def over(self, rule: Rule) -> Iterator[Rule]:
        """Yield the winners about a wider value than that of *rule*."""
        if rule.type is ObservableType.DOMAIN_NAME:
            names: tuple[str, ...] = parents(rule.canonical)
            address = ""
        elif rule.type is ObservableType.URL:
            host = host_of(rule.canonical)
            address = host if is_address(host) else ""
            names = (host,) if address else (host, *parents(host))
        else:
            names, address = (), rule.canonical
        for name in names:
            yield from self._by_name.get(name, ())
        if address and self._by_network:
            yield from self._around(rule.type, address)

    def _around(self, kind: ObservableType, address: str) -> Iterator[Rule]:
        version, bits, number = _network(address)
        width = 32 if version == 4 else 128
        for length in self._lengths[version]:
            if length > bits or (length == bits and kind is ObservableType.IP_RANGE):
                break
            cut = width - length
            yield from self._by_network.get((version, length, number >> cut << cut), ())


def _network(text: str) -> _Network:
    network = ipaddress.ip_network(text)
    return network.version, network.prefixlen, int(network.network_address)
