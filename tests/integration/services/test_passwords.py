"""What is kept of passwords, and that a flood of them takes a bounded share of the server."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from indicia.domain.errors import Unavailable
from indicia.services.passwords import AT_ONCE, WAITING, Passwords
from tests.integration.weak_passwords import GOOD, weak


def test_the_parameters_are_those_of_rfc_9106() -> None:
    passwords = Passwords()
    made = passwords.made_of(GOOD)
    assert re.fullmatch(r"\$argon2id\$v=19\$m=65536,t=3,p=4\$[^$]{22}\$[^$]{43}", made), "128 bit salt, 256 bit tag"
    assert passwords.is_made_of(made, GOOD)
    assert not passwords.are_stronger_than(made)
    assert passwords.made_of(GOOD) != made, "each with a salt of its own"


@pytest.mark.parametrize("stored", [None, "", "x", "$argon2id$", "$2b$12$abc", "\0"])
def test_what_was_never_made_of_a_password_is_no_password(stored: str | None) -> None:
    assert not weak().is_made_of(stored, GOOD)
    assert not weak().is_made_of(stored, "")


@pytest.mark.parametrize("more", [" ", "x", "x" * 30_000])
def test_all_of_a_password_counts(more: str) -> None:
    long = "decomposed \u1100\u1161\u11a8 " * 80
    passwords = weak()
    made = passwords.made_of(long)
    assert passwords.is_made_of(made, long)
    assert not passwords.is_made_of(made, long + more)
    assert not passwords.is_made_of(passwords.made_of("d"), "d" * 30_000)


def test_a_flood_is_told_to_come_again_and_nobody_else_waits() -> None:
    passwords = weak(kibibytes=32 * 1024)
    made = passwords.made_of(GOOD)

    def check(_number: int) -> bool:
        try:
            return passwords.is_made_of(made, GOOD)
        except Unavailable:
            return False

    with ThreadPoolExecutor(100) as pool:
        began = time.perf_counter()
        found = list(pool.map(check, range(100)))
        seconds = time.perf_counter() - began
    assert AT_ONCE <= sum(found) <= 100
    assert seconds < 30
    with ThreadPoolExecutor(1) as pool:  # and afterwards all is as before
        assert pool.submit(check, 0).result()


def test_who_comes_when_many_wait_is_told_at_once() -> None:
    passwords = weak()
    held = AT_ONCE + WAITING
    for _ in range(held):
        assert passwords._queue.acquire(blocking=False)
    began = time.perf_counter()
    with pytest.raises(Unavailable):
        passwords.made_of(GOOD)
    assert time.perf_counter() - began < 1
