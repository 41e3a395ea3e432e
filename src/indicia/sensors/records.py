"""JSON records: bytes to objects, and their strings with dotted paths, in bounded work whatever the bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import orjson

from indicia.sensors.sensor import Unreadable

Record: TypeAlias = dict[str, Any]
#: A string of a record: its dotted path, which list element it stands in (0: none), itself.
Leaf: TypeAlias = tuple[str, int, str]
MARK: Final = b"\xef\xbb\xbf"
_DEEPEST_PATH: Final = 24
_LONGEST_KEY: Final = 100


def load(record: bytes) -> Record | None:
    """Return the object that *record* is; None where it is blank, or only the bracket of an array around records.

    What orjson refuses and real programs write (lone surrogates of Windows file names, bytes that are no UTF-8, NaN,
    line breaks in strings) is read by the standard library.
    """
    record = record.removeprefix(MARK).strip(b" \t\r\n\x1e,")
    if record in (b"", b"[", b"]"):
        return None
    try:
        found = orjson.loads(record)
    except orjson.JSONDecodeError as error:
        found = _load_slowly(record, error)
    if not isinstance(found, dict):
        raise Unreadable("the record is JSON but not an object {…} of fields")
    return found


def _load_slowly(record: bytes, error: orjson.JSONDecodeError) -> Any:
    try:
        return json.loads(record.decode("utf-8", "surrogateescape"), strict=False, parse_int=float)
    except (ValueError, RecursionError):
        raise Unreadable(f"the record is not JSON: {error.msg.partition(':')[0]}") from None


def get(record: Record, path: str) -> Any:
    """Return what stands under *path*, with dots in one key or in nested objects; None where nothing does."""
    if path in record:
        return record[path]
    first, _, way = path.partition(".")
    node = record.get(first) if way else None
    for name in way.split("."):
        if not isinstance(node, dict):
            return None
        node = node.get(name)
    return node


def take(record: Record, path: str) -> Any:
    """Remove what stands under *path* from *record* and return it, None where nothing does."""
    if path in record:
        return record.pop(path)
    way, _, last = path.rpartition(".")
    holder = get(record, way) if way else record
    return holder.pop(last, None) if isinstance(holder, dict) else None


def first_text(record: Record, paths: Iterable[str]) -> str | None:
    """Return the first string that is found under one of *paths* and is not empty."""
    for path in paths:
        found = get(record, path)
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, str) and found not in ("", "-"):
            return found
    return None


def leaves(record: Record) -> Iterator[Leaf]:
    """Yield every string of *record*, list elements under the path of their list; keys are no strings of it.

    Paths stop growing where no format that we know goes, so that deep or long keys cost no more than their bytes.
    """
    stack: list[tuple[str, int, int, Any]] = [("", 0, 0, record)]
    places = 0
    while stack:
        path, depth, place, node = stack.pop()
        inner = []
        if isinstance(node, dict):
            start = f"{path}." if path else ""
            for key, value in node.items():
                if isinstance(value, str):
                    yield start + key[:_LONGEST_KEY], place, value
                elif isinstance(value, dict | list):
                    below = path if depth >= _DEEPEST_PATH else start + key[:_LONGEST_KEY]
                    inner.append((below, depth + 1, place, value))
        else:
            for value in node:
                if isinstance(value, str):
                    yield path, place, value
                elif isinstance(value, dict | list):
                    places += 1
                    inner.append((path, depth + 1, places, value))
        stack.extend(reversed(inner))
