"""Devices, and the rules of device groups."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "devices",
        sa.Column("id", BIG_NUMBER, autoincrement=False, nullable=False),
        sa.Column("machine_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("dns_name", sa.Text(), nullable=False),
        sa.Column("os_platform", sa.Text(), nullable=False),
        sa.Column("os_version", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("device_group", sa.BigInteger(), nullable=True),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("machine_id", name=op.f("uq_devices_machine_id")),
    )
    op.create_index(op.f("ix_devices_device_group_id"), "devices", ["device_group", "id"], unique=False)
    op.create_index(op.f("ix_devices_dns_name"), "devices", ["dns_name"], unique=False)
    op.create_index(op.f("ix_devices_last_seen_id"), "devices", ["last_seen", "id"], unique=False)
    op.create_index(op.f("ix_devices_name_key_id"), "devices", ["name_key", "id"], unique=False)
    op.add_column("device_groups", sa.Column("rules", sa.Text(), nullable=True))
    op.add_column("device_groups", sa.Column("description", sa.Text(), nullable=True))
