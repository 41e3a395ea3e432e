"""The tables by which several processes share one database: leases with fencing, and the nodes there are."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from indicia.store.schema import UtcDateTime, metadata

# Who does a piece of timed work until when; ``fence`` grows with every holder, so that one who slept is known.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

# Keys that all nodes sign with, where they share a server's database and no file.
secret_keys = Table(
    "secret_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)

# What one node does just now, or did last, for pages that any node may show.
node_notes = Table(
    "node_notes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("data", Text, nullable=False),
)
