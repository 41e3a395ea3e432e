"""The chain for an auditor: every entry, whatever it tells of, to look through, to take away and to check there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from typing import Any, Final

import orjson

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import Forbidden, InvalidInput, Problem
from indicia.exporters import cef
from indicia.services.changesets import changeset_as_dict
from indicia.store.changesets import EMPTY_ROWS, GENESIS, ChangeSetRecord, Sought, chain_hash
from indicia.store.database import Database
from indicia.store.schema import to_microseconds

__all__ = ["Format", "Sought", "check_lines", "entries", "entry_as_dict", "kinds_of", "lines_of", "page", "walk"]

_AT_ONCE: Final = 1_000
_LONGEST_LINE: Final = 1 << 20
_MOST_FAULTS: Final = 1_000
#: How grave an event is in CEF, 0 to 10, by its kind or the first part of that.
_SEVERITIES: Final = {
    "access.denied": 5,
    "audit.overflow": 7,
    "delete": 4,
    "export": 4,
    "release": 6,
    "restore": 8,
    "settings.changed": 6,
    "sign-in": 2,
    "sign-in.refused": 5,
    "undo": 5,
    "app": 6,
    "key": 5,
    "user": 6,
}
#: Every kind of entry, in words.
KINDS: Final[Mapping[str, str]] = {
    "access.denied": "Access denied",
    "app.add": "API client added",
    "app.revoke": "API client revoked",
    "app.rotate": "Secret of an API client made anew",
    "audit.key": "A key signs checkpoints from here on",
    "audit.overflow": "More happened than was written",
    "backup": "Backup made",
    "create": "Indicators added",
    "delete": "Indicators deleted",
    "device.register": "Device registered",
    "device.remove": "Device removed",
    "device.tag": "Tags of a device changed",
    "edit": "Indicators edited",
    "expiry": "Indicators expired",
    "export": "Exported",
    "group.add": "Device group added",
    "group.change": "Device group changed",
    "group.rank": "Device group ranked",
    "group.remove": "Device group removed",
    "group.rename": "Device group renamed",
    "import": "Import",
    "key.add": "API key made",
    "key.revoke": "API key revoked",
    "key.rotate": "API key made anew",
    "key.used": "Key used from a new address",
    "node.started": "Server started",
    "proposal.applied": "Proposal applied",
    "proposal.commented": "Proposal commented on",
    "proposal.declined": "Proposal declined",
    "proposal.expired": "Proposal expired",
    "proposal.made": "Change proposed",
    "proposal.withdrawn": "Proposal withdrawn",
    "release": "Indicators released",
    "restore": "Restored from a backup",
    "settings.changed": "Settings changed",
    "sign-in": "Signed in",
    "sign-in.refused": "Sign-in refused",
    "sign-out": "Signed out",
    "submit": "Indicators submitted",
    "undo": "Undo",
    "user.add": "Person added",
    "user.change": "Role or groups changed",
    "user.disable": "Person disabled",
    "user.enable": "Person enabled",
    "user.link": "Person linked to a provider",
    "user.password": "Password changed",
    "user.reset": "Password reset",
    "user.role": "Role given by the provider",
    "user.sign-out": "Signed out everywhere",
}


class Format(StrEnum):
    """How entries are written: JSON lines, which can be checked, or CEF, which collectors read."""

    JSONL = "jsonl"
    CEF = "cef"

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        return "application/x-ndjson" if self is Format.JSONL else "text/plain; charset=utf-8"


def page(
    database: Database,
    sought: Sought,
    *,
    actor: Actor,
    limit: int,
    before: int | None = None,
    after: int | None = None,
) -> list[ChangeSetRecord]:
    """Return up to *limit* of the *sought* entries, the newest first: under *before*, or those next to *after*."""
    _require_all(actor)
    with database.snapshot() as tx:
        return tx.changesets.find(sought, limit=limit, before=before, after=after)


def walk(database: Database, sought: Sought, *, actor: Actor) -> Iterator[ChangeSetRecord]:
    """Return every one of the *sought* entries, the oldest first, some at a time: no read lasts long."""
    _require_all(actor)

    def pages() -> Iterator[ChangeSetRecord]:
        at = 0
        while True:
            with database.snapshot() as tx:
                found = tx.changesets.find(sought, limit=_AT_ONCE, after=at)[::-1]
            yield from found
            if len(found) < _AT_ONCE:
                return
            at = found[-1].id

    return pages()


def _require_all(actor: Actor) -> None:
    """Raise `Forbidden` unless *actor* reads the audit of everything: an entry may tell of any device group."""
    require(actor, Permission.AUDIT_READ)
    if not actor.sees_all:
        raise Forbidden(f"{actor.name} is limited to device groups, and the audit is about all of them")


def entry_as_dict(record: ChangeSetRecord) -> dict[str, Any]:
    """Return all that is stored of an entry: enough to compute its hash from."""
    return changeset_as_dict(record) | {
        "firstId": record.first_id,
        "nextId": record.next_id,
        "rowsDigest": record.rows_digest.hex(),
        "prevHash": record.prev_hash.hex(),
    }


def entries(record: ChangeSetRecord) -> Iterator[dict[str, Any]]:
    """Yield what *record* tells of, one after the other: an entry that was made under load tells of many things."""
    details = dict(record.details)
    lines = details.pop("lines", None)
    for each in lines if isinstance(lines, list) and lines else [{}]:
        yield details | each if isinstance(each, dict) else details


def lines_of(records: Iterable[ChangeSetRecord], form: Format) -> Iterator[str]:
    """Yield *records* as lines, with their ends."""
    if form is Format.JSONL:
        for record in records:
            yield orjson.dumps(entry_as_dict(record), option=orjson.OPT_APPEND_NEWLINE).decode()
        return
    release = version("indicia")
    for record in records:
        for told in entries(record):
            yield cef.line(_event(record, told), release) + "\n"


def _event(record: ChangeSetRecord, told: Mapping[str, Any]) -> cef.Event:
    at = _moment(told.get("at"), record.at)
    refused = record.kind in ("access.denied", "sign-in.refused")
    fields: dict[str, str | int] = {
        "rt": cef.milliseconds(at),
        "externalId": record.id,
        "act": record.kind,
        "outcome": "failure" if refused else "success",
        "suid": record.actor,
        "suser": record.actor_name,
    }
    if isinstance(told.get("address"), str):
        fields |= cef.address_fields(told["address"])
    for name, key in (("requestMethod", "method"), ("request", "route"), ("cnt", "times"), ("fname", "subject")):
        if isinstance(told.get(key), str | int):
            fields[name] = told[key]
    reason = told.get("why") or record.reason
    if isinstance(reason, str):
        fields["reason"] = reason
    fields |= {"cs1Label": "door", "cs1": record.source, "cs2Label": "hash", "cs2": record.hash.hex()}
    counts = ((1, "created", record.created), (2, "updated", record.updated), (3, "deleted", record.deleted))
    for number, name, count in counts:
        if count:
            fields |= {f"cn{number}Label": name, f"cn{number}": count}
    rest = {name: value for name, value in told.items() if name not in _IN_FIELDS}
    if rest:
        fields["msg"] = orjson.dumps(rest, option=orjson.OPT_SORT_KEYS).decode()
    return cef.Event(record.kind, KINDS.get(record.kind, record.kind), severity_of(record.kind), fields)


_IN_FIELDS: Final = frozenset({"at", "address", "method", "route", "times", "subject", "why"})


def severity_of(kind: str) -> int:
    """Return how grave events of *kind* are, 0 to 10."""
    return _SEVERITIES.get(kind, _SEVERITIES.get(kind.partition(".")[0], 3))


def _moment(text: object, otherwise: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else otherwise
    except ValueError:
        return otherwise


def kinds_of(database: Database, *, actor: Actor) -> list[str]:
    """Return every kind of which there are entries."""
    _require_all(actor)
    with database.snapshot() as tx:
        return tx.changesets.kinds()


# -- checking what was exported ---------------------------------------------------------------------------------------


def check_lines(lines: Iterable[bytes], *, partial: bool = False) -> tuple[int, str | None, list[str]]:
    """Return how many entries JSON lines hold, the hash of the last, and what is wrong with them.

    No database is needed: each entry has its hash and that of the one before. In a *partial* export, one that was
    filtered, entries may be missing between two others. Raises `InvalidInput` where a line is no entry.
    """
    count, hash_before, id_before = 0, GENESIS.hex(), 0
    faults: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        entry = _entry_in(line, number)
        count += 1
        told = faults if len(faults) < _MOST_FAULTS else []
        if _hash_of(entry) != entry["hash"]:
            told.append(f"line {number}: changeset {entry['id']} was altered: its hash does not fit")
        if entry["id"] == id_before + 1:
            if entry["prevHash"] != hash_before:
                told.append(f"line {number}: changeset {entry['id']} does not follow changeset {id_before}")
        elif entry["id"] <= id_before:
            told.append(f"line {number}: changeset {entry['id']} stands after changeset {id_before}")
        elif not partial:
            told.append(f"line {number}: changesets {id_before + 1} to {entry['id'] - 1} are missing before it")
        hash_before, id_before = entry["hash"], entry["id"]
    return count, hash_before if count else None, faults


def _entry_in(line: bytes, number: int) -> dict[str, Any]:
    try:
        if len(line) > _LONGEST_LINE:
            raise ValueError("it is too long")
        entry = orjson.loads(line)
        if type(entry["id"]) is not int or not isinstance(entry["hash"], str):
            raise ValueError("it has no number or no hash")
        return dict(entry)
    except (KeyError, TypeError, ValueError) as error:
        message = f"this is no entry of the audit ({error}); give what `indicia audit export` wrote, as JSON lines"
        raise InvalidInput([Problem("not-an-audit-entry", message).at(line=number)]) from None


def _hash_of(entry: Mapping[str, Any]) -> str | None:
    """Return the hash that *entry* should have, None where something in it is of a kind that no hash is made of."""
    try:
        digest = bytes.fromhex(entry["rowsDigest"])
        if not (entry["created"] or entry["updated"] or entry["deleted"]) and digest != EMPTY_ROWS:
            return None
        values = {
            "id": entry["id"],
            "at": to_microseconds(datetime.fromisoformat(entry["at"]).astimezone(UTC)),
            "actor": entry["actor"],
            "actor_name": entry["actorName"],
            "details": orjson.dumps(entry["details"], option=orjson.OPT_SORT_KEYS).decode(),
            "first_id": entry["firstId"],
            "next_id": entry["nextId"],
            **{name: entry[name] for name in ("source", "kind", "reason", "undoes", "created", "updated", "deleted")},
        }
        return chain_hash(bytes.fromhex(entry["prevHash"]), values, digest).hex()
    except (KeyError, TypeError, ValueError):
        return None
