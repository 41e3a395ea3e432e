"""The guard: the values that would break an organisation if they were blocked (SPEC 9.21)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import ip_network
from typing import NamedTuple, Self

import publicsuffixlist

from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.observable import ObservableType, Unspellable, canonical, detect, host_of, parents


@dataclass(frozen=True, slots=True)
class GuardReason:
    """Why a value is guarded: a stable ``code`` and a sentence fit for a report.

    The codes are public-suffix, single-label, private-address, reserved-address, wide-range, empty-file, eicar,
    critical-name, own-name and listed.
    """

    code: str
    message: str


class _Block(NamedTuple):
    """Consecutive addresses, both ends included."""

    version: int
    first: int
    last: int
    reason: GuardReason


@dataclass(frozen=True, slots=True)
class _Suffixes:
    """The public suffix list, split by the three forms that its rules have."""

    names: frozenset[str]
    wildcards: frozenset[str]
    exceptions: frozenset[str]

    def __contains__(self, name: object) -> bool:
        """Return whether the canonical *name* is itself a public suffix; unlisted single labels are not."""
        if name in self.names or name in self.wildcards:
            return True
        return str(name).partition(".")[2] in self.wildcards and name not in self.exceptions


@dataclass(frozen=True, slots=True, repr=False)
class Guard:
    """Says why a value must not be blocked without somebody's word for it; cheap enough to ask for every row."""

    exact: Mapping[str, GuardReason]
    above: Mapping[str, GuardReason]
    blocks: tuple[_Block, ...]
    ranges: tuple[_Block, ...]
    suffixes: _Suffixes
    popular: frozenset[str]

    @classmethod
    def default(cls, extra: Iterable[str] = (), own_names: Iterable[str] = ()) -> Self:
        """Return the guard of the lists that ship with Indicia, of the lines in *extra*, and of this server's names.

        ``own_names`` may hold names, addresses and base URLs. Raises `InvalidInput` with every line of *extra* that
        says nothing, and `Unspellable` for such a name. The one place of the domain that reads files: those of the
        packages, which cannot be absent. Build it once and keep it; it takes some 20 ms.
        """
        entries, problems = parse_list(extra)
        if problems:
            raise InvalidInput(problems)
        reasons: dict[str, GuardReason] = {}
        for value, reason in (*_own(own_names), *_critical(), *_harmless_files(), *_listed(entries)):
            reasons.setdefault(value, reason)
        blocks = tuple(_blocks(reasons))
        ranges = tuple(block for block in blocks if block.first != block.last)
        return cls(reasons, _names_above(reasons), blocks, ranges, _public_suffixes(), frozenset(_lines("popular.txt")))

    def reason(self, kind: ObservableType, value: str) -> GuardReason | None:
        """Return why the canonical *value* must not be blocked unasked, None when nothing speaks against it."""
        found = self.exact.get(value)
        if found is not None:
            return found
        check = _CHECKS.get(kind)
        return check(self, value) if check is not None else None

    def note(self, kind: ObservableType, value: str) -> str | None:
        """Return a sentence when the canonical *value* is a very popular name, or the whole site of one."""
        if kind is ObservableType.URL and _is_whole_site(value):
            value = host_of(value)
        elif kind is not ObservableType.DOMAIN_NAME:
            return None
        if value.removeprefix("www.") not in self.popular:
            return None
        return f"{value} is among the most visited names, so many people will notice"


def _check_name(guard: Guard, name: str) -> GuardReason | None:
    return guard.above.get(name) or _check_host(guard, name)


def _check_host(guard: Guard, name: str) -> GuardReason | None:
    if name in guard.suffixes:
        return GuardReason("public-suffix", f"{name} is a public suffix: unrelated people own the names under it")
    if "." not in name:
        return GuardReason("single-label", f"{name} is a single label: a top-level domain or a name inside one network")
    return None


def _check_url(guard: Guard, url: str) -> GuardReason | None:
    if not _is_whole_site(url):
        return None
    host = host_of(url)
    found = guard.exact.get(host)
    if found is not None:
        return found
    # A canonical name never ends in a number, a dotted quad always does.
    is_address = ":" in host or host.rpartition(".")[2].isdigit()
    return _check_address(guard, host) if is_address else _check_host(guard, host)


def _is_whole_site(url: str) -> bool:
    return url[-1] == "/" and url.count("/") == 3


def _check_address(guard: Guard, address: str) -> GuardReason | None:
    if not guard.ranges and _is_plainly_global(address):
        return None
    network = ip_network(address)
    number = int(network.network_address)
    special = _overlap(_SPECIAL, network.version, number, number)
    if special:
        return GuardReason(special.code, f"{address} is in {special.message}")
    listed = _overlap(guard.ranges, network.version, number, number)
    return listed and GuardReason(listed.code, f"{address} is in a guarded range: {listed.message}")


def _is_plainly_global(address: str) -> bool:
    """Return whether the first number of *address* already tells that it is in no special block."""
    if ":" not in address:
        return address.partition(".")[0] not in _SPECIAL_OCTETS
    first = address.partition(":")[0]
    return len(first) == 4 and first[0] in "23" and first not in ("2001", "3fff")


def _check_range(guard: Guard, text: str) -> GuardReason | None:
    network = ip_network(text)
    if network.prefixlen < _WIDEST[network.version]:
        return GuardReason(
            "wide-range", f"{text} is wider than a /{_WIDEST[network.version]}: whole countries are in it"
        )
    first, last = int(network.network_address), int(network.broadcast_address)
    special = _overlap(_SPECIAL, network.version, first, last)
    if special:
        return GuardReason(special.code, f"{text} overlaps {special.message}")
    listed = _overlap(guard.blocks, network.version, first, last)
    return listed and GuardReason(listed.code, f"{text} covers something guarded: {listed.message}")


def _overlap(blocks: Iterable[_Block], version: int, first: int, last: int) -> GuardReason | None:
    for block in blocks:
        if block.version == version and block.first <= last and first <= block.last:
            return block.reason
    return None


_CHECKS: Mapping[ObservableType, Callable[[Guard, str], GuardReason | None]] = {
    ObservableType.DOMAIN_NAME: _check_name,
    ObservableType.IP_ADDRESS: _check_address,
    ObservableType.IP_RANGE: _check_range,
    ObservableType.URL: _check_url,
}


def _special(text: str, code: str, what: str) -> _Block:
    left, _, right = text.partition("-")
    first, last = ip_network(left), ip_network(right or left)
    reason = GuardReason(code, f"{text}, {what}")
    return _Block(first.version, int(first.network_address), int(last.broadcast_address), reason)


# The special-purpose registries of IANA, written out: what `ipaddress` calls global differs between Python versions.
_SPECIAL = (
    _special("0.0.0.0/8", "reserved-address", "which means this network"),
    _special("10.0.0.0/8", "private-address", "which is private"),
    _special("100.64.0.0/10", "private-address", "which providers share among their customers"),
    _special("127.0.0.0/8", "private-address", "which is loopback"),
    _special("169.254.0.0/16", "private-address", "which is link-local"),
    _special("172.16.0.0/12", "private-address", "which is private"),
    _special("192.0.0.0/24", "reserved-address", "which is reserved for protocols"),
    _special("192.0.2.0/24", "reserved-address", "which is reserved for documentation"),
    _special("192.168.0.0/16", "private-address", "which is private"),
    _special("198.18.0.0/15", "reserved-address", "which is reserved for benchmarks"),
    _special("198.51.100.0/24", "reserved-address", "which is reserved for documentation"),
    _special("203.0.113.0/24", "reserved-address", "which is reserved for documentation"),
    _special("224.0.0.0/4", "reserved-address", "which is multicast"),
    _special("240.0.0.0/4", "reserved-address", "which is reserved; its last address is broadcast"),
    _special("::/128", "reserved-address", "which is the unspecified address"),
    _special("::1/128", "private-address", "which is loopback"),
    _special("64:ff9b:1::/48", "private-address", "which is for translation inside one network"),
    _special("fc00::/7", "private-address", "which is private"),
    _special("fe80::/10", "private-address", "which is link-local"),
    _special("ff00::/8", "reserved-address", "which is multicast"),
    _special("2001:db8::/32", "reserved-address", "which is reserved for documentation"),
    _special("3fff::/20", "reserved-address", "which is reserved for documentation"),
    _special("2001::/23", "reserved-address", "which is reserved for protocols"),
    # Outside 2000::/3 only 64:ff9b::/96 (NAT64) leads to machines of others.
    _special("::-64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "reserved-address", "which nobody uses yet"),
    _special("64:ff9b::1:0:0-1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved-address", "which nobody uses yet"),
    _special("4000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved-address", "which nobody uses yet"),
)
_SPECIAL_OCTETS = frozenset(str(n) for n in (0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256)))
_WIDEST = {4: 8, 6: 19}


class GuardList(NamedTuple):
    """What a user's file of guarded values says, and what in it says nothing."""

    entries: tuple[str, ...]
    problems: tuple[Problem, ...]


def parse_list(lines: Iterable[str]) -> GuardList:
    """Return the canonical values in *lines*: one a line, ``#`` begins a comment at the start or after a blank.

    Never raises for bad data; every fault is a problem with the number of its line.

    >>> parse_list(["# ours", "Shop.Example  # the web shop"]).entries
    ('shop.example',)
    """
    entries: list[str] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=1):
        text = _COMMENT.split(line.removeprefix("\ufeff"), maxsplit=1)[0].strip()
        if not text:
            continue
        try:
            entries.append(_spell(text))
        except Unspellable as fault:
            value = text[:80]
            problems.append(Problem(fault.code, fault.message, value=value, suggestion=fault.suggestion, line=number))
    return GuardList(tuple(entries), tuple(problems))


_COMMENT = re.compile(r"(?:^|\s)#")


def _spell(text: str) -> str:
    """Return the canonical value in *text*, whatever its type; what is nothing else is taken for a name."""
    seen = detect(text)
    return seen.value if seen else canonical(ObservableType.DOMAIN_NAME, text)


def _own(names: Iterable[str]) -> Iterator[tuple[str, GuardReason]]:
    for name in map(_spell, names):
        host = host_of(name) if name.startswith(("http://", "https://")) else name
        yield host, GuardReason("own-name", f"{host} is this server: blocking it cuts devices off from it")


def _listed(entries: Iterable[str]) -> Iterator[tuple[str, GuardReason]]:
    for value in entries:
        yield value, GuardReason("listed", f"{value} is on the organisation's own list of guarded values")


def _critical() -> Iterator[tuple[str, GuardReason]]:
    for line in _lines("critical.txt"):
        value, _, what = (part.strip() for part in line.partition("#"))
        yield value, GuardReason("critical-name", f"{value} is something that organisations depend on ({what})")


def _harmless_files() -> Iterator[tuple[str, GuardReason]]:
    for line in _lines("files.txt"):
        value, code, what = line.split(" ", 2)
        yield value, GuardReason(code, f"this is the hash of {what}, which harms nobody")


def _lines(file: str) -> list[str]:
    text = files("indicia.domain").joinpath("data", file).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _names_above(reasons: Mapping[str, GuardReason]) -> dict[str, GuardReason]:
    """Return the names whose indicators, matching sub-domains, would hit a guarded name."""
    above: dict[str, GuardReason] = {}
    for value, reason in reasons.items():
        if "/" not in value:
            for name in parents(value)[:-1]:
                message = f"a DomainName {name} matches {value} too, and {reason.message}"
                above.setdefault(name, GuardReason(reason.code, message))
    return above


def _blocks(reasons: Mapping[str, GuardReason]) -> Iterator[_Block]:
    for value, reason in reasons.items():
        try:
            network = ip_network(value)
        except ValueError:
            continue
        yield _Block(network.version, int(network.network_address), int(network.broadcast_address), reason)


def _public_suffixes() -> _Suffixes:
    """Read the list that publicsuffixlist ships; its own look-up walks all labels, this one takes three probes."""
    names: set[str] = set()
    wildcards: set[str] = set()
    exceptions: set[str] = set()
    shipped = files(publicsuffixlist).joinpath("public_suffix_list.dat")
    for line in shipped.read_text(encoding="utf-8").splitlines():
        rule = line.partition(" ")[0].strip()
        if not rule or rule.startswith("//"):
            continue
        name = canonical(ObservableType.DOMAIN_NAME, rule.lstrip("*.!"))
        (wildcards if rule.startswith("*.") else exceptions if rule.startswith("!") else names).add(name)
    return _Suffixes(frozenset(names), frozenset(wildcards), frozenset(exceptions))
