"""Who is signed in: sessions that end by themselves, and that their owner can end."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.domain.access import Actor
from indicia.domain.errors import Unavailable
from indicia.services.people import actor_of
from indicia.services.preferences import APPEARANCE, THEMES, value_of
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.people import Person
from indicia.store.sessions import SessionRow

TOKEN_BYTES: Final = 32
#: More sessions than that one person has no use for; the one not seen for longest goes.
MOST_SESSIONS: Final = 50
#: That a session was seen is written at most this often.
TOUCHED_EVERY: Final = timedelta(minutes=1)


class Limits(NamedTuple):
    """How long a session lasts: at all, and without a request."""

    absolute: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in, and what every page needs to know of them.

    ``csrf`` is what only pages of this session know; ``keys`` is whether single keys do something.
    """

    token_sha256: bytes
    person: Person
    csrf: str
    created_at: datetime
    seen_at: datetime
    theme: str = "system"
    keys: bool = True


class Place(NamedTuple):
    """Where somebody is signed in."""

    id: str
    client: str
    address: str
    created_at: datetime
    seen_at: datetime
    current: bool


def open_session(
    database: Database,
    person: Person,
    *,
    now: datetime,
    limits: Limits,
    client: str = "",
    address: str = "",
    by: str = "password",
) -> str:
    """Sign *person* in and return the token of the new session, which is kept nowhere here."""
    with database.transaction() as tx:
        return begin(tx, person, now=now, limits=limits, place=(client, address), by=by)


def begin(tx: Transaction, person: Person, *, now: datetime, limits: Limits, place: tuple[str, str], by: str) -> str:
    """Open a session of *person* within *tx* and return its token; *place* is browser and address, *by* is how."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    client, address = (_printable(text, most) for text, most in zip(place, (300, 100), strict=True))
    tx.sessions.forget(created_before=now - limits.absolute, seen_before=now - limits.idle)
    for old in tx.sessions.of(person.id)[MOST_SESSIONS - 1 :]:
        tx.sessions.remove(old.token_sha256)
    tx.sessions.add(SessionRow(_digest(token), person.id, now, now, client, address))
    details = {"id": person.id, "name": person.name, "by": by, "address": address, "browser": client}
    record_event(tx, Header(actor_of(person), "sign-in", now), details)
    return token


def find(database: Database, token: str, now: datetime, limits: Limits) -> Session | None:
    """Return the session of *token* where it lasts still; that it was seen is remembered, now and then."""
    if not token or len(token) > 100:
        return None
    digest = _digest(token)
    with database.snapshot() as tx:
        found = tx.sessions.get(digest, APPEARANCE)
    if found is None:
        return None
    row, person, appearance = found
    if person.disabled_at is not None or now - row.created_at >= limits.absolute or now - row.seen_at >= limits.idle:
        return None
    if now - row.seen_at >= min(TOUCHED_EVERY, limits.idle / 4):
        _touch(database, digest, now)
    liked = value_of(appearance)
    theme = liked.get("theme") if isinstance(liked, dict) else None
    keys = liked.get("keys") is not False if isinstance(liked, dict) else True
    csrf = hmac.digest(token.encode(), b"indicia csrf", "sha256").hex()
    return Session(digest, person, csrf, row.created_at, now, theme if theme in THEMES else "system", keys)


def is_of(session: Session, given: str) -> bool:
    """Return whether *given* is what only pages of *session* know; takes as long whichever it is."""
    return hmac.compare_digest(session.csrf.encode(), given.encode("utf-8", "surrogatepass"))


def places(database: Database, session: Session, *, now: datetime, limits: Limits) -> list[Place]:
    """Return where the person of *session* is signed in, the session that was seen last first."""
    with database.snapshot() as tx:
        rows = tx.sessions.of(session.person.id)
    return [
        Place(
            row.token_sha256.hex()[:16],
            row.client,
            row.address,
            row.created_at,
            row.seen_at,
            row.token_sha256 == session.token_sha256,
        )
        for row in rows
        if now - row.created_at < limits.absolute and now - row.seen_at < limits.idle
    ]


def close(database: Database, session: Session, *, now: datetime) -> None:
    """Sign out here."""
    with database.transaction() as tx:
        if tx.sessions.remove(session.token_sha256):
            details = {"id": session.person.id, "name": session.person.name}
            record_event(tx, Header(actor_of(session.person), "sign-out", now), details)


def close_place(database: Database, session: Session, place: str, *, now: datetime) -> bool:
    """Sign the person of *session* out at *place*, as `places` calls it; return whether they were signed in there."""
    with database.transaction() as tx:
        for row in tx.sessions.of(session.person.id):
            if row.token_sha256.hex()[:16] == place:
                details = {"id": session.person.id, "name": session.person.name, "address": row.address}
                record_event(tx, Header(actor_of(session.person), "sign-out", now), details)
                return tx.sessions.remove(row.token_sha256)
    return False


def close_all(database: Database, session: Session, *, actor: Actor, now: datetime, keep_own: bool = False) -> int:
    """Sign the person of *session* out everywhere, here too unless *keep_own*; return how many sessions ended."""
    with database.transaction() as tx:
        ended = tx.sessions.remove_of(session.person.id, session.token_sha256 if keep_own else None)
        if ended:
            details = {"name": session.person.name, "sessions": ended}
            record_event(tx, Header(actor, "user.sign-out", now), details)
    return ended


def _touch(database: Database, digest: bytes, now: datetime) -> None:
    # A page must wait for no import, and is shown although the disk be full: then the session is seen the next time.
    with suppress(Unavailable), database.attempt() as tx:
        tx.sessions.touch(digest, now)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _printable(text: str, most: int) -> str:
    return "".join(each if each.isprintable() else " " for each in text[:most])
