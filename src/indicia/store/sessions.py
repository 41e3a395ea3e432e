"""Who is signed in, and how each person likes the portal."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from indicia.store.people import PERSON, Person, person_of
from indicia.store.schema import people, preferences, sessions


class SessionRow(NamedTuple):
    """A session as it is kept: its token as SHA-256 only (it is 256 random bits, so that no salt is needed)."""

    token_sha256: bytes
    person: str
    created_at: datetime
    seen_at: datetime
    client: str
    address: str


class Sessions:
    """Reads and writes sessions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, session: SessionRow) -> None:
        """Add a session."""
        self._connection.execute(insert(sessions).values(session._asdict()))

    def get(self, token_sha256: bytes, preference: str) -> tuple[SessionRow, Person, str | None] | None:
        """Return a session with its person, and what that person prefers under the key *preference*."""
        mine = (preferences.c.person == sessions.c.person) & (preferences.c.key == preference)
        query = (
            select(*sessions.c, *PERSON, preferences.c.value)
            .select_from(sessions.join(people).outerjoin(preferences, mine))
            .where(sessions.c.token_sha256 == token_sha256)
        )
        row = self._connection.execute(query).first()
        if row is None:
            return None
        width = len(SessionRow._fields)
        return SessionRow(*row[:width]), person_of(row[width:-1]), row[-1]

    def of(self, person: str) -> list[SessionRow]:
        """Return the sessions of *person*, the one seen last first."""
        query = select(sessions).where(sessions.c.person == person).order_by(sessions.c.seen_at.desc())
        return [SessionRow(*row) for row in self._connection.execute(query)]

    def touch(self, token_sha256: bytes, at: datetime) -> None:
        """Remember that a session was seen."""
        self._connection.execute(update(sessions).where(sessions.c.token_sha256 == token_sha256).values(seen_at=at))

    def remove(self, token_sha256: bytes) -> bool:
        """End a session; return whether there was one."""
        return self._connection.execute(delete(sessions).where(sessions.c.token_sha256 == token_sha256)).rowcount > 0

    def remove_of(self, person: str, keep: bytes | None = None) -> int:
        """End every session of *person* but *keep*; return how many."""
        query = delete(sessions).where(sessions.c.person == person)
        if keep is not None:
            query = query.where(sessions.c.token_sha256 != keep)
        return self._connection.execute(query).rowcount

    def forget(self, *, created_before: datetime, seen_before: datetime) -> int:
        """Forget the sessions that are over; return how many."""
        over = (sessions.c.created_at <= created_before) | (sessions.c.seen_at <= seen_before)
        return self._connection.execute(delete(sessions).where(over)).rowcount


class Preferences:
    """Reads and writes preferences, each a JSON document."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, person: str, key: str) -> str | None:
        """Return what *person* prefers under *key*."""
        mine = (preferences.c.person == person) & (preferences.c.key == key)
        return self._connection.execute(select(preferences.c.value).where(mine)).scalar_one_or_none()

    def count(self, person: str) -> int:
        """Return under how many keys *person* prefers something."""
        query = select(preferences.c.key).where(preferences.c.person == person)
        return len(self._connection.execute(query).all())

    def put(self, person: str, key: str, value: str) -> None:
        """Keep what *person* prefers under *key*."""
        mine = (preferences.c.person == person) & (preferences.c.key == key)
        if not self._connection.execute(update(preferences).where(mine).values(value=value)).rowcount:
            self._connection.execute(insert(preferences).values(person=person, key=key, value=value))
