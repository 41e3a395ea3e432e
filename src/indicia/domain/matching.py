"""What can match something seen: the values of the indicators that cover it (SPEC 9.12, 9.13, 3.1)."""

from __future__ import annotations

import ipaddress
from typing import Final

from indicia.domain.observable import Observable, ObservableType, host_of, is_address, parents, split_url

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parts_of(seen: Observable) -> list[Observable]:
    """Return what *seen* is looked up as: itself, and a URL as its host too.

    >>> [str(part.value) for part in parts_of(Observable(ObservableType.URL, "http://evil.example/a"))]
    ['http://evil.example/a', 'evil.example']
    """
    if seen.type is not ObservableType.URL:
        return [seen]
    host = host_of(seen.value)
    kind = ObservableType.IP_ADDRESS if is_address(host) else ObservableType.DOMAIN_NAME
    return [seen, Observable(kind, host)]


def keys_of(part: Observable) -> list[Observable]:
    """Return the values whose indicators match *part*, one of `parts_of`, the most specific first.

    Exact: an indicator matches if and only if its type and canonical value are among them.

    >>> [key.value for key in keys_of(Observable(ObservableType.DOMAIN_NAME, "a.evil.example"))]
    ['a.evil.example', 'evil.example', 'example']
    """
    match part.type:
        case ObservableType.DOMAIN_NAME:
            return [part, *(Observable(part.type, name) for name in parents(part.value))]
        case ObservableType.IP_ADDRESS:
            return [part, *_networks(part.value)]
        case ObservableType.IP_RANGE:
            return _networks(part.value)
        case ObservableType.URL:
            return [Observable(part.type, url) for url in _urls(part.value)]
        case _:
            return [part]


def _networks(text: str) -> list[Observable]:
    """Return the networks that hold all of *text*, an address or a network, the narrowest first."""
    network = ipaddress.ip_network(text)
    return [
        Observable(ObservableType.IP_RANGE, str(network.supernet(new_prefix=bits)))
        for bits in range(network.prefixlen, -1, -1)
    ]


def _urls(url: str) -> list[str]:
    """Return the URLs that *url* lies under, longest first: whole segments, either scheme, the same port."""
    scheme, host, port, path, query = split_url(url)
    sites = _sites(scheme, f"[{host}]" if ":" in host else host, port)
    found = [] if query is None else [f"{site}{path}?{query}" for site in sites]
    for prefix in _prefixes(path):
        found += [site + prefix for site in sites]
    return found


def _sites(scheme: str, host: str, port: int | None) -> list[str]:
    """Return scheme and authority of *host* by either scheme, with a port that is written or meant."""
    ports = {port, port or _DEFAULT_PORTS[scheme]}
    sites = []
    for other, default in _DEFAULT_PORTS.items():
        shown = {None if each == default else each for each in ports}
        sites += [f"{other}://{host}" if each is None else f"{other}://{host}:{each}" for each in shown]
    return sorted(set(sites))


def _prefixes(path: str) -> list[str]:
    """Return the paths under which *path* lies, longest first, each with and without a slash at its end.

    `/a` covers `/a/b`, and so does `/a/`; `/a/` does not cover `/a` (SPEC 9.12: by whole segments).
    """
    found = [path]
    at = len(path)
    while (at := path.rfind("/", 0, at)) >= 0:
        found += [path[: at + 1], path[:at]]
    return [each for each in dict.fromkeys(found) if each]
