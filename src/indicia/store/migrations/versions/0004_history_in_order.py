"""What a changeset began or ended, in the order of the numbers: a page of it is read, and not all of it sorted."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    for column in ("began", "ended"):
        op.create_index(op.f(f"ix_indicator_history_{column}_id"), "indicator_history", [column, "id"], unique=False)
        op.drop_index(op.f(f"ix_indicator_history_{column}"), table_name="indicator_history")
