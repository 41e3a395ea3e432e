"""Who wins: Defender's published examples, and laws that hold for every set of rules (SPEC 3.2, 3.3, 9.14-9.19)."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.indicator import Action, Status, StoredIndicator
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType
from indicia.domain.rules import ALLOWED_ACTIONS
from indicia.domain.verdict import Match, NetworkPrecedence, Outcome, Rule, Verdict, resolve
from tests.unit.checking import made
from tests.unit.indicators import NOW

T = ObservableType
SHA256, SHA1, MD5, THUMB = "0f" * 32, "1e" * 20, "2d" * 16, "3c" * 20
Given = tuple[str, str, str]  # type, value, action


def stored(number: int, kind: str, value: str, action: str, **more: object) -> StoredIndicator:
    changed = {"type": kind, "value": value, "action": action, "severity": "High", "generate_alert": None} | more
    indicator = made(**changed)._replace(status=Status.ACTIVE)
    return StoredIndicator(number, indicator, 1, 1, NOW, "a", "a", "Cli", NOW, None)


def rules(*given: Given) -> list[StoredIndicator]:
    return [stored(number, *rule) for number, rule in enumerate(given, 1)]


def matched(some: list[StoredIndicator], *seen: Observable) -> list[Match]:
    """Return what matches, found the slow way."""
    return [
        Match(Rule.of(each), part)
        for observable in seen
        for part in parts_of(observable)
        for each in some
        if Observable(each.indicator.type, each.indicator.canonical) in keys_of(part)
    ]


def decided(some: list[StoredIndicator], *seen: Observable, group: str | None = None, **more: object) -> Verdict:
    return resolve(matched(some, *seen), group=group, now=NOW, **more)  # type: ignore[arg-type] # of a test


def url(text: str) -> Observable:
    return Observable.parse(T.URL, text)


FILE = (Observable(T.FILE_SHA256, SHA256), Observable(T.FILE_SHA1, SHA1), Observable(T.FILE_MD5, MD5))


# -- the network family -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "actions, wins",
    [
        (["Allowed", "Warn", "Block"], "Allowed"),
        (["Warn", "Block"], "Warn"),
        (["Allowed", "Block"], "Allowed"),
        (["Block"], "Block"),
        (["Audit", "Block"], "Block"),
        (["Audit", "Allowed"], "Allowed"),
        (["Audit"], "Audit"),
        ([], None),
    ],
)
def test_allow_beats_warn_beats_block_for_one_value(actions: list[str], wins: str | None) -> None:
    some = rules(*[("DomainName", "contoso.com", action) for action in actions])
    assert decided(some, Observable(T.DOMAIN_NAME, "www.contoso.com")).action == wins


def test_the_longer_path_applies() -> None:
    some = rules(
        ("Url", "https://support.microsoft.com", "Allowed"),
        ("Url", "https://support.microsoft.com/microsoft-365/", "Block"),
    )
    assert decided(some, url("https://support.microsoft.com/microsoft-365/word")).action is Action.BLOCK
    assert decided(some, url("https://support.microsoft.com/windows")).action is Action.ALLOWED


def test_an_allowed_parent_beats_a_blocked_url_and_most_specific_turns_it_round() -> None:
    some = rules(("DomainName", "contoso.com", "Allowed"), ("Url", "https://a.contoso.com/x", "Block"))
    assert decided(some, url("https://a.contoso.com/x/y")).action is Action.ALLOWED
    narrow = NetworkPrecedence.MOST_SPECIFIC
    assert decided(some, url("https://a.contoso.com/x/y"), precedence=narrow).action is Action.BLOCK
    assert decided(some, url("https://a.contoso.com/z"), precedence=narrow).action is Action.ALLOWED


def test_a_network_and_an_address_in_it() -> None:
    some = rules(("IpRange", "185.220.101.0/24", "Block"), ("IpAddress", "185.220.101.7", "Allowed"))
    assert decided(some, Observable(T.IP_ADDRESS, "185.220.101.7")).action is Action.ALLOWED
    assert decided(some, url("http://185.220.101.8/a")).action is Action.BLOCK


# -- the file family --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "actions, wins",
    [
        (["Allowed", "Block"], "Block"),
        (["Allowed", "Warn"], "Warn"),
        (["Block", "BlockAndRemediate", "Warn"], "BlockAndRemediate"),
        (["Audit", "Allowed"], "Allowed"),
    ],
)
def test_for_files_the_strictest_wins(actions: list[str], wins: str) -> None:
    some = rules(*[("FileSha256", SHA256, action) for action in actions])
    assert decided(some, *FILE).action == wins


def test_the_strongest_hash_supplies_the_alert() -> None:
    some = rules(("FileMd5", MD5, "Block"), ("FileSha1", SHA1, "Block"), ("FileSha256", SHA256, "Block"))
    winner = decided(some, *FILE).winner
    assert winner is not None
    assert winner.type is T.FILE_SHA256
    # Of equal actions only: a stricter one about a weaker hash still wins.
    some = rules(("FileMd5", MD5, "Block"), ("FileSha256", SHA256, "Allowed"))
    assert decided(some, *FILE).action is Action.BLOCK


@pytest.mark.parametrize("file, certificate", [("Allowed", "Block"), ("Block", "Allowed")])
def test_a_block_of_the_file_or_of_its_certificate_wins(file: str, certificate: str) -> None:
    some = rules(("FileSha256", SHA256, file), ("CertificateThumbprint", THUMB, certificate))
    seen = (*FILE, Observable(T.CERTIFICATE_THUMBPRINT, THUMB))
    assert decided(some, *seen).action is Action.BLOCK


def test_the_set_of_the_devices_own_group_beats_the_set_for_all() -> None:
    some = [
        stored(1, "FileSha256", SHA256, "Block"),
        stored(2, "FileSha256", SHA256, "Allowed", rbac_group_names=["Servers"]),
    ]
    assert decided(some, *FILE, group="Servers").action is Action.ALLOWED
    assert decided(some, *FILE, group="Clients").action is Action.BLOCK
    assert decided(some, *FILE).action is Action.BLOCK


# -- what does not count ----------------------------------------------------------------------------------------------


def test_expired_held_and_out_of_scope_are_ignored_and_say_why() -> None:
    expired = stored(1, "DomainName", "evil.example.org", "Block", expires=(NOW + timedelta(days=1)).isoformat())
    held = stored(2, "DomainName", "evil.example.org", "Warn")
    held = held._replace(indicator=held.indicator._replace(status=Status.HELD))
    scoped = stored(3, "DomainName", "evil.example.org", "Allowed", rbac_group_names=["Servers"])
    name = Observable(T.DOMAIN_NAME, "evil.example.org")
    at = expired.indicator.expires_at
    assert at is not None
    verdict = resolve(matched([expired, held, scoped], name), group=None, now=at)
    assert (verdict.action, verdict.winner, verdict.alert) == (None, None, False)
    assert [each.outcome for each in verdict.considered] == [Outcome.IGNORED] * 3
    for each, word in zip(verdict.considered, ["expired at", "held", "Servers"], strict=True):
        assert word in each.because
    before = resolve(matched([expired], name), group=None, now=at - timedelta(microseconds=1))
    assert before.action is Action.BLOCK


def test_two_families_are_no_one_verdict() -> None:
    matches = matched(rules(("FileSha1", SHA1, "Block")), *FILE)
    matches += matched(rules(("DomainName", "contoso.com", "Block")), Observable(T.DOMAIN_NAME, "contoso.com"))
    with pytest.raises(ValueError, match="file or about a connection"):
        resolve(matches, group=None, now=NOW)


# -- laws -------------------------------------------------------------------------------------------------------------

_NETWORK = {
    "DomainName": ["example.org", "evil.example.org", "a.evil.example.org"],
    "Url": ["http://a.evil.example.org/", "https://a.evil.example.org/x", "http://a.evil.example.org/x/y?q"],
}
_FILES = {"FileSha256": [SHA256], "FileSha1": [SHA1], "FileMd5": [MD5], "CertificateThumbprint": [THUMB]}


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[StoredIndicator], tuple[Observable, ...]]:
    of_files = draw(st.booleans())
    values = _FILES if of_files else _NETWORK
    some = []
    for number in range(1, 1 + draw(st.integers(0, 7))):
        kind = draw(st.sampled_from(sorted(values)))
        action = draw(st.sampled_from(ALLOWED_ACTIONS[T(kind)]))
        more = {
            "rbac_group_names": draw(st.sampled_from([None, ["Servers"], ["Clients"]])),
            "expires": draw(st.sampled_from([None, (NOW + timedelta(seconds=5)).isoformat()])),
            "generate_alert": True if action is Action.AUDIT else draw(st.booleans()),
        }
        each = stored(number, kind, draw(st.sampled_from(values[kind])), action, **more)
        if draw(st.integers(0, 5)) == 0:
            each = each._replace(indicator=each.indicator._replace(status=Status.HELD))
        some.append(each)
    if of_files:
        return some, (*FILE, Observable(T.CERTIFICATE_THUMBPRINT, THUMB))
    return some, (url("http://a.evil.example.org/x/y?q"),)


_groups = st.sampled_from([None, "Servers", "Clients"])
_moments = st.sampled_from([NOW, NOW + timedelta(seconds=60)])
_precedences = st.sampled_from(NetworkPrecedence)


@given(_cases(), _groups, _moments, _precedences, st.randoms(use_true_random=False))
def test_laws(case: object, group: str | None, now: object, precedence: object, chance: random.Random) -> None:
    some, seen = case  # type: ignore[misc] # what _cases makes
    matches = matched(some, *seen)
    verdict = resolve(matches, group=group, now=now, precedence=precedence)  # type: ignore[arg-type] # drawn

    def count(outcome: Outcome) -> int:
        return sum(each.outcome is outcome for each in verdict.considered)

    # Each match has one outcome, with its reason; there is one winner where anything counts.
    assert sorted(each.match for each in verdict.considered) == sorted(matches)
    assert all(each.because for each in verdict.considered)
    assert count(Outcome.WON) == (verdict.winner is not None) == (count(Outcome.WON) + count(Outcome.LOST) > 0)
    assert verdict.action == (verdict.winner.action if verdict.winner else None)
    # The order of the rules means nothing.
    chance.shuffle(matches)
    assert resolve(matches, group=group, now=now, precedence=precedence) == verdict  # type: ignore[arg-type] # drawn
    # What is ignored changes nothing, and neither does Audit where something else decides (SPEC 9.17).
    counting = [each.match for each in verdict.considered if each.outcome is not Outcome.IGNORED]
    again = resolve(counting, group=group, now=now, precedence=precedence)  # type: ignore[arg-type] # drawn
    assert (again.action, again.winner, again.alert) == (verdict.action, verdict.winner, verdict.alert)
    without = [match for match in matches if match.rule.action is not Action.AUDIT]
    bare = resolve(without, group=group, now=now, precedence=precedence)  # type: ignore[arg-type] # drawn
    assert bare.winner == verdict.winner or verdict.action is Action.AUDIT
    audits = [match for match in counting if match.rule.action is Action.AUDIT]
    assert verdict.alert == (bare.alert or bool(audits))
