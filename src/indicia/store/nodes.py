"""The processes that serve one database: when each was seen last, and the moment that all of them go by."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from indicia.store.schema_nodes import node_notes, nodes, secret_keys

if sys.platform != "win32":
    import fcntl


class NodeRecord(NamedTuple):
    """One process: ``name`` is its machine and process id."""

    id: str
    name: str
    version: str
    started_at: datetime
    seen_at: datetime


class Note(NamedTuple):
    """What a node has to say to all: ``data`` is JSON."""

    node: str
    at: datetime
    data: str


class Nodes:
    """Reads and writes which processes there are."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def moment(self) -> datetime | None:
        """Return what the database's clock says now, None where it has no clock of its own."""
        if self._connection.dialect.name != "postgresql":
            return None
        found: datetime = self._connection.execute(select(func.clock_timestamp())).scalar_one()
        return found.astimezone(UTC)

    def all(self) -> list[NodeRecord]:
        """Return every one that has not said farewell, in the order in which they started."""
        query = select(nodes).order_by(nodes.c.started_at, nodes.c.id)
        return [NodeRecord(*row) for row in self._connection.execute(query)]

    def see(self, node: NodeRecord) -> None:
        """Take note that *node* lives."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        seen = insert(nodes).values(node._asdict())
        self._connection.execute(
            seen.on_conflict_do_update(index_elements=[nodes.c.id], set_={"seen_at": node.seen_at})
        )

    def seen_since(self, node_id: str, moment: datetime) -> bool:
        """Return whether a node was seen after *moment*."""
        query = select(nodes.c.id).where(nodes.c.id == node_id, nodes.c.seen_at > moment)
        return self._connection.execute(query).first() is not None

    def forget(self, node_ids: Collection[str]) -> None:
        """Remove nodes that are no more."""
        self._connection.execute(delete(nodes).where(nodes.c.id.in_(node_ids)))

    def pin(self, name: str, node: str, at: datetime, data: str) -> None:
        """Let all nodes see what *node* has to say about *name*, in the place of what was said before."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        values = {"node": node, "at": at, "data": data}
        said = insert(node_notes).values(name=name, **values)
        self._connection.execute(said.on_conflict_do_update(index_elements=[node_notes.c.name], set_=values))

    def pinned(self, name: str) -> Note | None:
        """Return what was said last about *name*, None where nobody said anything."""
        query = select(node_notes.c.node, node_notes.c.at, node_notes.c.data).where(node_notes.c.name == name)
        row = self._connection.execute(query).first()
        return None if row is None else Note(*row)

    def secret_key(self, name: str) -> bytes | None:
        """Return the key *name* that all nodes share, None where none was made yet."""
        query = select(secret_keys.c.data).where(secret_keys.c.name == name)
        found: bytes | None = self._connection.execute(query).scalar_one_or_none()
        return found

    def keep_secret_key(self, name: str, data: bytes, now: datetime) -> bytes:
        """Keep a key where there is none, and return the one that counts: of nodes that start at once, the first's."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        made = insert(secret_keys).values(name=name, data=data, made_at=now)
        self._connection.execute(made.on_conflict_do_nothing(index_elements=[secret_keys.c.name]))
        found = self.secret_key(name)
        return data if found is None else found


class Presence:
    """Shows the other processes of this machine that this one lives: by a lock that goes with the process.

    An embedded database is used from one machine only, and while a long import holds it nobody could write there that
    he lives. Each node locks a file of its own beside the database.
    """

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(f".{database.name}.nodes")
        self._held: dict[str, int] = {}

    def show(self, node_id: str) -> None:
        """Show that *node_id* lives, until `hide` or the end of this process."""
        if sys.platform == "win32" or node_id in self._held:
            return
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for left in self._folder.iterdir():
                if not self._is_locked(left):
                    left.unlink(missing_ok=True)
            made = self._folder / f"{node_id}.new"
            handle = os.open(made, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            made.rename(self._folder / node_id)  # nobody ever sees it without its lock
            self._held[node_id] = handle
        except OSError:  # a folder that may not be written: then this process is not seen by others, and nothing else
            return

    def hide(self, node_id: str) -> None:
        """Say that *node_id* is no more."""
        handle = self._held.pop(node_id, None)
        if handle is not None:
            (self._folder / node_id).unlink(missing_ok=True)
            os.close(handle)

    def is_shown(self, node_id: str) -> bool:
        """Return whether the process of *node_id* lives."""
        return node_id in self._held or self._is_locked(self._folder / node_id)

    def _is_locked(self, file: Path) -> bool:
        if sys.platform == "win32":
            return False
        try:
            handle = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        else:
            return False
        finally:
            os.close(handle)
