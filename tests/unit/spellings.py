"""Texts at random that spell a value, almost spell one, or spell none; and what becomes of them."""

from __future__ import annotations

import string
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import strategies as st

from indicia.domain.observable import ObservableType, Unspellable, canonical

SHA256, SHA1, MD5 = ObservableType.FILE_SHA256, ObservableType.FILE_SHA1, ObservableType.FILE_MD5
THUMBPRINT = ObservableType.CERTIFICATE_THUMBPRINT
IP, RANGE = ObservableType.IP_ADDRESS, ObservableType.IP_RANGE
DOMAIN, URL_TYPE = ObservableType.DOMAIN_NAME, ObservableType.URL
LOWER_HEX = "0123456789abcdef"
KINDS = st.sampled_from(list(ObservableType))


def spelled(kind: ObservableType, text: str) -> str | None:
    """Return the canonical spelling, None when there is none; any other exception fails the test."""
    try:
        return canonical(kind, text)
    except Unspellable:
        return None


def fault_of(kind: ObservableType, text: str) -> Unspellable | None:
    try:
        canonical(kind, text)
    except Unspellable as fault:
        return fault
    return None


def refusal(kind: ObservableType, text: str) -> Unspellable:
    with pytest.raises(Unspellable) as caught:
        canonical(kind, text)
    return caught.value


# What people write, half right: the pieces of which values are made, put together anyhow.
PIECES = st.sampled_from(
    [
        *"aZ09.-_:/@%?#[]*\\ \t",
        *(
            "http://",
            "HTTPS://",
            "hxxp://",
            "ftp://",
            "www.",
            "evil",
            "example",
            ".com",
            "xn--",
            "xn--zca",
            "0x7f",
            "::",
        ),
        *(
            "1.2.3.4",
            "10.0.0.0/8",
            "2001:db8::1",
            "::ffff:1.2.3.4",
            "255",
            "[.]",
            "[::1]",
            ":80",
            ":443",
            ":8080",
            "%41",
        ),
        *(
            "/../",
            "/./",
            "%2e",
            "/a",
            "?q=1",
            "#f",
            "ß",
            "é",
            "İ",
            "ſ",
            "。",
            "．",
            "１",
            "／",
            "\u00ad",
            "\u200b",
            "\u200d",
        ),
        *(
            "\u200e",
            "\ufeff",
            "\u00a0",
            "℀",
            "💩",
            "\0",
            "\n",
            "\ud800",
            "\udfff",
            "中",
            "ا",
            "\u0301",
            "d41d8cd9" * 4,
            "'",
        ),
    ]
)
PIECED = st.lists(PIECES, max_size=8).map("".join)
ANYTHING = st.one_of(PIECED, st.text(max_size=40), st.text(st.characters(), max_size=20).map("http://".__add__))

LABELS = st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=63)
LAST_LABELS = st.builds(str.__add__, st.sampled_from(string.ascii_lowercase), LABELS.map(lambda label: label[:62]))
NAMES = st.builds(lambda labels, last: ".".join([*labels, last]), st.lists(LABELS, max_size=4), LAST_LABELS).filter(
    lambda name: len(name) <= 253
)
QUADS = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
SIXES = st.integers(0, 2**128 - 1).map(IPv6Address)
PATHS = st.text(string.ascii_letters + string.digits + "!$&'()*+,;=:@._~%/?-#\"<>^`{|} \\é", max_size=40)
URLS = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https", "HTTP", "hTTps"]),
    st.one_of(NAMES, QUADS, SIXES.map("[{}]".format)),
    st.sampled_from(["", ":", ":80", ":443", ":8080", ":65535", ":65536", ":0", ":080", ":99999", ":9"]),
    PATHS,
)
