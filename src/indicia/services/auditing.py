"""What happens and changes no indicator, noted without keeping anybody waiting: denials, exports, uses of keys.

What must not be lost is written by `writing.record_event` in the transaction of what it tells of. What is noted here
goes into the same chain a moment later, so that neither a stranger at the door nor a million-row import stops the
service.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from indicia.domain.access import Actor, Source, system_actor
from indicia.domain.errors import IndiciaError
from indicia.services.people import name_key
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction

#: Different lines that wait at a time; what comes past them is counted by kind.
MOST_WAITING: Final = 1_000
#: Lines that get an entry of the chain each; with more at once, those of one kind and one actor share one.
QUIET: Final = 16
#: Lines that one entry holds; of further ones it says how many there were.
MOST_LINES: Final = 100
#: What is noted the first time only is remembered for so many; then all may be told once more.
MOST_SEEN: Final = 10_000
#: How long a line waits while little happens, and at most while much does: a flood makes few entries.
FLUSH_SECONDS: Final = 0.5
SLOWEST_SECONDS: Final = 8.0
#: How long closing waits for a database that does not take the last lines.
CLOSE_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 0.25
_LONGEST_TEXT: Final = 300
_MOST_ITEMS: Final = 30
_AUDIT: Final = system_actor("audit")


def stranger(source: Source) -> Actor:
    """Return the actor of what somebody did by the door *source* who did not say, or not prove, who it is."""
    return Actor("anonymous", "anonymous", source, frozenset())


def known_person(database: Database, name: str) -> str | None:
    """Return *name* where somebody is called that: what else is typed there may be a password, and is not kept."""
    with database.snapshot() as tx:
        person = tx.people.named(name_key(name))
    return person.name if person is not None else None


def known_client(database: Database, client_id: str) -> str | None:
    """Return *client_id* where an API client has it: what else is sent there may be a secret, and is not kept."""
    with database.snapshot() as tx:
        return client_id if tx.applications.get(client_id) is not None else None


class _Key(NamedTuple):
    kind: str
    actor: str
    source: Source
    details: bytes


@dataclass(slots=True)
class _Line:
    """What happened once or several times, each time the same."""

    actor: Actor
    details: dict[str, Any]
    first: datetime
    last: datetime
    times: int = 1


class Audit:
    """Takes notes from any thread, and adds them to the chain from a thread of its own."""

    def __init__(self, database: Database) -> None:
        """Nothing is written before `start`, `flush` or `close`."""
        self._database = database
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._lines: dict[_Key, _Line] = {}
        self._over: Counter[str] = Counter()
        self._over_since: datetime | None = None
        self._under_way = 0
        self._seen: set[tuple[str, str, str]] = set()
        self._noted = threading.Event()
        self._stopping = threading.Event()
        self._started = False
        self._thread: threading.Thread | None = None
        #: Why the newest lines could not be written, None where they could: a sentence.
        self.trouble: str | None = None

    def note(
        self, kind: str, *, actor: Actor | None, now: datetime, details: Mapping[str, Any], subject: str | None = None
    ) -> None:
        """Note that *actor* did something at *now*, None being a stranger; it never waits, and never fails.

        *subject* is whom or what it is about. No secret may be in *details*: they are kept for good.
        """
        who = actor or stranger(Source.SYSTEM)
        told = _bounded({**details, "subject": subject} if subject is not None else details)
        key = _Key(kind, who.id, who.source, orjson.dumps(told, option=orjson.OPT_SORT_KEYS))
        with self._lock:
            self._add(key, _Line(who, told, now, now))
        self._noted.set()
        if self._started:
            self._ensure_thread()

    def note_first(
        self, kind: str, seen: str, *, actor: Actor, now: datetime, details: Mapping[str, Any], subject: str
    ) -> None:
        """Note what is worth a line the first time only, while this process lives: *seen* tells it from others."""
        key = (kind, subject, seen)
        with self._lock:
            if key in self._seen:
                return
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            self._seen.add(key)
        self.note(kind, actor=actor, now=now, details=details, subject=subject)

    @property
    def waiting(self) -> int:
        """How many times something was noted that is not in the chain yet."""
        with self._lock:
            return self._under_way + _times(self._lines, self._over)

    # -- writing --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Write what is noted within a second from now on, by a thread that ends with `close`."""
        self._started = True
        self._ensure_thread()

    def flush(self, *, wait: bool = True) -> int:
        """Add what was noted to the chain; return how many entries that made.

        Raises `IndiciaError` where the database takes nothing, or another writer is at it and this may not *wait*;
        then the lines are kept.
        """
        with self._flushing:
            with self._lock:
                lines, self._lines = self._lines, {}
                over, self._over = self._over, Counter()
                since, self._over_since = self._over_since, None
                self._under_way = _times(lines, over)
            if not lines and not over:
                return 0
            written = False
            try:
                with self._database.transaction() if wait else self._database.attempt() as tx:
                    made = _write(tx, lines) + _write_overflow(tx, over, since)
                written = True
                self.trouble = None
                return made
            except IndiciaError as error:
                self.trouble = str(error)
                raise
            finally:
                self._settle(*((lines, over, since) if not written else ({}, Counter(), None)))

    def close(self, seconds: float = CLOSE_SECONDS) -> int:
        """Stop the thread and write what is left, for *seconds* at most; return how many lines had to be given up."""
        self._started = False
        self._stopping.set()
        self._noted.set()
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
            if thread.is_alive():  # it waits for another writer, and has the lines
                return self.waiting
        for _try in range(1 + round(seconds / _RETRY_SECONDS)):
            if not self.waiting:
                break
            try:
                self.flush(wait=False)
            except IndiciaError:
                threading.Event().wait(_RETRY_SECONDS)
        return self.waiting

    def _ensure_thread(self) -> None:
        """Begin the thread, also where a fault ended the one before: what it had is still there."""
        with self._lock:
            if self._stopping.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="indicia-audit", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = FLUSH_SECONDS
        while not self._stopping.is_set():
            self._noted.wait()
            self._stopping.wait(pause)
            self._noted.clear()
            busy = len(self._lines) > QUIET
            try:
                # Here it may wait: nobody waits for this thread.
                self.flush(wait=not self._stopping.is_set())
            except IndiciaError:
                busy = True
                self._noted.set()
            pause = min(2 * pause, SLOWEST_SECONDS) if busy else FLUSH_SECONDS

    def _add(self, key: _Key, line: _Line) -> None:
        found = self._lines.get(key)
        if found is not None:
            found.first, found.last = min(found.first, line.first), max(found.last, line.last)
            found.times += line.times
        elif len(self._lines) < MOST_WAITING:
            self._lines[key] = line
        else:
            self._over[key.kind] += line.times
            self._over_since = min(self._over_since or line.first, line.first)

    def _settle(self, lines: Mapping[_Key, _Line], over: Counter[str], since: datetime | None) -> None:
        """End a flush: what it could not write waits again, before what was noted meanwhile."""
        with self._lock:
            self._under_way = 0
            newer, self._lines = self._lines, dict(lines)
            for key, line in newer.items():
                self._add(key, line)
            self._over += over
            if since is not None:
                self._over_since = min(self._over_since or since, since)


def _times(lines: Mapping[_Key, _Line], over: Counter[str]) -> int:
    return sum(line.times for line in lines.values()) + over.total()


def _write(tx: Transaction, lines: Mapping[_Key, _Line]) -> int:
    """Add *lines* to the chain: an entry each while they are few, else one for each kind and actor."""
    if len(lines) <= QUIET:
        for key, line in lines.items():
            _record(tx, key.kind, line.actor, line.first, _told(tx, line))
        return len(lines)
    shared: dict[tuple[str, str, Source], list[_Line]] = {}
    for key, line in lines.items():
        shared.setdefault((key.kind, key.actor, key.source), []).append(line)
    for (kind, _actor, _source), those in shared.items():
        if len(those) == 1:
            details = _told(tx, those[0])
        else:
            kept = those[:MOST_LINES]
            details = {"times": sum(line.times for line in those), "lines": [_line(line) for line in kept]}
            if len(those) > len(kept):
                details["linesLeftOut"] = len(those) - len(kept)
        _record(tx, kind, those[0].actor, min(line.first for line in those), details)
    return len(shared)


def _write_overflow(tx: Transaction, over: Counter[str], since: datetime | None) -> int:
    if since is None:
        return 0
    _record(tx, "audit.overflow", _AUDIT, since, {"times": over.total(), "byKind": dict(sorted(over.items()))})
    return 1


def _record(tx: Transaction, kind: str, actor: Actor, at: datetime, details: Mapping[str, Any]) -> None:
    record_event(tx, Header(actor, kind, at), details)


def _told(tx: Transaction, line: _Line) -> dict[str, Any]:
    """Return the details of an entry for one line; when it was is among them where the chain has to say later."""
    details = dict(line.details)
    head = tx.changesets.head()
    if line.times > 1:
        details |= {"times": line.times, "last": _when(line.last)}
    if head is not None and head.at > line.first:
        details["at"] = _when(line.first)
    return details


def _line(line: _Line) -> dict[str, Any]:
    told = {**line.details, "at": _when(line.first)}
    return told | {"times": line.times, "last": _when(line.last)} if line.times > 1 else told


def _when(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _bounded(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return *details* as plain JSON of bounded size: whoever is refused chooses some of it."""
    return {_text(name): _plain(value) for name, value in list(details.items())[:_MOST_ITEMS] if value is not None}


def _plain(value: Any, depth: int = 2) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 62 else _text(str(value))
    if isinstance(value, datetime):
        return _when(value)
    if isinstance(value, Mapping) and depth:
        return {_text(name): _plain(each, depth - 1) for name, each in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        return [_plain(each, depth - 1) for each in items[:_MOST_ITEMS]]
    return _text(value)


def _text(value: object) -> str:
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
