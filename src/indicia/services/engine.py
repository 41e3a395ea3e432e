"""The engine: a matcher that follows the store, so that every edit counts at once in every process."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from indicia.domain.errors import Unavailable
from indicia.matcher import snapshot
from indicia.matcher.layered import Layered
from indicia.matcher.lookup import (
    COMPILED,
    NOT_COMPILED,
    Contents,
    Filled,
    Mapped,
    Matcher,
    fill,
    in_memory,
    open_matcher,
    verify,
)
from indicia.matcher.reference import Reference
from indicia.matcher.rules import DamagedSnapshot, Decision, Ruling, Rulings
from indicia.store.changesets import ORIGIN, Tip
from indicia.store.database import Database, Transaction
from indicia.store.entries import Decided

_SECRET_BYTES: Final = 16


class Limits(NamedTuple):
    """How much may have changed since a snapshot before it is made anew, and how much is verified unasked."""

    #: Changes that are read anew after each edit; past that they are put together in a layer of their own.
    few: int = 1_000
    #: Changes that are never worth a new file: without one, the whole of a small store.
    small: int = 5_000
    #: Changes over which a new file is made, and one in how many of its indicators.
    most: int = 50_000
    share: int = 20
    #: Bytes of a snapshot that are compared with their checksums as it is opened; more are when there is time.
    verified_at_once: int = 64 << 20
    #: Indicators that plain Python keeps in memory, where the kernel is not: about a gigabyte.
    uncompiled: int = 1_000_000

    def over(self, matcher: Matcher) -> int:
        """Return how many changes there may be over *matcher*."""
        return min(self.most, max(self.small, len(matcher) // self.share))


class View(NamedTuple):
    """A matcher of all indicators, held and expired ones too, as of one place of the chain; never changes."""

    matcher: Matcher
    tip: Tip

    @property
    def changeset(self) -> int:
        """The number of the changeset that this is as of."""
        return self.tip.id


class _Layers(NamedTuple):
    """What is known, the big and old under the small and new: each is a whole view by itself."""

    base: View
    middle: View
    top: View


class Engine:
    """Gives the view of now, in any thread; nobody ever waits for a snapshot that is being made."""

    def __init__(self, database: Database, file: Path, limits: Limits | None = None) -> None:
        """Nothing is read or written yet; *file* is where the snapshot of *database* is, or will be."""
        self.file = file
        #: Why the file was not used, or could not be written: a sentence, None where all is well.
        self.trouble: str | None = None
        self._database = database
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._layers: _Layers | None = None
        self._opened: snapshot.Signature | None = None
        self._unverified: Mapped | None = None
        self._behind: Tip | None = None
        self._failed: Tip | None = None

    @property
    def slow_because(self) -> str | None:
        """What to tell once where answers come from plain Python, None where they do not."""
        return None if COMPILED else NOT_COMPILED

    # -- reading --------------------------------------------------------------------------------------------------

    def current(self) -> View | None:
        """Return the view of now, None where the store has to answer until a new snapshot is made."""
        with self._database.snapshot() as tx:
            return self.within(tx)

    def within(self, tx: Transaction) -> View | None:
        """Return the view of the moment that *tx* reads, None where the store has to answer."""
        tip = tx.changesets.moved()
        layers = self._layers
        if layers is not None and layers.top.tip == tip:
            return layers.top
        with self._lock:
            if self._behind == tip and snapshot.signature(self.file) == self._opened:
                return None
            if self._layers is None:
                self._open(tx)
            found = self._follow(tx, tip)
            if found is None and snapshot.signature(self.file) != self._opened:
                self._open(tx)  # another process has made a new one
                found = self._follow(tx, tip)
            self._behind = tip if found is None else None
            return found

    def ready(self) -> View:
        """Return the view of now, and make a snapshot first where that is needed; raises `Unavailable`."""
        return self.current() or self.publish()

    def distrust(self) -> None:
        """Forget everything that was read from the file, which has said what the store does not."""
        with self._lock:
            self._start(_nothing())
            self._unverified = None
            self.trouble = f"{self.file} does not say what the database says: it is made anew"

    def _follow(self, tx: Transaction, tip: Tip) -> View | None:
        layers = self._layers or _Layers(*[_nothing()] * 3)
        if layers.top.tip == tip:
            return layers.top
        if _is_of(tx, layers.middle) and (found := self._over(layers.middle, tx, tip, self._limits.few)):
            self._layers = layers._replace(top=found)
            return found
        bases = [layers.base] if layers.base.tip == ORIGIN else [layers.base, _nothing()]
        for base in bases:
            if _is_of(tx, base) and (found := self._over(base, tx, tip, self._limits.over(base.matcher))):
                self._layers = _Layers(base, found, found)
                return found
        return None

    def _over(self, under: View, tx: Transaction, tip: Tip, most: int) -> View | None:
        """Return the view of *tip*, made of *under* and what changed since; None where that is over *most*."""
        try:
            delta = tx.entries.since(under.tip.id, under.tip.next_id, most)
            if delta is None:
                return None
            if not delta.rows and not delta.gone:
                return View(under.matcher, tip)
            rulings, decisions = Rulings.of(_decisions(tx.entries.decided(sorted({row[0] for row in delta.rows}))))
            overlay = in_memory(Contents(tip.id, tip.hash, rulings, decisions, [delta.rows]), _secret())
        except (KeyError, ValueError):  # rows that no program of ours wrote: only the store can tell about them
            return None
        return View(Layered(under.matcher, overlay, delta.gone), tip)

    def _open(self, tx: Transaction) -> None:
        """Begin with the snapshot in the file, or with nothing where there is none of this database."""
        self._opened = snapshot.signature(self.file)
        self._unverified = None
        self._start(_nothing())
        if self._opened is None or not COMPILED:
            return
        try:
            matcher = open_matcher(self.file)
            if self._opened.size <= self._limits.verified_at_once:
                verify(matcher)
            else:
                self._unverified = matcher
        except (DamagedSnapshot, OSError) as error:
            self.trouble = f"{error}; it is made anew"
            return
        tip = tx.changesets.tip(matcher.snapshot.changeset)
        if tip is None or tip.hash != matcher.snapshot.chain:
            self._unverified = None
            self.trouble = f"{self.file} is the snapshot of another database, or of another past of it: it is made anew"
            return
        self.trouble = None
        self._start(View(matcher, tip))

    def _start(self, base: View) -> None:
        self._layers = _Layers(base, base, base)
        self._behind = None

    # -- writing --------------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Do what nobody should wait for: verify a large snapshot, make a new one where it is time; by the worker."""
        unverified = self._unverified
        if unverified is not None:
            try:
                verify(unverified)
                self._unverified = None
            except DamagedSnapshot:
                self.distrust()
        with self._database.snapshot() as tx:
            found, tip = self.within(tx), tx.changesets.moved()
        if found is None and tip != self._failed:
            self._failed = tip  # what fails, or is too much, is not tried again before something has changed
            if self._publish(wait=False) is not None or COMPILED:
                self._failed = None

    def publish(self) -> View:
        """Make a new snapshot where what there is is too old, and return the view of now; raises `Unavailable`."""
        made = self._publish(wait=True)
        if made is None:
            message = f"there are more than {self._limits.uncompiled:,} indicators: {NOT_COMPILED}"
            raise Unavailable(message)
        return self.current() or made

    def _publish(self, *, wait: bool) -> View | None:
        """Return the new base, None where another process is making one, or Python alone cannot hold it."""
        with self._publishing, snapshot.alone(self.file, wait=wait) as alone:
            if not alone:
                return None
            found = self.current()  # somebody else may have been faster
            if found is not None:
                return found
            base = self._built() if COMPILED else self._remembered()
            if base is not None:
                with self._lock:
                    self._start(base)
            return base

    def _built(self) -> View:
        with self._database.snapshot() as tx:
            tip, contents = contents_in(tx)
            filled = _filled(contents)
        # What follows reads nothing more: a long write keeps no old state of the database alive.
        matcher: Matcher
        try:
            matcher = snapshot.write(filled, self.file)
            self.trouble = None
        except OSError as error:
            self.trouble = f"{self.file} cannot be written ({error.strerror or error}): the snapshot stays in memory"
            matcher = filled.in_memory()
        except DamagedSnapshot as error:
            raise Unavailable(f"the new snapshot cannot be read back ({error}): is the disk failing?") from error
        self._opened = snapshot.signature(self.file)
        self._unverified = None
        return View(matcher, tip)

    def _remembered(self) -> View | None:
        with self._database.snapshot() as tx:
            if tx.entries.are_over(self._limits.uncompiled):
                return None
            tip, contents = contents_in(tx)
            try:
                return View(Reference.of_rows(contents.pieces, contents.rulings, contents.decisions), tip)
            except ValueError as error:
                raise _cannot(error) from error


def write_snapshot(database: Database, target: Path) -> Mapped:
    """Write a snapshot of all indicators of *database* to *target*; raises `Unavailable`, also without the kernel."""
    if not COMPILED:
        raise Unavailable(NOT_COMPILED)
    with database.snapshot() as tx:
        filled = _filled(contents_in(tx)[1])
    return snapshot.write(filled, target)


def contents_in(tx: Transaction) -> tuple[Tip, Contents]:
    """Return what a snapshot of all indicators is made of, which *tx* reads as it goes; raises `Unavailable`."""
    tip = tx.changesets.moved()
    try:
        rulings, decisions = Rulings.of(_decisions(tx.entries.decided()))
    except KeyError as error:
        raise _cannot(error) from error
    return tip, Contents(tip.id, tip.hash, rulings, decisions, tx.entries.all())


def _filled(contents: Contents) -> Filled:
    try:
        return fill(contents, _secret())
    except ValueError as error:
        raise _cannot(error) from error


def _cannot(error: Exception) -> Unavailable:
    return Unavailable(f"no snapshot can be made of what is stored ({error}); `indicia verify` tells what was altered")


def _secret() -> bytes:
    return secrets.token_bytes(_SECRET_BYTES)


def _decisions(decided: Iterable[Decided]) -> Iterator[Decision]:
    for number, kind, action, status, alert, groups in decided:
        yield Decision(number, kind, Ruling(action, status, alert, groups))


def _nothing() -> View:
    """Return the view of an empty store: the beginning of every chain."""
    nothing = Contents(ORIGIN.id, ORIGIN.hash, Rulings(()), {}, ())
    return View(in_memory(nothing, _secret()), ORIGIN)


def _is_of(tx: Transaction, view: View) -> bool:
    """Return whether *view* is a past, or the present, of the very database that *tx* reads."""
    return tx.changesets.tip(view.tip.id) == view.tip
