"""The table of checkpoints: signed places of the chain of changesets."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from indicia.store.schema import BigNumber, UtcDateTime, metadata

# ``number`` is 1, 2, 3 … so that one that is gone is missed; the signature is over all the other columns.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("number", BigNumber, primary_key=True, autoincrement=False),
    Column("changeset", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
)
