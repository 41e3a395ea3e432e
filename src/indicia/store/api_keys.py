"""The keys of people's own programs: what each may do, and how long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from indicia.domain.access import Permission
from indicia.store.people import PERSON, Person, person_of
from indicia.store.schema import people
from indicia.store.schema_keys import api_keys


class ApiKey(NamedTuple):
    """A key; its secret is kept as SHA-256 only (it is 256 random bits, so that no salt is needed).

    ``permissions`` and ``groups`` narrow what its person may do and reach; None where they do not.
    """

    id: str
    person: str
    name: str
    key_sha256: bytes
    permissions: frozenset[Permission] | None
    groups: frozenset[str] | None
    created_at: datetime
    rotated_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    previous_sha256: bytes | None = None
    previous_until: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Return whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


# Asked with every request of a key, so it is built once.
_OWNED: Final = select(*api_keys.c, *PERSON).select_from(api_keys.join(people))
_ONE: Final = _OWNED.where(api_keys.c.id == bindparam("number"))


class ApiKeys:
    """Reads and writes keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        """Add a key."""
        values = key._asdict()
        permissions, groups = values.pop("permissions"), values.pop("groups")
        values["permissions"] = None if permissions is None else " ".join(sorted(permissions))
        values["rbac_group_names"] = groups
        self._connection.execute(insert(api_keys).values(values))

    def get(self, number: str) -> tuple[ApiKey, Person] | None:
        """Return a key and whose it is, revoked ones included."""
        row = self._connection.execute(_ONE, {"number": number}).first()
        return None if row is None else _owned(row)

    def all(self, person: str | None = None) -> list[tuple[ApiKey, Person]]:
        """Return every key and whose it is, or those of *person* alone, the oldest first."""
        query = _OWNED
        if person is not None:
            query = query.where(api_keys.c.person == person)
        return [_owned(row) for row in self._connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.id))]

    def count(self, person: str, now: datetime) -> int:
        """Return how many keys of *person* are good."""
        good = api_keys.c.revoked_at.is_(None) & (api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > now))
        query = select(func.count()).select_from(api_keys).where(api_keys.c.person == person, good)
        return int(self._connection.execute(query).scalar_one())

    def touch(self, number: str, at: datetime) -> None:
        """Remember that a key was used."""
        self._connection.execute(update(api_keys).where(api_keys.c.id == number).values(last_used_at=at))

    def rotate(
        self, number: str, key_sha256: bytes, *, at: datetime, expires_at: datetime | None, previous_until: datetime
    ) -> None:
        """Give a key another secret; the one that it has is good until *previous_until*."""
        values = {
            "key_sha256": key_sha256,
            "rotated_at": at,
            "expires_at": expires_at,
            "previous_sha256": api_keys.c.key_sha256,
            "previous_until": previous_until,
        }
        self._connection.execute(update(api_keys).where(api_keys.c.id == number).values(values))

    def revoke(self, number: str, at: datetime) -> bool:
        """Revoke a key; return whether there was one to revoke."""
        query = update(api_keys).where(api_keys.c.id == number, api_keys.c.revoked_at.is_(None))
        return self._connection.execute(query.values(revoked_at=at)).rowcount > 0


def _owned(row: Sequence[Any]) -> tuple[ApiKey, Person]:
    width = len(ApiKey._fields)
    number, person, name, secret, permissions, *rest = row[:width]
    allowed = None if permissions is None else frozenset(map(Permission, permissions.split()))
    return ApiKey(number, person, name, secret, allowed, *rest), person_of(row[width:])
