"""The tables of proposals: stored requests that wait for somebody else, and what was said about them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from indicia.store.schema import BigNumber, Names, UtcDateTime, metadata

# ``request`` is what was asked for, as compressed JSON, so that the plan can be made again; ``import_id`` names the
# kept file where it is an import. ``based_on`` is the changeset that the plan was made on, ``plan_digest`` what tells
# it from others, ``summary`` a JSON document of what it would do, ``why`` one of the reasons why it takes two.
# ``rbac_group_names`` are the device groups that all it touches is scoped to, null where it reaches every device.
proposals = Table(
    "proposals",
    metadata,
    Column("id", BigNumber, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_details", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("reason", Text),
    Column("why", Text, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("import_id", Text),
    Column("summary", Text, nullable=False),
    Column("rbac_group_names", Names),
    Column("based_on", BigInteger, nullable=False),
    Column("plan_digest", LargeBinary(32), nullable=False),
    Column("decided_at", UtcDateTime),
    Column("decided_by", Text),
    Column("decided_by_name", Text),
    Column("changeset", BigInteger),
)
Index(None, proposals.c.state, proposals.c.id)

proposal_comments = Table(
    "proposal_comments",
    metadata,
    Column("proposal", BigInteger, ForeignKey("proposals.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("text", Text, nullable=False),
)
