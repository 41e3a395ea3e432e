"""A note for each value about which indicators that count want different things."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from indicia.domain.contradictions import contradictions
from indicia.domain.indicator import Action, Status
from indicia.domain.observable import Observable, ObservableType
from indicia.domain.verdict import Match, Rule, resolve
from tests.unit.indicators import NOW

T = ObservableType
NAME, SHA256 = "evil.example.org", "0f" * 32


def notes_of(*rules: Rule, group: str | None = None) -> list[str]:
    found = set()
    for order in permutations(rules):
        matches = [Match(rule, Observable(rule.type, rule.canonical)) for rule in order]
        verdict = resolve(matches, group=group, now=NOW)
        notes = contradictions(verdict, group=group, now=NOW)
        assert {note.code for note in notes} <= {"conflict-same-value"}
        assert all(note.warning for note in notes)
        found.add(tuple(note.message for note in notes))
    [messages] = found
    return list(messages)


def name(number: int, action: Action, *groups: str, **more: Any) -> Rule:
    return Rule(number, T.DOMAIN_NAME, NAME, action, groups)._replace(**more)


def file(number: int, action: Action, *groups: str) -> Rule:
    return Rule(number, T.FILE_SHA256, SHA256, action, groups)


def test_names_and_files_have_their_own_winners() -> None:
    assert notes_of(name(1, Action.BLOCK), name(2, Action.ALLOWED)) == [
        f"DomainName {NAME} is stored with the actions Block (indicator 1) and Allowed (indicator 2): Allowed wins"
    ]
    assert notes_of(file(1, Action.BLOCK), file(2, Action.ALLOWED)) == [
        f"FileSha256 {SHA256} is stored with the actions Block (indicator 1) and Allowed (indicator 2): Block wins"
    ]


def test_the_devices_own_group_decides_among_files() -> None:
    rules = file(1, Action.BLOCK), file(2, Action.ALLOWED, "Servers")
    [note] = notes_of(*rules, group="Servers")
    assert note.endswith(": Allowed wins")
    assert notes_of(*rules) == []


@pytest.mark.parametrize(
    "other",
    [
        name(2, Action.BLOCK, "Servers"),
        name(2, Action.AUDIT),
        name(2, Action.ALLOWED, status=Status.HELD),
        name(2, Action.ALLOWED, expires_at=NOW),
        name(2, Action.ALLOWED, canonical="example.org"),
        name(2, Action.ALLOWED, type=T.URL, canonical=f"http://{NAME}/"),
    ],
)
def test_what_says_the_same_or_nothing_here_contradicts_nobody(other: Rule) -> None:
    assert notes_of(name(1, Action.BLOCK), other) == []
