"""How each type of value is spelled: the patterns of canonical spellings, and the ways there from all others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

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


# Canonical spellings that one pattern recognises; possessive quantifiers keep hostile text linear.
BLANK = " \t\n\r\f\v"
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

IS_CANONICAL: Mapping[ObservableType, Callable[[str], object]] = {
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


def _spell_sha256(text: str) -> str | None:
    lower = text.lower()
    return lower if _IS_SHA256(lower) else None


def _spell_sha1(text: str) -> str | None:
    lower = text.lower()
    return lower if _IS_SHA1(lower) else None


def _spell_md5(text: str) -> str | None:
    lower = text.lower()
    return lower if _IS_MD5(lower) else None


_IS_PRINTED_THUMBPRINT = re.compile("(?:[0-9A-Fa-f]{2}[ :]?){19}[0-9A-Fa-f]{2}").fullmatch


def _spell_thumbprint(text: str) -> str | None:
    """Accept the pairs that Windows prints, and the invisible mark that copying from its dialog brings along."""
    bare = text.strip(BLANK + "\u200e")
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


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that *text* is; one that only maps an IPv4 address into IPv6 is that IPv4 address."""
    address = _parse_written_address(text)
    return _mapped(address) or address


def spell_address(text: str) -> str | None:
    """Return the one address that *text* is, without port, brackets and scope."""
    if _IS_QUAD(text):
        return text
    address = parse_address(text)
    return None if address is None else str(address)


def spell_range(text: str) -> str | None:
    """Return the one network that ``address/bits`` or ``first-last`` spells; host bits are cleared."""
    low, slash, prefix = text.partition("/")
    if not slash:
        blocks = cidr_blocks(text)
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


def cidr_blocks(text: str) -> list[str]:
    """Return the CIDR blocks that make up ``first-last``, none when *text* is not such a pair."""
    left, _, right = text.partition("-")
    first, last = _parse_written_address(left.strip(BLANK)), _parse_written_address(right.strip(BLANK))
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
LONGEST_NAME = 253
_LONGEST_UNICODE_NAME = 1024  # before IDNA, which may shorten; bounds the work


def spell_name(text: str) -> str | None:
    """Return the name in ASCII, lower case and without a dot at its end.

    Punycode labels are taken as they are, decodable or not: real lists, DNS and browsers carry both.
    """
    name = to_ascii(text).lower().removesuffix(".")
    return name if len(name) <= LONGEST_NAME and _IS_NAME(name) else None


def to_ascii(text: str) -> str:
    """Return the A-labels of *text* (UTS #46, non-transitional), empty when it has none."""
    if text.isascii():
        return text
    if len(text) > _LONGEST_UNICODE_NAME or "\0" in text:  # ada-url would stop at the NUL
        return ""
    try:
        return idna_to_ascii(text).decode("ascii")
    except UnicodeError:  # lone surrogates
        return ""


LONGEST_URL = 2048
HAS_CONTROL = re.compile("[\x00-\x1f\x7f]").search


def spell_url(text: str) -> str | None:
    """Return the http or https URL as the WHATWG standard has it, without fragment; the host is spelled as if alone."""
    site = text if text.count("/") > 2 else text + "/"  # http://host
    if _IS_PLAIN_URL(site):
        return site
    return _parsed_url(text)


def _parsed_url(text: str) -> str | None:
    if len(text) > LONGEST_URL or HAS_CONTROL(text) or has_invisible_end(text):
        return None
    try:
        url = URL(text)
    except ValueError:  # UnicodeEncodeError of lone surrogates included
        return None
    scheme, host = url.protocol, url.hostname
    spelling = spell_host(host)
    if scheme not in ("http:", "https:") or url.username or url.password or spelling is None:
        return None
    after_host = url.href.partition("#")[0][len(scheme) + 2 + len(host) :]
    whole = f"{scheme}//{spelling}{after_host}"
    return whole if len(whole) <= LONGEST_URL else None


def has_invisible_end(text: str) -> bool:
    """Return whether *text* begins or ends with what no eye sees; it would become part of the path and never match."""
    return not text.isascii() and any(unicodedata.category(c) in ("Cf", "Zs", "Zl", "Zp") for c in (text[0], text[-1]))


def spell_host(host: str) -> str | None:
    """Return the host of a URL as it is spelled there, by the rules for names and addresses."""
    if host.startswith("["):
        spelling = spell_address(host[1:-1])
        return f"[{spelling}]" if spelling and ":" in spelling else spelling
    return host if _IS_QUAD(host) else spell_name(host)


SPELLINGS: Mapping[ObservableType, Callable[[str], str | None]] = {
    ObservableType.FILE_SHA256: _spell_sha256,
    ObservableType.FILE_SHA1: _spell_sha1,
    ObservableType.FILE_MD5: _spell_md5,
    ObservableType.CERTIFICATE_THUMBPRINT: _spell_thumbprint,
    ObservableType.IP_ADDRESS: spell_address,
    ObservableType.IP_RANGE: spell_range,
    ObservableType.DOMAIN_NAME: spell_name,
    ObservableType.URL: spell_url,
}


HASH_OF_LENGTH = {64: ObservableType.FILE_SHA256, 40: ObservableType.FILE_SHA1, 32: ObservableType.FILE_MD5}
_LOOKS_NUMERIC = re.compile("[0-9A-Fa-f:][0-9A-Fa-f:.]*(?:[ \t]*-[ \t]*[0-9A-Fa-f:.]+|/[0-9]+)?").fullmatch
_IS_PLAUSIBLE_NAME = re.compile(r".+\.(?:[a-z]{2,63}|xn--[a-z0-9-]+)").fullmatch
_HAS_SCHEME = re.compile("https?://", re.IGNORECASE | re.ASCII).match
_HAS_BLANK = re.compile(r"\s").search
_HOST_AND_PATH = re.compile(r"([^/?#:@\[\]\\]{1,1024})(?::[0-9]{1,5})?/").match


def guess(text: str) -> tuple[ObservableType, str] | None:
    """Return the type that *text* most likely has, and its canonical spelling; None when it is anybody's guess."""
    text = text.strip(BLANK)
    if len(text) > LONGEST_URL:
        return None
    likely = _likely(text)
    if likely is None:
        return None
    kind, whole = likely
    spelling = SPELLINGS[kind](whole)
    if spelling is None or (kind is ObservableType.DOMAIN_NAME and not _IS_PLAUSIBLE_NAME(spelling)):
        return None
    return kind, spelling


def _likely(text: str) -> tuple[ObservableType, str] | None:
    """Return the type that *text* has if it is well spelled, and the text to spell."""
    kind = HASH_OF_LENGTH.get(len(text))
    if kind and SPELLINGS[kind](text):
        return kind, text
    if _LOOKS_NUMERIC(text):  # so does bad.cafe
        kind = ObservableType.IP_RANGE if "/" in text or "-" in text else ObservableType.IP_ADDRESS
        if SPELLINGS[kind](text):
            return kind, text
    if _HAS_SCHEME(text):
        return ObservableType.URL, text
    found = _HOST_AND_PATH(text)
    if not found:
        return ObservableType.DOMAIN_NAME, text
    if _HAS_BLANK(text):  # words after a value, or cells of a table: not a path
        return None
    host, is_number = spell_host(found[1]), text[found.end() :].isdigit()
    if host and (_IS_PLAUSIBLE_NAME(host) or (_IS_QUAD(host) and not is_number)):  # 192.0.2.1/33 is no URL
        return ObservableType.URL, "http://" + text
    return None
