"""Which programs the tables are fit for: what lets nodes of two versions work side by side."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Connection, Table, Text, delete, insert, inspect, select

from indicia.store.schema import metadata

#: The schema of the oldest program that can work on the newest tables. A migration that only adds (tables, columns
#: that may be empty or have a default, indexes) leaves it as it is; one that takes away, renames or demands raises it
#: to the first schema whose program does without: expand in one version, contract in a later one.
OLDEST_PROGRAM: Final = "0010"

schema_floor = Table("schema_floor", metadata, Column("oldest", Text, primary_key=True))


def oldest_program(connection: Connection) -> str | None:
    """Return the schema of the oldest program that the tables are fit for, None where they are too old to say so."""
    if not inspect(connection).has_table(schema_floor.name):
        return None
    return connection.execute(select(schema_floor.c.oldest)).scalar()


def settle_oldest_program(connection: Connection) -> None:
    """Write down which programs the tables are fit for, now that they are the newest."""
    connection.execute(delete(schema_floor))
    connection.execute(insert(schema_floor).values(oldest=OLDEST_PROGRAM))
