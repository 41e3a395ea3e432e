"""A server on which two people are needed for some changes, and people who come to it with their own keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indicia.domain.access import Role
from indicia.services import api_keys, people
from tests.wire.doors import ADMIN, Door, open_door

RULE: dict[str, Any] = {"two_person_allow": True, "two_person_release": True, "two_person_rows": 3}


@contextmanager
def guarded_door(folder: Path, **settings: Any) -> Iterator[Door]:
    """Give a server with the rule."""
    with open_door(folder, **(RULE | settings)) as door:
        yield door


def person(door: Door, name: str, role: Role = Role.RESPONDER, groups: frozenset[str] | None = None) -> dict[str, str]:
    """Return the headers of a new person, who comes with a key of their own."""
    now = door.app.now()
    made = people.add_person(door.app.database, name, actor=ADMIN, now=now, role=role, groups=groups).person
    return key_of(door, made.name)


def key_of(door: Door, name: str, permissions: list[str] | None = None) -> dict[str, str]:
    """Return the headers of another key of the person *name*."""
    key = api_keys.add_key(
        door.app.database, "a program", actor=ADMIN, now=door.app.now(), permissions=permissions, person=name
    )
    return {"Authorization": f"Bearer {key.text}"}
