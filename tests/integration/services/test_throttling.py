"""How often passwords may be tried: a bound on guesses, on memory, and on how long anybody is kept out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from indicia.services.throttling import FORGOTTEN_AFTER, LONGEST_WAIT, Throttle
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
