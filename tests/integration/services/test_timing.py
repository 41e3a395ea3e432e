"""How long a sign-in that fails takes tells nothing: neither of names that exist, nor of people without a password."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from math import sqrt
from statistics import fmean, variance

import pytest

from indicia.domain.access import Role
from indicia.domain.errors import Forbidden
from indicia.services import people
from indicia.services.passwords import Passwords
from indicia.store.database import Database
from tests.integration.stores import ADMIN, NOW
from tests.integration.weak_passwords import GOOD, weak

#: What is not told apart by so many tries a kind, is not told apart; and a fault planted below is.
TRIES = 250
MOST = 4.5
TURNS = 3


def welch(one: list[float], other: list[float]) -> float:
    """Return Welch's t of two samples."""
    return (fmean(one) - fmean(other)) / sqrt(variance(one) / len(one) + variance(other) / len(other))


def without_outliers(times: list[float]) -> list[float]:
    """Return the faster nine tenths: what else this machine does is no secret of ours."""
    return sorted(times)[: len(times) * 9 // 10]


def measured(database: Database, passwords: Passwords, check: Callable[..., object]) -> dict[str, list[float]]:
    """Return how long tries with each name took, each try at another time than its like."""
    names = ["known", "unknown", "disabled", "no-password"] * TRIES
    random.Random(1).shuffle(names)
    times: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        began = time.perf_counter()
        with pytest.raises(Forbidden):
            check(database, name, "not the password", passwords=passwords)
        times[name].append(time.perf_counter() - began)
    return {name: without_outliers(found) for name, found in times.items()}


def worst(database: Database, passwords: Passwords, check: Callable[..., object]) -> float:
    times = measured(database, passwords, check)
    return max(abs(welch(times["known"], times[name])) for name in ("unknown", "disabled", "no-password"))


@pytest.fixture
def passwords(database: Database) -> Passwords:
    """Return passwords of three people, of whom one is disabled and one has none."""
    made = weak(kibibytes=1024)
    people.add_person(database, "keeper", actor=ADMIN, now=NOW)
    for name in ("known", "disabled", "no-password"):
        link = people.add_person(database, name, actor=ADMIN, now=NOW, role=Role.VIEWER)
        if name != "no-password":
            people.accept(database, link.token, name, GOOD, passwords=made, now=NOW)
    people.disable_person(database, "disabled", actor=ADMIN, now=NOW)
    return made


def test_every_failure_takes_the_same_time(database: Database, passwords: Passwords) -> None:
    # One turn in many is told apart by chance, or by what else the machine does; a fault is told in each.
    found = []
    for _ in range(TURNS):
        found.append(worst(database, passwords, people.check_password))
        if found[-1] < MOST:
            return
    pytest.fail(f"told apart by time: |t| = {found}")


def test_a_check_that_spares_itself_the_work_would_be_seen(database: Database, passwords: Passwords) -> None:
    def spared(database: Database, name: str, password: str, *, passwords: Passwords) -> object:
        with database.snapshot() as tx:
            if tx.people.named(people.name_key(name)) is None:
                raise Forbidden("there is nobody of this name")
        return people.check_password(database, name, password, passwords=passwords)

    assert worst(database, passwords, spared) > MOST
