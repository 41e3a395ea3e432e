"""Backups: the whole database as of one moment in one file, and a database made of such a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO, Final, NamedTuple

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import Conflict, InvalidInput, Problem
from indicia.services.archive import Contents, Digest, Manifest, Reader, Writer, manifest
from indicia.services.copying import Copied, Listener, Silent, check_empty, check_version, heard, make_tables, prove
from indicia.services.writing import record_event
from indicia.store import copying
from indicia.store.changesets import ORIGIN, ChangeSetRecord, Header, Sought, Tip
from indicia.store.copying import Row, Shape, Unfit
from indicia.store.database import NEWEST_SCHEMA, Database, Transaction

#: Keys that all nodes on one database sign with.
_KEYS: Final = "secret_keys"
#: Who is signed in, and links by which somebody may: what was ended since must not come back with a backup.
NOT_KEPT: Final = frozenset({"sessions", "sign_in_links", "sign_in_states", "sign_in_failures"})


class Made(NamedTuple):
    """A backup that was written."""

    manifest: Manifest
    rows: Mapping[str, int]
    keys: tuple[str, ...]

    @property
    def total(self) -> int:
        """All rows of all tables."""
        return sum(self.rows.values())


def back_up(
    database: Database,
    out: BinaryIO,
    *,
    actor: Actor,
    now: datetime,
    program: str,
    keys: Mapping[str, bytes] | None = None,
    listener: Listener | None = None,
) -> Made:
    """Write everything in *database*, as of one moment, to *out*; who writes meanwhile is not held up.

    *keys* are files that hold keys, by name; with None those in the database are left out, too. Secrets of people and
    clients are kept as hashes only.
    """
    require(actor, Permission.SYSTEM_WRITE)
    hear = listener or Silent()
    left_out = NOT_KEPT if keys is not None else NOT_KEPT | {_KEYS}
    check_version(database)
    with database.snapshot() as tx:
        tip = copying.tip(tx)
        hear.begin("writing", sum(rows for name, rows in copying.counts(tx).items() if name not in left_out))
        said = manifest(NEWEST_SCHEMA, program, now, tip.id, tip.hash)
        writer = Writer(out, said)
        rows = {}
        try:
            for shape in copying.shapes():
                with copying.reading(tx, shape) as parts:
                    kept = iter(()) if shape.name in left_out else _heard(parts, hear)
                    rows[shape.name] = writer.table(shape, kept).rows
        except Unfit as error:
            raise Conflict(f"a backup cannot be made: {error}") from None
        for name, data in (keys or {}).items():
            writer.key(name, data)
        writer.close()
    return Made(said, rows, tuple(keys or ()))


def note_backup(database: Database, made: Made, *, actor: Actor, now: datetime, name: str) -> ChangeSetRecord:
    """Add to the history that *made* was written to *name*: whoever has it has everything."""
    require(actor, Permission.SYSTEM_WRITE)
    details = {
        "name": name,
        "changeset": made.manifest.changeset,
        "head": made.manifest.head,
        "rows": made.total,
        "keys": list(made.keys),
    }
    with database.transaction() as tx:
        return record_event(tx, Header(actor, "backup", now), details)


def newest_backup(database: Database, *, actor: Actor) -> ChangeSetRecord | None:
    """Return what the history says of the newest backup, None where there is none."""
    require(actor, Permission.SYSTEM_READ)
    with database.snapshot() as tx:
        return next(iter(tx.changesets.find(Sought(kind="backup"), limit=1)), None)


def check_backup(source: BinaryIO, name: str, *, listener: Listener | None = None) -> Contents:
    """Read a whole backup and return what it holds; nothing else is touched.

    Raises `InvalidInput` where it is not complete, not as it was written, or of another version.
    """
    hear = listener or Silent()
    reader = Reader(source, name)
    _check_schema(reader.manifest, name)
    hear.begin("reading", 0)

    def look(_shape: Shape, parts: Iterator[list[Row]]) -> None:
        for part in parts:
            hear.advance(len(part))

    return reader.tables(look)


def restore(
    database: Database,
    source: BinaryIO,
    contents: Contents,
    *,
    actor: Actor,
    now: datetime,
    name: str,
    replace: bool = False,
    head: str | None = None,
    despite_faults: bool = False,
    listener: Listener | None = None,
) -> Copied:
    """Fill *database* with the backup *source*, in which `check_backup` found *contents*.

    *database* has to be empty, unless it may *replace* what is there. *head* is a hash that was written down earlier:
    the history in the backup has to hold it. All of it is one transaction, and is added to the history.
    """
    require(actor, Permission.SYSTEM_WRITE)
    hear = listener or Silent()
    make_tables(database)
    source.seek(0)
    with database.transaction() as tx:
        before = ORIGIN
        if replace:
            before = copying.tip(tx)
            copying.empty(tx)
        else:
            check_empty(tx, database)
        hear.begin("restoring", sum(contents.rows.values()))
        digests = _take_in(tx, source, name, hear)
        if digests != contents.digests:
            raise InvalidInput([Problem("altered-backup", "it was changed while it was read", file=name)])
        tip = Tip(contents.manifest.changeset, bytes.fromhex(contents.manifest.head), copying.tip(tx).next_id)
        copied = prove(tx, tip, digests, hear, despite_faults=despite_faults)
        if head is not None and not tx.changesets.has_hash(head):
            raise Conflict(f"nothing was restored: no changeset in this backup has the hash {head[:64]}")
        record_event(tx, Header(actor, "restore", now), _details(contents.manifest, before))
    return copied


def _take_in(tx: Transaction, source: BinaryIO, name: str, hear: Listener) -> dict[str, bytes]:
    digests: dict[str, bytes] = {}

    def store(shape: Shape, parts: Iterator[list[Row]]) -> None:
        digest = Digest()
        copying.write(tx, shape, heard(parts, hear, shape, digest))
        digests[shape.name] = digest.value

    try:
        Reader(source, name).tables(store)
    except Unfit as error:
        raise InvalidInput([Problem("altered-backup", f"a row of it cannot be stored: {error}", file=name)]) from None
    return digests


def _heard(parts: Iterator[list[Row]], hear: Listener) -> Iterator[list[Row]]:
    for part in parts:
        yield part
        hear.advance(len(part))


def _check_schema(said: Manifest, name: str) -> None:
    if said.schema != NEWEST_SCHEMA:
        advice = (
            f"restore it with version {said.program}, then upgrade" if said.schema < NEWEST_SCHEMA else "upgrade first"
        )
        message = (
            f"it was made by version {said.program} (schema {said.schema}; this one has {NEWEST_SCHEMA}): {advice}"
        )
        raise InvalidInput([Problem("backup-of-another-version", message, file=name)])


def _details(said: Manifest, before: Tip) -> dict[str, Any]:
    details: dict[str, Any] = {"madeAt": said.made_at, "changeset": said.changeset, "head": said.head}
    if before.id:
        details["replaced"] = {"changeset": before.id, "head": before.hash.hex()}
    return details
