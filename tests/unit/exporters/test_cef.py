"""CEF as collectors read it: what they split at is escaped, in the header and in values."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.exporters.cef import Event, address_fields, line


def read(text: str) -> tuple[list[str], dict[str, str]]:
    """Read a line as the specification says, by a way of its own: seven bars, then keys by unescaped equals signs."""
    parts: list[str] = []
    part, position = "", 0
    while len(parts) < 7:
        each = text[position]
        if each == "\\":
            part += text[position + 1]
            position += 1
        elif each == "|":
            parts.append(part)
            part = ""
        else:
            part += each
        position += 1
    values: dict[str, str] = {}
    rest = text[position:]
    keys = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", rest))
    keys = [
        match for match in keys if (len(rest[: match.end() - 1]) - len(rest[: match.end() - 1].rstrip("\\"))) % 2 == 0
    ]
    for number, match in enumerate(keys):
        end = keys[number + 1].start() if number + 1 < len(keys) else len(rest)
        values[match[1]] = re.sub(
            r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), rest[match.end() : end]
        )
    return parts, values


@pytest.mark.parametrize(
    "event, wanted",
    [
        (
            Event("sign-in", "Signed in", 2, {"rt": 1, "suser": "Ada"}),
            "CEF:0|Indicia|Indicia|1.0|sign-in|Signed in|2|rt=1 suser=Ada",
        ),
        (
            Event("a|b", "c\\d|e=f\ng", 10, {"msg": "x=y|z\\w\r\nq"}),
            r"CEF:0|Indicia|Indicia|1.0|a\|b|c\\d\|e=f g|10|msg=x\=y|z\\w\r\nq",
        ),
        (Event("k", "n", 0, {"msg": "a\u2028b\x85c\0d"}), "CEF:0|Indicia|Indicia|1.0|k|n|0|msg=a b c d"),
        (Event("k", "n", 0, {}), "CEF:0|Indicia|Indicia|1.0|k|n|0|"),
    ],
)
def test_lines(event: Event, wanted: str) -> None:
    assert line(event, "1.0") == wanted


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_is_in_a_value_it_stays_one_line_and_comes_back(name: str, value: str) -> None:
    text = line(Event("kind", name, 5, {"suser": value, "act": "x"}), "1")
    assert len(text.splitlines()) == 1
    parts, values = read(text)
    assert parts[5] == " ".join(name.splitlines())
    assert values["act"] == "x"
    if value.isprintable():
        assert values["suser"] == value


def test_a_value_of_any_length_is_cut() -> None:
    assert len(line(Event("k", "n", 0, {"msg": "x" * 10_000}), "1")) < 1_100


@pytest.mark.parametrize(
    "address, wanted",
    [
        ("192.0.2.1", {"src": "192.0.2.1"}),
        ("::ffff:192.0.2.1", {"src": "192.0.2.1"}),
        ("2001:db8::1", {"c6a2": "2001:db8::1", "c6a2Label": "Source IPv6 Address"}),
        ("unknown", {"shost": "unknown"}),
    ],
)
def test_addresses(address: str, wanted: dict[str, str]) -> None:
    assert address_fields(address) == wanted
