"""Small sets of rules at random, what they are about, and the slow way to find what matches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from indicia.domain.indicator import Status
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType
from indicia.domain.rules import ALLOWED_ACTIONS
from indicia.domain.verdict import Match, Rule
from indicia.matcher.lookup import Contents
from indicia.matcher.rules import TYPES, Decision, Entry, Ruling, Rulings

T = ObservableType
NOW = datetime(2030, 6, 15, 12, 30, 45, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECRET = bytes(range(16))
GROUPS: tuple[tuple[str, ...], ...] = ((), ("Servers",), ("Servers", "Clients"), ("Müllers Büro",))
NETWORK = [
    *((T.DOMAIN_NAME, name) for name in ("org", "example.org", "evil.example.org", "a.evil.example.org", "example")),
    *((T.IP_ADDRESS, address) for address in ("185.220.101.7", "185.220.101.8", "2a00::7", "::")),
    *((T.IP_RANGE, block) for block in ("185.220.101.0/24", "185.220.0.0/16", "185.0.0.0/8", "2a00::/16", "::/0")),
    (T.IP_RANGE, "185.220.101.7/32"),
    *((T.URL, f"http://evil.example.org{tail}") for tail in ("/", "/a", "/a/", "/a/b", "/a?q", ":8080/a", ":443/")),
    *((T.URL, f"https://evil.example.org{tail}") for tail in ("/", "/a", "/a/b/", "/a/b?q=1", ":80/")),
    *((T.URL, url) for url in ("http://185.220.101.7/", "https://[2a00::7]/a", "http://example/")),
]
FILES = [
    *((T.FILE_SHA256, digit * 64) for digit in "0f"),
    *((T.FILE_SHA1, digit * 40) for digit in "1e"),
    *((T.FILE_MD5, digit * 32) for digit in "2d"),
    *((T.CERTIFICATE_THUMBPRINT, digit * 40) for digit in "1c"),
]
SEEN_NETWORK = [
    *(Observable(*each) for each in NETWORK),
    *(Observable(T.URL, f"http://a.evil.example.org{tail}") for tail in ("/", "/a/b", ":8080/a/b?q")),
    *(Observable(T.URL, f"https://evil.example.org{tail}") for tail in ("/a/b/c", "/ab", "/a/b?q=1", ":80/a", "//")),
    Observable(T.URL, "https://185.220.101.8:444/x"),
    Observable(T.DOMAIN_NAME, "notexample.org"),
]
SEEN_FILES = [Observable(*each) for each in FILES]


def case(chance: random.Random, most: int = 8, first: int = 1) -> list[Rule]:
    """Return a set of rules about names, addresses and URLs, or about files; their numbers begin with *first*."""
    pool = NETWORK if chance.random() < 0.75 else FILES
    return [_rule(chance, number, *chance.choice(pool)) for number in range(first, first + chance.randrange(most + 1))]


def _rule(chance: random.Random, number: int, kind: ObservableType, canonical: str) -> Rule:
    return Rule(
        number,
        kind,
        canonical,
        chance.choice(ALLOWED_ACTIONS[kind]),
        chance.choice(GROUPS),
        Status.HELD if chance.random() < 0.1 else Status.ACTIVE,
        NOW + timedelta(microseconds=chance.choice([-1, 0, 1, 10**9])) if chance.random() < 0.2 else None,
        chance.random() < 0.5,
    )


def contents_of(rules: Sequence[Rule]) -> Contents:
    """Return what a snapshot of *rules* is made of."""
    decided = [
        Decision(rule.id, rule.type, Ruling(rule.action, rule.status, rule.generate_alert, rule.groups))
        for rule in rules
    ]
    rulings, decisions = Rulings.of(decided)
    rows = [(rule.id, rule.canonical, rule.id, _microseconds(rule.expires_at)) for rule in rules]
    return Contents(7, bytes(32), rulings, decisions, [rows])


def entries_of(contents: Contents) -> list[Entry]:
    """Return the entries that *contents* make."""
    return [
        (*contents.decisions[decision][:1], canonical, number, contents.decisions[decision][1], expires)
        for piece in contents.pieces
        for decision, canonical, number, expires in piece
    ]


def _microseconds(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // timedelta(microseconds=1)


@cache
def keys(part: Observable) -> frozenset[Observable]:
    """Return `keys_of`, remembered."""
    return frozenset(keys_of(part))


def naive(rules: Sequence[Rule], seen: Observable) -> list[Match]:
    """Return what matches *seen*, one rule after the other."""
    return [
        Match(rule, part)
        for part in parts_of(seen)
        for rule in rules
        if Observable(rule.type, rule.canonical) in keys(part)
    ]


def a_verdict_of(chance: random.Random, rules: Sequence[Rule]) -> tuple[list[Observable], str | None, datetime]:
    """Return something seen that these rules may be about, a device group, and a moment."""
    of_files = bool(rules) and TYPES[rules[0].type] <= TYPES[T.CERTIFICATE_THUMBPRINT]
    seen = chance.sample(SEEN_FILES, 4) if of_files else [chance.choice(SEEN_NETWORK)]
    group = chance.choice([None, "Servers", "Clients", "Müllers Büro"])
    return seen, group, NOW + timedelta(microseconds=chance.choice([-1, 0, 1]))
