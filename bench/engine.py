"""What the measurements of the engine share: the compiled kernel, made-up hashes, and a snapshot of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.report import clock

if TYPE_CHECKING:
    import pyarrow as pa

SHA256, SHA1, MD5, THUMBPRINT, ADDRESS, NETWORK, NAME, URL = range(1, 9)
SECRET = bytes(range(16))
#: A decision for each type, numbered like it; what it rules does not matter to the speed.
RULINGS = {kind: (kind, 0) for kind in range(1, 9)}
CHUNK = 200_000
INT32_MAX = (1 << 31) - 1


class Setup(NamedTuple):
    """What a measurement is asked for."""

    folder: Path
    rows: int  # of the largest table
    runs: int


class Built(NamedTuple):
    """A snapshot file, and how long it took to collect its rows from Python and to write it."""

    path: Path
    adding: float
    writing: float

    def __str__(self) -> str:
        size = self.path.stat().st_size / 1e6
        return f"{self.adding:.2f} s to add from Python, {self.writing:.2f} s to sort and write {size:,.0f} MB"


def kernel() -> Any:
    """Return the compiled kernel, None where it was not built: then only the peers are measured."""
    try:
        from indicia.matcher import _kernel
    except ImportError:
        return None
    return _kernel


def say(*text: object) -> None:
    """Tell how far it is; the report is on stdout."""
    print(*text, file=sys.stderr, flush=True)


def digests(seed: int, count: int, width: int = 32) -> np.ndarray:
    """Return *count* random digests, as a numpy array of (count, width) bytes; the same for the same seed."""
    words = np.random.default_rng(seed).integers(0, 1 << 64, (count, -(-width // 8)), dtype=np.uint64)
    return np.ascontiguousarray(words.view(np.uint8)[:, :width])


def hexes(raw: np.ndarray) -> list[str]:
    """Return digests in hex."""
    text, step = raw.tobytes().hex(), 2 * raw.shape[1]
    return [text[at : at + step] for at in range(0, len(text), step)]


def arrow_hex(raw: np.ndarray) -> pa.Array:
    """Return digests in hex as an Arrow array of strings, without a Python object for each."""
    import pyarrow as pa

    step = 2 * raw.shape[1]
    large = step * len(raw) > INT32_MAX
    offsets = np.arange(0, step * len(raw) + 1, step, dtype=np.int64 if large else np.int32)
    kind = pa.LargeStringArray if large else pa.StringArray
    letters = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.empty((len(raw), step), np.uint8)
    text[:, 0::2] = letters[raw >> 4]
    text[:, 1::2] = letters[raw & 15]
    return kind.from_buffers(len(raw), pa.py_buffer(offsets), pa.py_buffer(text))


def arrow_raw(raw: np.ndarray) -> pa.Array:
    """Return digests as an Arrow array of fixed-size binary values."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.binary(raw.shape[1]), len(raw), [None, pa.py_buffer(raw)])


def mixed(seed: int, count: int, table: np.ndarray, share: float) -> np.ndarray:
    """Return random digests of which *share* are of *table*, spread evenly."""
    found = digests(seed, count)
    if share:
        step = round(1 / share)
        picks = np.random.default_rng(seed + 1).integers(0, len(table), len(found[::step]))
        found[::step] = table[picks]
    return found


def hash_rows(raw: np.ndarray, first: int = 1) -> Iterator[list[tuple[int, str, int, None]]]:
    """Return the rows of a snapshot for SHA-256 digests, in parts."""
    for at in range(0, len(raw), CHUNK):
        part = hexes(raw[at : at + CHUNK])
        yield [(SHA256, text, number, None) for number, text in enumerate(part, first + at)]


def build(path: Path, parts: Iterable[list[Any]]) -> Built:
    """Write a snapshot of *parts*, lists of rows; the time to make the rows is not counted.

    A file that is there already, of the same kernel, is taken as it is with the times that its building took.
    """
    module = kernel()
    note, stamp = path.with_suffix(".json"), str(Path(module.__file__).stat().st_mtime_ns)
    if path.exists() and note.exists():
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["stamp"] == stamp:
            return Built(path, known["adding"], known["writing"])
    path.unlink(missing_ok=True)
    builder = module.Builder(SECRET, RULINGS)
    adding = 0.0
    for rows in parts:
        began = clock()
        builder.add(rows)
        adding += clock() - began
    began = clock()
    builder.write(str(path), 1, bytes(32), about())
    built = Built(path, adding, clock() - began)
    note.write_text(json.dumps({"stamp": stamp, "adding": built.adding, "writing": built.writing}), encoding="utf-8")
    return built


def about() -> bytes:
    """Return what a snapshot says of its one ruling."""
    from indicia.domain.indicator import Action, Status
    from indicia.matcher.rules import Ruling, Rulings

    return Rulings([Ruling(Action.BLOCK, Status.ACTIVE, generate_alert=True, groups=())]).to_bytes()


def hash_snapshot(folder: Path, raw: np.ndarray) -> tuple[Any, Built]:
    """Return the opened snapshot of SHA-256 digests, which is built when it is not there."""
    built = build(folder / f"sha256-{len(raw)}.snapshot", hash_rows(raw))
    return kernel().Snapshot.open(str(built.path)), built


def short(count: int) -> str:
    """Return a count as people say it: 1M, 10M, 300k.

    >>> short(10_000_000), short(300_000)
    ('10M', '300k')
    """
    return f"{count / 1e6:g}M" if count >= 1_000_000 else f"{count / 1e3:g}k"
