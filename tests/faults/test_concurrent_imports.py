"""Eight processes import at once what overlaps: nobody sees an error, and the result is that of some serial order."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from indicia.services import changesets
from indicia.store.database import Database
from tests.acceptance.command_line import SCRIPT
from tests.integration.stores import ADMIN, contents, csv_of, domains, faults, run_import

IMPORTERS = 8
#: How many rows each has, and out of how many keys.
ROWS = int(os.environ.get("INDICIA_TEST_CONCURRENT_ROWS", "3000"))
KEYS = 2 * ROWS


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_importers_with_overlapping_keys(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else f"sqlite:///{tmp_path / 'many.db'}"
    database = Database.open(url)
    database.upgrade()
    assert run_import(database, domains(range(0, KEYS, 3), title="before")).applied
    chance = random.Random(8)
    files = []
    for importer in range(IMPORTERS):
        rows = domains(sorted(chance.sample(range(KEYS), ROWS)), title=f"by {importer}")
        files.append(tmp_path / f"{importer}.csv")
        files[-1].write_bytes(csv_of(rows))
    running = [
        subprocess.Popen(
            [str(SCRIPT), "--database", url, "import", str(file), "--reason", file.stem],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for file in files
    ]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0] * IMPORTERS, said
    chain = changesets.list_changesets(database, actor=ADMIN, limit=1_000)
    order = [int(each.reason) for each in reversed(chain) if each.kind == "import" and each.reason]
    assert sorted(order) == list(range(IMPORTERS)), "each is one changeset"
    # The same one after the other, in the order of the chain, on a database of its own.
    serial = Database.open(f"sqlite:///{tmp_path / 'serial.db'}")
    serial.upgrade()
    assert run_import(serial, domains(range(0, KEYS, 3), title="before")).applied
    for importer in order:
        assert run_import(serial, files[importer].read_bytes()).applied
    assert _decisions(database) == _decisions(serial)
    assert faults(database) == []
    serial.close()
    database.close()


def _decisions(database: Database) -> dict[str, str]:
    return {each.canonical: each.title for each in contents(database).values()}
