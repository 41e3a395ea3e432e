"""Indicators and drafts at random, for every law that needs some."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from indicia.domain.checker import Checker
from indicia.domain.circumstances import Circumstances
from indicia.domain.draft import PROPERTY_NAMES, Draft
from indicia.domain.guard import Guard
from indicia.domain.indicator import Category, Indicator, Severity
from indicia.domain.observable import ObservableType
from indicia.domain.rules import ALLOWED_ACTIONS, Strictness

NOW = datetime(2030, 6, 15, 12, 30, 45, 250_000, tzinfo=UTC)
GROUPS = frozenset({"Servers", "Clients", "=cmd", "ünïcode 'quoted'", "@home"})
# What formats stumble over: formula characters, quotes, delimiters, line ends, what looks like a mark or a comment.
AWKWARD = "=+-@\t\r\n'\",;|#/\\ ＝＋－＠\ufeff\u200b\u2028\u0085éß日🦊aA0"

GOOD = Draft("DomainName", "evil.example.org", None, "Block", "High", "a title", "a description")
VALUES = {
    ObservableType.FILE_SHA256: "0f" * 32,
    ObservableType.FILE_SHA1: "1e" * 20,
    ObservableType.FILE_MD5: "2d" * 16,
    ObservableType.CERTIFICATE_THUMBPRINT: "3c" * 20,
    ObservableType.IP_ADDRESS: "185.220.101.7",
    ObservableType.IP_RANGE: "185.220.101.0/24",
    ObservableType.DOMAIN_NAME: "evil.example.org",
    ObservableType.URL: "https://evil.example.org/path",
}


@cache
def guard() -> Guard:
    return Guard.default()


def checker(strictness: Strictness = Strictness.NATIVE, **given: Any) -> Checker:
    """Return a checker that remembers nothing yet; `NATIVE` and with the groups above unless told otherwise."""
    given = {"now": NOW, "guard": guard(), "groups": GROUPS, "names": PROPERTY_NAMES} | given
    return Checker(Circumstances(strictness=strictness, **given))


def draft_of_type(kind: ObservableType, **changed: Any) -> Draft:
    """Return a good draft of *kind*, with *changed* fields."""
    return GOOD._replace(
        **{"type": kind.value, "value": VALUES[kind], "action": "Audit", "generate_alert": True} | changed
    )


# -- at random --------------------------------------------------------------------------------------------------------

_hex = st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)
_label = st.from_regex(r"[a-z0-9][a-zA-Z0-9_-]{0,8}", fullmatch=True)
_name = st.builds("{}.{}.example.{}".format, _label, _label, st.sampled_from(["org", "ORG", "com.", "xn--p1ai"]))
_address = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda each: each.exploded))
_path = st.text("abcXYZ019/._-~%=+@!$&'()*,;:?é日 ", max_size=20)
SPELLINGS = {
    ObservableType.FILE_SHA256: _hex,
    ObservableType.FILE_SHA1: _hex.map(lambda text: text[:40]),
    ObservableType.FILE_MD5: _hex.map(lambda text: text[:32]),
    ObservableType.CERTIFICATE_THUMBPRINT: _hex.map(lambda text: text[:40]),
    ObservableType.IP_ADDRESS: _address,
    ObservableType.IP_RANGE: st.builds("{}/{}".format, _address, st.integers(0, 32)),
    ObservableType.DOMAIN_NAME: _name,
    ObservableType.URL: st.builds(
        "{}://{}{}/{}".format, st.sampled_from(["http", "HTTPS"]), _name, st.just(":8080"), _path
    ),
}
_readable = st.characters(
    exclude_categories=["Cs"], exclude_characters="".join(map(chr, [*range(9), 11, 12, *range(14, 32), 127]))
)
texts = st.one_of(st.text(AWKWARD, min_size=1, max_size=12), st.text(_readable, min_size=1, max_size=30)).filter(
    lambda text: bool(text.strip())
)
_maybe_text = st.one_of(st.none(), texts)
_expiry = st.one_of(
    st.none(), st.integers(1, 10**9).map(lambda seconds: (NOW + timedelta(seconds=seconds)).replace(microsecond=0))
)


@st.composite
def drafts(draw: st.DrawFn, *, rare: bool = True) -> Draft:
    """Return a draft that makes an indicator; with *rare* it may have what Defender's twelve columns lack."""
    kind = draw(st.sampled_from(list(ObservableType)))
    common = Draft(
        kind.value,
        draw(SPELLINGS[kind]),
        draw(_expiry),
        draw(st.sampled_from(ALLOWED_ACTIONS[kind])).value,
        draw(st.sampled_from([None, *(each.value for each in Severity)])),
        draw(texts),
        draw(texts),
        draw(_maybe_text),
        draw(st.lists(st.sampled_from(sorted(GROUPS)), unique=True, max_size=3)),
        draw(st.sampled_from([None, *(each.value for each in Category)])),
        draw(st.lists(st.from_regex(r"T[0-9]{4}(\.[0-9]{3})?", fullmatch=True), unique=True, max_size=2)),
        draw(st.booleans()),
    )
    if not rare or draw(st.booleans()):
        return common
    return common._replace(
        external_id=draw(_maybe_text),
        application=draw(_maybe_text),
        educate_url=draw(st.sampled_from([None, "https://intranet.example.org/help"])),
        bypass_duration_hours=draw(st.one_of(st.none(), st.integers(1, 8_760))),
        notification_id=draw(_maybe_text),
        notification_body=draw(_maybe_text),
        historical_detection=draw(st.sampled_from([None, True, False])),
        look_back_period=draw(_maybe_text),
        version=draw(_maybe_text),
        certificate_info=draw(_maybe_text),
        additional_info=draw(_maybe_text),
        override_reason=draw(_maybe_text),
    )


def made(draft: Draft) -> Indicator:
    """Return the indicator that *draft* makes; it has to make one."""
    indicator, problems = checker().check(draft)
    assert indicator is not None, (draft, problems)
    return indicator


def indicators(*, rare: bool = True) -> st.SearchStrategy[Indicator]:
    """Return indicators of every type and with every property."""
    return drafts(rare=rare).map(made)
