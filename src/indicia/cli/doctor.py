"""`indicia doctor`: whether everything is in order, check by check."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from indicia.cli.commands import Invocation, actor, clock, command, pass_invocation
from indicia.cli.output import FAILED, OK, clean, number, plain_table, show, show_json
from indicia.domain.errors import IndiciaError

if TYPE_CHECKING:
    from indicia.app import App
    from indicia.store.changesets import ChangeSetRecord

_GIB: Final = 1 << 30
_ENOUGH_BYTES: Final = 2 * _GIB
_TOO_FEW_BYTES: Final = 200 << 20
_PATIENCE_S: Final = 5.0
_LONGEST_ANSWER: Final = 64 << 10
_SLOW_MS: Final = 100.0
_APART_S: Final = 1.0
_OLD_BACKUP_DAYS: Final = 7
# No clock that is right shows an earlier time than this program was written.
_WRITTEN: Final = datetime(2025, 1, 1, tzinfo=UTC)


class Check(NamedTuple):
    """What one check found: ``state`` is ok, warn or fail."""

    name: str
    state: str
    message: str


@command(
    "doctor",
    "indicia doctor",
    "indicia doctor --url http://127.0.0.1:8484         only whether that server is ready",
    "indicia doctor --json | jq '.checks[] | select(.state != \"ok\")'",
)
@click.option("--url", metavar="URL", help="Ask a server whether it is ready, and look at nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_invocation
def doctor_command(invocation: Invocation, url: str | None, as_json: bool) -> int:
    """Check that everything is in order; changes nothing.

    Exit code 1 where a check fails. `indicia verify` proves the whole history, which takes longer.
    """
    checks = list(_checks(invocation, clock())) if url is None else [_server(url)]
    failed = any(check.state == "fail" for check in checks)
    if as_json:
        show_json({"ok": not failed, "checks": [check._asdict() for check in checks]})
    else:
        for line in plain_table(("CHECK", "STATE", "WHAT WAS FOUND"), checks):
            show(line)
    return FAILED if failed else OK


def _checks(invocation: Invocation, now: datetime) -> Iterator[Check]:
    from indicia.app import App
    from indicia.store.database import place_of

    try:
        settings = invocation.settings()
        database = place_of(settings.database_url)
    except IndiciaError as error:
        yield Check("settings", "fail", clean(error))
        return
    yield Check("settings", "ok", f"database: {database.shown}")
    yield from _clock(now)
    if database.file is not None:
        yield from _folder(database.file.parent)
        if not database.file.exists():
            yield Check("database", "warn", f"{database.file} is not there yet; the first command makes it")
            return
        yield from _private("database file", database.file)
    try:
        app = App.open(settings)
    except (IndiciaError, OSError) as error:
        yield Check("database", "fail", clean(error))
        return
    try:
        yield from _database(app, now)
    finally:
        app.close()


def _server(url: str) -> Check:
    """Ask the server at *url* whether it is ready: what a container, or a balancer, wants to know."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    unusable = click.UsageError(f"{clean(url)} is no address of a server, as http://127.0.0.1:8484 is")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise unusable from None
    if host is None or parts.scheme not in ("http", "https"):
        raise unusable
    connection = (HTTPSConnection if parts.scheme == "https" else HTTPConnection)(host, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/readyz")
        answer = connection.getresponse()
        said = answer.read(_LONGEST_ANSWER)
    except (OSError, HTTPException) as error:
        return Check("server", "fail", clean(f"{url} does not answer: {str(error) or type(error).__name__}"))
    finally:
        connection.close()
    if answer.status == 200:
        return Check("server", "ok", clean(f"{url} is ready"))
    try:
        why = json.loads(said)["detail"]
    except (ValueError, KeyError, TypeError):
        why = "it does not say why"
    return Check("server", "fail", clean(f"{url} is not ready ({answer.status}): {why}"))


def _clock(now: datetime) -> Iterator[Check]:
    shown = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < _WRITTEN:
        yield Check("clock", "fail", f"it says {shown}, which is past: indicators would not expire when they should")
    else:
        yield Check("clock", "ok", f"it says {shown}")


def _folder(folder: Path) -> Iterator[Check]:
    if not folder.exists():
        yield Check("folder", "warn", f"{folder} is not there yet; the first command makes it")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Check("folder", "fail", f"{folder} may not be written by this user")
    else:
        yield Check("folder", "ok", f"{folder} may be written")
    free = shutil.disk_usage(folder).free
    state = "ok" if free >= _ENOUGH_BYTES else "warn" if free >= _TOO_FEW_BYTES else "fail"
    yield Check("disk", state, f"{free / _GIB:.1f} GiB are free")


def _private(name: str, file: Path) -> Iterator[Check]:
    """Check that nobody else may read *file*."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        yield Check(name, "warn", f"{file} may be read by others (mode {mode:o}): chmod 600 {file}")
    else:
        yield Check(name, "ok", f"{file} may be read by its owner only")


def _database(app: App, now: datetime) -> Iterator[Check]:
    from indicia.services.changesets import list_changesets

    yield Check("schema", "ok", "the tables are those of this version")
    try:
        faults = app.database.faults()
        newest = next(iter(list_changesets(app.database, actor=actor(), limit=1)), None)
    except IndiciaError as error:
        yield Check("database", "fail", clean(error))
        return
    for fault in faults:
        yield Check("integrity", "fail", clean(fault))
    if not faults:
        yield Check("integrity", "ok", "the database finds nothing wrong with itself")
    yield _history(newest, now)
    yield from _node(app)
    yield _backup(app, now)
    if app.nodes_share_key:
        yield Check("key file", "ok", "none is needed: the key that signs tokens is in the database, for all nodes")
    elif app.key_file.exists():
        yield from _private("key file", app.key_file)
    else:
        yield Check("key file", "ok", f"{app.key_file} is not there yet; the first `indicia serve` makes it")


def _node(app: App) -> Iterator[Check]:
    """Check how far away the database is, in time and by its clock, and what the engine has of it."""
    began = perf_counter()
    app.database.schema()
    milliseconds = (perf_counter() - began) * 1000
    yield Check(
        "answers", "ok" if milliseconds < _SLOW_MS else "warn", f"the database answers in {milliseconds:.1f} ms"
    )
    off = abs(app.clock.off_by().total_seconds())
    if off > _APART_S:
        yield Check("database clock", "warn", f"this machine's clock is {off:.1f} s off the database's, which counts")
    elif app.database.file is None:
        yield Check("database clock", "ok", f"this machine's clock is {off:.3f} s off the database's, which counts")
    file = app.engine.file
    if file.exists():
        yield Check("snapshot", "ok", f"{file} has {file.stat().st_size / (1 << 20):,.1f} MiB")
    else:
        yield Check("snapshot", "ok", f"{file} is not there yet; the server makes it")


def _backup(app: App, now: datetime) -> Check:
    from indicia.services.backup import newest_backup

    newest = newest_backup(app.database, actor=actor())
    if newest is None:
        return Check("backup", "warn", "there was none yet that the history knows of; `indicia backup FILE` makes one")
    days = (now - newest.at).days
    shown = f"the newest is of {newest.at:%Y-%m-%d %H:%M:%S} UTC"
    return Check("backup", "ok" if days <= _OLD_BACKUP_DAYS else "warn", f"{shown}, {number(max(days, 0), 'day')} ago")


def _history(newest: ChangeSetRecord | None, now: datetime) -> Check:
    if newest is None:
        return Check("history", "ok", "nothing was changed yet")
    shown = f"{number(newest.id, 'changeset')}, the newest of {newest.at:%Y-%m-%d %H:%M:%S} UTC"
    if newest.at > now:
        return Check("history", "warn", f"{shown}, which is yet to come: the clock was set back")
    return Check("history", "ok", f"{shown}, hash {newest.hash.hex()[:16]}…")
