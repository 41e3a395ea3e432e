"""What an entry of the audit tells of, in a few words: the same on pages and in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from indicia.store.changesets import ChangeSetRecord

_NAMED: Final = ("subject", "why", "method", "route", "address", "claimed")
_MOST_NAMES: Final = 5


def told(record: ChangeSetRecord) -> str:
    """Return what *record* tells of; empty where its kind says all there is."""
    return " · ".join(filter(None, _parts(record, record.details)))


def what_it_did(record: ChangeSetRecord) -> str:
    """Return in a few words what a changeset did to indicators."""
    counts = (("added", record.created), ("changed", record.updated), ("deleted", record.deleted))
    return ", ".join(f"{number:,} {word}" for word, number in counts if number) or "no indicator was changed"


def _parts(record: ChangeSetRecord, details: Mapping[str, Any]) -> Iterator[str]:
    named = [str(details[name]) for name in _NAMED if details.get(name) and not isinstance(details[name], list)]
    yield from named
    if "proposal" in details:
        yield f"proposal {details['proposal']}" + (f": {details['title']}" if "title" in details else "")
    elif not named and isinstance(details.get("name"), str):
        yield details["name"]
    if "lines" in details and isinstance(details["lines"], list):
        yield f"{len(details['lines'])} different ones"
    if record.created or record.updated or record.deleted:
        yield what_it_did(record)
    yield from _standing(details)
    if isinstance(details.get("devices"), list):
        yield _devices(details)
    if isinstance(details.get("moved"), int) and details["moved"]:
        yield f"{_counted(details['moved'], 'device')} moved"
    if isinstance(details.get("changed"), Mapping):
        yield _some(list(details["changed"])) or "those of the first start"
    if isinstance(details.get("release"), str):
        yield f"release {details['release']}"
    if isinstance(details.get("keyId"), str):
        yield f"key {details['keyId']}"
    if isinstance(details.get("rows"), int):
        yield _counted(details["rows"], "row")


def _standing(details: Mapping[str, Any]) -> Iterator[str]:
    """Yield what somebody became: a role, and the device groups they are limited to."""
    was = details.get("was")
    before = was if isinstance(was, Mapping) else {}
    role, groups = details.get("role"), details.get("groups")
    if isinstance(role, str) and role != before.get("role"):
        yield f"{before['role']} to {role}" if before.get("role") else role
    if "groups" in details and groups != before.get("groups"):
        yield f"limited to {_some(groups)}" if isinstance(groups, list) else "in all device groups"


def _devices(details: Mapping[str, Any]) -> str:
    counts = (("new", details.get("created")), ("changed", details.get("updated")))
    said = [f"{number:,} {word}" for word, number in counts if isinstance(number, int) and number]
    total = sum(number for _word, number in counts if isinstance(number, int))
    names = _some(details["devices"], total)
    return f"{', '.join(said)}: {names}" if said and names else names


def _some(names: Sequence[object], total: int = 0) -> str:
    """Return the first few of *names*, of which there are *total* or as many as are given."""
    more = max(total, len(names)) - min(len(names), _MOST_NAMES)
    return ", ".join(map(str, names[:_MOST_NAMES])) + (f" and {more:,} more" if more else "")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
