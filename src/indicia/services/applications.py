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

from indicia.domain.access import Actor, Permission, Source, require
from indicia.domain.errors import Forbidden, InvalidInput, NotFound, Problem, Unavailable
from indicia.services.writing import record_event
from indicia.store.applications import Application
from indicia.store.changesets import Header
from indicia.store.database import Database

#: That a client was at work is written at most this often.
TOUCHED_EVERY: Final = timedelta(minutes=1)


class Credentials(NamedTuple):
    """What a new API client needs to know; the secret is shown once and kept nowhere."""

    tenant_id: str
    client_id: str
    client_secret: str


def add_application(
    database: Database, name: str, permissions: Collection[str], *, actor: Actor, now: datetime
) -> Credentials:
    """Make an API client with *permissions* (Defender's names; none means `Ti.ReadWrite.All`)."""
    require(actor, Permission.TI_READ_WRITE_ALL)
    allowed = tuple(Permission)
    problems = [
        Problem("unknown-permission", f"{each[:100]!r} is not a permission", "scope", each[:100], allowed)
        for each in permissions
        if each not in allowed
    ]
    name = name.strip()
    if not name or len(name) > 200 or not name.isprintable():
        problems.append(
            Problem("invalid-name", "a name has 1 to 200 characters that can be printed", "name", name[:200])
        )
    if problems:
        raise InvalidInput(problems)
    granted = frozenset(map(Permission, permissions)) or frozenset({Permission.TI_READ_WRITE_ALL})
    credentials = Credentials(str(uuid.uuid4()), str(uuid.uuid4()), secrets.token_urlsafe(32))
    with database.transaction() as tx:
        tenant = tx.applications.tenant()
        if tenant is None:
            tenant = credentials.tenant_id
            tx.applications.name_tenant(tenant)
        secret_sha256 = hashlib.sha256(credentials.client_secret.encode()).digest()
        made = Application(credentials.client_id, name, secret_sha256, granted, now, actor.id, None)
        tx.applications.add(made)
        details = {"client_id": made.client_id, "name": name, "permissions": sorted(granted)}
        record_event(tx, Header(actor, "app.add", now), details)
    return credentials._replace(tenant_id=tenant)


def list_applications(database: Database, *, actor: Actor) -> list[Application]:
    """Return every API client, revoked ones included."""
    require(actor, Permission.TI_READ_WRITE_ALL)
    with database.snapshot() as tx:
        return tx.applications.all()


def show_application(database: Database, client_id: str, *, actor: Actor) -> Application:
    """Return one API client, a revoked one too."""
    require(actor, Permission.TI_READ_WRITE_ALL)
    with database.snapshot() as tx:
        found = tx.applications.get(client_id)
    if found is None:
        raise NotFound(f"there is no API client {client_id[:100]!r}")
    return found


def revoke_application(database: Database, client_id: str, *, actor: Actor, now: datetime) -> Application:
    """Revoke an API client: its secret and its tokens stop working with the next request."""
    require(actor, Permission.TI_READ_WRITE_ALL)
    with database.transaction() as tx:
        found = tx.applications.get(client_id)
        if found is None or not tx.applications.revoke(client_id, now):
            raise NotFound(f"there is no API client {client_id[:100]!r} that is not revoked")
        record_event(tx, Header(actor, "app.revoke", now), {"client_id": client_id, "name": found.name})
        return found


def authenticate(database: Database, client_id: str, client_secret: str) -> tuple[str, Application]:
    """Return the tenant and the API client that *client_secret* belongs to.

    `Forbidden` does not say which of the two is wrong.
    """
    with database.snapshot() as tx:
        found, tenant = tx.applications.get(client_id), tx.applications.tenant()
    given = hashlib.sha256(client_secret.encode("utf-8", "surrogatepass")).digest()
    expected = found.secret_sha256 if found else bytes(32)
    right = hmac.compare_digest(given, expected)
    if not right or found is None or tenant is None or found.revoked_at is not None:
        raise Forbidden("the client id or the client secret is wrong")
    return tenant, found


def actor_of(database: Database, client_id: str, now: datetime | None = None) -> Actor:
    """Return the actor that the API client *client_id* is now; `Forbidden` where it is revoked or unknown.

    That it was at work *now* is remembered, once a minute at most.
    """
    with database.snapshot() as tx:
        found = tx.applications.get(client_id)
    if found is None or found.revoked_at is not None:
        raise Forbidden("this API client was revoked")
    if now is not None and (found.last_used_at is None or now - found.last_used_at >= TOUCHED_EVERY):
        with suppress(Unavailable), database.attempt() as tx:  # waits for nobody; or with the next request
            tx.applications.touch(client_id, now)
    return Actor(found.client_id, found.name, Source.PUBLIC_API, found.permissions)


def tenant_of(database: Database) -> str | None:
    """Return the tenant id of this installation, None before its first API client."""
    with database.snapshot() as tx:
        return tx.applications.tenant()
