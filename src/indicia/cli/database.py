"""`indicia db`, `backup` and `restore`: the database as a whole."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from indicia.cli.commands import Group, Invocation, actor, clock, command, is_embedded, pass_invocation
from indicia.cli.output import FAILED, OK, clean, number, plain_table, say_error, show, show_json, stdout
from indicia.cli.steps import Steps
from indicia.domain.errors import Conflict, IndiciaError, NotFound

if TYPE_CHECKING:
    from indicia.services.archive import Contents
    from indicia.services.backup import Made
    from indicia.store.database import Database

db_command = Group(
    "db",
    help="""The database: upgrade it, copy it to another one, see what it is.

    An embedded database is made and upgraded when it is used; a server's only by `upgrade` or `serve --upgrade`.""",
    examples=(
        "indicia db status",
        "indicia db upgrade --database postgresql://indicia@db.example/indicia",
        "indicia db copy sqlite:///indicia.db postgresql://indicia@db.example/indicia",
    ),
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_despite_faults = click.option(
    "--despite-faults", is_flag=True, help="Take a history along that was altered, as it is; it stays visible."
)


@db_command.command("upgrade", examples=("indicia db upgrade",))
@pass_invocation
def db_upgrade(invocation: Invocation) -> None:
    """Make the tables of this version, or bring those of an older one up to date; does nothing when they are."""
    from indicia.store.database import shown

    with _opened(invocation.settings().database_url) as database:
        changed = database.upgrade()
        show(f"{shown(database.url)}: {'upgraded' if changed else 'up to date already'}")


@db_command.command("status", examples=("indicia db status", "indicia db status --json"))
@_as_json
@pass_invocation
def db_status(invocation: Invocation, as_json: bool) -> int:
    """Show where the database is, of which version its tables are, how much is in it, and the newest backup.

    Exit code 1 where the tables are not of this version.
    """
    from indicia.store.database import NEWEST_SCHEMA

    with _opened(_existing(invocation.settings().database_url)) as database:
        found = _status(database, NEWEST_SCHEMA)
    if as_json:
        show_json(found)
    else:
        rows = [(name, "" if value is None else value) for name, value in found.items() if name != "rows"]
        for line in plain_table(("WHAT", "IS"), [*rows, *found["rows"].items()]):
            show(line)
    if not found["usable"]:
        say_error("the tables are not of this version; `indicia db upgrade` brings them up to date")
    return OK if found["usable"] else FAILED


def _status(database: Database, newest: str) -> dict[str, Any]:
    from indicia.services.backup import newest_backup
    from indicia.store import copying
    from indicia.store.database import shown

    schema = database.schema()
    found: dict[str, Any] = {
        "database": shown(database.url),
        "kind": database.engine.dialect.name,
        "schema": schema,
        "schemaOfThisVersion": newest,
        "usable": schema is not None and database.schema_is_current(),
        "changeset": None,
        "head": None,
        "newestBackup": None,
        "rows": {},
    }
    if schema == newest:
        with database.snapshot() as tx:
            tip = copying.tip(tx)
            found |= {"changeset": tip.id, "head": tip.hash.hex(), "rows": copying.counts(tx)}
        backup = newest_backup(database, actor=actor())
        found["newestBackup"] = backup.at.isoformat(timespec="seconds") if backup else None
    return found


@db_command.command(
    "copy",
    examples=(
        "indicia db copy sqlite:///indicia.db postgresql://indicia@db.example/indicia",
        "indicia db copy postgresql://indicia@db.example/indicia sqlite:///copy.db",
    ),
)
@click.argument("source")
@click.argument("target")
@_despite_faults
@_as_json
@pass_invocation
def db_copy(invocation: Invocation, source: str, target: str, despite_faults: bool, as_json: bool) -> None:
    """Copy the database SOURCE with its history, people, clients and ids into the empty database TARGET.

    Both are URLs, of any kind. SOURCE may be in use: the copy is of one moment, and what is changed after it is not in
    it. Whatever happens before the end, TARGET stays empty. At the end every row is read back and compared, and the
    history verified. A password is better kept in ~/.pgpass than in a URL, which others on this machine may see.
    """
    from indicia.services.copying import copy_database
    from indicia.store.database import shown

    with _opened(_existing(source)) as before, _opened(target) as after, Steps(hidden=invocation.quiet) as steps:
        copied = copy_database(before, after, actor=actor(), listener=steps, despite_faults=despite_faults)
        source, target = shown(before.url), shown(after.url)
    for fault in copied.faults:
        say_error(clean(fault))
    if as_json:
        document = {"source": source, "target": target, "rows": dict(copied.rows), "changeset": copied.tip.id}
        show_json({**document, "head": copied.tip.hash.hex(), "faults": list(copied.faults)})
        return
    show(f"copied: {number(copied.total, 'row')} to {clean(target)}")
    show(f"head:   {copied.tip.hash.hex()} (changeset {copied.tip.id}), as in {clean(source)}")
    invocation.tell(f"what is changed in {clean(source)} from now on is not in the copy: let the servers use the copy")


# -- backups ----------------------------------------------------------------------------------------------------------


@command(
    "backup",
    "indicia backup indicia.backup      everything, as of one moment, while the server runs",
    "indicia backup /var/backups/       the file is named after the moment",
    "indicia backup - | ssh vault 'cat > indicia.backup'",
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--with-keys", is_flag=True, help="Put the files that hold keys in it, too: who has it can sign tokens.")
@_as_json
@pass_invocation
def backup_command(invocation: Invocation, file: Path, with_keys: bool, as_json: bool) -> None:
    """Write everything in the database to a file, as of one moment, while others go on working; `-` is stdout.

    One form for every kind of database: restore it wherever you like. The file can be read by its owner only. Secrets
    of people and clients are in it as hashes; keys that sign tokens and checkpoints only with --with-keys. Who is
    signed in is not in it.
    """
    from importlib.metadata import version

    from indicia.services.backup import back_up, note_backup

    settings, now = invocation.settings(), clock()
    with _opened(_existing(settings.database_url)) as database, Steps(hidden=invocation.quiet) as steps:
        files = _key_files(invocation, database)
        keys = {name: path.read_bytes() for name, path in files.items() if path.exists()} if with_keys else None
        if file.is_dir():
            file /= f"indicia-{now:%Y%m%dT%H%M%SZ}.backup"
        with _written(file) as out:
            made = back_up(database, out, actor=actor(), now=now, program=version("indicia"), keys=keys, listener=steps)
        try:
            note_backup(database, made, actor=actor(), now=clock(), name=file.name)
        except IndiciaError as error:
            say_error(f"the backup is good, and could not be noted in the history: {clean(error)}")
    left = [] if with_keys else [str(path) for path in files.values() if path.exists()]
    if not with_keys and not is_embedded(settings.database_url):
        left.append("keys that all nodes share")
    _tell_made(invocation, file, made, left, as_json)


def _tell_made(invocation: Invocation, file: Path, made: Made, left: list[str], as_json: bool) -> None:
    is_stdout = str(file) == "-"
    if as_json and not is_stdout:
        show_json({"file": str(file), **made.manifest._asdict(), "rows": dict(made.rows), "keys": list(made.keys)})
    elif not is_stdout:
        show(f"{clean(file)}: {number(made.total, 'row')}, {number(file.stat().st_size, 'byte')}")
        show(f"head: {made.manifest.head} (changeset {made.manifest.changeset})")
    if left:
        invocation.tell(f"not in it: {clean(', '.join(left))}; --with-keys takes keys along")


@command(
    "restore",
    "indicia restore indicia.backup --check                 is it whole, and what is in it",
    "indicia restore indicia.backup                         into a database that is empty or not there yet",
    "indicia restore indicia.backup --replace               everything that is in the database now is lost",
    "indicia restore indicia.backup --head 9f86d081…        and it has to hold what was written down then",
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", is_flag=True, help="Read all of it and tell what is in it; no database is touched.")
@click.option("--replace", is_flag=True, help="Let everything go that is in the database.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask whether to replace.")
@click.option("--with-keys", is_flag=True, help="Put the keys that are in it in their places, too.")
@click.option("--head", metavar="HASH", help="A hash that `backup` or `verify` printed earlier.")
@_despite_faults
@_as_json
@pass_invocation
def restore_command(
    invocation: Invocation,
    file: Path,
    check: bool,
    replace: bool,
    yes: bool,
    with_keys: bool,
    head: str | None,
    despite_faults: bool,
    as_json: bool,
) -> None:
    """Fill an empty database with a backup; stop the servers first.

    FILE is read to its end before anything is touched, and whatever is wrong with it is told with its place. Then all
    of it is one transaction: every row is read back and compared, the history verified, and only then it counts. A
    backup of an embedded database can be restored to PostgreSQL and the other way round.
    """
    from indicia.services.backup import check_backup, restore

    name = "stdin" if str(file) == "-" else str(file)
    with _readable(file) as source, Steps(hidden=invocation.quiet) as steps:
        contents = check_backup(source, name, listener=steps)
        if not check:
            url = invocation.settings().database_url
            if replace and not yes:
                _ask(url)
            with _opened(url) as database:
                places = _key_places(invocation, database, contents, replace=replace) if with_keys else {}
                copied = restore(
                    database,
                    source,
                    contents,
                    name=name,
                    actor=actor(),
                    now=clock(),
                    replace=replace,
                    head=head,
                    despite_faults=despite_faults,
                    listener=steps,
                )
                _put_keys(places)
            for fault in copied.faults:
                say_error(clean(fault))
    _tell_restored(invocation, contents, name, checked=check, with_keys=with_keys, as_json=as_json)


def _ask(url: str) -> None:
    from indicia.store.database import place_of

    where = clean(place_of(url).shown)
    if not sys.stdin.isatty():
        raise click.UsageError(f"this would let go of everything in {where}: say --yes to do it")
    if not click.confirm(f"Everything in {where} is lost. Go on?", err=True):
        raise click.Abort


def _tell_restored(
    invocation: Invocation, contents: Contents, name: str, *, checked: bool, with_keys: bool, as_json: bool
) -> None:
    said, rows = contents.manifest, sum(contents.rows.values())
    if as_json:
        document = {"file": name, **said._asdict(), "rows": dict(contents.rows), "keys": sorted(contents.keys)}
        show_json({**document, "restored": not checked})
        return
    show(f"{clean(name)}: {'whole' if checked else 'restored'}, {number(rows, 'row')}, made {said.made_at}")
    show(f"head: {said.head} (changeset {said.changeset})")
    if contents.keys and not with_keys:
        invocation.tell(f"keys in it that are not used: {clean(', '.join(sorted(contents.keys)))} (--with-keys)")
    if not checked:
        invocation.tell("whatever was revoked or changed after the backup was made is as it was then: look at it again")


# -- files ------------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    from indicia.store.database import Database

    database = Database.open(url)
    try:
        yield database
    finally:
        database.close()


def _existing(url: str) -> str:
    """Return *url* unless it names a file that is not there, which opening it would make."""
    from indicia.store.database import place_of

    place = place_of(url)
    if is_embedded(url) and place.file is not None and not place.file.exists():
        raise NotFound(f"there is no database {place.shown}")
    return url


@contextmanager
def _written(file: Path) -> Iterator[BinaryIO]:
    """Give a new file to write, which has its name when it is whole and on the disk, and is nobody else's to read."""
    if str(file) == "-":
        yield stdout()
        stdout().flush()
        return
    if file.exists():
        raise Conflict(f"{file} is there already: nothing is written over; name another file")
    partial = file.with_name(f"{file.name}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(out.fileno(), 0o600)
            yield out
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def _readable(file: Path) -> Iterator[BinaryIO]:
    """Give a file that can be read twice; what comes from stdin is put aside first."""
    if str(file) != "-":
        with file.open("rb") as source:
            yield source
        return
    import shutil

    with tempfile.TemporaryFile() as aside:
        shutil.copyfileobj(sys.stdin.buffer, aside)
        aside.seek(0)
        yield aside


def _key_files(invocation: Invocation, database: Database) -> Mapping[str, Path]:
    from indicia.app import key_files

    return key_files(invocation.settings(), database)


def _key_places(invocation: Invocation, database: Database, contents: Contents, *, replace: bool) -> dict[Path, bytes]:
    """Return where the keys of a backup go; raises `Conflict` where another one is already, unless it may *replace*."""
    places = _key_files(invocation, database)
    found = {places[name]: data for name, data in contents.keys.items() if name in places}
    for path, data in found.items():
        if not replace and path.exists() and path.read_bytes() != data:
            raise Conflict(f"{path} holds another key already: nothing was restored; move it away, or say --replace")
    return found


def _put_keys(places: Mapping[Path, bytes]) -> None:
    for path, data in places.items():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(data)
