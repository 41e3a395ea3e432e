"""A portal in a process of its own over a database in a folder, and somebody who is signed in there already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from indicia.app import App
from indicia.domain.access import Role
from indicia.services import people, sessions
from indicia.settings import Settings
from indicia.store.people import Person
from tools.demo import ADA, Demo

COOKIE: Final = "__Host-indicia"
PERSON: Final = "Ada Lindqvist"
STOP_SECONDS: Final = 20
# The server, with the clock of its process moved.
_MOVED: Final = """
import sys, time_machine
from datetime import datetime
from indicia.cli import main
with time_machine.travel(datetime.fromisoformat(sys.argv.pop(1))):
    main()
"""


@dataclass
class Portal:
    """A server that runs, and its database, which this process has opened too."""

    address: str
    app: App
    log: Path
    now: datetime | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    demo: Demo | None = None

    def url(self, path: str) -> str:
        """Return the address of a page."""
        return self.address + path

    def person(self, name: str = PERSON) -> Person:
        """Return a person with that name, who is made where there is none."""
        now = self.now or datetime.now(UTC)
        return made_person(self.app, name, now)

    def token(self, name: str = PERSON) -> str:
        """Return what the cookie of somebody who is signed in holds; the same session each time."""
        if name not in self.tokens:
            self.tokens[name] = self.new_token(name)
        return self.tokens[name]

    def new_token(self, name: str = PERSON) -> str:
        """Sign somebody in, and return what the cookie of that session holds."""
        now = self.now or datetime.now(UTC)
        return sessions.open_session(self.app.database, self.person(name), now=now, limits=sessions.Limits())

    def cookie(self, name: str = PERSON) -> dict[str, str]:
        """Return the cookies of somebody who is signed in, for a client in Python."""
        return {COOKIE: self.token(name)}


def open_app(folder: Path) -> App:
    """Open the database in *folder*, which is made where there is none."""
    return App.open(Settings(database_url=f"sqlite:///{folder / 'indicia.db'}"), upgrade=True)


@contextmanager
def serving(
    folder: Path, *, now: datetime | None = None, app: App | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Portal]:
    """Give a portal over the database in *folder*; with *now* its clock begins there.

    *settings* are variables of the server's environment, which else has none of ours.
    """
    opened = app or open_app(folder)
    log = folder / "server.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INDICIA_")}
    environment |= settings or {}
    with log.open("ab") as out:
        server = subprocess.Popen(_command(folder, now), stdout=subprocess.PIPE, stderr=out, text=True, env=environment)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            if not address.startswith("http"):
                raise RuntimeError(f"the server did not start: {log.read_text(encoding='utf-8')[-2000:]}")
            yield Portal(address, opened, log, now)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
            server.communicate()
            if app is None:
                opened.close()


def _command(folder: Path, now: datetime | None) -> list[str]:
    arguments = ["--database", f"sqlite:///{folder / 'indicia.db'}", "serve", "--port", "0"]
    if now is None:
        return [sys.executable, "-m", "indicia", *arguments]
    return [sys.executable, "-c", _MOVED, now.isoformat(), *arguments]


def made_person(app: App, name: str, now: datetime) -> Person:
    """Return the person with that name, made where there is none."""
    for person in people.list_people(app.database, actor=ADA):
        if person.name == name:
            return person
    return people.add_person(app.database, name, actor=ADA, now=now, role=Role.ADMINISTRATOR).person
