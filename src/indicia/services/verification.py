"""Verifying the whole history while somebody waits, or does something else: one run at a time, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from indicia.domain.access import Actor, Permission, require_all
from indicia.domain.errors import IndiciaError
from indicia.services.board import Board
from indicia.services.changesets import verify_chain, work_of
from indicia.services.checkpoints import faults_of
from indicia.services.signing import PublicKey
from indicia.store.changesets import ChangeSetRecord
from indicia.store.checkpoints import Checkpoint
from indicia.store.database import Database

#: Faults that are kept to be shown; an altered table may have a million.
MOST_FAULTS: Final = 100
#: How often other nodes are told how far a run is.
_PINNED_EVERY: Final = timedelta(seconds=1)
_NAME: Final = "verification"


@dataclass(frozen=True, slots=True)
class Verified:
    """How the last run ended: ``head`` is the hash to write down, and ``trouble`` why there is no result."""

    at: datetime
    by: str
    changeset: int | None = None
    head: str | None = None
    faults: tuple[str, ...] = ()
    faults_total: int = 0
    given: str | None = None
    trouble: str | None = None

    @property
    def intact(self) -> bool:
        """Whether all is as it was written."""
        return self.trouble is None and not self.faults_total


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run is doing: ``done`` of ``work`` rows. ``since`` is None where none is under way."""

    since: datetime | None = None
    last: Verified | None = None
    done: int = 0
    work: int = 0

    @property
    def percent(self) -> int:
        """How much of the rows was read; never all of them before the end."""
        return min(99, 100 * self.done // self.work) if self.work else 0

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self.since is not None


def verify_all(
    database: Database,
    *,
    actor: Actor,
    head: str | None = None,
    own: Mapping[str, PublicKey] | None = None,
    trusted: Mapping[str, PublicKey] | None = None,
    kept: Iterable[tuple[str, Checkpoint]] = (),
    hear: Callable[[int], None] | None = None,
) -> tuple[ChangeSetRecord | None, list[str]]:
    """Return the newest changeset, and what is wrong: with the chain and its rows, then with the checkpoints.

    *head* and *kept* are what was kept elsewhere; for the keys see `checkpoints.faults_of`. Whoever is limited to
    device groups is refused: what is wrong may be with any row.
    """
    require_all(actor, Permission.AUDIT_READ)
    newest, faults = verify_chain(database, head=head, hear=hear)
    with database.snapshot() as tx:
        faults += faults_of(tx, own or {}, trusted=trusted, kept=kept)
    return newest, faults


class Verification:
    """Runs `verify_all` in a thread of its own, and remembers how it ended for as long as the process lives."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        own: Callable[[], Mapping[str, PublicKey]] = dict,
        board: Board | None = None,
    ) -> None:
        """Nothing is read yet; *own* gives the keys of this installation that check its checkpoints.

        On the *board* other nodes see what is under way here, and this one what is under way there.
        """
        self._board = board
        self._pinned_at: datetime | None = None
        self._database = database
        self._own = own
        self._clock = clock
        self._lock = threading.Lock()
        self._progress = Progress()
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> Progress:
        """What is under way, and what was found last, here or on another node."""
        found = self._progress
        if self._board is None or found.running or (elsewhere := self._board.read(_NAME)) is None:
            return found
        note, alive = elsewhere
        shared = _progress_of(note)
        if shared.running and not alive:
            shared = replace(shared, since=None)
        older = shared.last is None or (found.last is not None and found.last.at >= shared.last.at)
        return found if older and not shared.running else shared

    def _pin(self) -> None:
        if self._board is not None:
            self._pinned_at = self._clock()
            self._board.pin(_NAME, asdict(self._progress))

    def start(self, *, actor: Actor, head: str | None = None) -> bool:
        """Begin a run, where none is under way; return whether one was begun.

        *head* is a hash that was written down earlier: it has to be part of the chain.
        """
        require_all(actor, Permission.AUDIT_READ)
        if self.progress.running:
            return False
        with self._lock:
            if self._progress.running:
                return False
            self._progress = replace(self._progress, since=self._clock())
        self._thread = threading.Thread(target=self._run, args=(actor, head), name="indicia-verify", daemon=True)
        self._thread.start()
        return True

    def wait(self, seconds: float) -> Progress:
        """Wait until the run under way has ended, or for *seconds*: most histories are short."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return self._progress

    def _work(self) -> int:
        try:
            return work_of(self._database)
        except IndiciaError:  # counts that were altered: verifying goes on without knowing how long
            return 0

    def _advance(self, rows: int) -> None:
        self._progress = replace(self._progress, done=self._progress.done + rows)
        if self._pinned_at is not None and self._clock() - self._pinned_at > _PINNED_EVERY:
            self._pin()

    def _run(self, actor: Actor, head: str | None) -> None:
        by = actor.name
        found = Verified(self._clock(), by, given=head, trouble="it ended before it was done; the log says why")
        try:
            self._progress = replace(self._progress, done=0, work=self._work())
            self._pin()
            newest, faults = verify_all(self._database, actor=actor, head=head, own=self._own(), hear=self._advance)
            found = Verified(
                self._clock(),
                by,
                newest.id if newest is not None else None,
                newest.hash.hex() if newest is not None else None,
                tuple(faults[:MOST_FAULTS]),
                len(faults),
                head,
            )
        except IndiciaError as error:
            found = Verified(self._clock(), by, given=head, trouble=str(error))
        finally:
            # Whatever happened, the next run can begin.
            with self._lock:
                self._progress = Progress(None, found)
            self._pin()


def _progress_of(note: Mapping[str, Any]) -> Progress:
    """Return what another node has pinned up."""
    last = note["last"]
    if last is not None:
        last = Verified(**{**last, "at": datetime.fromisoformat(last["at"]), "faults": tuple(last["faults"])})
    since = note["since"] and datetime.fromisoformat(note["since"])
    return Progress(since, last, note["done"], note["work"])
