"""A device: what it reported of itself, and what is fit to be kept of a report."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from indicia.domain.errors import Problem
from indicia.domain.grouping import Facts, folded

MOST_TAGS: Final = 50
MOST_ADDRESSES: Final = 50
TAG_CHARACTERS: Final = 200
NAME_CHARACTERS: Final = 255
VERSION_CHARACTERS: Final = 100
#: A device that said nothing for so long is inactive.
INACTIVE_AFTER: Final = timedelta(days=7)
_MACHINE_ID: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Device:
    """A device that was registered; ``group`` is the number of the one device group that it is in."""

    id: int
    machine_id: str
    name: str
    domain: str
    os_platform: str
    os_version: str | None
    tags: tuple[str, ...]
    addresses: tuple[str, ...]
    group: int | None
    first_seen: datetime
    last_seen: datetime
    registered_by: str

    @property
    def facts(self) -> Facts:
        """What the rules of device groups look at."""
        return Facts(self.name, self.domain, self.tags, self.os_platform)

    @property
    def dns_name(self) -> str:
        """The name with the domain, in small letters."""
        return dns_name(self.name, self.domain)

    def is_active(self, now: datetime) -> bool:
        """Return whether the device was heard of lately."""
        return now - self.last_seen < INACTIVE_AFTER


class Report(NamedTuple):
    """What is reported of a device; what is None stays as it is known."""

    machine_id: str
    name: str
    domain: str
    os_platform: str | None = None
    os_version: str | None = None
    tags: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None
    last_seen: datetime | None = None


def dns_name(name: str, domain: str) -> str:
    """Return the full name of a device as it is compared.

    >>> dns_name("SRV1", "Corp.Example"), dns_name("srv2", "")
    ('srv1.corp.example', 'srv2')
    """
    return folded(f"{name}.{domain}" if domain else name)


def machine_id_of(name: str, domain: str) -> str:
    """Return the id of a device that has none of its own: always the same one for the same full name."""
    return hashlib.sha256(dns_name(name, domain).encode()).hexdigest()[:40]


def split_name(name: str, domain: str | None) -> tuple[str, str]:
    """Return the name and the domain of a device; a full name is taken apart where no domain is given.

    >>> split_name("srv1.corp.example", None), split_name("10.0.0.1", None), split_name("srv1", "corp.example")
    (('srv1', 'corp.example'), ('10.0.0.1', ''), ('srv1', 'corp.example'))
    """
    if domain:
        suffix = f".{domain}"
        return (name[: -len(suffix)] if folded(name).endswith(folded(suffix)) else name), domain
    first, dot, rest = name.partition(".")
    if not dot or not first or not rest or _address(name) is not None:
        return name, ""
    return first, rest


_KNOWN: Final = ("machineId", "name", "domain", "osPlatform", "osVersion", "tags", "addresses", "lastSeen")


def report_of(given: Any, now: datetime, problems: list[Problem]) -> Report | None:
    """Return the report that a JSON object spells; *problems* gets every fault of it."""
    if not isinstance(given, dict):
        problems.append(Problem("not-an-object", "a device is an object with at least a name"))
        return None
    before = len(problems)
    for unknown in [str(name) for name in given if name not in _KNOWN][:20]:
        message = f"a device has no member {unknown[:100]!r}"
        problems.append(Problem("unknown-property", message, unknown[:100], allowed=_KNOWN))
    name = _text(given, "name", NAME_CHARACTERS, problems, required=True)
    domain = _text(given, "domain", NAME_CHARACTERS, problems)
    platform = _text(given, "osPlatform", VERSION_CHARACTERS, problems)
    version = _text(given, "osVersion", VERSION_CHARACTERS, problems)
    machine_id = _text(given, "machineId", 40, problems)
    if machine_id and not _MACHINE_ID.fullmatch(machine_id.lower()):
        message = "a machine id has 40 hexadecimal digits; left out, one is made of the name and the domain"
        problems.append(Problem("invalid-machine-id", message, "machineId", machine_id))
    tags = tags_of(given["tags"], problems) if given.get("tags") is not None else None
    addresses = _addresses(given["addresses"], problems) if given.get("addresses") is not None else None
    last_seen = _moment(given.get("lastSeen"), now, problems)
    if len(problems) > before or name is None:
        return None
    first, rest = split_name(name, domain)
    return Report(
        (machine_id or machine_id_of(first, rest)).lower(), first, rest, platform, version, tags, addresses, last_seen
    )


def tags_of(given: Any, problems: list[Problem]) -> tuple[str, ...]:
    """Return the tags that a list of texts gives, each once however it is written; *problems* gets every fault."""
    if not isinstance(given, list | tuple) or not all(isinstance(tag, str) for tag in given):
        problems.append(Problem("not-a-list", "a list of texts is wanted", "tags"))
        return ()
    tags = {folded(tag.strip()): tag.strip() for tag in reversed(given)}
    if len(tags) > MOST_TAGS:
        message = f"{len(tags)} tags are given, a device has {MOST_TAGS} at most"
        problems.append(Problem("too-many-values", message, "tags"))
    for tag in tags.values():
        if not 0 < len(tag) <= TAG_CHARACTERS or not tag.isprintable():
            message = f"a tag has 1 to {TAG_CHARACTERS} characters that can be printed"
            problems.append(Problem("invalid-tag", message, "tags", tag[:200]))
    return tuple(reversed(tags.values()))


def _addresses(given: Any, problems: list[Problem]) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        problems.append(Problem("not-a-list", "a list of texts is wanted", "addresses"))
        return ()
    if len(given) > MOST_ADDRESSES:
        message = f"{len(given)} addresses are given, a device has {MOST_ADDRESSES} at most"
        problems.append(Problem("too-many-values", message, "addresses"))
        return ()
    found = []
    for each in given:
        address = _address(each.strip())
        if address is None:
            message = f"{each[:100]!r} is not an IP address"
            problems.append(Problem("invalid-address", message, "addresses", each[:100]))
        else:
            found.append(address)
    return tuple(dict.fromkeys(found))


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _text(
    given: dict[str, Any], name: str, most: int, problems: list[Problem], *, required: bool = False
) -> str | None:
    value = given.get(name)
    if value is None or value == "":
        if required:
            problems.append(Problem("missing", f"{name} is missing", name))
        return None
    if not isinstance(value, str):
        problems.append(Problem("not-a-text", "a text is wanted", name, str(value)[:200]))
        return None
    text = value.strip()
    if not 0 < len(text) <= most or not text.isprintable():
        message = f"{name} has 1 to {most} characters that can be printed"
        problems.append(Problem("invalid-text", message, name, text[:200]))
        return None
    return text


def _moment(given: Any, now: datetime, problems: list[Problem]) -> datetime | None:
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        message = f"{str(given)[:100]!r} is not a time with its zone, such as 2026-01-31T12:00:00Z"
        problems.append(Problem("invalid-time", message, "lastSeen", str(given)[:100]))
        return None
    return min(found.astimezone(now.tzinfo), now)
