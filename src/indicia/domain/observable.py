"""What can be seen - hashes, addresses, names, URLs - and the one canonical spelling of each (SPEC 9.8-9.13)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple, Self

from ada_url import URL, idna_to_ascii


class ObservableType(StrEnum):
    """SPEC 1.2, and `IpRange` of our own (SPEC 9.9)."""

    FILE_SHA256 = "FileSha256"
    FILE_SHA1 = "FileSha1"
    FILE_MD5 = "FileMd5"
    CERTIFICATE_THUMBPRINT = "CertificateThumbprint"
    IP_ADDRESS = "IpAddress"
    IP_RANGE = "IpRange"
    DOMAIN_NAME = "DomainName"
    URL = "Url"


class Unspellable(ValueError):
    """The text spells no value of the type; ``message`` says why, ``suggestion`` names the right type or spelling."""

    def __init__(self, code: str, message: str, suggestion: str | None = None) -> None:
        self.code = code
        self.message = message
        self.suggestion = suggestion
        super().__init__(code, message, suggestion)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Observable:
    """One thing that was seen or is looked for: a type and its canonical value. Both sides of a match are these."""

    type: ObservableType
    value: str

    @classmethod
    def parse(cls, kind: ObservableType, text: str) -> Self:
        """Return the observable that *text* spells.

        Raises `Unspellable`, a `ValueError` with a sentence fit for a report, when *text* spells none.

        >>> Observable.parse(ObservableType.DOMAIN_NAME, "Evil.Example.").value
        'evil.example'
        """
        return cls(kind, canonical(kind, text))


def canonical(kind: ObservableType, text: str) -> str:
    """Return the one spelling under which the value in *text* is stored and matched; the same object if it is that.

    Raises `Unspellable`, and never anything else, whatever the text. Percent-encoding in URLs stays as written, as
    the WHATWG standard has it: ``/a`` and ``/%61`` are two URLs.

    >>> canonical(ObservableType.IP_ADDRESS, "2001:DB8:0:0:0:0:0:1")
    '2001:db8::1'
    >>> canonical(ObservableType.URL, "HTTP://Bücher.Example:80/a/../b?C#d")
    'http://xn--bcher-kva.example/b?C'
    """
    if _IS_CANONICAL[kind](text):  # most of a million rows need no more than this
        return text
    stripped = text.strip(_BLANK)
    spelling = _SPELLINGS[kind](stripped)
    if spelling is None:
        raise _unspellable(kind, stripped)
    return spelling


# Canonical spellings that one pattern recognises; possessive quantifiers keep hostile text linear.
_BLANK = " \t\n\r\f\v"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_QUAD = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
_NAME = "(?:[a-z0-9_-]{1,63}+[.])*+[a-z][a-z0-9_-]{0,62}+"
_PORT = "(?::(?!80/|443/)(?:[1-9][0-9]{1,3}|[1-5][0-9]{4}))?"
_PATH = r"(?:/(?!\.|%2[eE])[A-Za-z0-9!$&()*+,;=:@._~%-]*+)++"
_QUERY = r"(?:\?[A-Za-z0-9!$&()*+,;=:@._~%/?-]*+)?"
_PLAIN_URL = rf"(?!.{{2049}})https?://(?![^/:]{{254}})(?:{_NAME}|{_QUAD}){_PORT}{_PATH}{_QUERY}"

_IS_SHA256 = re.compile("[0-9a-f]{64}").fullmatch
_IS_SHA1 = re.compile("[0-9a-f]{40}").fullmatch
_IS_MD5 = re.compile("[0-9a-f]{32}").fullmatch
_IS_QUAD = re.compile(_QUAD).fullmatch
_IS_PLAIN_NAME = re.compile(f"(?!.{{254}}){_NAME}").fullmatch
_IS_PLAIN_URL = re.compile(_PLAIN_URL).fullmatch

_IS_CANONICAL: Mapping[ObservableType, Callable[[str], object]] = {
    ObservableType.FILE_SHA256: _IS_SHA256,
    ObservableType.FILE_SHA1: _IS_SHA1,
    ObservableType.FILE_MD5: _IS_MD5,
    ObservableType.CERTIFICATE_THUMBPRINT: _IS_SHA1,
    ObservableType.IP_ADDRESS: _IS_QUAD,
    ObservableType.IP_RANGE: re.compile("(?!)").fullmatch,  # host bits are arithmetic
    ObservableType.DOMAIN_NAME: _IS_PLAIN_NAME,
    ObservableType.URL: _IS_PLAIN_URL,
}

# The slow way for each type: stripped text -> canonical spelling, or None.


def _sha256(text: str) -> str | None:
    lower = text.lower()
    return lower if _IS_SHA256(lower) else None


def _sha1(text: str) -> str | None:
    lower = text.lower()
    return lower if _IS_SHA1(lower) else None


def _md5(text: str) -> str | None:
    lower = text.lower()
    return lower if _IS_MD5(lower) else None


_IS_PRINTED_THUMBPRINT = re.compile("(?:[0-9A-Fa-f]{2}[ :]?){19}[0-9A-Fa-f]{2}").fullmatch


def _thumbprint(text: str) -> str | None:
    """Accept the pairs that Windows prints, and the invisible mark that copying from its dialog brings along."""
    bare = text.strip(_BLANK + "\u200e")
    return bare.replace(" ", "").replace(":", "").lower() if _IS_PRINTED_THUMBPRINT(bare) else None


_LONGEST_ADDRESS = len("0000:0000:0000:0000:0000:ffff:255.255.255.255")


def _parse_written_address(text: str) -> IPv4Address | IPv6Address | None:
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def _mapped(address: IPv4Address | IPv6Address | None) -> IPv4Address | None:
    return address.ipv4_mapped if isinstance(address, IPv6Address) else None


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    address = _parse_written_address(text)
    return _mapped(address) or address


def _address(text: str) -> str | None:
    if _IS_QUAD(text):
        return text
    address = _parse_address(text)
    return None if address is None else str(address)


def _range(text: str) -> str | None:
    low, slash, prefix = text.partition("/")
    if not slash:
        blocks = _cidr_blocks(text)
        return blocks[0] if len(blocks) == 1 else None
    address = _parse_written_address(low)
    if address is None or not (prefix.isascii() and prefix.isdigit() and len(prefix) < 4):
        return None
    bits, mapped = int(prefix), _mapped(address)
    if mapped and bits >= _MAPPED_BITS:
        address, bits = mapped, bits - _MAPPED_BITS
    try:
        return str(ip_network((address.packed, bits), strict=False))
    except ValueError:
        return None


_MAPPED_BITS = 96  # ::ffff:0:0/96 holds the IPv4 addresses


def _cidr_blocks(text: str) -> list[str]:
    """Return the CIDR blocks that make up ``first-last``, none when *text* is not such a pair."""
    left, _, right = text.partition("-")
    first, last = _parse_written_address(left.strip(_BLANK)), _parse_written_address(right.strip(_BLANK))
    if _mapped(first) and _mapped(last):  # one of the two alone is only where an IPv6 range begins or ends
        first, last = _mapped(first), _mapped(last)
    if first is None or last is None or first.version != last.version or int(first) > int(last):
        return []
    width, start, end = first.max_prefixlen, int(first), int(last)
    blocks = []
    while start <= end:
        aligned = (start & -start).bit_length() - 1 if start else width
        host_bits = min(aligned, (end - start + 1).bit_length() - 1)
        blocks.append(f"{type(first)(start)}/{width - host_bits}")
        start += 1 << host_bits
    return blocks


# A last label that is a number makes the whole host an IPv4 address, or nothing, to every browser (WHATWG).
_IS_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}+[.])*+(?!(?:[0-9]+|0x[0-9a-f]*)\Z)[a-z0-9_-]{1,63}+").fullmatch
_LONGEST_NAME = 253
_LONGEST_UNICODE_NAME = 1024  # before IDNA, which may shorten; bounds the work


def _name(text: str) -> str | None:
    """Punycode labels are taken as they are, decodable or not: real lists, DNS and browsers carry both."""
    name = _to_ascii(text).lower().removesuffix(".")
    return name if len(name) <= _LONGEST_NAME and _IS_NAME(name) else None


def _to_ascii(text: str) -> str:
    """Return the A-labels of *text* (UTS #46, non-transitional), empty when it has none."""
    if text.isascii():
        return text
    if len(text) > _LONGEST_UNICODE_NAME or "\0" in text:  # ada-url would stop at the NUL
        return ""
    try:
        return idna_to_ascii(text).decode("ascii")
    except UnicodeError:  # lone surrogates
        return ""


_LONGEST_URL = 2048
_HAS_CONTROL = re.compile("[\x00-\x1f\x7f]").search


def _url(text: str) -> str | None:
    site = text if text.count("/") > 2 else text + "/"  # http://host
    if _IS_PLAIN_URL(site):
        return site
    return _parsed_url(text)


def _parsed_url(text: str) -> str | None:
    if len(text) > _LONGEST_URL or _HAS_CONTROL(text) or _has_invisible_end(text):
        return None
    try:
        url = URL(text)
    except ValueError:  # UnicodeEncodeError of lone surrogates included
        return None
    scheme, host = url.protocol, url.hostname
    spelling = _host(host)
    if scheme not in ("http:", "https:") or url.username or url.password or spelling is None:
        return None
    after_host = url.href.partition("#")[0][len(scheme) + 2 + len(host) :]
    whole = f"{scheme}//{spelling}{after_host}"
    return whole if len(whole) <= _LONGEST_URL else None


def _has_invisible_end(text: str) -> bool:
    """Return whether *text* begins or ends with what no eye sees; it would become part of the path and never match."""
    return not text.isascii() and any(unicodedata.category(c) in ("Cf", "Zs", "Zl", "Zp") for c in (text[0], text[-1]))


def _host(host: str) -> str | None:
    """Return the host of a URL as it is spelled there, by the rules for names and addresses."""
    if host.startswith("["):
        spelling = _address(host[1:-1])
        return f"[{spelling}]" if spelling and ":" in spelling else spelling
    return host if _IS_QUAD(host) else _name(host)


_SPELLINGS: Mapping[ObservableType, Callable[[str], str | None]] = {
    ObservableType.FILE_SHA256: _sha256,
    ObservableType.FILE_SHA1: _sha1,
    ObservableType.FILE_MD5: _md5,
    ObservableType.CERTIFICATE_THUMBPRINT: _thumbprint,
    ObservableType.IP_ADDRESS: _address,
    ObservableType.IP_RANGE: _range,
    ObservableType.DOMAIN_NAME: _name,
    ObservableType.URL: _url,
}


class UrlParts(NamedTuple):
    """A canonical URL taken apart; ``host`` is the canonical value of a DomainName or an IpAddress (no brackets)."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None


def split_url(url: str) -> UrlParts:
    """Return the parts of a canonical URL; for any other text the answer means nothing.

    >>> split_url("http://[2001:db8::1]:8080/a?b")
    UrlParts(scheme='http', host='2001:db8::1', port=8080, path='/a', query='b')
    """
    scheme, _, rest = url.partition("://")
    authority, _, tail = rest.partition("/")
    path, mark, query = tail.partition("?")
    host, port = _split_authority(authority)
    return UrlParts(scheme, host, int(port) if port else None, "/" + path, query if mark else None)


def host_of(url: str) -> str:
    """Return the host of a canonical URL: the canonical value of a DomainName or an IpAddress.

    >>> host_of("https://evil.example:8443/a"), host_of("http://[2001:db8::1]/")
    ('evil.example', '2001:db8::1')
    """
    start = url.index("//") + 2
    return _split_authority(url[start : url.index("/", start)])[0]


def _split_authority(authority: str) -> tuple[str, str]:
    if authority[:1] == "[":
        host, _, port = authority[1:].partition("]")
        return host, port[1:]
    host, _, port = authority.partition(":")
    return host, port


def parents(name: str) -> tuple[str, ...]:
    """Return the names above *name*, nearest first; an indicator for any of them matches it too.

    >>> parents("a.b.c")
    ('b.c', 'c')
    """
    above = []
    dot = name.find(".")
    while dot >= 0:
        name = name[dot + 1 :]
        above.append(name)
        dot = name.find(".")
    return tuple(above)


_HASH_OF_LENGTH = {64: ObservableType.FILE_SHA256, 40: ObservableType.FILE_SHA1, 32: ObservableType.FILE_MD5}
_LOOKS_NUMERIC = re.compile("[0-9A-Fa-f:][0-9A-Fa-f:.]*(?:[ \t]*-[ \t]*[0-9A-Fa-f:.]+|/[0-9]+)?").fullmatch
_IS_PLAUSIBLE_NAME = re.compile(r".+\.(?:[a-z]{2,63}|xn--[a-z0-9-]+)").fullmatch
_HAS_SCHEME = re.compile("https?://", re.IGNORECASE | re.ASCII).match
_HOST_AND_PATH = re.compile(r"([^/?#:@\[\]\\]{1,1024})(?::[0-9]{1,5})?/").match


def detect(text: str) -> Observable | None:
    """Return the observable that a bare value most likely is, None when that is anybody's guess.

    Never raises. A name needs a dot and a last label of letters. ``host/path`` becomes a URL with ``http://``, because
    matching ignores the scheme (SPEC 9.12); the caller sees the assumption by comparing the texts. ``host:port`` alone
    is None: only the reader of a format knows what it means.

    >>> detect("185.220.101.0/24")
    Observable(type=<ObservableType.IP_RANGE: 'IpRange'>, value='185.220.101.0/24')
    >>> detect("evil.example/gate.php").value
    'http://evil.example/gate.php'
    """
    text = text.strip(_BLANK)
    if len(text) > _LONGEST_URL:
        return None
    guess = _guess(text)
    if guess is None:
        return None
    kind, whole = guess
    spelling = _SPELLINGS[kind](whole)
    if spelling is None or (kind is ObservableType.DOMAIN_NAME and not _IS_PLAUSIBLE_NAME(spelling)):
        return None
    return Observable(kind, spelling)


def _guess(text: str) -> tuple[ObservableType, str] | None:
    """Return the type that *text* has if it is well spelled, and the text to spell."""
    kind = _HASH_OF_LENGTH.get(len(text))
    if kind and _SPELLINGS[kind](text):
        return kind, text
    if _LOOKS_NUMERIC(text):  # so does bad.cafe
        kind = ObservableType.IP_RANGE if "/" in text or "-" in text else ObservableType.IP_ADDRESS
        if _SPELLINGS[kind](text):
            return kind, text
    if _HAS_SCHEME(text):
        return ObservableType.URL, text
    found = _HOST_AND_PATH(text)
    if not found:
        return ObservableType.DOMAIN_NAME, text
    host, is_number = _host(found[1]), text[found.end() :].isdigit()
    if host and (_IS_PLAUSIBLE_NAME(host) or (_IS_QUAD(host) and not is_number)):  # 192.0.2.1/33 is no URL
        return ObservableType.URL, "http://" + text
    return None


@dataclass(frozen=True, slots=True)
class Refanged:
    """A text with its live spelling back, and each kind of change that was made, in order of appearance."""

    text: str
    changes: tuple[str, ...]


_DEFANGED = re.compile(
    r"(?<![A-Za-z0-9])hxxps?(?=[\[({]?:)|\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\[:\]|\[://\]|\[at\]|\[@\]|\[/\]|\\\.",
    re.IGNORECASE | re.ASCII,  # without ASCII, a long s would pass for an s
)
_REFANGED = {
    "hxxp": "http",
    "hxxps": "https",
    "[dot]": ".",
    "(dot)": ".",
    "[at]": "@",
    "[.]": ".",
    "(.)": ".",
    "{.}": ".",
    "[:]": ":",
    "[://]": "://",
    "[@]": "@",
    "[/]": "/",
    "\\.": ".",
}


def refang(text: str) -> Refanged:
    """Return *text* with the usual defanging undone, once and from left to right, and what was changed.

    An explicit step: nothing else here does it silently. Linear in the length of the text.

    >>> refang("hxxps://evil[.]example/a")
    Refanged(text='https://evil.example/a', changes=('hxxps -> https', '[.] -> .'))
    """
    changes: dict[str, None] = {}

    def live(found: re.Match[str]) -> str:
        fanged = found[0].lower()
        changes[f"{fanged} -> {_REFANGED[fanged]}"] = None
        return _REFANGED[fanged]

    text = _DEFANGED.sub(live, text)
    return Refanged(text, tuple(changes))


# Why a text spells nothing. Only reached for faults, so clear beats fast; all of it is bounded by the length check.

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


def _unspellable(kind: ObservableType, text: str) -> Unspellable:
    """Return the fault of *text*, which is known to spell no value of *kind*."""
    if not text:
        return Unspellable("empty-value", f"the value is empty; wanted is {_WANTED[kind]}")
    fault = f"{_quote(text)} is not {_WANTED[kind]}"
    if len(text) > _LONGEST_URL:
        return Unspellable(_CODES[kind], f"{fault}: it has {len(text):,} characters, more than any value may have")
    reason, suggestion = _defanged(kind, text) or _REASONS[kind](text) or _other_type(kind, text) or ("", None)
    return Unspellable(_CODES[kind], f"{fault}: {reason}" if reason else fault, suggestion)


def _defanged(kind: ObservableType, text: str) -> _Reason | None:
    live = refang(text)
    spelling = _SPELLINGS[kind](live.text) if live.changes else None
    return (f"it looks defanged ({', '.join(live.changes)}); refang it first", spelling) if spelling else None


def _other_type(kind: ObservableType, text: str) -> _Reason | None:
    other = detect(text)
    if other is None or other.type is kind:
        return None
    return f"it looks like a value of the type {other.type}", other.type.value


def _why_not_a_hash(text: str) -> _Reason | None:
    if re.search("[^0-9A-Fa-f]", text):
        return None
    kind = _HASH_OF_LENGTH.get(len(text))
    if kind:
        return f"it has {len(text)} digits, as a {kind} has", kind.value
    return f"it has {len(text)}", None


def _why_not_an_address(text: str) -> _Reason | None:
    if "*" in text:
        return "wildcards do not work; write the range as a CIDR and give it the type IpRange", "IpRange"
    if _range(text):
        return "this is a CIDR; one IpAddress is one address, ranges have the type IpRange", "IpRange"
    if _cidr_blocks(text):
        return "this is a range; write it as a CIDR and give it the type IpRange", "IpRange"
    if "%" in text and _address(text.partition("%")[0]):
        return "a scope id means something on one machine only; leave it out", _address(text.partition("%")[0])
    if re.fullmatch("[0-9]{1,9}(?:[.][0-9]{1,9}){3}", text):
        if re.search(r"\b0[0-9]", text):
            return "a leading zero is octal to some programs and decimal to others; write the numbers without it", None
        return "each of the four numbers is at most 255", None
    if text[0] == "[" and _address(text[1:-1]):
        return "brackets belong to URLs", _address(text[1:-1])
    found = re.fullmatch(r"\[?([0-9A-Fa-f.:]+?)\]?:[0-9]+", text)
    if found and _address(found[1]):
        return "it carries a port, and an IpAddress matches all ports; leave the port out", _address(found[1])
    return None


def _why_not_a_range(text: str) -> _Reason | None:
    if _address(text):
        return "this is one address; give it the type IpAddress", "IpAddress"
    if "*" in text:
        return "wildcards do not work; write the number of fixed bits after a slash", None
    blocks = _cidr_blocks(text)
    if blocks:
        some = ", ".join(blocks[:4]) + (f" and {len(blocks) - 4} more" if len(blocks) > 4 else "")
        return f"no single CIDR covers exactly that; it takes {len(blocks)}: {some}", None
    low, _, prefix = text.partition("/")
    address = _parse_address(low)
    if address and prefix.isascii() and prefix.isdigit():
        return f"the prefix of an IPv{address.version} range is at most {address.max_prefixlen}", None
    if address:
        return "after the slash comes the number of fixed bits", None
    return None


def _why_not_a_name(text: str) -> _Reason | None:
    if "*" in text:
        bare = text.removeprefix("*").removeprefix(".")
        return "wildcards are not needed: a DomainName matches its sub-domains anyway", _name(bare)
    if _address(text.removesuffix(".")):
        return "this is an IP address; give it the type IpAddress", "IpAddress"
    if _range(text):
        return "this is a CIDR; give it the type IpRange", "IpRange"
    if "@" in text and _name(text.rpartition("@")[2]):
        return "it carries a user name; give the name after the @ alone", _name(text.rpartition("@")[2])
    if "/" in text:
        return "a DomainName has no scheme and no path; with them it has the type Url", "Url"
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and _name(host):
        return "it carries a port, and a DomainName matches all ports; leave the port out", _name(host)
    return _other_type(ObservableType.DOMAIN_NAME, text) or _fault_of_labels(text)


def _fault_of_labels(text: str) -> _Reason:
    name = _to_ascii(text).lower().removesuffix(".")
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
    if len(name) > _LONGEST_NAME:
        return f"it has {len(name)} characters, and at most {_LONGEST_NAME} are allowed", None
    return "the last label is a number, which no name has", None


def _why_not_a_url(text: str) -> _Reason | None:
    if _HAS_CONTROL(text):
        return "it has a tab, a line break or another control character inside", None
    if _has_invisible_end(text):
        return "it begins or ends with an invisible character", _url(text.strip().strip("\ufeff\u200b\u200e\u200f"))
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    if scheme and scheme[1].lower() not in ("http", "https"):
        return f"only http and https can be matched, not {_quote(scheme[1])}", None
    if not scheme and "." in text and not _range(text) and _url("http://" + text):
        return "the scheme is missing", _url("http://" + text)
    try:
        url = URL(text)
    except ValueError:
        return _other_type(ObservableType.URL, text) or ("it cannot be parsed (WHATWG URL standard)", None)
    if url.protocol not in ("http:", "https:"):
        return f"only http and https can be matched, not {_quote(url.protocol[:-1])}", None
    if url.username or url.password:
        rest = text.partition("@")[2]
        return "it carries a user name or a password, which is never sent to be matched", _url(
            f"{url.protocol}//{rest}"
        )
    if not _host(url.hostname):
        reason = _why_not_a_name(url.hostname)
        return (
            f"its host {_quote(url.hostname)} is not a domain name: {reason[0] if reason else 'it is malformed'}",
            None,
        )
    return f"written out it has more than {_LONGEST_URL:,} characters", None


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
