"""Signed places of the chain; its entries that changed indicators, and those of one kind, are found by indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "checkpoints",
        sa.Column("number", BIG_NUMBER, autoincrement=False, nullable=False),
        sa.Column("changeset", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_checkpoints")),
    )
    op.create_index(op.f("ix_changesets_kind"), "changesets", ["kind"])
    moved = sa.text("created + updated + deleted > 0")
    op.create_index("ix_changesets_moved", "changesets", ["id"], sqlite_where=moved, postgresql_where=moved)
