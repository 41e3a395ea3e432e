"""Networks whose addresses can be told by how they begin: what the question ``in:10.0.0.0/8`` may name."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final, NamedTuple

from indicia.domain.observable import ObservableType

_OCTET_BITS: Final = 8
_GROUP_BITS: Final = 16
_V4, _V4_BITS = 4, 32
#: Networks of so many bits hold few enough blocks and addresses to name each of them.
_FEW_BITS: Final = 24


class Beginning(NamedTuple):
    """How the canonical addresses of a network begin: with *head*, then with a number from *low* to *high* if given."""

    head: str
    low: int | None = None
    high: int | None = None


def beginning(network: str) -> Beginning | None:
    """Return how every canonical address in *network* begins, and no other address does; None where there is no way.

    Every network of IPv4 has one, but for all of IPv4. Of IPv6 those have one that end between two groups none of
    which is zero: zeros are where the canonical spelling leaves groups out.

    >>> beginning("10.0.0.0/8"), beginning("192.0.2.0/23")
    (Beginning(head='10.', low=None, high=None), Beginning(head='192.0.', low=2, high=3))
    >>> beginning("2001:db8::/32"), beginning("2001:db8::/33")
    (Beginning(head='2001:db8:', low=None, high=None), None)
    """
    parsed = ipaddress.ip_network(network)
    bits = parsed.prefixlen
    if parsed.version != _V4:
        groups, odd = divmod(bits, _GROUP_BITS)
        named = parsed.network_address.exploded.split(":")[:groups]
        if odd or not named or bits == parsed.max_prefixlen or "0000" in named:
            return None
        return Beginning("".join(f"{int(group, 16):x}:" for group in named))
    if not bits:
        return None
    octets = min(bits // _OCTET_BITS, _V4_BITS // _OCTET_BITS - 1)
    first = parsed.network_address.packed
    head, odd = "".join(f"{octet}." for octet in first[:octets]), bits - octets * _OCTET_BITS
    if not odd:
        return Beginning(head)
    return Beginning(head, first[octets], first[octets] + (1 << (_OCTET_BITS - odd)) - 1)


def members(network: str) -> Iterator[tuple[ObservableType, str]]:
    """Yield every address and every block in a small *network*, as types and canonical values; none of a large one."""
    parsed = ipaddress.ip_network(network)
    if parsed.version != _V4 or parsed.prefixlen < _FEW_BITS:
        return
    for address in parsed:
        yield ObservableType.IP_ADDRESS, str(address)
    for length in range(parsed.prefixlen, _V4_BITS + 1):
        for block in parsed.subnets(new_prefix=length):
            yield ObservableType.IP_RANGE, str(block)


def is_small(network: str) -> bool:
    """Return whether `members` names what is in *network*."""
    return next(members(network), None) is not None


def is_within(kind: ObservableType, canonical: str, network: str) -> bool:
    """Return whether the address or the range *canonical* lies in *network* wholly.

    >>> is_within(ObservableType.IP_RANGE, "10.0.0.0/7", "10.0.0.0/8")
    False
    """
    if kind not in (ObservableType.IP_ADDRESS, ObservableType.IP_RANGE):
        return False
    seen, around = ipaddress.ip_network(canonical), ipaddress.ip_network(network)
    return seen.version == around.version and seen.prefixlen >= around.prefixlen and seen.network_address in around
