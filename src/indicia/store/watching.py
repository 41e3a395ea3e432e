"""Connections to PostgreSQL that notice that nothing comes any more, though nobody has hung up.

A machine that is gone is noticed by the system (keepalives). A server that is stopped, or something between that takes
bytes and passes none on, is not: the driver would wait for ever. A long statement looks the same from here, so what
takes long is looked at from another connection: whether its backend still works.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any, Final

import psycopg
from sqlalchemy import Engine, event

#: After so long without an answer somebody looks; then a second look decides, where the first was in doubt.
SUSPICIOUS_AFTER_S: Final = 2.0
_LOOK_EVERY_S: Final = 0.5
#: Within this time the server has to answer the one who looks.
_LOOK_SECONDS: Final = 2
#: Both sides wait for each other: what one of them sent has not come.
_STUCK: Final = "Client"


class _Bounded(psycopg.Connection[Any]):
    """A connection whose answers have to come soon."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, timeout=timeout or _LOOK_SECONDS)


class Watched(psycopg.Connection[Any]):
    """A connection that tells its watch while it waits for the server."""

    watch: Watch | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        watch = self.watch
        if watch is None:
            return super().wait(gen, interval, timeout=timeout)
        watch.begin(self)
        try:
            return super().wait(gen, interval, timeout=timeout)
        finally:
            watch.end(self)


class Watch:
    """Looks after the connections of one engine in a thread, from the first connection until the engine is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Watched, float] = {}
        self._doubtful: dict[Watched, float] = {}
        self._looking: _Bounded | None = None
        self._parameters: dict[str, Any] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        #: How many connections were given up.
        self.given_up = 0

    def connect(self, *arguments: Any, **parameters: Any) -> Watched:
        """Open a connection that is watched, where what answers is the server itself and no pooler."""
        made = Watched.connect(*arguments, **parameters)
        found = made.execute("SELECT pg_backend_pid()").fetchone()
        made.rollback()
        if found is not None and found[0] == made.pgconn.backend_pid:
            made.watch = self
            with self._lock:
                self._parameters = {**parameters, "connect_timeout": _LOOK_SECONDS}
                if self._thread is None:
                    self._stopping.clear()
                    self._thread = threading.Thread(target=self._run, name="indicia-watch", daemon=True)
                    self._thread.start()
        return made

    def begin(self, connection: Watched) -> None:
        """Take note that *connection* waits from now on."""
        with self._lock:
            self._waiting[connection] = time.monotonic()  # noqa: TID251 how long somebody waits is all there is here

    def end(self, connection: Watched) -> None:
        """Take note that its answer has come, or never will."""
        with self._lock:
            self._waiting.pop(connection, None)

    def stop(self) -> None:
        """End the thread; a connection that is opened later begins another one."""
        self._stopping.set()
        with self._lock:
            self._thread = None

    # -- in the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        stopping = self._stopping
        while not stopping.wait(_LOOK_EVERY_S):
            before = time.monotonic() - SUSPICIOUS_AFTER_S  # noqa: TID251 see above
            with self._lock:
                suspects = {each: since for each, since in self._waiting.items() if since < before}
            if suspects:
                self._look_at(suspects)
            self._doubtful = {each: since for each, since in self._doubtful.items() if suspects.get(each) == since}
        self._look_away()

    def _look_at(self, suspects: dict[Watched, float]) -> None:
        try:
            working = self._backends([each.pgconn.backend_pid for each in suspects])
        except (psycopg.Error, OSError) as error:
            self._look_away()
            if getattr(error, "sqlstate", None) is not None:
                return  # it answers, if only to say that it has no room
            working = {}
        for connection, since in suspects.items():
            state = working.get(connection.pgconn.backend_pid, "gone")
            if state == _STUCK and self._doubtful.get(connection) != since:
                self._doubtful[connection] = since  # its answer may be on the way
            elif state in ("gone", _STUCK):
                self._give_up(connection, since)

    def _backends(self, pids: list[int]) -> dict[int, str]:
        """Return what each of the backends that there are waits for, an empty text where it works."""
        if self._looking is None or self._looking.closed:
            self._looking = _Bounded.connect(**self._parameters, autocommit=True)
        query = "SELECT pid, coalesce(wait_event_type, '') FROM pg_stat_activity WHERE pid = ANY(%s)"
        return dict(self._looking.execute(query, (pids,)).fetchall())

    def _look_away(self) -> None:
        if self._looking is not None:
            self._looking.close()
            self._looking = None

    def _give_up(self, connection: Watched, since: float) -> None:
        """Hang up on the server: whoever waits for it is told that the connection is lost."""
        with self._lock:
            if self._waiting.get(connection) != since:
                return  # the answer has come after all
            self.given_up += 1
            with socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # the other side has hung up meanwhile


def watch(engine: Engine) -> Watch:
    """Let the connections of *engine* be watched."""
    made = Watch()

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> Watched:
        return made.connect(*arguments, **parameters)

    @event.listens_for(engine, "engine_disposed")
    def _closed(_engine: Engine) -> None:
        made.stop()

    return made
