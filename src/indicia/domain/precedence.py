"""Which of two indicators wins: the ranks that verdicts and conflict notes share (SPEC 9.14-9.16)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from indicia.domain.indicator import Action, Indicator
from indicia.domain.observable import ObservableType, host_of, is_address, parents

# Smaller wins. Audit is absent: it never changes the outcome (SPEC 9.17).
NETWORK_RANKS: Final[Mapping[Action, int]] = {Action.ALLOWED: 0, Action.WARN: 1, Action.BLOCK: 2}
FILE_RANKS: Final[Mapping[Action, int]] = {
    Action.BLOCK_AND_REMEDIATE: 0,
    Action.BLOCK: 1,
    Action.WARN: 2,
    Action.ALLOWED: 3,
}
#: The actions that beat Block among network indicators.
WINNING: Final = frozenset({Action.ALLOWED, Action.WARN})
NETWORK_TYPES: Final = frozenset(
    {ObservableType.IP_ADDRESS, ObservableType.IP_RANGE, ObservableType.DOMAIN_NAME, ObservableType.URL}
)


def ranks(kind: ObservableType) -> Mapping[Action, int]:
    """Return which action beats which among indicators of the family of *kind*."""
    return NETWORK_RANKS if kind in NETWORK_TYPES else FILE_RANKS


def beats(kind: ObservableType, one: Action, other: Action) -> bool:
    """Return whether *one* wins over *other* where both match; Audit neither wins nor loses."""
    order = ranks(kind)
    return one in order and other in order and order[one] < order[other]


#: Tells by the scope of an indicator whether it exists for somebody.
Sees: TypeAlias = Callable[[Sequence[str]], bool]


class Winner(NamedTuple):
    """An indicator that can beat others about narrower values: Allowed or Warn, a name, an address or a network."""

    id: int | None
    type: ObservableType
    canonical: str
    action: Action
    groups: tuple[str, ...]


class Winners:
    """The Allowed and Warn indicators of the network family, to find which of them beat a new one (SPEC 9.15)."""

    def __init__(self, winners: Iterable[Winner] = (), sees: Sees | None = None) -> None:
        """Take *winners* into account; with *sees* only those with a scope of which it holds are ever told."""
        self._sees = sees
        # By name or address, which never look alike: no last label of a name is a number.
        self._by_name: dict[str, tuple[Winner, ...]] = {}
        self._ranges: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, Winner]] = []
        for winner in winners:
            self.add(winner)

    def __len__(self) -> int:
        return len(self._by_name) + len(self._ranges)

    def add(self, winner: Winner) -> None:
        """Take *winner* into account from now on; a Url is wider than nothing that we look for."""
        if winner.type is ObservableType.IP_RANGE:
            self._ranges.append((ipaddress.ip_network(winner.canonical), winner))
        elif winner.type is not ObservableType.URL:
            self._by_name[winner.canonical] = (*self._by_name.get(winner.canonical, ()), winner)

    def beating(self, indicator: Indicator) -> list[Winner]:
        """Return the indicators about a *wider* value that win over *indicator* wherever it matches.

        Those about the very same value are not among them: the caller knows these already.
        """
        if NETWORK_RANKS.get(indicator.action, 0) == 0:
            return []
        by_name = self._by_name
        found = [winner for _kind, name in wider(indicator) if name in by_name for winner in by_name[name]]
        if self._ranges:
            found += self._covering(indicator)
        if not found:
            return found
        return [
            winner
            for winner in found
            if beats(indicator.type, winner.action, indicator.action)
            and overlap(winner.groups, indicator.rbac_group_names)
            and (self._sees is None or winner.id is None or self._sees(winner.groups))
        ]

    def _covering(self, indicator: Indicator) -> list[Winner]:
        text = host_of(indicator.canonical) if indicator.type is ObservableType.URL else indicator.canonical
        text = text.strip("[]")
        if indicator.type is ObservableType.DOMAIN_NAME or not is_address(text.partition("/")[0]):
            return []
        seen, is_range = ipaddress.ip_network(text), indicator.type is ObservableType.IP_RANGE
        return [
            winner
            for network, winner in self._ranges
            if network.version == seen.version
            and not (is_range and network == seen)
            and network.prefixlen <= seen.prefixlen
            and seen.network_address in network
        ]


def wider(indicator: Indicator) -> list[tuple[ObservableType, str]]:
    """Return the names and addresses whose indicators match wherever *indicator* does, except ranges."""
    domain = ObservableType.DOMAIN_NAME
    if indicator.type is domain:
        return [(domain, parent) for parent in parents(indicator.canonical)]
    if indicator.type is ObservableType.URL:
        host = host_of(indicator.canonical)
        if is_address(host):
            return [(ObservableType.IP_ADDRESS, host.strip("[]"))]
        return [(domain, name) for name in (host, *parents(host))]
    return []


def overlap(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Return whether two scopes share a device; the empty one means all devices (SPEC 9.18)."""
    return not some or not others or not set(some).isdisjoint(others)
