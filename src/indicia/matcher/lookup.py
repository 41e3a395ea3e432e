"""Matchers: a snapshot of the compiled kernel, or plain Python where that was not built; the same answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from indicia.domain.matching import parts_of
from indicia.domain.observable import Observable, ObservableType, detect
from indicia.domain.verdict import Match, Rule
from indicia.matcher.reference import Reference
from indicia.matcher.rules import TYPES, DamagedSnapshot, Rulings

if TYPE_CHECKING:
    from indicia.matcher import _kernel
else:
    try:
        from indicia.matcher import _kernel
    except ImportError:
        _kernel = None

#: Whether the compiled kernel is here; without it answers are the same and slow.
COMPILED: Final[bool] = _kernel is not None
#: What to tell where it is not.
NOT_COMPILED: Final = (
    "the compiled matcher is not part of this installation: answers are the same, and much slower; "
    "install again where there is a C++ compiler"
)
#: (number of the decision, canonical value, id, expiry in µs or None)
Rows = Sequence[Sequence[Any]]


class Matcher(Protocol):
    """Answers which rules are about something seen; immutable, and safe to share among threads."""

    def __len__(self) -> int:
        """Return the number of indicators."""

    def match(self, part: Observable) -> list[Rule]:
        """Return the rules about every value that covers *part*, one of `parts_of`: those of `keys_of(part)`."""

    def check(self, text: str) -> list[Match]:
        """Return what matches a value as `domain.observable.detect` reads it and `parts_of` takes it apart."""

    def scanners(self) -> list[_kernel.Snapshot] | None:
        """Return the snapshots to find candidate records of a log with; None: every record is a candidate."""


class Contents(NamedTuple):
    """What a snapshot is made of: as of a changeset and its hash, rulings, decisions by number, pieces of rows."""

    changeset: int
    chain: bytes
    rulings: Rulings
    decisions: Mapping[int, tuple[int, int]]
    pieces: Iterable[Rows]


class Mapped:
    """A snapshot of the kernel, mapped from a file or in memory."""

    def __init__(self, snapshot: _kernel.Snapshot) -> None:
        """Take over *snapshot*; raises `DamagedSnapshot` where its rulings cannot be read."""
        self.snapshot = snapshot
        self._rulings = Rulings.from_bytes(snapshot.about)

    def __len__(self) -> int:
        return len(self.snapshot)

    @property
    def rulings(self) -> Rulings:
        """What the entries of this snapshot mean."""
        return self._rulings

    def match(self, part: Observable) -> list[Rule]:
        """Return the rules about every value that covers *part*."""
        return [self._rulings.rule(entry) for entry in self.snapshot.match(TYPES[part.type], part.value)]

    def check(self, text: str) -> list[Match]:
        """Return what matches a value as `domain.observable.detect` reads it."""
        entries = self.snapshot.check(text)
        if entries is None:
            return []
        seen = detect(text)
        if seen is None:
            return []
        parts = parts_of(seen)
        if entries is NotImplemented:  # not spelled canonically, so the kernel leaves it to `detect`
            return [Match(rule, part) for part in parts for rule in self.match(part)]
        return [Match(rule, _part(parts, rule)) for rule in map(self._rulings.rule, entries)]

    def scanners(self) -> list[_kernel.Snapshot]:
        """Return the one snapshot."""
        return [self.snapshot]


def _part(parts: Sequence[Observable], rule: Rule) -> Observable:
    """Return which of the *parts* of something seen *rule* is about: of a URL itself, or its host."""
    return parts[0] if rule.type is ObservableType.URL else parts[-1]


def open_matcher(path: Path) -> Mapped:
    """Return the matcher over the snapshot in the file *path*.

    Raises `DamagedSnapshot` where it is none, of another version, or damaged; `OSError`; and `ImportError` where the
    kernel is not here.
    """
    if not COMPILED:
        raise ImportError(NOT_COMPILED)
    try:
        return Mapped(_kernel.Snapshot.open(str(path)))
    except _kernel.SnapshotError as error:
        raise DamagedSnapshot(f"{path}: {error}") from error


def verify(matcher: Mapped) -> None:
    """Read the whole snapshot and compare its checksums; raises `DamagedSnapshot`."""
    try:
        matcher.snapshot.verify()
    except _kernel.SnapshotError as error:
        raise DamagedSnapshot(str(error)) from error


class Filled:
    """A snapshot that is ready to be written: all its rows were taken over."""

    def __init__(self, builder: _kernel.Builder, contents: Contents) -> None:
        self._builder = builder
        self._contents = contents

    def write(self, file: Path) -> None:
        """Write the snapshot to a new *file* and sync it; raises `OSError`."""
        contents = self._contents
        self._builder.write(str(file), contents.changeset, contents.chain, contents.rulings.to_bytes())

    def in_memory(self) -> Mapped:
        """Return the matcher over the snapshot, in memory."""
        contents = self._contents
        data = self._builder.to_bytes(contents.changeset, contents.chain, contents.rulings.to_bytes())
        return Mapped(_kernel.Snapshot.from_bytes(data))


def fill(contents: Contents, secret: bytes) -> Filled:
    """Return what *contents* make, ready to be written; raises `ValueError` naming a row that cannot be an entry."""
    builder = _kernel.Builder(secret, contents.decisions)
    for piece in contents.pieces:
        builder.add(piece)
    return Filled(builder, contents)


def in_memory(contents: Contents, secret: bytes) -> Matcher:
    """Return a matcher of *contents*, compiled where that can be; raises `ValueError` naming a row that is no entry."""
    if not COMPILED:
        return Reference.of_rows(contents.pieces, contents.rulings, contents.decisions)
    return fill(contents, secret).in_memory()
