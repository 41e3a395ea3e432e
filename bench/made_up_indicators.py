"""Three million mixed indicators, or any other number: distinct, canonical, the same for the same number."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from dataclasses import dataclass

from bench.engine import ADDRESS, CHUNK, MD5, NAME, SHA1, SHA256, URL, digests, hexes

#: How many of a hundred indicators are of a type.
SHARES = {SHA256: 30, SHA1: 10, MD5: 10, ADDRESS: 22, NAME: 20, URL: 8}
_TLDS = ("com", "net", "org", "info", "top", "xyz", "ru", "cn", "co.uk", "com.br", "online", "site")
_START_WORDS = (
    "secure login update account mail portal cloud cdn static img api auth verify support service pay "
    "bank drive docs office share file data sync web host node edge app my id go get net tech soft micro "
    "win mac play game news shop"
)
_END_WORDS = (
    "center zone hub point box line link lab works group systems online store space world land house "
    "media press team base desk gate port page site spot tracker stats metrics delivery content assets "
    "files backup mirror update"
)
_STARTS, _ENDS = _START_WORDS.split(), _END_WORDS.split()
_PATHS = (
    "wp-content/plugins",
    "wp-includes/js",
    "images",
    "admin",
    "dl",
    "files/2026/03",
    "assets/js",
    "~user",
    "api/v2",
)
_FILES = ("gate.php", "index.html", "setup.exe", "panel/login.php", "invoice.doc", "x86", "update.bin", "a.js", "")


@dataclass(frozen=True)
class Indicators:
    """Canonical values by type."""

    sha256: list[str]
    sha1: list[str]
    md5: list[str]
    addresses: list[str]
    names: list[str]
    urls: list[str]

    def by_type(self) -> dict[int, list[str]]:
        """Return the values by code of the type."""
        kinds = (SHA256, SHA1, MD5, ADDRESS, NAME, URL)
        return dict(zip(kinds, (self.sha256, self.sha1, self.md5, self.addresses, self.names, self.urls), strict=True))

    def rows(self) -> Iterator[list[tuple[int, str, int, None]]]:
        """Return the rows of a snapshot, in parts."""
        number = 1
        for kind, values in self.by_type().items():
            for at in range(0, len(values), CHUNK):
                part = values[at : at + CHUNK]
                yield [(kind, value, number + place, None) for place, value in enumerate(part)]
                number += len(part)


def make(count: int) -> Indicators:
    """Return *count* indicators of all types."""
    dice = random.Random(count)
    many = {kind: count * share // 100 for kind, share in SHARES.items()}
    sixes = many[ADDRESS] // 11
    return Indicators(
        sha256=hexes(digests(11, many[SHA256], 32)),
        sha1=hexes(digests(12, many[SHA1], 20)),
        md5=hexes(digests(13, many[MD5], 16)),
        addresses=_fours(dice, many[ADDRESS] - sixes) + _sixes(dice, sixes),
        names=list(dict.fromkeys(name(dice) for _ in range(many[NAME] + many[NAME] // 50)))[: many[NAME]],
        urls=list(dict.fromkeys(url(dice) for _ in range(many[URL] + many[URL] // 50)))[: many[URL]],
    )


def name(dice: random.Random) -> str:
    """Return a name that can be registered; now and then one below it."""
    bits = dice.getrandbits(64)
    label = f"{_STARTS[bits % len(_STARTS)]}{_ENDS[(bits >> 8) % len(_ENDS)]}{(bits >> 16) % 1_000_000:x}"
    low = _TLDS[(bits >> 40) % len(_TLDS)]
    return f"{_STARTS[(bits >> 48) % len(_STARTS)]}-{bits >> 56}.{label}.{low}" if bits >> 62 == 3 else f"{label}.{low}"


def url(dice: random.Random) -> str:
    """Return the canonical URL of a file or a folder; every tenth site is an address or has a port."""
    bits = dice.getrandbits(64)
    host = name(dice)
    if bits % 20 == 0:
        host = f"{185 + bits % 11}.{bits >> 8 & 255}.{bits >> 16 & 255}.{bits >> 24 & 255}"
    elif bits % 20 == 1:
        host = f"{host}:8080"
    folder = _PATHS[(bits >> 32) % len(_PATHS)]
    end = _FILES[(bits >> 40) % len(_FILES)]
    query = f"?id={bits >> 44:x}" if end.endswith(".php") and bits % 3 == 0 else ""
    return f"{'https' if bits % 2 else 'http'}://{host}/{folder}/{bits >> 50:x}/{end}{query}"


def _fours(dice: random.Random, count: int) -> list[str]:
    """Return distinct IPv4 addresses whose last part is odd; those of the made-up logs are even."""
    found: dict[str, None] = {}
    while len(found) < count:
        bits = dice.getrandbits(32)
        found[f"{24 + bits % 180}.{bits >> 8 & 255}.{bits >> 16 & 255}.{bits >> 24 | 1}"] = None
    return list(found)


def _sixes(dice: random.Random, count: int) -> list[str]:
    """Return distinct IPv6 addresses, canonical, whose last part is odd."""
    found: dict[str, None] = {}
    while len(found) < count:
        number = 0x2A00 << 112 | dice.getrandbits(24) << 80 | dice.getrandbits(16) << 64 | dice.getrandbits(30) | 1
        found[str(ipaddress.IPv6Address(number))] = None
    return list(found)
