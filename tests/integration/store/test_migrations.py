"""The migrations lead to the tables that the program knows, from nothing and from every version before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from indicia.store import database as store
from indicia.store import engines
from indicia.store.database import NEWEST_SCHEMA, Database
from indicia.store.schema import metadata

FOLDER = Path(store.__file__).parent / "migrations"


def config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(FOLDER))
    return found


REVISIONS = [each.revision for each in ScriptDirectory.from_config(config()).walk_revisions()]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'empty.db'}")
    yield opened
    opened.close()


def upgrade_to(database: Database, revision: str) -> None:
    wanted = config()
    with database.engine.connect() as connection, engines.begin_write(connection):
        wanted.attributes["connection"] = connection
        command.upgrade(wanted, revision)


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_the_newest_migration_is_the_schema_that_the_program_asks_for() -> None:
    assert REVISIONS[0] == NEWEST_SCHEMA
    assert sorted(REVISIONS, reverse=True) == REVISIONS


@pytest.mark.parametrize("first", [None, *REVISIONS])
def test_every_version_is_brought_to_the_schema(empty: Database, first: str | None) -> None:
    if first is not None:
        upgrade_to(empty, first)
    assert empty.upgrade() is (first != NEWEST_SCHEMA)
    assert empty.schema_is_current()
    assert differences(empty) == []


def test_what_was_there_before_there_were_people_is_kept(empty: Database) -> None:
    upgrade_to(empty, "0001")
    made = "INSERT INTO applications VALUES ('c', 'soar', x'00', 'Ti.ReadWrite', 5, 'root', NULL)"
    with empty.engine.connect() as connection, engines.begin_write(connection):
        connection.execute(text(made))
    empty.upgrade()
    with empty.snapshot() as tx:
        [client] = tx.applications.all()
        assert (client.name, client.last_used_at, client.revoked_at) == ("soar", None, None)
        assert tx.people.count() == 0
