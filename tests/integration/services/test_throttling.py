"""How often passwords may be tried: a bound on guesses, on memory, and on how long anybody is kept out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from indicia.services.throttling import FORGOTTEN_AFTER, LONGEST_WAIT, Throttle
from indicia.store.database import Database
from tests.integration.stores import NOW

SECOND = timedelta(seconds=1)


def test_a_few_failures_cost_nothing_and_then_each_doubles_the_wait() -> None:
    throttle = Throttle()
    assert [throttle.attempt("ada", "192.0.2.1", NOW) for _ in range(5)] == [0] * 5
    at, waits = NOW, []
    for _ in range(9):
        seconds = throttle.attempt("ada", "192.0.2.1", at)
        waits.append(seconds)
        assert throttle.attempt("ada", "192.0.2.1", at + seconds * SECOND - SECOND / 2) > 0
        at += seconds * SECOND
        assert throttle.attempt("ada", "192.0.2.1", at) == 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_others_are_not_kept_out() -> None:
    throttle = Throttle()
    for _ in range(10):
        throttle.attempt("ada", "192.0.2.1", NOW)
    assert throttle.attempt("ada", "192.0.2.1", NOW) > 0
    assert throttle.attempt("grace", "192.0.2.1", NOW) == 0
    assert throttle.attempt("ada", "198.51.100.1", NOW) == 0


def test_success_and_time_forget() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.attempt("ada", "192.0.2.1", NOW)
    assert throttle.is_strained("ada", "192.0.2.1")
    throttle.succeeded("ada", "192.0.2.1")
    assert throttle.attempt("ada", "192.0.2.1", NOW) == 0
    for _ in range(8):
        throttle.attempt("ada", "192.0.2.1", NOW)
    assert throttle.attempt("ada", "192.0.2.1", NOW + FORGOTTEN_AFTER) == 0


def test_many_places_together_do_not_guess_one_name() -> None:
    throttle = Throttle()
    taken = sum(throttle.attempt("ada", f"192.0.2.{number % 250}", NOW) == 0 for number in range(1_000))
    assert taken == 100
    assert throttle.attempt("ada", "203.0.113.9", NOW) <= LONGEST_WAIT.total_seconds()


def test_one_place_does_not_try_one_password_on_all_names() -> None:
    throttle = Throttle()
    assert sum(throttle.attempt(f"name {number}", "192.0.2.1", NOW) == 0 for number in range(1_000)) == 100


def test_a_household_with_ipv6_is_one_place() -> None:
    throttle = Throttle()
    assert sum(throttle.attempt("ada", f"2001:db8:1:2::{number:x}", NOW) == 0 for number in range(50)) == 5


def test_tries_at_once_count_as_many() -> None:
    throttle = Throttle()
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda _: throttle.attempt("ada", "192.0.2.1", NOW) == 0, range(200)))
    assert sum(taken) == 5


def test_memory_is_bounded() -> None:
    throttle = Throttle(most=100)
    for number in range(10_000):
        throttle.attempt(f"name {number}", f"10.{number >> 8}.{number & 255}.1", NOW)
    assert all(len(known) <= 100 for known in throttle._failures.values())


# -- several nodes ----------------------------------------------------------------------------------------------------


def fail(throttle: Throttle, times: int, name: str = "ada", address: str = "192.0.2.7", now: datetime = NOW) -> int:
    """Fail *times*; return how many of them were let through."""
    done = 0
    for _ in range(times):
        if throttle.attempt(name, address, now) == 0:
            throttle.failed(name, address, now)
            done += 1
    return done


def test_what_failed_at_one_node_counts_at_the_other(database: Database) -> None:
    one, other = Throttle(database), Throttle(database)
    assert fail(one, 3) + fail(other, 10) == 5
    assert one.attempt("ada", "192.0.2.7", NOW) > 0
    assert Throttle(database).attempt("ada", "192.0.2.7", NOW) > 0, "and at one that starts now"
    assert other.attempt("bob", "198.51.100.9", NOW) == 0


def test_who_gets_in_at_one_node_is_not_slowed_at_the_other(database: Database) -> None:
    one, other = Throttle(database), Throttle(database)
    fail(one, 4)
    assert other.attempt("ada", "192.0.2.7", NOW) == 0
    other.succeeded("ada", "192.0.2.7")
    assert fail(Throttle(database), 5) == 5


def test_a_writer_in_the_way_keeps_nobody_from_trying(database: Database) -> None:
    throttle = Throttle(database)
    with database.transaction():
        assert fail(throttle, 10) == 5, "this node counts by itself meanwhile"


def test_what_is_kept_of_failures_is_bounded_and_names_nobody(database: Database) -> None:
    throttle = Throttle(database, most=10)
    for number in range(60):
        fail(throttle, 1, f"name-{number}", f"192.0.2.{number}", NOW + timedelta(seconds=number))
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM sign_in_failures").fetchall()
    assert len(rows) <= 30
    assert "name-" not in repr(rows)
    fail(throttle, 1, "last", "192.0.2.99", NOW + timedelta(hours=3))
    with database.engine.connect() as connection:
        assert len(connection.exec_driver_sql("SELECT * FROM sign_in_failures").fetchall()) == 3
