"""What people and API clients may do, and with what they come."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=True),
        sa.Column("rbac_group_names", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("previous_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("previous_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_api_keys_person_people"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_person"), "api_keys", ["person"], unique=False)
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("refused_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person"], ["people.id"], name=op.f("fk_identities_person_people"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_person"), "identities", ["person"], unique=False)
    op.create_table(
        "sign_in_failures",
        sa.Column("key_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_sha256", name=op.f("pk_sign_in_failures")),
    )
    op.create_index(op.f("ix_sign_in_failures_last_at"), "sign_in_failures", ["last_at"], unique=False)
    op.create_table(
        "sign_in_states",
        sa.Column("state_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state_sha256", name=op.f("pk_sign_in_states")),
    )
    op.add_column("applications", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.add_column("applications", sa.Column("rbac_group_names", sa.Text(), nullable=True))
    op.add_column("applications", sa.Column("rotated_at", sa.BigInteger(), nullable=True))
    op.add_column("applications", sa.Column("previous_sha256", sa.LargeBinary(length=32), nullable=True))
    op.add_column("applications", sa.Column("previous_until", sa.BigInteger(), nullable=True))
    op.add_column("people", sa.Column("role", sa.Text(), server_default="administrator", nullable=False))
    op.add_column("people", sa.Column("rbac_group_names", sa.Text(), nullable=True))
