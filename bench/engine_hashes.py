"""Batched look-ups of SHA-256 hashes: against the rate of random cache lines, and against DuckDB and Polars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from bench.engine import SHA256, Built, Setup, arrow_hex, arrow_raw, digests, hash_snapshot, kernel, mixed, say, short
from bench.report import Contenders, Row, best, marginal, paired, rounds, seconds, spread, table

BATCH, LINES = 4_000_000, 20_000_000
#: The peers' tables of more do not fit beside ours.
MOST_FOR_PEERS = 20_000_000
LIMIT_OF_LINES, LIMIT_BYTES = 0.5, 4.0
#: Told, not held: what copying the rows costs is not in it.
OWN = "copied to DuckDB's own table before"


def measure(setup: Setup) -> list[str]:
    """Measure tables of a million, and of as many rows as asked for; a very big one alone."""
    lines: list[str] = []
    for size in [setup.rows] if setup.rows > MOST_FOR_PEERS else sorted({min(1_000_000, setup.rows), setup.rows}):
        lines += _at(size, setup)
    return lines


def _at(size: int, setup: Setup) -> list[str]:
    """Measure one size of the table."""
    indicators = digests(1, size)
    lines = [f"### SHA-256 look-ups in {size:,}, one thread, M rows/s", ""]
    rows: list[Row] = []
    snapshot = None
    if kernel() is not None:
        snapshot, built = hash_snapshot(setup.folder, indicators)
        rows += _against_lines(snapshot, indicators, setup.runs, built, lines)
    if size <= MOST_FOR_PEERS:
        rows += _against_peers(snapshot, indicators, setup.runs, lines)
    return [*lines, "", *table(rows)]


def _against_lines(snapshot: Any, indicators: np.ndarray, runs: int, built: Built, lines: list[str]) -> list[Row]:
    """Measure look-ups and bare random cache lines of the same table in turns."""
    none, some = mixed(2, BATCH, indicators, 0.0), mixed(4, BATCH, indicators, 0.01)
    batches = {
        "digests, no hit": none,
        "digests, 1 % hits": some,
        "hex, no hit": arrow_hex(none),
        "hex, 1 % hits": arrow_hex(some),
    }
    wanted = len(some[::100])
    assert (
        len(snapshot.match_many(SHA256, some)[0])
        == wanted
        == len(snapshot.match_many(SHA256, batches["hex, 1 % hits"])[0])
    )
    assert len(snapshot.match_many(SHA256, none)[0]) == 0

    def rate(values: Any) -> Callable[[], float]:
        return lambda: BATCH / seconds(lambda: snapshot.match_many(SHA256, values))

    work = {name: rate(values) for name, values in batches.items()}
    if hasattr(kernel(), "line_rate"):
        work["lines"] = lambda: LINES / seconds(lambda: kernel().line_rate(snapshot, SHA256, LINES))
    figures = rounds(work, max(runs, 7))
    hot, keys = snapshot.hot_bytes[SHA256], snapshot.keys(SHA256)
    lines += [f"- the snapshot: {built}; {hot / 1e6:,.1f} MB of lines"]
    say(f"  {short(len(indicators))}:", {name: spread(values, 1e6) for name, values in figures.items()})
    limit = (
        LIMIT_OF_LINES if len(indicators) >= 10_000_000 else None
    )  # a smaller table is nearly in the core's own cache
    peer = f"{spread(figures['lines'], 1e6)} random lines" if "lines" in figures else "-"
    return [
        Row(
            f"{name}, per call of {short(BATCH)}",
            spread(figures[name], 1e6),
            peer,
            paired(figures, name, "lines"),
            limit,
        )
        for name in batches
    ] + [Row("hot bytes a key (of 4, ratio 4 / ours)", f"{hot / keys:.2f}", "-", LIMIT_BYTES * keys / hot, 1.0)]


def _against_peers(snapshot: Any, indicators: np.ndarray, runs: int, lines: list[str]) -> list[Row]:
    """Measure the marginal rate: of what twice the rows cost more than once, so that building tables is taken out."""
    size = len(indicators)
    # More rows than the table has, for DuckDB builds its hash table of the smaller side.
    count = max(size + size // 5, BATCH)
    probes = mixed(6, 2 * count, indicators, 0.01)
    limit = 5.0 if size >= 10_000_000 else 1.3 if size >= 1_000_000 else None
    rows = []
    for form, contenders in _forms(snapshot, indicators, probes, count):
        say(f"  {short(size)}, {form}:")
        figures, fixed = marginal(contenders, count, len(probes[::100]), runs)
        peers = [name for name in figures if name != "ours" and OWN not in name]
        lines += [
            f"- {form}: {name} {spread(values, 1e6)} a second more, {1000 * fixed[name]:.0f} ms before the first"
            for name, values in figures.items()
        ]
        for work, names, least in (("in Arrow", peers, limit), (OWN, [n for n in figures if OWN in n], None)):
            peer = best(figures, names)
            shown = f"{spread(figures[peer], 1e6)} {peer}"
            mine = spread(figures.get("ours", []), 1e6)
            rows.append(Row(f"{form} {work}, 1 % hits, marginal", mine, shown, paired(figures, "ours", peer), least))
    return rows


def _forms(snapshot: Any, indicators: np.ndarray, probes: np.ndarray, count: int) -> Iterator[tuple[str, Contenders]]:
    """Return by form of the hashes the contenders, one form at a time for the sake of memory."""
    parts = indicators, probes[:count], probes
    for form, make in (("hex", arrow_hex), ("digests", arrow_raw)):
        arrays = [make(part) for part in parts]
        found = peers_duckdb(*(pa.table({"h": each}) for each in arrays)) | peers_polars(*arrays)
        if form == "digests":
            tables = [pa.table(_words(part)) for part in parts]
            found |= {f"{name}, 4 x 64 bits": work for name, work in peers_duckdb(*tables, own=False).items()}
        if snapshot is not None:
            found["ours"] = ours(snapshot, arrays[1]), ours(snapshot, arrays[2])
        yield form, found
        found.clear()  # gigabytes, at ten million
        del arrays


def ours(snapshot: Any, values: Any) -> Callable[[], int]:
    """Return our way to count the rows that match."""
    return lambda: len(snapshot.match_many(SHA256, values)[0])


def _words(raw: np.ndarray) -> dict[str, np.ndarray]:
    """Return digests as four columns of numbers, the form that joins like best."""
    words = raw.view(np.uint64)
    return {f"w{column}": np.ascontiguousarray(words[:, column]) for column in range(words.shape[1])}


def peers_duckdb(known: Any, once: Any, twice: Any, *, own: bool = True) -> Contenders:
    """Return DuckDB's semi join: the indicators in its own table, the rows in Arrow (and for comparison in its own)."""
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET enable_progress_bar = false")
    connection.register("known_arrow", known)
    connection.execute("CREATE TABLE known AS SELECT * FROM known_arrow")
    columns = ", ".join(known.column_names)

    def count(name: str) -> Callable[[], int]:
        query = f"SELECT count(*) FROM {name} SEMI JOIN known USING ({columns})"
        return lambda: connection.execute(query).fetchall()[0][0]

    for name, values in (("once", once), ("twice", twice)):
        connection.register(name, values)
    found = {"DuckDB semi join": (count("once"), count("twice"))}
    if own:
        connection.execute("CREATE TABLE once_own AS SELECT * FROM once")
        connection.execute("CREATE TABLE twice_own AS SELECT * FROM twice")
        found[f"DuckDB semi join, {OWN}"] = (count("once_own"), count("twice_own"))
    return found


def peers_polars(known: Any, once: Any, twice: Any) -> Contenders:
    """Return Polars' semi join and is_in; the process was started with one thread for it."""
    import polars as pl

    assert pl.thread_pool_size() == 1
    table_, columns = pl.Series("h", known), [pl.Series("h", values) for values in (once, twice)]
    listed = table_.implode()

    def join(values: pl.Series) -> Callable[[], int]:
        left, right = values.to_frame().lazy(), table_.to_frame().lazy()
        return lambda: left.join(right, on="h", how="semi").select(pl.len()).collect().item()

    def is_in(values: pl.Series) -> Callable[[], int]:
        return lambda: int(values.is_in(listed).sum())

    return {
        "Polars semi join": (join(columns[0]), join(columns[1])),
        "Polars is_in": (is_in(columns[0]), is_in(columns[1])),
    }
