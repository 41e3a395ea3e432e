"""Why a text spells no value of a type, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ada_url import URL

from indicia.domain.refanging import refang
from indicia.domain.spelling import (
    HAS_CONTROL,
    HASH_OF_LENGTH,
    LONGEST_NAME,
    LONGEST_URL,
    SPELLINGS,
    ObservableType,
    cidr_blocks,
    guess,
    has_invisible_end,
    parse_address,
    spell_address,
    spell_host,
    spell_name,
    spell_range,
    spell_url,
    to_ascii,
)


class Unspellable(ValueError):
    """The text spells no value of the type; ``message`` says why, ``suggestion`` names the right type or spelling."""

    def __init__(self, code: str, message: str, suggestion: str | None = None) -> None:
        self.code = code
        self.message = message
        self.suggestion = suggestion
        super().__init__(code, message, suggestion)

    def __str__(self) -> str:
        return self.message


# Only reached for faults, so clear beats fast; all of it is bounded by the length check.

_CODES: Mapping[ObservableType, str] = {
    ObservableType.FILE_SHA256: "invalid-hash",
    ObservableType.FILE_SHA1: "invalid-hash",
    ObservableType.FILE_MD5: "invalid-hash",
    ObservableType.CERTIFICATE_THUMBPRINT: "invalid-thumbprint",
    ObservableType.IP_ADDRESS: "invalid-ip-address",
    ObservableType.IP_RANGE: "invalid-ip-range",
    ObservableType.DOMAIN_NAME: "invalid-domain-name",
    ObservableType.URL: "invalid-url",
}
_WANTED: Mapping[ObservableType, str] = {
    ObservableType.FILE_SHA256: "a SHA-256 hash, which has 64 hexadecimal digits",
    ObservableType.FILE_SHA1: "a SHA-1 hash, which has 40 hexadecimal digits",
    ObservableType.FILE_MD5: "an MD5 hash, which has 32 hexadecimal digits",
    ObservableType.CERTIFICATE_THUMBPRINT: "a certificate thumbprint, which has 40 hexadecimal digits",
    ObservableType.IP_ADDRESS: "one IP address, such as 203.0.113.7 or 2001:db8::7",
    ObservableType.IP_RANGE: "a CIDR range, such as 203.0.113.0/24 or 2001:db8::/32",
    ObservableType.DOMAIN_NAME: "a domain name, such as evil.example",
    ObservableType.URL: "an http or https URL, such as https://evil.example/path",
}
_Reason = tuple[str, str | None]


def _quote(text: str) -> str:
    shown = repr(text[:81])  # escapes included, a report quotes 80 characters
    return shown if len(shown) <= 82 else f"{shown[:81]}…{shown[0]}"


def unspellable(kind: ObservableType, text: str) -> Unspellable:
    """Return the fault of *text*, which is known to spell no value of *kind*."""
    if not text:
        return Unspellable("empty-value", f"the value is empty; wanted is {_WANTED[kind]}")
    fault = f"{_quote(text)} is not {_WANTED[kind]}"
    if len(text) > LONGEST_URL:
        return Unspellable(_CODES[kind], f"{fault}: it has {len(text):,} characters, more than any value may have")
    reason, suggestion = _defanged(kind, text) or _REASONS[kind](text) or _other_type(kind, text) or ("", None)
    return Unspellable(_CODES[kind], f"{fault}: {reason}" if reason else fault, suggestion)


def _defanged(kind: ObservableType, text: str) -> _Reason | None:
    live = refang(text)
    spelling = SPELLINGS[kind](live.text) if live.changes else None
    return (f"it looks defanged ({', '.join(live.changes)}); refang it first", spelling) if spelling else None


def _other_type(kind: ObservableType, text: str) -> _Reason | None:
    found = guess(text)
    if found is None or found[0] is kind:
        return None
    return f"it looks like a value of the type {found[0]}", found[0].value


def _why_not_a_hash(text: str) -> _Reason | None:
    if re.search("[^0-9A-Fa-f]", text):
        return None
    kind = HASH_OF_LENGTH.get(len(text))
    if kind:
        return f"it has {len(text)} digits, as a {kind} has", kind.value
    return f"it has {len(text)}", None


def _why_not_an_address(text: str) -> _Reason | None:
    if "*" in text:
        return "wildcards do not work; write the range as a CIDR and give it the type IpRange", "IpRange"
    if spell_range(text):
        return "this is a CIDR; one IpAddress is one address, ranges have the type IpRange", "IpRange"
    if cidr_blocks(text):
        return "this is a range; write it as a CIDR and give it the type IpRange", "IpRange"
    if "%" in text and spell_address(text.partition("%")[0]):
        return "a scope id means something on one machine only; leave it out", spell_address(text.partition("%")[0])
    if re.fullmatch("[0-9]{1,9}(?:[.][0-9]{1,9}){3}", text):
        if re.search(r"\b0[0-9]", text):
            return "a leading zero is octal to some programs and decimal to others; write the numbers without it", None
        return "each of the four numbers is at most 255", None
    if text[0] == "[" and spell_address(text[1:-1]):
        return "brackets belong to URLs", spell_address(text[1:-1])
    found = re.fullmatch(r"\[?([0-9A-Fa-f.:]+?)\]?:[0-9]+", text)
    if found and spell_address(found[1]):
        return "it carries a port, and an IpAddress matches all ports; leave the port out", spell_address(found[1])
    return None


def _why_not_a_range(text: str) -> _Reason | None:
    if spell_address(text):
        return "this is one address; give it the type IpAddress", "IpAddress"
    if "*" in text:
        return "wildcards do not work; write the number of fixed bits after a slash", None
    blocks = cidr_blocks(text)
    if blocks:
        some = ", ".join(blocks[:4]) + (f" and {len(blocks) - 4} more" if len(blocks) > 4 else "")
        return f"no single CIDR covers exactly that; it takes {len(blocks)}: {some}", None
    low, _, prefix = text.partition("/")
    address = parse_address(low)
    if address and prefix.isascii() and prefix.isdigit():
        return f"the prefix of an IPv{address.version} range is at most {address.max_prefixlen}", None
    if address:
        return "after the slash comes the number of fixed bits", None
    return None


def _why_not_a_name(text: str) -> _Reason | None:
    if "*" in text:
        bare = text.removeprefix("*").removeprefix(".")
        return "wildcards are not needed: a DomainName matches its sub-domains anyway", spell_name(bare)
    if spell_address(text.removesuffix(".")):
        return "this is an IP address; give it the type IpAddress", "IpAddress"
    if spell_range(text):
        return "this is a CIDR; give it the type IpRange", "IpRange"
    if "@" in text and spell_name(text.rpartition("@")[2]):
        return "it carries a user name; give the name after the @ alone", spell_name(text.rpartition("@")[2])
    if "/" in text:
        return "a DomainName has no scheme and no path; with them it has the type Url", "Url"
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and spell_name(host):
        return "it carries a port, and a DomainName matches all ports; leave the port out", spell_name(host)
    return _other_type(ObservableType.DOMAIN_NAME, text) or _fault_of_labels(text)


def _fault_of_labels(text: str) -> _Reason:
    name = to_ascii(text).lower().removesuffix(".")
    if not name:
        return "it cannot be written as an internationalised name (IDNA, UTS #46)", None
    odd = re.search("[^a-z0-9_.-]", name)
    if odd:
        return f"a name has letters, digits, hyphens and underscores, and {odd[0]!r} is none of these", None
    labels = name.split(".")
    if "" in labels:
        return "it has an empty label: a dot at the beginning, or two in a row", None
    long = next((label for label in labels if len(label) > 63), None)
    if long:
        return f"the label {_quote(long)} has {len(long)} characters, and at most 63 are allowed", None
    if len(name) > LONGEST_NAME:
        return f"it has {len(name)} characters, and at most {LONGEST_NAME} are allowed", None
    return "the last label is a number, which no name has", None


def _why_not_a_url(text: str) -> _Reason | None:
    if HAS_CONTROL(text):
        return "it has a tab, a line break or another control character inside", None
    if has_invisible_end(text):
        return "it begins or ends with an invisible character", spell_url(
            text.strip().strip("\ufeff\u200b\u200e\u200f")
        )
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    if scheme and scheme[1].lower() not in ("http", "https"):
        return f"only http and https can be matched, not {_quote(scheme[1])}", None
    if not scheme and "." in text and not spell_range(text) and spell_url("http://" + text):
        return "the scheme is missing", spell_url("http://" + text)
    try:
        url = URL(text)
    except ValueError:
        return _other_type(ObservableType.URL, text) or ("it cannot be parsed (WHATWG URL standard)", None)
    if url.protocol not in ("http:", "https:"):
        return f"only http and https can be matched, not {_quote(url.protocol[:-1])}", None
    if url.username or url.password:
        rest = text.partition("@")[2]
        return "it carries a user name or a password, which is never sent to be matched", spell_url(
            f"{url.protocol}//{rest}"
        )
    if not spell_host(url.hostname):
        reason = _why_not_a_name(url.hostname)
        return (
            f"its host {_quote(url.hostname)} is not a domain name: {reason[0] if reason else 'it is malformed'}",
            None,
        )
    return f"written out it has more than {LONGEST_URL:,} characters", None


_REASONS: Mapping[ObservableType, Callable[[str], _Reason | None]] = {
    ObservableType.FILE_SHA256: _why_not_a_hash,
    ObservableType.FILE_SHA1: _why_not_a_hash,
    ObservableType.FILE_MD5: _why_not_a_hash,
    ObservableType.CERTIFICATE_THUMBPRINT: _why_not_a_hash,
    ObservableType.IP_ADDRESS: _why_not_an_address,
    ObservableType.IP_RANGE: _why_not_a_range,
    ObservableType.DOMAIN_NAME: _why_not_a_name,
    ObservableType.URL: _why_not_a_url,
}
