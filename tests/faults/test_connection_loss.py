"""The network between a node and PostgreSQL fails in every way: nobody hangs, nothing is half done, all recovers."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import OperationalError

from indicia.domain.errors import IndiciaError, Unavailable
from indicia.store.database import Database
from tests import postgres
from tests.faults.proxy import Proxy
from tests.integration.stores import BLOCK, contents, csv_of, domains, faults, run_import, submit

#: How many random faults there are.
FAULTS = int(os.environ.get("INDICIA_TEST_CONNECTION_FAULTS", "12"))
#: Nobody waits longer than this for a connection that is gone.
LONGEST_S = 10.0


@pytest.fixture
def direct(postgres_url: str) -> Iterator[Database]:
    opened = Database.open(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def proxy(postgres_server: postgres.Cluster) -> Iterator[Proxy]:
    with Proxy(postgres_server.port) as made:
        yield made


@pytest.fixture
def database(postgres_url: str, postgres_server: postgres.Cluster, proxy: Proxy) -> Iterator[Database]:
    """Return the database as it is seen through the proxy."""
    opened = Database.open(postgres_url.replace(f":{postgres_server.port}/", f":{proxy.port}/"))
    submit(opened, BLOCK)
    yield opened
    proxy.flow()
    opened.close()


def timed(work: Callable[[], object]) -> tuple[float, BaseException | None]:
    began = time.monotonic()
    try:
        work()
    except IndiciaError as error:
        return time.monotonic() - began, error
    return time.monotonic() - began, None


def test_a_statement_whose_answer_never_comes_is_given_up(database: Database, proxy: Proxy) -> None:
    with database.snapshot() as tx:
        tx.changesets.tip()
        proxy.stall()
        with pytest.raises(OperationalError):
            tx.changesets.tip()
    took, error = timed(lambda: contents(database))
    assert isinstance(error, Unavailable)
    assert took < LONGEST_S
    proxy.flow()
    assert len(contents(database)) == 1


def test_a_long_statement_is_not_taken_for_a_lost_connection(database: Database) -> None:
    with database.snapshot() as tx:
        assert tx.connection.exec_driver_sql("SELECT 7 FROM pg_sleep(6)").scalar_one() == 7


def test_who_waits_for_a_writer_is_not_taken_for_a_lost_connection(database: Database) -> None:
    with database.transaction():
        waiting = threading.Thread(target=lambda: submit(database, BLOCK._replace(value="waited.example")))
        waiting.start()
        time.sleep(5)
    waiting.join(30)
    assert len(contents(database)) == 2


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_is_cut_in_the_middle_of_an_import(
    database: Database, proxy: Proxy, direct: Database, reset: bool
) -> None:
    before = proxy.passed
    rows = csv_of(domains(range(20_000)))
    ended: list[tuple[float, BaseException | None]] = []
    importing = threading.Thread(target=lambda: ended.append(timed(lambda: run_import(database, rows))))
    importing.start()
    while proxy.passed - before < 300_000 and importing.is_alive():
        time.sleep(0.002)
    proxy.cut(reset=reset)
    importing.join(60)
    [(_took, error)] = ended
    assert isinstance(error, Unavailable)
    assert len(contents(direct)) == 1
    assert run_import(database, rows).applied
    assert len(contents(direct)) == 20_001
    assert faults(direct) == []


def test_random_faults(database: Database, proxy: Proxy, direct: Database) -> None:
    chance = random.Random(5)
    acknowledged = {"evil.example.org"}
    unknown: set[str] = set()
    for number in range(FAULTS):
        fault = chance.choice(["cut", "reset", "stall", "slow"])
        wait = chance.random() * 0.05
        names = [f"f{number}-{each}.example" for each in range(200)]
        ended: list[tuple[float, BaseException | None]] = []
        drafts = [BLOCK._replace(value=name) for name in names]
        writing = threading.Thread(
            target=lambda ended=ended, drafts=drafts: ended.append(timed(lambda: submit(database, *drafts)))
        )
        writing.start()
        time.sleep(wait)
        if fault == "cut":
            proxy.cut()
        elif fault == "reset":
            proxy.cut(reset=True)
        elif fault == "stall":
            proxy.stall()
        else:
            proxy.delay = 0.01
        writing.join(60)
        proxy.flow()
        proxy.delay = 0.0
        [(took, error)] = ended
        assert took < LONGEST_S, (fault, took)
        if error is None:
            acknowledged |= set(names)
        else:
            assert isinstance(error, Unavailable), error
            unknown |= set(names)
        stored = _names(direct)
        assert acknowledged <= stored, "what was acknowledged is there"
        assert stored <= acknowledged | unknown
        assert len(stored & set(names)) in (0, 200), "a batch is there wholly or not at all"
        took, error = timed(lambda: contents(database))
        assert error is None or took < LONGEST_S
        if error is not None:
            assert timed(lambda: contents(database))[1] is None, "the pool recovers"
    assert faults(direct) == []


def _names(database: Database) -> set[str]:
    return {each.canonical for each in contents(database).values()}
