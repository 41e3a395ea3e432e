"""One process among those that serve one database: it shows that it lives, and knows who else does."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from typing import Final, NamedTuple

from indicia.domain.errors import IndiciaError, Unavailable
from indicia.services.clock import Clock
from indicia.store.database import Database
from indicia.store.nodes import NodeRecord, Presence

#: How often a node says that it lives, and after how long without a word it is taken for dead.
BEAT_SECONDS: Final = 2.0
DEAD_AFTER: Final = timedelta(seconds=8)
#: On an embedded database a lock tells who lives; what is written is only for those who look.
EMBEDDED_BEAT_SECONDS: Final = 20.0
#: Dead nodes are shown for a while: somebody may wonder where one has gone.
_SHOWN_FOR: Final = timedelta(minutes=10)
_STOP_SECONDS: Final = 5.0
#: How soon what could not be done is tried again.
_SOON_SECONDS: Final = 0.25
#: What waits for the database to come back; past that, time tells that it was given up.
_MOST_PUT_OFF: Final = 10_000


class Known(NamedTuple):
    """One node, and whether it lives."""

    record: NodeRecord
    alive: bool
    this: bool


class Node:
    """One process, which shows that it lives from the first `show` on until `close`."""

    def __init__(self, database: Database, clock: Clock, *, name: str | None = None) -> None:
        """Nothing is read or written yet."""
        self.id = secrets.token_hex(16)
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        #: Called at each beat: what else has to be said or asked now and then.
        self.at_each_beat: list[Callable[[], None]] = []
        self._database = database
        self._clock = clock
        self._shared = database.file is None
        self._lock = threading.Lock()
        self._started_at: datetime | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._put_off: deque[Callable[[], None]] = deque()

    @cached_property
    def _presence(self) -> Presence | None:
        return Presence(self._database.file) if self._database.file is not None else None

    # -- showing itself -------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Begin to show that this process lives; it costs nothing to ask for that again."""
        with self._lock:
            if self._thread is not None or self._stopping.is_set():
                return
            self._started_at = self._clock.now()
            if self._presence is not None:
                self._presence.show(self.id)
            self.beat()
            self._thread = threading.Thread(target=self._run, name="indicia-node", daemon=True)
            self._thread.start()

    def beat(self) -> bool:
        """Say that this process lives; return whether that was heard."""
        now = self._clock.now()
        try:
            with self._database.aside() as tx:
                tx.nodes.see(NodeRecord(self.id, self.name, version("indicia"), self._started_at or now, now))
                tx.leases.renew(self.id, now + self.lease_time)
                gone = [each.id for each in tx.nodes.all() if each.seen_at < now - _SHOWN_FOR]
                tx.nodes.forget(gone)
        except Unavailable:
            return False
        return True

    @property
    def lease_time(self) -> timedelta:
        """For how long a lease is held without a word."""
        return timedelta(seconds=5 * self.beat_seconds)

    @property
    def beat_seconds(self) -> float:
        """How often this process says that it lives."""
        return BEAT_SECONDS if self._shared else EMBEDDED_BEAT_SECONDS

    def close(self) -> None:
        """Say farewell: what this process holds is free for others at once."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        thread.join(_STOP_SECONDS)
        try:
            with self._database.aside() as tx:
                tx.leases.give_back(self.id, self._clock.now())
                tx.nodes.forget([self.id])
        except Unavailable:
            pass  # the others find out by themselves
        if self._presence is not None:
            self._presence.hide(self.id)

    def _run(self) -> None:
        last = self._clock.elapsed()
        while not self._stopping.wait(_SOON_SECONDS if self._put_off else BEAT_SECONDS):
            self._clock.keep()
            if self._clock.elapsed() - last >= self.beat_seconds - BEAT_SECONDS / 2:
                last = self._clock.elapsed()
                self.beat()
            for also in (*self.at_each_beat, self._catch_up):
                try:
                    also()
                except IndiciaError:
                    continue  # the next beat tries again

    def when_possible(self, work: Callable[[], None]) -> None:
        """Do *work*, which failed because the database was away, at one of the next beats."""
        if len(self._put_off) < _MOST_PUT_OFF:
            self._put_off.append(work)

    def _catch_up(self) -> None:
        while self._put_off:
            self._put_off[0]()
            self._put_off.popleft()

    # -- looking at others ----------------------------------------------------------------------------------------

    def is_alive(self, node_id: str | None) -> bool:
        """Return whether the process with that number lives; raises `Unavailable` where nobody can tell."""
        if node_id is None:
            return False
        if node_id == self.id:
            return True
        if self._presence is not None:
            return self._presence.is_shown(node_id)
        with self._database.snapshot() as tx:
            return tx.nodes.seen_since(node_id, self._clock.now() - DEAD_AFTER)

    def all(self) -> list[Known]:
        """Return every process that serves this database, and those that died lately."""
        with self._database.snapshot() as tx:
            found = tx.nodes.all()
        now = self._clock.now()
        if self._presence is not None:
            return [Known(each, self.is_alive(each.id), each.id == self.id) for each in found]
        return [Known(each, each.seen_at > now - DEAD_AFTER, each.id == self.id) for each in found]
