"""Filling a database with the whole of another: all of one moment, proven before it counts, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import Conflict, Problem, Unavailable
from indicia.services.archive import Digest, digest_of
from indicia.store import copying
from indicia.store.changesets import Tip
from indicia.store.copying import Row, Shape, Unfit
from indicia.store.database import NEWEST_SCHEMA, Database, Transaction, shown

_FAULTS_NAMED = 100


class Listener(Protocol):
    """Hears how far it is."""

    def begin(self, what: str, rows: int) -> None:
        """Hear that *what* begins, which is about so many rows."""

    def advance(self, rows: int) -> None:
        """Hear of that many more."""


class Silent:
    """Hears, and tells nobody."""

    def begin(self, what: str, rows: int) -> None:
        """Hear that something begins."""

    def advance(self, rows: int) -> None:
        """Hear of more rows."""


class Copied(NamedTuple):
    """What a database was filled with; ``faults`` were in its history before, and came along."""

    rows: Mapping[str, int]
    tip: Tip
    faults: Sequence[str] = ()

    @property
    def total(self) -> int:
        """All rows of all tables."""
        return sum(self.rows.values())


def copy_database(
    source: Database,
    target: Database,
    *,
    actor: Actor,
    listener: Listener | None = None,
    despite_faults: bool = False,
) -> Copied:
    """Copy everything in *source*, as of one moment, into *target*, which is empty; both may be of any kind.

    All of it is one transaction: whatever happens before the end, *target* stays empty. `Conflict` where it is not
    empty or of another version, or where the history of *source* was altered, unless *despite_faults*.
    """
    require(actor, Permission.SYSTEM_WRITE)
    hear = listener or Silent()
    check_version(source)
    make_tables(target)
    with source.snapshot() as before, target.transaction() as after:
        check_empty(after, target)
        counted = copying.counts(before)
        hear.begin("copying", sum(counted.values()))
        digests: dict[str, bytes] = {}
        try:
            for shape in copying.shapes():
                digest = Digest()
                with copying.reading(before, shape) as parts:
                    copying.write(after, shape, heard(parts, hear, shape, digest))
                digests[shape.name] = digest.value
        except Unfit as error:
            raise Conflict(f"{shown(source.url)} cannot be copied, nothing was: {error}") from None
        return prove(after, copying.tip(before), digests, hear, despite_faults=despite_faults)


def heard(parts: Iterator[list[Row]], hear: Listener, shape: Shape, digest: Digest) -> Iterator[list[Row]]:
    """Yield *parts* as they are, while *digest* and *hear* learn of them."""
    for part in parts:
        digest.lines(shape, part)
        yield part
        hear.advance(len(part))


def prove(
    after: Transaction, tip: Tip, digests: Mapping[str, bytes], hear: Listener, *, despite_faults: bool
) -> Copied:
    """Read everything that was written back, row by row, and verify the history: before any of it counts."""
    copying.settle(after)
    rows = copying.counts(after)
    hear.begin("comparing", sum(rows.values()))
    for shape in copying.shapes():
        with copying.reading(after, shape) as parts:
            found = digest_of(shape, _told(parts, hear))
        if found.value != digests[shape.name]:
            raise Unavailable(f"table {shape.name} is not what was written to it: nothing was kept; try again")
    if copying.tip(after) != tip:
        raise Unavailable("the chain of changesets ends elsewhere than in the original: nothing was kept; try again")
    hear.begin("verifying the history", after.integrity.work())
    faults = list(after.integrity.faults(hear.advance))
    if faults and not despite_faults:
        raise Conflict(
            "the history was altered before it came here: nothing was kept; --despite-faults keeps it as it is",
            [Problem("altered-history", fault) for fault in faults[:_FAULTS_NAMED]],
        )
    return Copied(rows, tip, tuple(faults))


def check_version(database: Database) -> None:
    """Raise unless *database* has the tables of this version, neither older nor newer ones: none may be overlooked."""
    found = database.schema()
    if found is None:
        raise Conflict(f"{shown(database.url)} is not an Indicia database: it has none of its tables")
    if found < NEWEST_SCHEMA:
        raise Conflict(
            f"the tables of {shown(database.url)} are of an older version (schema {found}, this one knows "
            f"{NEWEST_SCHEMA}); `indicia db upgrade --database {shown(database.url)}` brings them up to date"
        )
    if found > NEWEST_SCHEMA:
        raise Conflict(
            f"the tables of {shown(database.url)} are of a later version (schema {found}, this one knows "
            f"{NEWEST_SCHEMA}), which may keep what this one knows nothing of; use that version"
        )


def make_tables(database: Database) -> None:
    """Make the tables of this version where there are none; those of another one stay as they are (`Conflict`)."""
    if database.schema() is None:
        database.upgrade()
    else:
        check_version(database)


def check_empty(tx: Transaction, database: Database) -> None:
    """Raise `Conflict` where there is anything in the database: nothing is ever mixed, or written over unasked."""
    found = {name: rows for name, rows in copying.counts(tx).items() if rows}
    if found:
        named = ", ".join(f"{name} ({rows:,})" for name, rows in list(found.items())[:5])
        raise Conflict(f"{shown(database.url)} is not empty: it has rows in {named}; name a new database")


def _told(parts: Iterator[list[Row]], hear: Listener) -> Iterator[list[Row]]:
    for part in parts:
        yield part
        hear.advance(len(part))
