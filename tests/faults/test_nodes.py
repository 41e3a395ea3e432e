"""Two nodes on one PostgreSQL: what one writes the other decides on; one that stops or dies takes nothing with it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from indicia.store.database import Database
from tests.faults.nodes import PATIENCE_S, ServerNode, indicator, nodes, until, winner
from tests.integration.stores import contents, csv_of, domains, faults

#: How many indicators are written on one node and asked for at the other.
WRITES = int(os.environ.get("INDICIA_TEST_NODE_WRITES", "100"))
#: Within this time an indicator has to count on every node.
SECOND = 1.0
#: Within this time the service has to be back.
BACK_WITHIN_S = 5.0


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database.open(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def two(postgres_url: str, tmp_path: Path) -> Iterator[Sequence[ServerNode]]:
    with nodes(postgres_url, tmp_path) as opened:
        yield opened


@pytest.mark.timeout(300 + WRITES)
def test_what_one_writes_the_other_decides_on_within_a_second(two: Sequence[ServerNode]) -> None:
    slowest = 0.0
    for number in range(WRITES):
        writer, asked = two[number % 2], two[1 - number % 2]
        value = f"written-{number}.example"
        answer = writer.client.post("/v1/indicators", json=indicator(value))
        assert answer.status_code == 201, answer.text
        acknowledged = time.monotonic()
        assert winner(asked, value) == "Block", "the very first question after the answer"
        slowest = max(slowest, time.monotonic() - acknowledged)
    print(f"{WRITES} writes, the slowest counted elsewhere after {slowest * 1000:.0f} ms")
    assert slowest < SECOND
    # And nobody had to ask: each node heard of what the other wrote.
    for node in two:
        until(lambda node=node: _number(node, "indicia_announcements_heard") >= WRITES / 2)


def _number(node: ServerNode, name: str) -> float:
    lines = node.client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_every_node_knows_of_the_others_and_tokens_and_cursors_are_good_at_all(two: Sequence[ServerNode]) -> None:
    for node in two:
        assert node.client.get("/readyz").json() == {"status": "ready", "degraded": []}
        until(lambda node=node: _number(node, "indicia_nodes") == 2)
    for number in range(3):
        two[0].client.post("/v1/indicators", json=indicator(f"page-{number}.example"))
    page = two[0].client.get("/v1/indicators", params={"limit": 1}).json()
    there = httpx.URL(page["next"])
    assert two[1].client.get(there.path, params=there.params).status_code == 200


def test_the_same_request_at_two_nodes_at_once_has_one_effect(two: Sequence[ServerNode], database: Database) -> None:
    for number in range(20):
        answers: list[httpx.Response] = []
        body, headers = indicator(f"once-{number}.example"), {"Idempotency-Key": f"key-{number}"}

        def send(node: ServerNode, into: list[httpx.Response], body: object, headers: dict[str, str]) -> None:
            into.append(node.client.post("/v1/indicators", json=body, headers=headers))

        threads = [threading.Thread(target=send, args=(two[each % 2], answers, body, headers)) for each in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = sorted(answer.status_code for answer in answers)
        assert set(codes) <= {201, 409}, [answer.text for answer in answers]
        assert codes[0] == 201
        again = two[number % 2].client.post("/v1/indicators", json=body, headers=headers)
        assert again.status_code == 201
        assert len({answer.text for answer in [*answers, again] if answer.status_code == 201}) == 1
    with database.snapshot() as tx:
        head = tx.changesets.head()
    assert len(contents(database)) == 20
    assert head is not None


def test_a_node_that_is_killed_in_an_import_takes_nothing_with_it(
    two: Sequence[ServerNode], database: Database
) -> None:
    victim, other = two
    assert other.client.post("/v1/indicators", json=indicator("before.example")).status_code == 201
    body = csv_of(domains(range(60_000)))
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "the-import"}
    lost: list[BaseException] = []

    def send() -> None:
        try:
            victim.client.post("/v1/imports", content=body, headers=headers)
        except httpx.HTTPError as error:
            lost.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    until(lambda: _is_writing(database))
    time.sleep(0.3)
    victim.kill()
    killed = time.monotonic()
    thread.join(PATIENCE_S)
    assert lost, "it was not killed in time to be in the middle"
    answer = other.client.post("/v1/indicators", json=indicator("after.example"))
    assert answer.status_code == 201, answer.text
    assert time.monotonic() - killed < BACK_WITHIN_S
    assert len(contents(database)) == 2, "nothing of it is half applied"
    # Whoever sent it sends it again, anywhere: the key of the dead node is freed, and there is one effect.
    answered = [409]
    until(lambda: answered.append(_import(other, body, headers)) or answered[-1] != 409)
    assert answered[-1] == 200
    assert len(contents(database)) == 60_002
    assert faults(database) == []


def _is_writing(database: Database) -> bool:
    """Return whether somebody writes just now: the key of the request is claimed, and the chain's lock is held."""
    with database.engine.connect() as connection:
        keys = connection.exec_driver_sql("SELECT count(*) FROM idempotency_keys").scalar_one()
        locks = connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        return bool(keys) and bool(locks.scalar_one())


def _import(node: ServerNode, body: bytes, headers: dict[str, str]) -> int:
    return node.client.post("/v1/imports", content=body, headers=headers).status_code


def test_a_node_that_is_told_to_stop_says_so_first_and_ends_what_it_has_begun(
    postgres_url: str, tmp_path: Path, database: Database
) -> None:
    with nodes(postgres_url, tmp_path, settings={"INDICIA_DRAIN_SECONDS": "2"}) as two:
        stopped, other = two
        until(lambda: _holders(database) != set())
        done: list[int] = []
        body = csv_of(domains(range(30_000)))
        thread = threading.Thread(target=lambda: done.append(_import(stopped, body, {"Content-Type": "text/csv"})))
        thread.start()
        time.sleep(0.2)
        stopped.send(signal.SIGTERM)
        until(lambda: stopped.client.get("/readyz").status_code == 503, seconds=1.5)
        assert other.client.get("/readyz").status_code == 200
        assert stopped.client.post("/v1/indicators", json=indicator("late.example")).status_code == 201
        thread.join(PATIENCE_S)
        assert done == [200], "what was under way was ended"
        assert stopped.process.wait(PATIENCE_S) == 0
        until(lambda: len(_holders(database)) == 1, seconds=5.0)
        assert len(contents(database)) == 30_001
        with database.snapshot() as tx:
            assert len(tx.nodes.all()) == 1, "it said farewell"


def _holders(database: Database) -> set[str]:
    with database.snapshot() as tx:
        living = {node.id for node in tx.nodes.all()}
        return {lease.holder for lease in tx.leases.all() if lease.holder in living}


def test_a_holder_that_sleeps_past_its_lease_does_no_work_any_more(
    two: Sequence[ServerNode], database: Database
) -> None:
    until(lambda: "expiry" in _held(database))
    with database.snapshot() as tx:
        [lease] = [each for each in tx.leases.all() if each.name == "expiry"]
    by_id = {_id_of(node, database): node for node in two}
    sleeper, other = by_id[lease.holder], next(node for id, node in by_id.items() if id != lease.holder)
    sleeper.send(signal.SIGSTOP)

    def taken_over() -> bool:
        with database.snapshot() as tx:
            now = next(each for each in tx.leases.all() if each.name == "expiry")
        return now.holder != lease.holder and now.fence > lease.fence

    until(taken_over)
    with database.snapshot() as tx:
        moment = tx.nodes.moment()
    assert moment is not None
    # Far enough ahead for a busy machine to have written it by then.
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment.timestamp() + 10.0))
    answer = other.client.post("/v1/indicators", json=indicator("short-lived.example", expirationTime=expires))
    assert answer.status_code == 201, answer.text
    sleeper.send(signal.SIGCONT)
    until(lambda: _sweeps(database))
    time.sleep(2.5)
    assert _sweeps(database) == [1], "it was removed once, by one of them"
    assert faults(database) == []


def _held(database: Database) -> set[str]:
    """Return the work that a node holds the lease of."""
    with database.snapshot() as tx:
        return {lease.name for lease in tx.leases.all()}


def _sweeps(database: Database) -> list[int]:
    """Return how many indicators each sweep has removed."""
    with database.snapshot() as tx:
        return [each.deleted for each in tx.changesets.page(before=None, limit=100) if each.kind == "expiry"]


def _id_of(node: ServerNode, database: Database) -> str:
    with database.snapshot() as tx:
        return next(each.id for each in tx.nodes.all() if each.name.endswith(f":{node.process.pid}"))
