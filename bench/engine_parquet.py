"""A Parquet column of hashes: ours by pyarrow and one look-up a batch, against DuckDB on the same files, one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.engine import SHA256, Setup, arrow_hex, digests, hash_snapshot, kernel, mixed, say
from bench.report import Row, marginal, paired, spread, table

TABLE = 1_000_000
UNIQUE, REPEATED = 2_000_000, 10_000_000
DISTINCT = 10_000
BATCH = 16_384
LIMITS = {"unique": 1.2, "repeated": 2.0}


def measure(setup: Setup) -> list[str]:
    """Measure a file of distinct hashes, and one of a few that come again and again."""
    pa.set_cpu_count(1)
    size = min(TABLE, setup.rows)
    known = digests(1, size)
    snapshot = hash_snapshot(setup.folder, known)[0] if kernel() is not None else None
    lines = [f"### Parquet column of SHA-256 in hex, {size:,} indicators, one thread, M rows/s more", ""]
    rows = []
    for name, limit in LIMITS.items():
        say(f"  {name}:")
        count = max(UNIQUE * size // TABLE, 10_000) if name == "unique" else max(REPEATED * size // TABLE, 100_000)
        paths, hits = _write(setup.folder, name, known, count)
        # `once` is the first half of `twice`, so that the rows more are as many again.
        contenders: dict[str, Any] = {"DuckDB": _duckdb(known, paths)}
        if snapshot is not None:
            read = _ours_repeated if name == "repeated" else _ours_unique
            contenders["ours"] = tuple(_counting(read, snapshot, path) for path in paths)
        figures, fixed = marginal(contenders, count, hits, setup.runs)
        lines.append(
            f"- {name}: {2 * count:,} rows, {paths[1].stat().st_size / 1e6:,.0f} MB; before the first row "
            + ", ".join(f"{each} {1000 * spent:.0f} ms" for each, spent in fixed.items())
        )
        peer = f"{spread(figures['DuckDB'], 1e6)} DuckDB semi join"
        rows.append(
            Row(f"{name} values", spread(figures.get("ours", []), 1e6), peer, paired(figures, "ours", "DuckDB"), limit)
        )
    return [*lines, "", *table(rows)]


def _write(folder: Path, name: str, known: np.ndarray, count: int) -> tuple[tuple[Path, Path], int]:
    """Write a file of *count* rows and one of twice as many, 1 % of them known; return them and the hits of it."""
    if name == "unique":
        values: Any = arrow_hex(mixed(21, 2 * count, known, 0.01))
        hits = len(range(0, 2 * count, 100))
    else:
        distinct = arrow_hex(mixed(22, DISTINCT, known, 0.01))
        picks = np.random.default_rng(23).integers(0, DISTINCT, 2 * count)
        values = distinct.take(pa.array(picks))
        hits = int((picks % 100 == 0).sum())
    paths = folder / f"{name}-once.parquet", folder / f"{name}-twice.parquet"
    for path, rows in zip(paths, (count, 2 * count), strict=True):
        # As pyarrow writes when it is told nothing, but for a dictionary that it would give up.
        pq.write_table(pa.table({"h": values.slice(0, rows)}), path, use_dictionary=name == "repeated")
    return paths, hits


def _counting(read: Callable[[Any, Path], int], snapshot: Any, path: Path) -> Callable[[], int]:
    return lambda: read(snapshot, path)


def _ours_unique(snapshot: Any, path: Path) -> int:
    # Batches that stay in the core's cache: whole row groups cost a third more, for fresh pages of memory.
    with pq.ParquetFile(path, memory_map=True) as file:
        batches = file.iter_batches(BATCH, columns=["h"], use_threads=False)
        return sum(len(snapshot.match_many(SHA256, batch.column(0))[0]) for batch in batches)


def _ours_repeated(snapshot: Any, path: Path) -> int:
    """Look each value of the dictionaries up once, then count the rows that refer to those that matched."""
    found = 0
    with pq.ParquetFile(path, memory_map=True, read_dictionary=["h"]) as file:
        for group in range(file.num_row_groups):
            for chunk in file.read_row_group(group, columns=["h"], use_threads=False)["h"].chunks:
                matched = np.asarray(snapshot.match_many(SHA256, chunk.dictionary)[0])
                if len(matched):
                    known = np.zeros(len(chunk.dictionary), bool)
                    known[matched] = True
                    found += int(np.count_nonzero(known.take(chunk.indices.to_numpy())))
    return found


def _duckdb(known: np.ndarray, paths: tuple[Path, Path]) -> tuple[Callable[[], int], Callable[[], int]]:
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET enable_progress_bar = false")
    connection.register("values_", pa.table({"h": arrow_hex(known)}))
    connection.execute("CREATE TABLE known AS SELECT h FROM values_")

    def count(path: Path) -> Callable[[], int]:
        query = f"SELECT count(*) FROM read_parquet('{path}') SEMI JOIN known USING (h)"
        return lambda: connection.execute(query).fetchall()[0][0]

    return count(paths[0]), count(paths[1])
