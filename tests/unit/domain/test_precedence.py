"""Who wins: the ranks of SPEC 9.14 to 9.17, and the look-up of wider winners against a slow and plain one."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.indicator import Action, Indicator
from indicia.domain.observable import ObservableType, canonical, host_of
from indicia.domain.precedence import FILE_RANKS, NETWORK_RANKS, NETWORK_TYPES, Winner, Winners, beats, overlap, ranks

T = ObservableType


@pytest.mark.parametrize("kind", T)
def test_the_order_is_strict_and_leaves_audit_out(kind: T) -> None:
    for one, other in product(Action, repeat=2):
        assert not (beats(kind, one, other) and beats(kind, other, one))
        assert not beats(kind, one, one)
    for one, two, three in permutations(Action, 3):
        if beats(kind, one, two) and beats(kind, two, three):
            assert beats(kind, one, three)
    assert not any(beats(kind, Action.AUDIT, each) or beats(kind, each, Action.AUDIT) for each in Action)


def test_allowed_wins_in_the_network_family_and_loses_among_files() -> None:
    assert sorted(NETWORK_RANKS, key=NETWORK_RANKS.__getitem__) == [Action.ALLOWED, Action.WARN, Action.BLOCK]
    files = [Action.BLOCK_AND_REMEDIATE, Action.BLOCK, Action.WARN, Action.ALLOWED]
    assert sorted(FILE_RANKS, key=FILE_RANKS.__getitem__) == files
    assert {kind for kind in T if ranks(kind) is NETWORK_RANKS} == NETWORK_TYPES


_groups = st.lists(st.sampled_from("abc"), unique=True, max_size=2).map(tuple)


@given(_groups, _groups)
def test_scopes_overlap_both_ways_and_the_empty_one_is_all_devices(
    some: tuple[str, ...], others: tuple[str, ...]
) -> None:
    assert overlap(some, others) is overlap(others, some)
    assert overlap((), others)
    assert overlap(some, others) is bool(not some or not others or set(some) & set(others))


NAMES = ["example", "a.example", "b.a.example", "c.b.a.example", "ba.example", "a.test"]
ADDRESSES = ["198.18.0.1", "198.18.1.1", "2001:db8::1", "2001:db8:1::1"]
RANGES = ["198.18.0.0/15", "198.18.0.0/24", "198.18.0.1/32", "2001:db8::/32", "2001:db8::1/128", "0.0.0.0/0", "::/0"]
URLS = [f"http://{host}/x" for host in [*NAMES[1:], "198.18.0.1", "[2001:db8::1]"]]
POOL = [
    *((T.DOMAIN_NAME, name) for name in NAMES),
    *((T.IP_ADDRESS, address) for address in ADDRESSES),
    *((T.IP_RANGE, block) for block in RANGES),
    *((T.URL, url) for url in URLS),
    (T.FILE_SHA256, "a" * 64),
]


def indicator(kind: T, value: str, action: Action, groups: tuple[str, ...] = ()) -> Indicator:
    return Indicator(kind, canonical(kind, value), value, action, "t", "d", rbac_group_names=groups)


_indicators = st.builds(
    lambda pair, action, groups: indicator(*pair, action, groups),
    st.sampled_from(POOL),
    st.sampled_from(Action),
    _groups,
)


def is_wider(wide: Indicator, narrow: Indicator) -> bool:
    """Return whether *wide* matches wherever *narrow* does and is not about the very same value, the slow way."""
    kind, text = narrow.type, narrow.canonical
    if kind is T.URL:
        text = host_of(text)
        kind = T.IP_ADDRESS if _is_address(text) else T.DOMAIN_NAME
    if wide.type is T.URL or (wide.type, wide.canonical) == (narrow.type, narrow.canonical):
        return False
    if wide.type is T.DOMAIN_NAME and kind is T.DOMAIN_NAME:
        return f".{text}".endswith(f".{wide.canonical}")
    if kind not in (T.IP_ADDRESS, T.IP_RANGE):
        return False
    seen = ip_network(text)
    if wide.type is T.IP_ADDRESS:
        return kind is T.IP_ADDRESS and wide.canonical == text
    if wide.type is T.IP_RANGE:
        covering = ip_network(wide.canonical)
        return covering.version == seen.version and seen.subnet_of(covering)  # type: ignore[arg-type] # the versions are equal
    return False


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@given(st.lists(_indicators, max_size=8), _indicators)
def test_the_winners_are_those_that_a_plain_search_finds(stored: list[Indicator], new: Indicator) -> None:
    winners = Winners()
    expected = []
    for number, each in enumerate(stored):
        if each.action in (Action.ALLOWED, Action.WARN) and each.type in NETWORK_TYPES:
            winners.add(Winner(number, each.type, each.canonical, each.action, each.rbac_group_names))
            wins = new.type in NETWORK_TYPES and beats(new.type, each.action, new.action)
            if wins and is_wider(each, new) and overlap(each.rbac_group_names, new.rbac_group_names):
                expected.append(number)
    assert sorted(winner.id for winner in winners.beating(new) if winner.id is not None) == expected


@pytest.mark.parametrize(
    "wide, narrow",
    [
        ((T.DOMAIN_NAME, "a.example"), (T.DOMAIN_NAME, "b.a.example")),
        ((T.DOMAIN_NAME, "a.example"), (T.URL, "https://a.example:8443/x")),
        ((T.DOMAIN_NAME, "a.example"), (T.URL, "https://b.a.example/x")),
        ((T.IP_ADDRESS, "198.18.0.1"), (T.URL, "http://198.18.0.1/x")),
        ((T.IP_ADDRESS, "2001:db8::1"), (T.URL, "http://[2001:db8::1]:81/x")),
        ((T.IP_RANGE, "198.18.0.0/24"), (T.IP_ADDRESS, "198.18.0.1")),
        ((T.IP_RANGE, "198.18.0.1/32"), (T.IP_ADDRESS, "198.18.0.1")),
        ((T.IP_RANGE, "198.18.0.0/24"), (T.IP_RANGE, "198.18.0.128/25")),
        ((T.IP_RANGE, "198.18.0.0/24"), (T.URL, "http://198.18.0.1/x")),
        ((T.IP_RANGE, "2001:db8::/32"), (T.URL, "http://[2001:db8::1]/x")),
    ],
)
@pytest.mark.parametrize("winning", [Action.ALLOWED, Action.WARN])
def test_a_wider_winner_is_found(wide: tuple[T, str], narrow: tuple[T, str], winning: Action) -> None:
    winner = Winner(1, *wide, winning, ())
    assert Winners([winner]).beating(indicator(*narrow, Action.BLOCK)) == [winner]
    assert Winners([winner]).beating(indicator(*narrow, Action.AUDIT)) == []
    assert Winners([winner]).beating(indicator(*narrow, Action.ALLOWED)) == []
