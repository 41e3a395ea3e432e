"""The compiled kernel of the matcher (native/): snapshots are built, opened and asked here; all answers are exact."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

#: What is stored about one indicator: code of its type, canonical value, number, ruling, expiry (µs since 1970).
Entry: TypeAlias = tuple[int, str, int, int, int | None]

#: The newest version of the file format; others are refused.
FORMAT_VERSION: Final[int]
#: "avx512", "avx2" or "baseline": the best that this machine runs. The answers are the same.
CODE: Final[str]

class SnapshotError(ValueError):
    """The file is no snapshot, of another version, or damaged: the text says which."""

class Builder:
    """Collects indicators and writes them as one snapshot. `secret`: 16 random bytes that key the tables."""

    def __init__(self, secret: bytes, rulings: Mapping[int, tuple[int, int]]) -> None:
        """`rulings`: number of a decision -> code of the type (1 to 8, as in the store), index of the ruling."""

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows of (number of the decision, canonical value, id, expiry in µs or None).

        Raises `ValueError` naming a row that is not canonical, or has an unknown decision; nothing of it is kept.
        """

    def write(self, path: str, changeset: int, chain: bytes, about: bytes) -> None:
        """Write the snapshot to a new file at `path` and sync it; the GIL is released. Raises `OSError`."""

    def to_bytes(self, changeset: int, chain: bytes, about: bytes) -> bytes: ...

class Snapshot:
    """An immutable snapshot in memory or mapped from a file; safe to share among threads."""

    @staticmethod
    def open(path: str) -> Snapshot:
        """Map the file; header and structure are checked, `verify` checks the rest.

        Raises `SnapshotError`, `OSError`.
        """

    @staticmethod
    def from_bytes(data: bytes) -> Snapshot: ...
    @property
    def changeset(self) -> int: ...
    @property
    def chain(self) -> bytes:
        """The 32 bytes of the changeset's hash."""

    @property
    def about(self) -> bytes: ...
    @property
    def size(self) -> int:
        """Bytes of the whole."""

    @property
    def hot_bytes(self) -> dict[int, int]:
        """By code of type, the bytes of the lines that a lookup that finds nothing touches."""

    def __len__(self) -> int:
        """Return the number of indicators."""

    def keys(self, kind: int) -> int:
        """Return the number of distinct keys in the table of a type (hosts of URLs count among names and addresses)."""

    def verify(self) -> None:
        """Read the whole and compare checksums, without the GIL; raises `SnapshotError`."""

    def find(self, kind: int, canonical: str) -> list[Entry]:
        """Return the indicators about exactly this value."""

    def match(self, kind: int, canonical: str) -> list[Entry]:
        """Return the indicators about every value of `domain.matching.keys_of`; of an IpRange, of it and wider ones."""

    def match_many(self, kind: int, values: Any) -> tuple[memoryview, memoryview]:
        """Match canonical values at once; return the rows that matched (format q) and what each did (format Q).

        `values`: a list or tuple of str, an Arrow array (`__arrow_c_array__`: strings, binary, their large and view
        forms, fixed-size binary), or a numpy array of dtype S, U, or uint8 of (n, width) raw digests; binary values of
        the width of a digest are raw digests. A row that matches several keys comes several times. Texts that are not
        canonical (hashes: of any case) match nothing. The GIL is released.
        """

    def entries(self, ref: int) -> list[Entry]:
        """Return the indicators about the key that `match_many` named."""

    def check(self, text: str, /) -> list[Entry] | None:
        """Return what matches a value as `detect` reads it and `parts_of` takes it apart, None for nothing.

        NotImplemented where the text is not spelled canonically, or its type cannot be told without doubt.
        """

class Scanner:
    """Finds the lines of a log that can hold anything the snapshots know: never misses one, may name a few too many."""

    def __init__(
        self,
        snapshots: Sequence[Snapshot],
        *,
        json: bool = False,
        comments: bool = False,
        csv: bool = False,
        code: str = "",
    ) -> None:
        """Take how the log is written.

        `json`: a string before a colon is a key and holds nothing. `comments`: every line that begins with # counts.
        `csv`: a record may hold newlines between quotes. `code`: other than the best one, for tests.
        """

    def whole(self, data: Any) -> int:
        """Return how many of the bytes are whole records: up to and with the last newline that ends one."""

    def scan(self, data: Any) -> tuple[int, memoryview]:
        """Scan whole records in a buffer, without the GIL.

        Returns the number of lines, and for each candidate record three numbers (format q): its first line (from 0)
        in this buffer, where it begins, where it ends (its newline left out).
        """

def line_rate(snapshot: Snapshot, kind: int, count: int) -> float:
    """Return how many lines a second of a table can be read at random, asked for ahead: what the memory allows."""
