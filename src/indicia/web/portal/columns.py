"""The columns of the table of indicators: which there are, which somebody chose, and by which one can sort."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from indicia.services import preferences
from indicia.store.database import Database
from indicia.store.people import Person

SIZES: Final = (50, 100, 250)
DENSITIES: Final = ("cosy", "compact")
#: Under which key of a person's preferences the table is.
KEY: Final = "indicators"


class Column(NamedTuple):
    """One column; ``sort`` is its name in the search language, empty where nobody can sort by it."""

    key: str
    title: str
    sort: str = ""
    shown: bool = True


COLUMNS: Final = (
    Column("indicator", "Indicator", "value"),
    Column("type", "Type", "type"),
    Column("action", "Action", "action"),
    Column("severity", "Severity", "severity"),
    Column("title", "Title", "title"),
    Column("status", "Status"),
    Column("expires", "Expires", "expires"),
    Column("scope", "Scope"),
    Column("source", "Source"),
    Column("updated", "Updated", "updated"),
    Column("description", "Description", shown=False),
    Column("category", "Category", "category", shown=False),
    Column("techniques", "Techniques", shown=False),
    Column("alert", "Generate alert", shown=False),
    Column("created", "Created", "created", shown=False),
    Column("changed-by", "Updated by", shown=False),
    Column("external-id", "External id", shown=False),
)
_BY_KEY: Final = {column.key: column for column in COLUMNS}
#: What a row is known by cannot be left out.
ALWAYS: Final = "indicator"


@dataclass(frozen=True, slots=True)
class Likes:
    """How somebody wants the table."""

    columns: tuple[str, ...] = tuple(column.key for column in COLUMNS if column.shown)
    density: str = DENSITIES[0]
    size: int = SIZES[0]


def chosen(keys: Iterable[str]) -> tuple[str, ...]:
    """Return those of *keys* that are columns, in the order of the table; the indicator is always among them."""
    wanted = {*keys, ALWAYS}
    return tuple(column.key for column in COLUMNS if column.key in wanted)


def columns_of(keys: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns that *keys* name."""
    return tuple(_BY_KEY[key] for key in chosen(keys))


def likes_of(database: Database, person: Person) -> Likes:
    """Return how *person* wants the table; what is kept may be of another version, or of nobody's making."""
    kept = preferences.get(database, person, KEY)
    return read_likes(kept)


def read_likes(kept: Any) -> Likes:
    """Return the likes that a stored value spells, the usual ones where it spells none."""
    usual = Likes()
    if not isinstance(kept, dict):
        return usual
    keys, density, size = kept.get("columns"), kept.get("density"), kept.get("size")
    listed = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else None
    return Likes(
        usual.columns if listed is None else chosen(listed),
        density if density in DENSITIES else usual.density,
        size if size in SIZES else usual.size,
    )


def keep_likes(database: Database, person: Person, likes: Likes) -> None:
    """Remember how *person* wants the table."""
    value = {"columns": list(likes.columns), "density": likes.density, "size": likes.size}
    preferences.put(database, person, KEY, value)
