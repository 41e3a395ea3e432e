"""The keys with which people's own programs come: made, rotated, revoked, and what comes with one."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Permission, Source, require
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem, Unavailable
from indicia.services import credentials
from indicia.services.credentials import GRACE
from indicia.services.people import name_key
from indicia.services.writing import record_event
from indicia.store.api_keys import ApiKey
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.people import Person

#: What every key begins with: whoever finds one in a log or a repository knows what it is, and so do scanners.
PREFIX: Final = "ind_"
DEFAULT_DAYS: Final = 90
MOST_KEYS: Final = 25
_ID_CHARACTERS: Final = string.ascii_lowercase + string.digits
_SECRET_CHARACTERS: Final = string.ascii_letters + string.digits
_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 43  # of 62 characters each: 256 bits
_KEY: Final = re.compile(rf"{PREFIX}([a-z0-9]{{{_ID_LENGTH}}})_([A-Za-z0-9]{{{_SECRET_LENGTH}}})")


class NewKey(NamedTuple):
    """A key with its text, which is shown once and kept nowhere."""

    text: str
    key: ApiKey
    person: Person


class Owned(NamedTuple):
    """A key and whose it is."""

    key: ApiKey
    person: Person


class Bearer(NamedTuple):
    """Who comes with a key, and the key."""

    actor: Actor
    key: ApiKey


def is_key(text: str) -> bool:
    """Return whether *text* means to be a key."""
    return text.startswith(PREFIX)


def add_key(
    database: Database,
    name: str,
    *,
    actor: Actor,
    now: datetime,
    permissions: Collection[str] | None = None,
    groups: Collection[str] | None = None,
    days: int | None = DEFAULT_DAYS,
    person: str | None = None,
    by: ApiKey | None = None,
) -> NewKey:
    """Make a key for *actor*, or from the command line for the *person* of that name.

    It has *permissions* (None: all that its person has at each moment), is limited to *groups* (None: those of its
    person), and lasts for *days* (None: no end). Made *by* another key it can do no more than that, and ends with it.
    """
    name, problems = credentials.checked_name(name)
    problems += _permission_problems(permissions, actor)
    problems += credentials.checked_days(days)
    if problems:
        raise InvalidInput(problems)
    wanted = None if permissions is None else frozenset(map(Permission, permissions))
    text, number, digest = _made()
    with database.transaction() as tx:
        owner = _owner(tx, person, actor)
        if tx.api_keys.count(owner.id, now) >= MOST_KEYS:
            message = f"{owner.name} has {MOST_KEYS} keys already, the most there may be; revoke one first"
            raise Conflict(message, [Problem("too-many-keys", message)])
        limit = None if groups is None else credentials.checked_groups(tx, groups, actor)
        ends = credentials.expiry(days, now)
        if by is not None:
            wanted = by.permissions if wanted is None else wanted
            limit = by.groups if limit is None else limit
            ends = by.expires_at if ends is None or (by.expires_at is not None and by.expires_at < ends) else ends
        key = ApiKey(number, owner.id, name, digest, wanted, limit, now, expires_at=ends)
        tx.api_keys.add(key)
        record_event(tx, Header(actor, "key.add", now), _details(key, owner))
    return NewKey(text, key, owner)


def own_keys(database: Database, *, actor: Actor) -> list[ApiKey]:
    """Return the keys of *actor*, revoked ones included, the oldest first."""
    with database.snapshot() as tx:
        return [key for key, _person in tx.api_keys.all(actor.id)]


def all_keys(database: Database, *, actor: Actor) -> list[Owned]:
    """Return everybody's keys, revoked ones included, the oldest first."""
    require(actor, Permission.CLIENTS_WRITE)
    with database.snapshot() as tx:
        return [Owned(*each) for each in tx.api_keys.all()]


def show_key(database: Database, number: str, *, actor: Actor) -> Owned:
    """Return a key of *actor*, or of anybody for whoever manages keys; `NotFound` for others."""
    with database.snapshot() as tx:
        return _found(tx, number, actor)


def rotate_key(
    database: Database,
    number: str,
    *,
    actor: Actor,
    now: datetime,
    grace: timedelta = GRACE,
    by: ApiKey | None = None,
) -> NewKey:
    """Give a key another secret, and as much time as it had; the one before is good for *grace* more.

    Only its person does that, and the command line: whoever else had the new secret could act as that person. *by* a
    key that is limited itself it is done to that one alone.
    """
    credentials.checked_grace(grace)
    with database.transaction() as tx:
        key, person = _found(tx, number, actor)
        if key.person != actor.id and actor.source is not Source.CLI:
            raise Forbidden(f"only {person.name} can rotate this key; you can revoke it")
        _require_unlimited(by, number)
        if not key.is_good(now):
            raise Conflict(f"the key {key.name} {'was revoked' if key.revoked_at else 'has expired'}; make a new one")
        text, _number, digest = _made(number)
        lasts, until = _lifetime(key), now + grace
        ends = None if lasts is None else now + lasts
        tx.api_keys.rotate(number, digest, at=now, expires_at=ends, previous_until=until)
        rotated = key._replace(rotated_at=now, expires_at=ends, previous_until=until)
        details = _details(rotated, person) | {"previous_until": until.isoformat()}
        record_event(tx, Header(actor, "key.rotate", now), details)
    return NewKey(text, rotated, person)


def revoke_key(database: Database, number: str, *, actor: Actor, now: datetime, by: ApiKey | None = None) -> Owned:
    """Revoke a key of one's own, or anybody's for whoever manages keys: it stops working with its next request."""
    with database.transaction() as tx:
        key, person = _found(tx, number, actor)
        _require_unlimited(by, number)
        if not tx.api_keys.revoke(number, now):
            raise Conflict(f"the key {key.name} was revoked already")
        record_event(tx, Header(actor, "key.revoke", now), _details(key, person))
        return Owned(key._replace(revoked_at=now), person)


def bearer_of(database: Database, text: str, now: datetime) -> Bearer:
    """Return who comes with the key *text*; `Forbidden` where it is none of ours, or not good any more.

    What its person may do counts at this moment, so that a lower role or a limit reaches the key with its next
    request. That it was used is remembered, once a minute at most.
    """
    parsed = _KEY.fullmatch(text)
    found, refused = None, False
    if parsed is not None:
        with database.snapshot() as tx:
            found = tx.api_keys.get(parsed[1])
            refused = found is not None and tx.identities.is_refused(found[1].id)
    key, person = found if found is not None else (None, None)
    right = credentials.is_secret(parsed[2] if parsed else "", key.key_sha256 if key else bytes(32), key, now)
    if not right or key is None or person is None:
        raise Forbidden("the key is wrong, or was replaced by a newer one")
    if key.revoked_at is not None:
        raise Forbidden("the key was revoked")
    if not key.is_good(now):
        raise Forbidden("the key has expired")
    if person.disabled_at is not None:
        raise Forbidden("the person of this key is disabled")
    if refused:
        raise Forbidden("the person of this key has no role any more")
    if credentials.is_unused_for_long(key.last_used_at, now):
        with suppress(Unavailable), database.attempt() as tx:  # waits for nobody; or with the next request
            tx.api_keys.touch(key.id, now)
    return Bearer(_actor(key, person), key)


def permissions_offered(actor: Actor) -> tuple[Permission, ...]:
    """Return what a key of *actor* may be limited to, in the order of `Permission`."""
    return tuple(each for each in Permission if actor.may(each))


def _actor(key: ApiKey, person: Person) -> Actor:
    may = person.role.permissions
    if key.permissions is not None:
        may &= key.permissions
    groups = person.groups
    if key.groups is not None:
        groups = key.groups if groups is None else groups & key.groups
    return Actor(person.id, person.name, Source.PUBLIC_API, may, groups)


def _owner(tx: Transaction, name: str | None, actor: Actor) -> Person:
    """Return whose key is made: the person who asks, or whom the command line names."""
    if name is None:
        owner = tx.people.get(actor.id)
        if owner is None:
            raise Forbidden(f"keys belong to people; {actor.name} is none")
    else:
        require(actor, Permission.CLIENTS_WRITE)
        owner = tx.people.named(name_key(name))
        if owner is None:
            raise NotFound(f"there is nobody called {name[:100]!r}")
        if owner.id != actor.id and actor.source is not Source.CLI:
            raise Forbidden("nobody makes keys for others, who could then be acted for; ask them to make one")
    if owner.disabled_at is not None:
        raise Conflict(f"{owner.name} is disabled; enable them first")
    return owner


def _found(tx: Transaction, number: str, actor: Actor) -> Owned:
    found = tx.api_keys.get(number)
    if found is None or (found[0].person != actor.id and not actor.may(Permission.CLIENTS_WRITE)):
        raise NotFound(f"there is no key {number[:100]!r}")
    return Owned(*found)


def _require_unlimited(by: ApiKey | None, number: str) -> None:
    """Raise `Forbidden` where a key that may do less than its person would touch another: that one may do more."""
    if by is not None and by.id != number and (by.permissions is not None or by.groups is not None):
        raise Forbidden("this key is limited, so that it can rotate and revoke only itself")


def _permission_problems(permissions: Collection[str] | None, actor: Actor) -> list[Problem]:
    if permissions is None:
        return []
    if not permissions:
        return [Problem("unknown-permission", "a key without any permission could do nothing", "permissions")]
    allowed = permissions_offered(actor)
    return [
        Problem(
            "unknown-permission", f"{each[:100]!r} is no permission of yours", "permissions", each[:100], allowed
        )
        for each in permissions
        if each not in allowed
    ]  # fmt: skip


def _lifetime(key: ApiKey) -> timedelta | None:
    return None if key.expires_at is None else key.expires_at - (key.rotated_at or key.created_at)


def _made(number: str | None = None) -> tuple[str, str, bytes]:
    """Return the text of a new key, its id, and what is kept of its secret."""
    number = number or "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
    secret = "".join(secrets.choice(_SECRET_CHARACTERS) for _ in range(_SECRET_LENGTH))
    return f"{PREFIX}{number}_{secret}", number, credentials.digest(secret)


def _details(key: ApiKey, person: Person) -> dict[str, object]:
    """Return what the chain says of a key; its secret is none of it."""
    return {
        "id": key.id,
        "name": key.name,
        "person": person.id,
        "person_name": person.name,
        "permissions": None if key.permissions is None else sorted(key.permissions),
        "groups": None if key.groups is None else sorted(key.groups),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }
