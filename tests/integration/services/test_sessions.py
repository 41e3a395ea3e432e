"""Sessions: they end by themselves, their owner ends them, and a page never waits to say that it was seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from indicia.domain.access import Role
from indicia.domain.errors import Unavailable
from indicia.services import people, preferences, sessions
from indicia.services.changesets import list_changesets
from indicia.services.sessions import MOST_SESSIONS, TOUCHED_EVERY, Limits, Session
from indicia.store.database import Database
from indicia.store.people import Person
from tests.integration.stores import ADMIN, NOW

LIMITS = Limits(absolute=timedelta(hours=12), idle=timedelta(minutes=30))
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def ada(database: Database) -> Person:
    return people.add_person(database, "Ada", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR).person


@pytest.fixture
def second_process(database: Database) -> Iterator[Database]:
    opened = Database.open(database.url.render_as_string(hide_password=False), busy_timeout_s=30)
    yield opened
    opened.close()


def begin(database: Database, person: Person, now: datetime = NOW, **more: str) -> str:
    return sessions.open_session(database, person, now=now, limits=LIMITS, **more)


def found(database: Database, token: str, now: datetime = NOW) -> Session:
    session = sessions.find(database, token, now, LIMITS)
    assert session is not None
    return session


def is_good(database: Database, token: str, now: datetime = NOW) -> bool:
    return sessions.find(database, token, now, LIMITS) is not None


def stored_seen_at(database: Database, token: str) -> datetime:
    with database.snapshot() as tx:
        row = tx.sessions.get(found_digest(token), preferences.APPEARANCE)
    assert row is not None
    return row[0].seen_at


def found_digest(token: str) -> bytes:
    import hashlib

    return hashlib.sha256(token.encode()).digest()


# -- how long ---------------------------------------------------------------------------------------------------------


def test_a_session_ends_when_nothing_happens(database: Database, ada: Person) -> None:
    token = begin(database, ada)
    assert is_good(database, token, NOW + LIMITS.idle - INSTANT)
    other = begin(database, ada)
    assert not is_good(database, other, NOW + LIMITS.idle)


def test_a_session_ends_in_any_case(database: Database, ada: Person) -> None:
    token, at = begin(database, ada), NOW
    while at < NOW + LIMITS.absolute:
        assert is_good(database, token, at)
        at += timedelta(minutes=20)
    assert not is_good(database, token, NOW + LIMITS.absolute)


def test_shorter_limits_count_for_sessions_that_are_open(database: Database, ada: Person) -> None:
    token = begin(database, ada)
    short = Limits(absolute=timedelta(minutes=5), idle=timedelta(minutes=5))
    assert sessions.find(database, token, NOW + timedelta(minutes=6), short) is None


def test_that_a_session_was_seen_is_written_once_a_minute_at_most(database: Database, ada: Person) -> None:
    token = begin(database, ada)
    for seconds in range(0, 60, 7):
        found(database, token, NOW + timedelta(seconds=seconds))
    assert stored_seen_at(database, token) == NOW
    found(database, token, NOW + TOUCHED_EVERY)
    assert stored_seen_at(database, token) == NOW + TOUCHED_EVERY


def test_no_page_waits_while_somebody_else_writes(database: Database, second_process: Database, ada: Person) -> None:
    token = begin(database, ada)
    later = NOW + timedelta(minutes=10)
    with second_process.transaction():
        began = time.perf_counter()
        assert is_good(database, token, later)
        assert time.perf_counter() - began < 1
        with pytest.raises(Unavailable), database.attempt():
            pass
    assert stored_seen_at(database, token) == NOW
    assert is_good(database, token, later)
    assert stored_seen_at(database, token) == later
    if database.file is not None:
        with database.engine.connect() as connection:  # and the connection waits for others again
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


# -- what it is -------------------------------------------------------------------------------------------------------


def test_every_sign_in_has_a_token_of_its_own(database: Database, ada: Person) -> None:
    tokens = {begin(database, ada) for _ in range(10)}
    assert len(tokens) == 10
    assert all(len(token) >= 43 for token in tokens), "256 random bits"
    assert len({found(database, token).csrf for token in tokens}) == 10


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800", "\0", "a" * 43, "a" * 10_000_000])
def test_what_is_no_token_is_nobody(database: Database, ada: Person, token: str) -> None:
    begin(database, ada)
    assert sessions.find(database, token, NOW, LIMITS) is None


def test_the_proof_of_a_page_is_that_of_its_session_alone(database: Database, ada: Person) -> None:
    mine, other = found(database, begin(database, ada)), found(database, begin(database, ada))
    assert sessions.is_of(mine, mine.csrf)
    for wrong in (other.csrf, "", mine.csrf[:-1], mine.csrf.upper(), "\ud800", "é"):
        assert not sessions.is_of(mine, wrong)


def test_a_token_tells_nothing_by_its_proof(database: Database, ada: Person) -> None:
    token = begin(database, ada)
    assert token not in found(database, token).csrf
    assert found(database, token).csrf == found(database, token).csrf


def test_a_session_knows_how_its_person_likes_pages(database: Database, ada: Person) -> None:
    token = begin(database, ada)
    assert (found(database, token).theme, found(database, token).keys) == ("system", True)
    preferences.set_appearance(database, ada, theme="dark", keys=False)
    assert (found(database, token).theme, found(database, token).keys) == ("dark", False)


@pytest.mark.parametrize("value", [None, [], "dark", {"theme": 7}, {"theme": "pink", "keys": "x"}])
def test_what_was_never_a_theme_is_none(database: Database, ada: Person, value: object) -> None:
    token = begin(database, ada)
    preferences.put(database, ada, preferences.APPEARANCE, value)
    assert found(database, token).theme == "system"


# -- ending it --------------------------------------------------------------------------------------------------------


def test_signing_out_ends_this_session_alone(database: Database, ada: Person) -> None:
    mine, other = begin(database, ada), begin(database, ada)
    sessions.close(database, found(database, mine), now=NOW)
    assert not is_good(database, mine)
    assert is_good(database, other)


@pytest.mark.parametrize("keep_own", [True, False])
def test_signing_out_everywhere(database: Database, ada: Person, keep_own: bool) -> None:
    grace = people.add_person(database, "Grace", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR).person
    hers = begin(database, grace)
    mine, *others = [begin(database, ada) for _ in range(3)]
    actor = people.actor_of(ada)
    ended = sessions.close_all(database, found(database, mine), actor=actor, now=NOW, keep_own=keep_own)
    assert ended == (2 if keep_own else 3)
    assert is_good(database, mine) is keep_own
    assert not any(is_good(database, token) for token in others)
    assert is_good(database, hers)
    newest = next(iter(list_changesets(database, actor=ADMIN, limit=1)))
    assert (newest.kind, newest.actor, newest.details["sessions"]) == ("user.sign-out", ada.id, ended)


def test_somebody_sees_where_they_are_signed_in_and_ends_that(database: Database, ada: Person) -> None:
    grace = people.add_person(database, "Grace", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR).person
    begin(database, grace, client="hers")
    old = begin(database, ada, now=NOW - timedelta(hours=13), client="over")
    other = begin(database, ada, client="laptop\x1b[31m", address="192.0.2.7")
    mine = found(
        database, begin(database, ada, now=NOW + timedelta(minutes=1), client="phone"), NOW + timedelta(minutes=2)
    )
    places = sessions.places(database, mine, now=NOW + timedelta(minutes=2), limits=LIMITS)
    assert [(place.client, place.address, place.current) for place in places] == [
        ("phone", "", True),
        ("laptop [31m", "192.0.2.7", False),
    ]
    assert sessions.close_place(database, mine, places[1].id, now=NOW)
    assert not sessions.close_place(database, mine, places[1].id, now=NOW)
    assert not is_good(database, other)
    assert not is_good(database, old)
    [hers] = sessions.places(database, found(database, begin(database, grace)), now=NOW, limits=LIMITS)[:1]
    assert not sessions.close_place(database, mine, hers.id, now=NOW), "nobody ends the session of somebody else"


def test_nobody_has_sessions_without_end(database: Database, ada: Person) -> None:
    tokens = [begin(database, ada, now=NOW + timedelta(seconds=number)) for number in range(MOST_SESSIONS + 5)]
    at = NOW + timedelta(minutes=2)
    assert [is_good(database, token, at) for token in tokens] == [False] * 5 + [True] * MOST_SESSIONS


def test_sessions_that_are_over_are_forgotten(database: Database, ada: Person) -> None:
    for number in range(5):
        begin(database, ada, now=NOW + timedelta(seconds=number))
    begin(database, ada, now=NOW + timedelta(hours=1))
    with database.snapshot() as tx:
        assert len(tx.sessions.of(ada.id)) == 1
