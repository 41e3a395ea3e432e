"""The API clients, and the tokens that they get for their secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.domain.access import Actor, Grant, Permission, Source, granted, limits_to_own, require
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem, Unavailable
from indicia.services import credentials
from indicia.services.credentials import GRACE
from indicia.services.writing import record_event
from indicia.store.applications import Application
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction

_WRONG: Final = "the client id or the client secret is wrong"


class Credentials(NamedTuple):
    """What an API client needs to know; the secret is shown once and kept nowhere."""

    tenant_id: str
    client_id: str
    client_secret: str


class Authenticated(NamedTuple):
    """An API client that gave its secret: which of its secrets, and until when what that gives is good at most."""

    tenant: str
    application: Application
    secret_id: str
    until: datetime | None


class ExpiredClient(Forbidden):
    """The secret is right, and the client has expired."""


def add_application(
    database: Database,
    name: str,
    permissions: Collection[str],
    *,
    actor: Actor,
    now: datetime,
    groups: Collection[str] | None = None,
    days: int | None = None,
) -> Credentials:
    """Make an API client with *permissions* (the names of `Grant`; none means `Ti.ReadWrite.All`).

    It is limited to the device groups *groups* (None: to those of the actor, if any), and lasts for *days* (None: no
    end). `Forbidden` where it could do more than the actor.
    """
    require(actor, Permission.CLIENTS_WRITE)
    allowed = tuple(Grant)
    name, problems = credentials.checked_name(name)
    problems += [
        Problem("unknown-permission", f"{each[:100]!r} is not a permission", "scope", each[:100], allowed)
        for each in permissions
        if each not in allowed
    ]
    problems += credentials.checked_days(days)
    if problems:
        raise InvalidInput(problems)
    grants = frozenset(map(Grant, permissions)) or frozenset({Grant.TI_READ_WRITE_ALL})
    _require_no_more(actor, grants)
    made = Credentials(str(uuid.uuid4()), str(uuid.uuid4()), secrets.token_urlsafe(32))
    with database.transaction() as tx:
        tenant = tx.applications.tenant()
        if tenant is None:
            tenant = made.tenant_id
            tx.applications.name_tenant(tenant)
        limit = credentials.checked_groups(tx, groups, actor)
        application = Application(
            made.client_id,
            name,
            credentials.digest(made.client_secret),
            grants,
            now,
            actor.id,
            None,
            expires_at=credentials.expiry(days, now),
            groups=limit,
        )
        tx.applications.add(application)
        record_event(tx, Header(actor, "app.add", now), _details(application))
    return made._replace(tenant_id=tenant)


def list_applications(database: Database, *, actor: Actor) -> list[Application]:
    """Return every API client, revoked ones included."""
    require(actor, Permission.CLIENTS_WRITE)
    with database.snapshot() as tx:
        return tx.applications.all()


def show_application(database: Database, client_id: str, *, actor: Actor) -> Application:
    """Return one API client, a revoked one too."""
    require(actor, Permission.CLIENTS_WRITE)
    with database.snapshot() as tx:
        return _found(tx, client_id)


def rotate_application(
    database: Database, client_id: str, *, actor: Actor, now: datetime, grace: timedelta = GRACE
) -> Credentials:
    """Give an API client another secret, and as much time as it had; the one before is good for *grace* more.

    What was given for the secret before ends with it. `Forbidden` where the client could do more than the actor.
    """
    require(actor, Permission.CLIENTS_WRITE)
    credentials.checked_grace(grace)
    secret = secrets.token_urlsafe(32)
    with database.transaction() as tx:
        found, tenant = _found(tx, client_id), tx.applications.tenant()
        _require_no_more(actor, found.grants, found.groups)
        if tenant is None or not found.is_good(now):
            why = "was revoked" if found.revoked_at else "has expired"
            raise Conflict(f"the API client {found.name} {why}; make a new one")
        ends = None if found.expires_at is None else now + (found.expires_at - (found.rotated_at or found.created_at))
        until = now + grace
        tx.applications.rotate(client_id, credentials.digest(secret), at=now, expires_at=ends, previous_until=until)
        details = _details(found._replace(expires_at=ends)) | {"previous_until": until.isoformat()}
        record_event(tx, Header(actor, "app.rotate", now), details)
    return Credentials(tenant, client_id, secret)


def revoke_application(database: Database, client_id: str, *, actor: Actor, now: datetime) -> Application:
    """Revoke an API client: its secret and its tokens stop working with the next request."""
    require(actor, Permission.CLIENTS_WRITE)
    with database.transaction() as tx:
        found = tx.applications.get(client_id)
        if found is None or not tx.applications.revoke(client_id, now):
            raise NotFound(f"there is no API client {client_id[:100]!r} that is not revoked")
        record_event(tx, Header(actor, "app.revoke", now), {"client_id": client_id, "name": found.name})
        return found


def authenticate(database: Database, client_id: str, client_secret: str, now: datetime) -> Authenticated:
    """Return the API client that *client_secret* belongs to.

    `Forbidden` does not say which of the two is wrong; only who knows the secret learns that the client has expired.
    """
    with database.snapshot() as tx:
        found, tenant = tx.applications.get(client_id), tx.applications.tenant()
    right = credentials.is_secret(client_secret, found.secret_sha256 if found else bytes(32), found, now)
    if not right or found is None or tenant is None or found.revoked_at is not None:
        raise Forbidden(_WRONG)
    if not found.is_good(now):
        raise ExpiredClient("this API client has expired")
    given = credentials.digest(client_secret)
    is_current = hmac.compare_digest(given, found.secret_sha256)
    ends = [each for each in (found.expires_at, None if is_current else found.previous_until) if each is not None]
    return Authenticated(tenant, found, _secret_id(given), min(ends, default=None))


def actor_of(database: Database, tenant: str, client_id: str, now: datetime, secret_id: str | None = None) -> Actor:
    """Return the actor that the API client *client_id* is now; `Forbidden` where it is revoked, expired or unknown.

    *tenant* is for which installation its token was given, *secret_id* for which secret: one that was replaced ends
    with its time of grace. That the client was at work is remembered, once a minute at most.
    """
    with database.snapshot() as tx:
        own, found = tx.applications.bearer(client_id)
    if tenant != own:
        raise Forbidden("the token is for another tenant")
    if found is None or found.revoked_at is not None:
        raise Forbidden("this API client was revoked")
    if not found.is_good(now):
        raise Forbidden("this API client has expired")
    if not _is_of_good_secret(found, secret_id, now):
        raise Forbidden("the secret that this token was given for was replaced; ask for a new one")
    if credentials.is_unused_for_long(found.last_used_at, now):
        with suppress(Unavailable), database.attempt() as tx:  # waits for nobody; or with the next request
            tx.applications.touch(client_id, now)
    return Actor(
        found.client_id,
        found.name,
        Source.PUBLIC_API,
        granted(found.grants),
        found.groups,
        sees_only_own=limits_to_own(found.grants),
    )


def tenant_of(database: Database) -> str | None:
    """Return the tenant id of this installation, None before its first API client."""
    with database.snapshot() as tx:
        return tx.applications.tenant()


def _found(tx: Transaction, client_id: str) -> Application:
    found = tx.applications.get(client_id)
    if found is None:
        raise NotFound(f"there is no API client {client_id[:100]!r}")
    return found


def _require_no_more(actor: Actor, grants: Collection[Grant], groups: frozenset[str] | None = frozenset()) -> None:
    """Raise `Forbidden` where whoever had the secret could do more than *actor*, or reach further."""
    more = sorted(granted(grants) - actor.permissions)
    if more:
        raise Forbidden(f"nobody gives more than they have: {actor.name} has not {', '.join(more)}")
    if actor.groups is not None and (groups is None or not groups <= actor.groups):
        raise Forbidden(f"this API client reaches past the device groups of {actor.name}")


def _is_of_good_secret(found: Application, secret_id: str | None, now: datetime) -> bool:
    if secret_id is None:  # a token of a version that did not say so
        return found.rotated_at is None or (found.previous_until is not None and now < found.previous_until)
    if secret_id == _secret_id(found.secret_sha256):  # of a token that we signed: nobody guesses here
        return True
    if found.previous_sha256 is None or found.previous_until is None or now >= found.previous_until:
        return False
    return secret_id == _secret_id(found.previous_sha256)


def _secret_id(secret_sha256: bytes) -> str:
    """Return what a token says of the secret that it was given for; nothing of the secret can be told from it."""
    return hashlib.sha256(b"secret of a token" + secret_sha256).hexdigest()[:16]


def _details(application: Application) -> dict[str, object]:
    """Return what the chain says of an API client; its secret is none of it."""
    return {
        "client_id": application.client_id,
        "name": application.name,
        "permissions": sorted(application.grants),
        "groups": None if application.groups is None else sorted(application.groups),
        "expires_at": application.expires_at.isoformat() if application.expires_at else None,
    }
