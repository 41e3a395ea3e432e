"""Thousands of random changes by SQL, on both databases: `verify` finds every one, and names what was altered.

INDICIA_TAMPERINGS says how many; the suite does some hundreds on each database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from indicia.domain.access import Actor, Source
from indicia.domain.indicator import Status
from indicia.services import applications, changesets, expiry, groups, indicators
from indicia.services.auditing import Audit
from indicia.services.checkpoints import Checkpoints, Shipping, faults_of
from indicia.services.signing import PublicKey
from indicia.store.checkpoints import Checkpoint
from indicia.store.database import Database, Transaction
from tests import postgres
from tests.faults import intruder as ways
from tests.faults.intruder import SIGNED, Intruder, Row
from tests.integration.stores import ADMIN, BLOCK, CLIENT, NOW, domains, edit, listed, run_import, submit

SEED = 20_300_615
#: How many on each database; PostgreSQL reads each changeset by a cursor of its own, and takes longer.
TRIALS = {"sqlite": 300, "postgresql": 80}
if "INDICIA_TAMPERINGS" in os.environ:
    TRIALS = dict.fromkeys(TRIALS, int(os.environ["INDICIA_TAMPERINGS"]))
MINUTE = timedelta(minutes=1)
ADA = Actor("ada", "Ada", Source.PORTAL, frozenset())
Way = Callable[[str, Intruder], Row]
WAYS: list[tuple[Way, str]] = [
    *((way, table) for way in (ways.change_a_cell,) * 6 + (ways.take_a_row,) * 2 for table in SIGNED),
    *((way, table) for way in (ways.add_a_row, ways.swap_two_cells, ways.swap_two_rows) for table in SIGNED),
    *((way, "") for way in (ways.retire_an_indicator, ways.bring_an_indicator_back) * 2),
    *((way, "") for way in (ways.sign_a_changeset_again, ways.make_the_end_anew, ways.cut_the_end_off) * 3),
]


@dataclass(frozen=True)
class Past:
    """A database with a past of every kind, and what was kept elsewhere of its checkpoints."""

    database: Database
    keys: dict[str, PublicKey]
    kept: list[tuple[str, Checkpoint]]

    def faults(self, tx: Transaction, *, kept: bool = True) -> list[str]:
        found = list(tx.integrity.faults())
        found += faults_of(tx, {}, trusted=self.keys, kept=self.kept if kept else ())
        return found


def live_through(database: Database, maker: Checkpoints) -> None:
    """Live through a past of imports, edits, releases, undos, sign-ins and denials, with a checkpoint now and then."""
    audit = Audit(database)
    moment = iter(NOW + number * MINUTE for number in range(1_000))

    def signed() -> None:
        assert maker.make(database, next(moment), due=False) is not None

    groups.add_group(database, "Servers", None, actor=ADMIN, now=NOW)
    applications.add_application(database, "soar", [], actor=ADMIN, now=NOW)
    run_import(database, domains(range(25)), reason="the first list")
    signed()
    scoped = domains(range(15, 30), severity="Low", rbac_group_names=["Servers"], mitre_techniques=["T1566"])
    run_import(database, scoped, actor=ADMIN)
    for number in range(20):
        details = {"address": f"10.0.0.{number}", "route": "/v1/export", "status": 403}
        audit.note("access.denied", actor=ADA, now=NOW, details=details)
    audit.note("sign-in", actor=ADA, now=NOW, details={"address": "10.0.0.1"})
    audit.flush()
    run_import(database, domains(range(100, 104), expires=NOW + 2 * MINUTE, external_id="case 12"))
    rare = {"recommended_actions": "call us", "generate_alert": "true", "category": "Malware", "application": "soar"}
    submit(database, *domains(range(110, 113), **rare))
    signed()
    submit(database, BLOCK._replace(value="co.uk"), BLOCK._replace(value="2001:db8::/32", type="IpRange"))
    held = next(each for each in listed(database) if each.indicator.status is Status.HELD)
    indicators.release(database, [held.id], actor=ADMIN, now=NOW, reason="it is meant")
    for number in range(4):
        edit(database, 1 + 5 * number, title=f"edited {number}", reason="a better title")
        audit.note("export", actor=ADA, now=NOW, details={"rows": number}, subject="indicators")
        audit.flush()
    indicators.delete(database, [2, 3], actor=ADMIN, now=NOW)
    signed()
    for number in range(3):
        submit(database, *domains(range(200 + 3 * number, 203 + 3 * number)), actor=CLIENT)
    newest = changesets.list_changesets(database, actor=ADMIN, limit=1)[0]
    changesets.undo(database, newest.id, actor=ADMIN, now=NOW)
    submit(database, *domains([300, 301], expires=NOW + MINUTE))
    expiry.remove_expired(database, now=NOW + 3 * MINUTE)
    indicators.delete(database, [12], actor=ADMIN, now=NOW + 3 * MINUTE)
    signed()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def past(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    folder = tmp_path_factory.mktemp("past")
    with _Made(request, folder) as database:
        maker = Checkpoints(Shipping(folder / "audit.key"))
        live_through(database, maker)
        keys = {maker.key.public.id: maker.key.public}
        with database.snapshot() as tx:
            kept = [(f"line {each.number}", each) for each in tx.checkpoints.after(0, 100)]
        found = Past(database, keys, kept)
        with database.snapshot() as tx:
            assert found.faults(tx) == []
            assert len(kept) == 4
        yield found


class _Made:
    """A new database of the kind that a test asks for."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._cluster = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
        self._name = f"tampering_{os.getpid()}"
        self._folder = folder

    def __enter__(self) -> Database:
        url = f"sqlite:///{self._folder / 'indicia.db'}"
        if self._cluster is not None:
            postgres.create_database(self._cluster, self._name)
            url = self._cluster.url(self._name)
        self._database = Database.open(url)
        self._database.upgrade()
        return self._database

    def __exit__(self, *_error: object) -> None:
        self._database.close()
        if self._cluster is not None:
            postgres.drop_database(self._cluster, self._name)


def tamper(past: Past, trial: int, check: Callable[[Transaction, Row, str, str], None]) -> None:
    """Do one random thing to the database, let *check* look, and take it back."""
    for attempt in range(200):
        with past.database.engine.connect() as connection:
            transaction = connection.begin()
            try:
                intruder = Intruder(connection, f"{SEED} {trial} {attempt}")
                way, table = intruder.chance.choice(WAYS)
                before = intruder.everything()
                # What no table takes is not done: then something else.
                with suppress(DBAPIError):
                    row = way(table, intruder)
                    if intruder.everything() != before:
                        check(Transaction(connection, writable=False), row, way.__name__, table)
                        return
            finally:
                transaction.rollback()
    raise AssertionError("nothing could be altered")


def numbers_in(faults: list[str]) -> set[int]:
    """Return every number that *faults* name, those between two ends too."""
    text = "\n".join(faults)
    found = {int(each) for each in re.findall(r"-?\d+", text)}
    for first, last in re.findall(r"(-?\d+) to (-?\d+)", text):
        found.update(range(int(first), min(int(last), int(first) + 100_000) + 1))
    return found


def test_every_tampering_is_found_and_named(past: Past) -> None:
    for trial in range(TRIALS[past.database.engine.dialect.name]):

        def check(tx: Transaction, row: Row, way: str, table: str, trial: int = trial) -> None:
            found = past.faults(tx)
            shown = f"trial {trial}: {way} {table} {row}\n" + "\n".join(found)
            assert found, shown
            names = {row.get(name) for name in ("id", "number", "began", "ended", "created", "changeset")}
            if way != "cut_the_end_off" and table != "decisions":
                assert names & numbers_in(found), shown

        tamper(past, trial, check)


def test_a_clean_cut_of_the_end_is_found_by_what_was_kept_elsewhere_only(past: Past) -> None:
    with past.database.engine.connect() as connection:
        transaction = connection.begin()
        try:
            intruder = Intruder(connection, "cut")
            cut = ways.cut_the_end_off("", intruder)
            tx = Transaction(connection, writable=False)
            assert past.faults(tx, kept=False) == []
            found = past.faults(tx)
            newest = past.kept[-1][1]
            told = f"line {newest.number} is of changeset {newest.changeset}, which is missing: of changesets "
            assert any(fault.startswith(told) and fault.endswith("the end was cut off") for fault in found)
            assert cut["id"] <= newest.changeset
        finally:
            transaction.rollback()


def test_a_checkpoint_of_another_key_proves_nothing(past: Past, tmp_path: Path) -> None:
    """Somebody makes the end anew and signs it with a key of their own, which the chain even names."""
    with past.database.engine.connect() as connection:
        transaction = connection.begin()
        try:
            intruder = Intruder(connection, "another key")
            ways.make_the_end_anew("", intruder)
            intruder.run("DELETE FROM checkpoints")
            tx = Transaction(connection, writable=True)
            maker = Checkpoints(Shipping(tmp_path / "another.key"))
            maker.make(_Inside(tx), NOW + 10 * MINUTE, due=False)
            own_eyes: list[Any] = [*tx.integrity.faults(), *faults_of(tx, {})]
            assert own_eyes == []
            assert len(past.faults(tx)) > len(past.kept)
            assert replace(past, kept=[]).faults(tx) != []
        finally:
            transaction.rollback()


class _Inside(Database):
    """A database that is the transaction which it is given."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def snapshot(self) -> Any:
        return _Given(self._tx)

    attempt = snapshot


class _Given:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def __enter__(self) -> Transaction:
        return self._tx

    def __exit__(self, *_error: object) -> None:
        return None
