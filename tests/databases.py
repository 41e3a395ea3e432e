"""On which database a run of the tests works: files of SQLite, or databases of a PostgreSQL that the run starts.

A test names its database by a path, whichever it is. On SQLite that is the file; on PostgreSQL it stands for a database
of the server that this process of the tests has, made when it is first asked for and dropped with the test.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from indicia.store.database import Database
from tests import postgres

KIND = os.environ.get("INDICIA_TEST_DATABASE", "sqlite")
ON_POSTGRESQL = KIND == "postgresql"


@dataclass
class Server:
    """The PostgreSQL of this process of the tests, and which path stands for which of its databases."""

    cluster: postgres.Cluster
    named: dict[Path, str] = field(default_factory=dict)

    def url(self, path: Path) -> str:
        """Return the URL of the database that *path* stands for, an empty one where it is new."""
        if path not in self.named:
            self._create(path, "template0")
        return self.cluster.url(self.named[path])

    def fill(self, path: Path) -> None:
        """Make the database that *path* stands for anew, with the newest tables."""
        self._create(path, postgres.TEMPLATE)

    def copy(self, path: Path, to: Path) -> None:
        """Make *to* stand for a copy of what *path* stands for."""
        postgres.disconnect(self.cluster, self.named[path])  # pools get over that; nobody may be on what is copied
        self._create(to, self.named[path])

    def drop(self, folder: Path | None) -> None:
        """Drop what stands in *folder*, and what stands in a folder that is gone."""
        gone = [path for path in self.named if (folder and folder in path.parents) or not path.parent.exists()]
        for path in gone:
            postgres.drop_database(self.cluster, self.named.pop(path))

    def _create(self, path: Path, template: str) -> None:
        name = f"test_{hashlib.sha256(str(path).encode()).hexdigest()[:24]}"
        if path in self.named:
            postgres.drop_database(self.cluster, name)
        postgres.create_database(self.cluster, name, template)
        self.named[path] = name


@cache
def server() -> Server:
    """Return the PostgreSQL of this process, which is started when it is first asked for."""
    stack = ExitStack()
    atexit.register(stack.close)
    cluster = stack.enter_context(postgres.cluster())
    postgres.make_template(cluster)
    return Server(cluster)


def url_of(path: Path) -> str:
    """Return the URL of the database that *path* names; on SQLite the file need not be there."""
    return server().url(path) if ON_POSTGRESQL else f"sqlite:///{path}"


def new_file(folder: Path, name: str = "indicia.db") -> Path:
    """Return the path of a fresh database with the newest tables."""
    file = folder / name
    if ON_POSTGRESQL:
        server().fill(file)
    else:
        file.write_bytes(_template())
    return file


def copy_of(file: Path, to: Path) -> Path:
    """Copy a database that nobody writes to, on SQLite its write-ahead log included."""
    if ON_POSTGRESQL:
        server().copy(file, to)
        return to
    for ending in ("", "-wal"):
        if Path(f"{file}{ending}").exists():
            shutil.copyfile(f"{file}{ending}", f"{to}{ending}")
    return to


def settings_of(folder: Path) -> dict[str, Any]:
    """Return the settings of a process whose database is ``indicia.db`` in *folder*, and whose files are beside it."""
    made: dict[str, Any] = {"database_url": url_of(folder / "indicia.db")}
    if ON_POSTGRESQL:  # nothing is beside a database on a server, so the files are where the settings say
        made |= {"key_file": folder / "indicia.key", "snapshot_file": folder / "indicia.snapshot"}
    return made


def environment_of(folder: Path) -> dict[str, str]:
    """Return `settings_of` as the environment of a process."""
    return {f"INDICIA_{name.upper()}": str(value) for name, value in settings_of(folder).items()}


@cache
def _template() -> bytes:
    with TemporaryDirectory() as folder:
        database = Database.open(f"sqlite:///{folder}/empty.db")
        database.upgrade()
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return Path(folder, "empty.db").read_bytes()
