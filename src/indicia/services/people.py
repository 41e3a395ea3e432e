"""The people who manage indicators by the portal, and the links by which they set their passwords."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
import uuid
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, Role, Source, require
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem, Unavailable
from indicia.domain.passwords import password_problem
from indicia.services.passwords import Passwords
from indicia.services.standings import is_seen, keep_an_administrator, known_groups, require_power, standing_as_dict
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.people import Person

LINK_LASTS: Final = timedelta(hours=24)
NAME_CHARACTERS: Final = 100
MOST_PEOPLE: Final = 10_000
_WRONG: Final = "the name or the password is wrong"


class Link(NamedTuple):
    """A link that sets a password once; its token is shown once and kept nowhere."""

    token: str
    expires_at: datetime
    person: Person


class Invitation(NamedTuple):
    """What a link that is still good is for: setting the password of *person*, or making the first one."""

    person: Person | None


def actor_of(person: Person) -> Actor:
    """Return the actor that *person* is in the portal."""
    return Actor(person.id, person.name, Source.PORTAL, person.role.permissions, person.groups)


def is_anybody(database: Database) -> bool:
    """Return whether there is anybody who could sign in; before that a one-time link makes the first."""
    with database.snapshot() as tx:
        return tx.people.count() > 0


def list_people(database: Database, *, actor: Actor) -> list[Person]:
    """Return everybody, disabled ones included; to who is limited to device groups, those within the same ones."""
    require(actor, Permission.PEOPLE_WRITE)
    with database.snapshot() as tx:
        return [each for each in tx.people.all() if is_seen(actor, each)]


def person_named(database: Database, name: str, *, actor: Actor) -> Person:
    """Return the person called *name*, a disabled one too; `NotFound` where there is none that exists for *actor*."""
    require(actor, Permission.PEOPLE_WRITE)
    with database.snapshot() as tx:
        return _managed(tx, name, actor)


# -- links ------------------------------------------------------------------------------------------------------------


def one_time_link(database: Database, now: datetime) -> str | None:
    """Return the token of a link that makes the first person, None where there is somebody already.

    The newest one counts: each takes the place of the one before.
    """
    with database.snapshot() as tx:
        if tx.people.count():
            return None
    token = secrets.token_urlsafe(32)
    with database.transaction() as tx:
        if tx.people.count():
            return None
        tx.people.add_link(_digest(token), None, now=now, expires_at=now + LINK_LASTS)
    return token


def add_person(
    database: Database,
    name: str,
    *,
    actor: Actor,
    now: datetime,
    role: Role = Role.VIEWER,
    groups: Collection[str] | None = None,
) -> Link:
    """Make a person and the link by which they set their password; `Conflict` where the name is taken.

    *groups* are the device groups that they are limited to, None for no limit.
    """
    require(actor, Permission.PEOPLE_WRITE)
    name, problems = checked_name(name)
    if problems:
        raise InvalidInput(problems)
    with database.transaction() as tx:
        limits = None if groups is None else known_groups(tx, groups, actor)
        require_power(actor, role, limits)
        person = new_person(tx, name, role, limits, created_by=actor.id, now=now)
        details = {"id": person.id, "name": person.name} | standing_as_dict(person)
        record_event(tx, Header(actor, "user.add", now), details)
        return _link(tx, person, now)


def reset_link(database: Database, name: str, *, actor: Actor, now: datetime) -> Link:
    """Return a new link for somebody who forgot the password, or whose first link is too old.

    The old password works until the link is used; a disabled person has to be enabled first.
    """
    require(actor, Permission.PEOPLE_WRITE)
    with database.transaction() as tx:
        person = _managed(tx, name, actor)
        if person.disabled_at is not None:
            raise Conflict(f"{person.name} is disabled; enable them first")
        record_event(tx, Header(actor, "user.reset", now), {"id": person.id, "name": person.name})
        return _link(tx, person, now)


def invitation(database: Database, token: str, now: datetime) -> Invitation:
    """Return what the link with *token* is for; `NotFound` where it is used up, too old or none of ours."""
    with database.snapshot() as tx:
        return _invited(tx, token, now)


def accept(database: Database, token: str, name: str, password: str, *, passwords: Passwords, now: datetime) -> Person:
    """Set the password of whom the link with *token* is for, and use the link up; return the person.

    Whoever comes first gives a *name* too; for others it is not looked at. Every session of the person ends.
    """
    with database.snapshot() as tx:
        person = _invited(tx, token, now).person
    problems: list[Problem] = []
    if person is None:
        name, problems = checked_name(name)
    bad = password_problem(password, name if person is None else person.name)
    if problems or bad:
        raise InvalidInput([*problems, *([bad] if bad else [])])
    made = passwords.made_of(password)
    with database.transaction() as tx:
        person = _invited(tx, token, now).person
        first = person is None
        if person is None:
            person = new_person(tx, name, Role.ADMINISTRATOR, None, created_by="first-run", now=now)
        tx.people.set_password(person.id, made, now)
        tx.people.forget_links(None if first else person.id)
        tx.sessions.remove_of(person.id)
        kind = "user.add" if first else "user.password"
        record_event(tx, Header(actor_of(person), kind, now), {"id": person.id, "name": person.name, "by": "link"})
        return tx.people.get(person.id) or person


# -- passwords --------------------------------------------------------------------------------------------------------


def check_password(database: Database, name: str, password: str, *, passwords: Passwords) -> Person:
    """Return who signs in with *name* and *password*; `Forbidden` says not which is wrong, nor by its time."""
    with database.snapshot() as tx:
        found = tx.people.credentials(name_key(name))
    number, stored = found if found is not None else ("", None)
    if not passwords.is_made_of(stored, password):
        raise Forbidden(_WRONG)
    with database.snapshot() as tx:
        person = tx.people.get(number)
    if person is None or stored is None or person.disabled_at is not None:  # since, in the time that the check took
        raise Forbidden(_WRONG)
    if passwords.are_stronger_than(stored):
        stronger = passwords.made_of(password)
        with suppress(Unavailable), database.attempt() as tx:  # or the next time
            tx.people.rehash(person.id, stored, stronger)
    return person


def set_password(
    database: Database, person: Person, current: str, new: str, *, passwords: Passwords, keep: bytes, now: datetime
) -> None:
    """Give *person*, who knows the *current* password, a *new* one; every session but *keep* ends."""
    with database.snapshot() as tx:
        stored = tx.people.password(person.id)
    problem = password_problem(new, person.name)
    problems = [problem] if problem else []
    if not passwords.is_made_of(stored, current):
        problems.insert(0, Problem("wrong-password", "this is not your password", "current"))
    if problems:
        raise InvalidInput(problems)
    made = passwords.made_of(new)
    with database.transaction() as tx:
        tx.people.set_password(person.id, made, now)
        tx.people.forget_links(person.id)
        tx.sessions.remove_of(person.id, keep)
        details = {"id": person.id, "name": person.name, "by": "password"}
        record_event(tx, Header(actor_of(person), "user.password", now), details)


def disable_person(database: Database, name: str, *, actor: Actor, now: datetime) -> Person:
    """Let somebody sign in no more: every session and link of theirs ends with it."""
    require(actor, Permission.PEOPLE_WRITE)
    with database.transaction() as tx:
        person = _managed(tx, name, actor)
        if person.disabled_at is not None:
            raise Conflict(f"{person.name} is disabled already")
        if person.id == actor.id:
            raise Conflict("nobody disables themselves; ask somebody else to do it")
        keep_an_administrator(tx, person)
        tx.people.disable(person.id, now)
        tx.people.forget_links(person.id)
        tx.sessions.remove_of(person.id)
        record_event(tx, Header(actor, "user.disable", now), {"id": person.id, "name": person.name})
        return person


def enable_person(database: Database, name: str, *, actor: Actor, now: datetime) -> Person:
    """Let somebody who was disabled sign in again, with the password that they had."""
    require(actor, Permission.PEOPLE_WRITE)
    with database.transaction() as tx:
        person = _managed(tx, name, actor)
        if person.disabled_at is None:
            raise Conflict(f"{person.name} is not disabled")
        tx.people.disable(person.id, None)
        record_event(tx, Header(actor, "user.enable", now), {"id": person.id, "name": person.name})
        return person


# -- names ------------------------------------------------------------------------------------------------------------


def name_key(name: str) -> str:
    """Return *name* as it is compared: two names that look alike are one.

    >>> name_key(" Ada@Example.ORG ")
    'ada@example.org'
    """
    text = unicodedata.normalize("NFKC", name.strip()[: 2 * NAME_CHARACTERS]).casefold()
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def checked_name(given: str) -> tuple[str, list[Problem]]:
    """Return *given* as it is kept, and what is wrong with it."""
    name = unicodedata.normalize("NFC", given.strip())
    if 0 < len(name) <= NAME_CHARACTERS and name.isprintable():
        return name, []
    message = f"a name has 1 to {NAME_CHARACTERS} characters that can be printed"
    return name, [Problem("invalid-name", message, "name", name[:200])]


def new_person(
    tx: Transaction, name: str, role: Role, groups: frozenset[str] | None, *, created_by: str, now: datetime
) -> Person:
    """Make a person in *tx*, who cannot sign in yet; `Conflict` where the name is taken, or there are too many."""
    if tx.people.named(name_key(name)) is not None:
        message = f"there is somebody called {name} already"
        raise Conflict(message, [Problem("name-taken", message, "name", name)])
    if tx.people.count() >= MOST_PEOPLE:
        raise Conflict(f"there are {MOST_PEOPLE} people already, the most there may be")
    person = Person(str(uuid.uuid4()), name, now, created_by, role=role, groups=groups)
    tx.people.add(person, name_key(name))
    return person


def _managed(tx: Transaction, name: str, actor: Actor) -> Person:
    """Return the person called *name*; `Forbidden` where they may do more than *actor*, who could become them."""
    person = tx.people.named(name_key(name))
    if person is None or not is_seen(actor, person):
        raise NotFound(f"there is nobody called {name[:100]!r}")
    require_power(actor, person.role, person.groups)
    return person


def _link(tx: Transaction, person: Person, now: datetime) -> Link:
    token = secrets.token_urlsafe(32)
    tx.people.add_link(_digest(token), person.id, now=now, expires_at=now + LINK_LASTS)
    return Link(token, now + LINK_LASTS, person)


def _invited(tx: Transaction, token: str, now: datetime) -> Invitation:
    found = tx.people.link(_digest(token), now) if len(token) <= 100 else None
    # A link for whoever comes first is worth nothing once somebody has come.
    if found is None or (found[0] is None and tx.people.count()):
        raise NotFound("this link was used already, is more than a day old, or was replaced by a newer one")
    return Invitation(found[0])


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
