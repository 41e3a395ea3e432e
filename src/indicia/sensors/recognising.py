"""Which sensor reads a file, by what its first lines hold; never by its name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from indicia.sensors.csv_records import cells_of, delimiter_of, plain_key
from indicia.sensors.ecs import ECS_FIELDS
from indicia.sensors.records import MARK, Record, get, load
from indicia.sensors.sensor import Unreadable
from indicia.sensors.values import free_text

#: No more of a file's beginning is looked at.
LONGEST_HEAD: Final = 64 * 1024
_LINES: Final = 20
_OBJECTS: Final = 8

_ZEEK_HEADER: Final = re.compile(rb"#(?:separator \S|fields[\t ,;|])")
_COLUMN: Final = re.compile(r"[A-Za-z@_#][\w@#$%&()\[\]/.: -]{0,63}").fullmatch

_ZEEK_KEYS: Final = frozenset(
    {"uid", "fuid", "id.orig_h", "id_orig_h", "id.resp_h", "certificate.subject", "conn_uids"}
)
_WINDOWS_KEYS: Final = frozenset(
    {"Channel", "SourceName", "ProviderGuid", "ProviderName", "Computer", "EventTime", "Hostname"}
)
_DEFENDER_KEYS: Final = frozenset(
    {"deviceid", "devicename", "reportid", "alertid", "machineid", "computername", "tenantid"}
)
_DEFENDER_TIMES: Final = frozenset({"timestamp", "eventtime", "timegenerated"})
_DEFENDER_MORE: Final = frozenset(
    {
        "sha1",
        "sha256",
        "md5",
        "remoteip",
        "remoteurl",
        "actiontype",
        "filename",
        "additionalfields",
        "initiatingprocesssha1",
    }
    | {"reportid", "networkmessageid", "evidencerole", "signerhash", "publicip"}
)
_ECS_KEYS: Final = frozenset(path.partition(".")[0] for path in ECS_FIELDS if "." in path) | {
    "event",
    "host",
    "user",
    "message",
}


def recognise_name(head: bytes) -> str:
    """Return the name of the sensor that reads a file with this *head*: its first whole lines."""
    head = head[:LONGEST_HEAD].removeprefix(MARK).lstrip()
    lines = [line for line in head.split(b"\n", _LINES)[:_LINES] if line.strip()]
    if any(_ZEEK_HEADER.match(line) for line in lines[:_OBJECTS]):
        return "zeek-tsv"
    if head[:1] in (b"{", b"["):
        return _json_name(head, lines) or "text"
    return _csv_name([line.decode("utf-8", "replace").rstrip("\r") for line in lines]) or "text"


def _json_name(head: bytes, lines: list[bytes]) -> str | None:
    """Return the first known shape among the objects of *head*; None where there is no object."""
    found = None
    for record in _objects(head, lines):
        for name, looks_so in _SHAPES.items():
            if looks_so(record):
                return name
        found = "json"
    return found


def _objects(head: bytes, lines: list[bytes]) -> Iterator[Record]:
    """Yield the objects that stand one on a line; where none does, those that a bracket in *head* begins."""
    none = True
    for line in lines:
        try:
            record = load(line)
        except Unreadable:
            continue
        if record:
            yield record
            yield from _wrapped(record)
            none = False
    if none:
        text, decoder = head.decode("utf-8", "replace"), json.JSONDecoder(strict=False, parse_int=float)
        at = -1
        for _ in range(_OBJECTS):
            at = text.find("{", at + 1)
            if at < 0:
                return
            try:
                record, _end = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield record


def _wrapped(record: Record) -> Iterator[Record]:
    """Yield the first record of each list in an export that is one object on one line."""
    for inner in record.values():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield inner[0]


def _is_zeek(record: Record) -> bool:
    if "ts" in record and (not _ZEEK_KEYS.isdisjoint(record) or get(record, "id.orig_h") is not None):
        return True
    return any(isinstance(record.get(key), str) for key in ("_path", "@stream")) and (
        "ts" in record or "_write_ts" in record
    )


def _is_eve(record: Record) -> bool:
    return isinstance(record.get("event_type"), str) and ("timestamp" in record or "flow_id" in record)


def _is_windows(record: Record) -> bool:
    inner = record.get("_source")
    if isinstance(inner, dict):
        record = inner
    if isinstance(get(record, "winlog.event_id"), str | int | float) or isinstance(record.get("winlog"), dict):
        return True
    if "EventID" in record and not _WINDOWS_KEYS.isdisjoint(record):
        return True
    if isinstance(get(record, "Event.System"), dict) or ("event_data" in record and "computer_name" in record):
        return True
    return isinstance(record.get("System"), dict) and ("EventData" in record or "UserData" in record)


def _is_defender(record: Record) -> bool:
    category = record.get("category")
    if isinstance(record.get("properties"), dict) and isinstance(category, str):
        return category.startswith("AdvancedHunting")
    return _has_defender_columns({plain_key(key[:100]) for key in record})


def _has_defender_columns(plain: set[str]) -> bool:
    known = plain & (_DEFENDER_KEYS | _DEFENDER_MORE)
    return not plain.isdisjoint(_DEFENDER_KEYS) and (not plain.isdisjoint(_DEFENDER_TIMES) or len(known) > 2)


def _is_ecs(record: Record) -> bool:
    inner = record.get("_source")
    if isinstance(inner, dict):
        record = inner
    if get(record, "ecs.version") is not None:
        return True
    return "@timestamp" in record and any(_is_ecs_key(key, value) for key, value in record.items())


def _is_ecs_key(key: str, value: Any) -> bool:
    set_name, dot, _ = key.partition(".")
    return set_name in _ECS_KEYS and (bool(dot) or isinstance(value, dict))


#: In this order: records of one shape often carry fields of a later one.
_SHAPES: Final[dict[str, Callable[[Record], bool]]] = {
    "eve": _is_eve,
    "windows": _is_windows,
    "zeek-json": _is_zeek,
    "ecs": _is_ecs,
    "defender-json": _is_defender,
}


def _csv_name(lines: list[str]) -> str | None:
    """Return which CSV *lines* are: the first names columns, and the others have as many cells. None for text."""
    if not lines:
        return None
    delimiter = delimiter_of(lines[0])
    columns = [cell.strip() for cell in cells_of(lines[0], delimiter)]
    if len(columns) < 2 or not all(map(_COLUMN, columns)):
        return None
    plain = {plain_key(column) for column in columns}
    if _has_defender_columns(plain):
        return "defender-csv"
    if len(plain) < len(columns) or free_text(lines[0]):
        return None
    counts = [len(cells_of(record, delimiter)) for record in _whole_records(lines[1:])]
    same = sum(count == len(columns) for count in counts)
    return "csv" if 2 * same >= len(counts) else None


def _whole_records(lines: list[str]) -> list[str]:
    """Return *lines* with those put together between which a quote is open."""
    records: list[str] = []
    is_open = False
    for line in lines:
        if is_open:
            records[-1] += "\n" + line
        else:
            records.append(line)
        is_open ^= line.count('"') % 2 == 1
    return records
