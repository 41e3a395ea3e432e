"""What matches what: parents, networks, whole segments of a path, either scheme, the same port (SPEC 9.12, 9.13)."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.indicator import Action, Indicator
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType, canonical
from indicia.domain.precedence import WINNING, beats, wider
from tests.unit.indicators import indicators

T = ObservableType


def matches(rule_type: T, rule: str, seen_type: T, seen: str) -> bool:
    """Return whether an indicator about *rule* matches *seen*."""
    wanted = Observable.parse(rule_type, rule)
    return any(wanted in keys_of(part) for part in parts_of(Observable.parse(seen_type, seen)))


@pytest.mark.parametrize(
    "rule, seen, expected",
    [
        ("contoso.com", "contoso.com", True),
        ("contoso.com", "sub.contoso.com", True),
        ("contoso.com", "anything.sub.contoso.com", True),
        ("contoso.com", "notcontoso.com", False),
        ("sub.contoso.com", "contoso.com", False),
        ("CONTOSO.com.", "sub.Contoso.COM", True),
    ],
)
def test_a_name_matches_the_names_under_it(rule: str, seen: str, expected: bool) -> None:
    assert matches(T.DOMAIN_NAME, rule, T.DOMAIN_NAME, seen) is expected
    assert matches(T.DOMAIN_NAME, rule, T.URL, f"https://{seen}/any/path") is expected


@pytest.mark.parametrize(
    "rule, seen, expected",
    [
        ("https://contoso.com/block", "https://contoso.com/block", True),
        ("https://contoso.com/block", "https://contoso.com/block/x", True),
        ("https://contoso.com/block", "https://contoso.com/block?y", True),
        ("https://contoso.com/block", "https://contoso.com/block/", True),
        ("https://contoso.com/block", "https://contoso.com/blocked", False),
        ("https://contoso.com/block", "https://contoso.com/", False),
        ("https://contoso.com/block", "http://contoso.com/block/x", True),
        ("https://contoso.com/block", "https://www.contoso.com/block", False),
        ("https://contoso.com/block/", "https://contoso.com/block/x", True),
        ("https://contoso.com/block/", "https://contoso.com/block", False),
        ("http://contoso.com", "https://contoso.com/any/thing?at=all", True),
        ("http://contoso.com", "https://sub.contoso.com/", False),
        ("http://contoso.com/a?b", "http://contoso.com/a?b", True),
        ("http://contoso.com/a?b", "http://contoso.com/a?b&c", False),
        ("http://contoso.com/a?b", "http://contoso.com/a", False),
        ("http://contoso.com/a?b", "http://contoso.com/a/c?b", False),
        ("http://contoso.com:8080/a", "https://contoso.com:8080/a/b", True),
        ("http://contoso.com:8080/a", "http://contoso.com/a/b", False),
        ("http://contoso.com/a", "https://contoso.com:80/a", True),
        ("https://contoso.com/a", "http://contoso.com:443/a", True),
        ("http://contoso.com/a", "http://contoso.com:443/a", False),
        ("http://[2001:db8::1]/a", "https://[2001:DB8:0::1]/a/b", True),
        ("http://contoso.com/A", "http://contoso.com/a", False),
    ],
)
def test_a_url_matches_by_whole_segments(rule: str, seen: str, expected: bool) -> None:
    assert matches(T.URL, rule, T.URL, seen) is expected


def test_a_url_is_no_rule_about_its_host() -> None:
    assert not matches(T.URL, "http://contoso.com/a", T.DOMAIN_NAME, "contoso.com")


@pytest.mark.parametrize(
    "kind, rule, seen, expected",
    [
        (T.IP_ADDRESS, "203.0.113.7", "203.0.113.7", True),
        (T.IP_ADDRESS, "203.0.113.7", "203.0.113.8", False),
        (T.IP_RANGE, "203.0.113.0/24", "203.0.113.7", True),
        (T.IP_RANGE, "203.0.112.0/24", "203.0.113.7", False),
        (T.IP_RANGE, "0.0.0.0/0", "203.0.113.7", True),
        (T.IP_RANGE, "2001:db8::/32", "2001:db8::1", True),
        (T.IP_RANGE, "::/0", "203.0.113.7", False),
        (T.IP_ADDRESS, "203.0.113.7", "::ffff:203.0.113.7", True),
    ],
)
def test_addresses_and_networks(kind: T, rule: str, seen: str, expected: bool) -> None:
    assert matches(kind, rule, T.IP_ADDRESS, seen) is expected
    host = f"[{seen}]" if ":" in seen else seen
    assert matches(kind, rule, T.URL, f"http://{host}:8080/a") is expected


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_network_is_a_key_if_and_only_if_it_holds_the_address(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int
) -> None:
    seen = Observable.parse(T.IP_ADDRESS, str(address))
    own = ipaddress.ip_address(seen.value)
    bits = min(bits, own.max_prefixlen)
    around = ipaddress.ip_network((own.packed, bits), strict=False)
    other = ipaddress.ip_network((bytes(255 - byte for byte in own.packed), bits), strict=False)
    keys = {key.value for key in keys_of(seen)}
    assert str(around) in keys
    assert (str(other) in keys) is (own in other)
    assert len(keys) == own.max_prefixlen + 2


_segments = st.lists(st.text("ab%~._-", min_size=1, max_size=3).filter(lambda each: "." not in each), max_size=5)


@given(_segments, _segments, st.booleans(), st.booleans())
def test_keys_of_urls_are_canonical_and_are_the_prefixes(
    some: list[str], more: list[str], slash: bool, secure: bool
) -> None:
    rule = canonical(T.URL, "http://evil.example/" + "/".join(some) + ("/" if slash and some else ""))
    seen = canonical(T.URL, ("https" if secure else "http") + "://evil.example/" + "/".join([*some, *more]))
    keys = [key.value for key in keys_of(Observable(T.URL, seen))]
    assert (rule in keys) is (not (slash and some) or bool(more))
    assert all(canonical(T.URL, key) == key for key in keys)
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("kind, value", [(T.FILE_SHA256, "0f" * 32), (T.CERTIFICATE_THUMBPRINT, "3c" * 20)])
def test_a_hash_matches_itself_only(kind: T, value: str) -> None:
    assert [keys_of(part) for part in parts_of(Observable(kind, value))] == [[Observable(kind, value)]]


@given(indicators())
def test_what_conflict_notes_call_wider_is_what_matches_too(indicator: Indicator) -> None:
    """Names and addresses are looked up one by one at write time, ranges all at once (SPEC 9.15: the same engine)."""
    own = Observable(indicator.type, indicator.canonical)
    keys = {key for part in parts_of(own) for key in keys_of(part)} - {own}
    told = {(key.type, key.value) for key in keys if key.type in (T.DOMAIN_NAME, T.IP_ADDRESS)}
    assert set(wider(indicator)) == told
    assert {each for each in WINNING if beats(T.URL, each, Action.BLOCK)} == WINNING
