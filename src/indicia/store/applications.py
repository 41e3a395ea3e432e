"""The API clients: who may ask for a token, and what it may do."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from indicia.domain.access import Grant
from indicia.store.schema import applications, tenants


class Application(NamedTuple):
    """An API client; its secret is kept as SHA-256 only (it is 256 random bits, so that no salt is needed)."""

    client_id: str
    name: str
    secret_sha256: bytes
    grants: frozenset[Grant]
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    groups: frozenset[str] | None = None
    rotated_at: datetime | None = None
    previous_sha256: bytes | None = None
    previous_until: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Return whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


# Asked with every request of a client, so they are built once.
_CLIENT: Final = applications.c.client_id == bindparam("client")
_ONE: Final = select(applications).where(_CLIENT)
_TENANT: Final = select(tenants.c.id)
_BEARER: Final = select(tenants.c.id, applications).select_from(tenants.outerjoin(applications, _CLIENT))


class Applications:
    """Reads and writes API clients."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tenant(self) -> str | None:
        """Return the tenant id of this installation, None before the first client was made."""
        return self._connection.execute(_TENANT).scalar_one_or_none()

    def name_tenant(self, tenant: str) -> None:
        """Give this installation its tenant id."""
        self._connection.execute(insert(tenants).values(id=tenant))

    def add(self, application: Application) -> None:
        """Add an API client."""
        values = application._asdict()
        values["permissions"] = " ".join(sorted(values.pop("grants")))
        values["rbac_group_names"] = values.pop("groups")
        self._connection.execute(insert(applications).values(values))

    def get(self, client_id: str) -> Application | None:
        """Return the API client, revoked ones included."""
        row = self._connection.execute(_ONE, {"client": client_id}).first()
        return None if row is None else _application(row)

    def bearer(self, client_id: str) -> tuple[str | None, Application | None]:
        """Return the tenant id of this installation and the API client, revoked ones included, by one statement."""
        row = self._connection.execute(_BEARER, {"client": client_id}).first()
        if row is None:
            return None, None
        return row[0], None if row[1] is None else _application(row[1:])

    def all(self) -> list[Application]:
        """Return every API client, the oldest first."""
        query = select(applications).order_by(applications.c.created_at, applications.c.client_id)
        return [_application(row) for row in self._connection.execute(query)]

    def touch(self, client_id: str, at: datetime) -> None:
        """Remember that an API client was at work."""
        self._connection.execute(
            update(applications).where(applications.c.client_id == client_id).values(last_used_at=at)
        )

    def rotate(
        self,
        client_id: str,
        secret_sha256: bytes,
        *,
        at: datetime,
        expires_at: datetime | None,
        previous_until: datetime,
    ) -> None:
        """Give an API client another secret; the one that it has is good until *previous_until*."""
        values = {
            "secret_sha256": secret_sha256,
            "rotated_at": at,
            "expires_at": expires_at,
            "previous_sha256": applications.c.secret_sha256,
            "previous_until": previous_until,
        }
        self._connection.execute(update(applications).where(applications.c.client_id == client_id).values(values))

    def revoke(self, client_id: str, at: datetime) -> bool:
        """Revoke an API client; return whether there was one to revoke."""
        query = update(applications).where(applications.c.client_id == client_id, applications.c.revoked_at.is_(None))
        return self._connection.execute(query.values(revoked_at=at)).rowcount > 0


def _application(row: tuple[object, ...]) -> Application:
    client_id, name, secret, permissions, *rest = row
    return Application(client_id, name, secret, frozenset(map(Grant, str(permissions).split())), *rest)  # type: ignore[arg-type] # a row of the table above
