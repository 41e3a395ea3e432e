"""How each person likes the portal: the columns of a table, its density, the theme."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from indicia.domain.errors import InvalidInput, Problem
from indicia.store.database import Database
from indicia.store.people import Person

#: The key of what every page needs to know.
APPEARANCE: Final = "appearance"
THEMES: Final = ("system", "light", "dark")
MOST_BYTES: Final = 4_096
MOST_KEYS: Final = 100

_KEY: Final = re.compile(r"[a-z][a-z0-9.-]{0,63}")


def get(database: Database, person: Person, key: str, default: Any = None) -> Any:
    """Return what *person* prefers under *key*, a JSON value; *default* where nothing is known."""
    with database.snapshot() as tx:
        return value_of(tx.preferences.get(person.id, key), default)


def put(database: Database, person: Person, key: str, value: Any) -> None:
    """Keep what *person* prefers under *key*: a JSON value, small enough to be read with every page."""
    if not _KEY.fullmatch(key):
        raise InvalidInput([Problem("invalid-name", "a key is a word of a-z, digits, '.' and '-'", "key", key[:100])])
    try:
        text = orjson.dumps(value)
    except TypeError as error:
        raise InvalidInput(
            [Problem("invalid-preference", f"this is nothing that JSON can say: {error}", key)]
        ) from None
    if len(text) > MOST_BYTES:
        raise InvalidInput([Problem("invalid-preference", f"at most {MOST_BYTES} bytes are kept under a key", key)])
    with database.transaction() as tx:
        if tx.preferences.get(person.id, key) is None and tx.preferences.count(person.id) >= MOST_KEYS:
            raise InvalidInput([Problem("invalid-preference", f"at most {MOST_KEYS} keys are kept for a person", key)])
        tx.preferences.put(person.id, key, text.decode())


def set_appearance(database: Database, person: Person, *, theme: str, keys: bool) -> None:
    """Keep how pages look for *person*, and whether single keys do something on them."""
    if theme not in THEMES:
        message = "a theme is system, light or dark"
        raise InvalidInput([Problem("invalid-preference", message, "theme", theme[:100], THEMES)])
    put(database, person, APPEARANCE, {"theme": theme, "keys": keys})


def value_of(stored: str | None, default: Any = None) -> Any:
    """Return the value that is stored; what no version of ours can have written counts as nothing."""
    if stored is None:
        return default
    try:
        return orjson.loads(stored)
    except orjson.JSONDecodeError:
        return default
