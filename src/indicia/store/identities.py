"""Who people are to an OpenID provider, sign-ins that were used, and tries to sign in that failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from indicia.store.schema_keys import identities, sign_in_failures, sign_in_states


class Identity(NamedTuple):
    """Somebody as a provider knows them; ``refused_at`` is since when it gives them no role any more."""

    issuer: str
    subject: str
    person: str
    created_at: datetime
    seen_at: datetime
    refused_at: datetime | None = None


# Asked with every request of a key, so it is built once.
_REFUSED: Final = (
    select(identities.c.person)
    .where(identities.c.person == bindparam("who"), identities.c.refused_at.is_not(None))
    .limit(1)
)


class Identities:
    """Reads and writes identities, and which answers of a provider were used."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, issuer: str, subject: str) -> Identity | None:
        """Return the identity that *issuer* calls *subject*."""
        query = select(identities).where(identities.c.issuer == issuer, identities.c.subject == subject)
        row = self._connection.execute(query).first()
        return None if row is None else Identity(*row)

    def of(self, person: str) -> list[Identity]:
        """Return the identities of *person*."""
        query = select(identities).where(identities.c.person == person).order_by(identities.c.created_at)
        return [Identity(*row) for row in self._connection.execute(query)]

    def add(self, identity: Identity) -> None:
        """Add an identity."""
        self._connection.execute(insert(identities).values(identity._asdict()))

    def seen(self, identity: Identity, at: datetime, *, refused: bool) -> None:
        """Remember that somebody came by the provider, and whether it gave them no role."""
        same = (identities.c.issuer == identity.issuer) & (identities.c.subject == identity.subject)
        values = {"seen_at": at, "refused_at": (identity.refused_at or at) if refused else None}
        self._connection.execute(update(identities).where(same).values(values))

    def is_refused(self, person: str) -> bool:
        """Return whether the provider of *person* gives them no role any more."""
        return self._connection.execute(_REFUSED, {"who": person}).first() is not None

    def use_state(self, state_sha256: bytes, *, until: datetime, now: datetime) -> bool:
        """Remember that an answer was used; return whether it was the first time."""
        self._connection.execute(delete(sign_in_states).where(sign_in_states.c.until <= now))
        query = select(sign_in_states.c.until).where(sign_in_states.c.state_sha256 == state_sha256)
        if self._connection.execute(query).first() is not None:
            return False
        self._connection.execute(insert(sign_in_states).values(state_sha256=state_sha256, until=until))
        return True


class Failures:
    """Reads and writes how often sign-in failed, by a digest of whom or from where."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, keys: Collection[bytes]) -> Mapping[bytes, tuple[int, datetime]]:
        """Return for each of *keys* that failed how often it did, and when last."""
        query = select(sign_in_failures).where(sign_in_failures.c.key_sha256.in_(list(keys)))
        return {key: (number, last_at) for key, number, last_at in self._connection.execute(query)}

    def add(self, keys: Collection[bytes], at: datetime, *, forgotten_before: datetime, most: int) -> None:
        """Count a failure for each of *keys*; forget what is too old, and past *most* what failed longest ago."""
        self._connection.execute(delete(sign_in_failures).where(sign_in_failures.c.last_at <= forgotten_before))
        for key in keys:
            same = sign_in_failures.c.key_sha256 == key
            more = update(sign_in_failures).where(same).values(number=sign_in_failures.c.number + 1, last_at=at)
            if not self._connection.execute(more).rowcount:
                self._connection.execute(insert(sign_in_failures).values(key_sha256=key, number=1, last_at=at))
        over = self._connection.execute(select(func.count()).select_from(sign_in_failures)).scalar_one() - most
        if over > 0:
            oldest = select(sign_in_failures.c.key_sha256).order_by(sign_in_failures.c.last_at).limit(over)
            self._connection.execute(delete(sign_in_failures).where(sign_in_failures.c.key_sha256.in_(oldest)))

    def forget(self, key: bytes) -> None:
        """Forget the failures of *key*."""
        self._connection.execute(delete(sign_in_failures).where(sign_in_failures.c.key_sha256 == key))
