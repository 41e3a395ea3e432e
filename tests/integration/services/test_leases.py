"""Leases: one process at a time does a piece of timed work, and one that slept past its lease can write nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from indicia.domain.errors import Unavailable
from indicia.services import expiry
from indicia.services.clock import Clock
from indicia.services.leases import Fenced, Leases
from indicia.services.nodes import Node
from indicia.store.database import Database
from tests.integration.stores import BLOCK, NOW, contents, faults, submit

Maker = Callable[[], "Process"]


class Process:
    """What one process has of leases."""

    def __init__(self, database: Database) -> None:
        clock = Clock(database, lambda: datetime.now(UTC), time.monotonic)
        self.node = Node(database, clock)
        self.leases = Leases(database, self.node, clock)


@pytest.fixture
def process(database: Database) -> Iterator[Maker]:
    made: list[Process] = []

    def make() -> Process:
        made.append(Process(database))
        return made[-1]

    yield make
    for each in made:
        each.node.close()


def expire_lease(database: Database, name: str) -> None:
    """Let the lease be over, as it is when its holder has not been heard of for long."""
    with database.transaction() as tx:
        tx.connection.exec_driver_sql("UPDATE leases SET until = 0")
        tx.connection.exec_driver_sql("UPDATE nodes SET seen_at = 0")
        assert [each.name for each in tx.leases.all()] == [name]


def test_one_holds_it_and_holds_it_again(process: Maker) -> None:
    one, two = process(), process()
    lease = one.leases.hold("work")
    assert lease is not None
    assert two.leases.hold("work") is None
    assert one.leases.hold("work") == lease
    assert two.leases.hold("other work") is not None


def test_of_many_at_once_one_gets_it(process: Maker) -> None:
    many = [process() for _ in range(8)]
    for each in many:
        each.node.show()
    start, got = threading.Barrier(len(many)), []

    def take(each: Process) -> None:
        start.wait()
        got.append(each.leases.hold("work"))

    threads = [threading.Thread(target=take, args=(each,)) for each in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([lease for lease in got if lease is not None]) <= 1
    # Where all gave way to each other, the next round decides.
    assert sum(each.leases.hold("work") is not None for each in many) == 1


def test_who_says_farewell_leaves_it_to_others_at_once(process: Maker) -> None:
    one, two = process(), process()
    first = one.leases.hold("work")
    one.node.close()
    second = two.leases.hold("work")
    assert first is not None
    assert second is not None
    assert second.fence > first.fence


def test_a_holder_that_slept_past_its_lease_writes_nothing(database: Database, process: Maker) -> None:
    sleeper, other = process(), process()
    submit(database, BLOCK._replace(expires=NOW + timedelta(days=1)))
    lease = sleeper.leases.hold("expiry")
    assert lease is not None
    expire_lease(database, "expiry")
    again = other.leases.hold("expiry")
    assert again is not None
    # It wakes up in the middle of its job: what it has begun to do is refused in the transaction itself.
    with pytest.raises(Unavailable, match="taken over"):
        expiry.remove_expired(Fenced(database, lease), now=NOW + timedelta(days=2))
    assert len(contents(database)) == 1
    assert expiry.remove_expired(Fenced(database, again), now=NOW + timedelta(days=2)) == 1
    assert faults(database) == []


def test_while_work_is_under_way_nobody_takes_the_lease(database: Database, process: Maker) -> None:
    one, two = process(), process()
    lease = one.leases.hold("work")
    assert lease is not None
    expire_lease(database, "work")
    with Fenced(database, lease).transaction() as tx:
        assert tx.leases.is_held(*lease)
        assert two.leases.hold("work") is None
        assert tx.leases.is_held(*lease)


def test_a_fence_never_comes_again(process: Maker) -> None:
    one, two = process(), process()
    seen = []
    for turn in range(6):
        lease = (one, two)[turn % 2].leases.hold("work")
        assert lease is not None
        seen.append(lease.fence)
        with one.node._database.transaction() as tx:
            tx.leases.give_back(lease.holder, datetime(1971, 1, 1, tzinfo=UTC))
    assert seen == sorted(set(seen))


def test_the_keeper_of_a_lease_prolongs_it(database: Database, process: Maker) -> None:
    one = process()
    assert one.leases.hold("work") is not None
    with database.transaction() as tx:
        tx.connection.exec_driver_sql("UPDATE leases SET until = 5")
    assert one.node.beat()
    with database.snapshot() as tx:
        [lease] = tx.leases.all()
        assert lease.until > datetime(2026, 1, 1, tzinfo=UTC)
