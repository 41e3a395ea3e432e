"""What can be seen - hashes, addresses, names, URLs - and the one canonical spelling of each (SPEC 9.8-9.13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

from indicia.domain.misspelling import Unspellable, unspellable
from indicia.domain.spelling import BLANK, IS_CANONICAL, SPELLINGS, ObservableType, guess

__all__ = [
    "Observable",
    "ObservableType",
    "Unspellable",
    "UrlParts",
    "canonical",
    "detect",
    "host_of",
    "is_address",
    "parents",
    "split_url",
]


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
    if IS_CANONICAL[kind](text):  # most of a million rows need no more than this
        return text
    stripped = text.strip(BLANK)
    spelling = SPELLINGS[kind](stripped)
    if spelling is None:
        raise unspellable(kind, stripped)
    return spelling


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
    found = guess(text)
    return Observable(*found) if found else None


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


def is_address(host: str) -> bool:
    """Return whether a canonical host is an address: no last label of a name is a number.

    >>> is_address("203.0.113.7"), is_address("2001:db8::1"), is_address("evil.example")
    (True, True, False)
    """
    return ":" in host or host.replace(".", "").isdecimal()


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
