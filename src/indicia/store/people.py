"""Who signs in, and the links that let somebody set a password."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from indicia.domain.access import Role
from indicia.store.schema import people, sign_in_links
from indicia.store.schema_keys import identities


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in; what argon2 made of the password is not part of it.

    ``groups`` are the device groups that they are limited to, None where they are not.
    """

    id: str
    name: str
    created_at: datetime
    created_by: str
    password_at: datetime | None = None
    disabled_at: datetime | None = None
    role: Role = Role.ADMINISTRATOR
    groups: frozenset[str] | None = None


#: The columns of a `Person`, in their order.
PERSON = (
    people.c.id,
    people.c.name,
    people.c.created_at,
    people.c.created_by,
    people.c.password_at,
    people.c.disabled_at,
    people.c.role,
    people.c.rbac_group_names,
)


class People:
    """Reads and writes people and their links."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count(self) -> int:
        """Return how many people there are, disabled ones included."""
        return int(self._connection.execute(select(func.count()).select_from(people)).scalar_one())

    def all(self) -> list[Person]:
        """Return everybody, the oldest first."""
        query = select(*PERSON).order_by(people.c.created_at, people.c.id)
        return [person_of(row) for row in self._connection.execute(query)]

    def get(self, number: str) -> Person | None:
        """Return the person with the id *number*."""
        return _person(self._connection.execute(select(*PERSON).where(people.c.id == number)).first())

    def named(self, name_key: str) -> Person | None:
        """Return the person with that name, as names are compared."""
        return _person(self._connection.execute(select(*PERSON).where(people.c.name_key == name_key)).first())

    def credentials(self, name_key: str) -> tuple[str, str] | None:
        """Return the id of who signs in with that name, and what argon2 made of their password.

        None is returned of a name that nobody has, and of who may not sign in with a password: the database tells them
        apart, and answers each with one row (of an aggregate; names are unique), so that each takes the same time.
        """
        barred = select(identities.c.person).where(
            identities.c.person == people.c.id, identities.c.refused_at.is_not(None)
        )
        query = select(func.max(people.c.id), func.max(people.c.password)).where(
            people.c.name_key == name_key,
            people.c.password.is_not(None),
            people.c.disabled_at.is_(None),
            ~barred.exists(),
        )
        number, password = self._connection.execute(query).one()
        return (number, password) if number is not None else None

    def password(self, number: str) -> str | None:
        """Return what argon2 made of a person's password."""
        return self._connection.execute(select(people.c.password).where(people.c.id == number)).scalar_one_or_none()

    def add(self, person: Person, name_key: str) -> None:
        """Add a person, who has no password yet."""
        values = {name: getattr(person, name) for name in Person.__slots__}
        values |= {"name_key": name_key, "role": person.role.value, "rbac_group_names": values.pop("groups")}
        self._connection.execute(insert(people).values(values))

    def set_password(self, number: str, password: str, at: datetime) -> None:
        """Keep what argon2 made of a password."""
        query = update(people).where(people.c.id == number)
        self._connection.execute(query.values(password=password, password_at=at))

    def rehash(self, number: str, old: str, new: str) -> None:
        """Keep the same password as stronger parameters make it, where it is still that one."""
        query = update(people).where(people.c.id == number, people.c.password == old)
        self._connection.execute(query.values(password=new))

    def disable(self, number: str, at: datetime | None) -> None:
        """Let a person sign in no more, or, without a time, again."""
        self._connection.execute(update(people).where(people.c.id == number).values(disabled_at=at))

    def give(self, number: str, role: Role, groups: frozenset[str] | None) -> None:
        """Give a person a role and the device groups that they are limited to."""
        query = update(people).where(people.c.id == number)
        self._connection.execute(query.values(role=role.value, rbac_group_names=groups))

    # -- links ----------------------------------------------------------------------------------------------------

    def add_link(self, token_sha256: bytes, person: str | None, *, now: datetime, expires_at: datetime) -> None:
        """Add a link for *person*, in place of those that there were; without one, for whoever comes first."""
        same = sign_in_links.c.person.is_(None) if person is None else sign_in_links.c.person == person
        self._connection.execute(delete(sign_in_links).where(same | (sign_in_links.c.expires_at <= now)))
        values = {"token_sha256": token_sha256, "person": person, "created_at": now, "expires_at": expires_at}
        self._connection.execute(insert(sign_in_links).values(values))

    def link(self, token_sha256: bytes, now: datetime) -> tuple[Person | None] | None:
        """Return whom a link that is still good is for, in a tuple; None where there is no such link."""
        query = (
            select(sign_in_links.c.person, *PERSON)
            .select_from(sign_in_links.outerjoin(people))
            .where(sign_in_links.c.token_sha256 == token_sha256, sign_in_links.c.expires_at > now)
        )
        row = self._connection.execute(query).first()
        if row is None:
            return None
        return (None if row[0] is None else person_of(row[1:]),)

    def forget_links(self, person: str | None) -> None:
        """Forget the links of *person*; without one, those for whoever comes first."""
        same = sign_in_links.c.person.is_(None) if person is None else sign_in_links.c.person == person
        self._connection.execute(delete(sign_in_links).where(same))


def person_of(row: Sequence[Any]) -> Person:
    """Return the person of the columns of `PERSON`."""
    number, name, created_at, created_by, password_at, disabled_at, role, groups = row
    return Person(number, name, created_at, created_by, password_at, disabled_at, Role(role), groups)


def _person(row: Sequence[Any] | None) -> Person | None:
    return None if row is None else person_of(row)
