"""The tables of who signs in by an OpenID provider, of the keys of people's own programs, and of tries that failed."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from indicia.store.schema import Names, UtcDateTime, metadata

# Who an OpenID provider says that somebody is: its own name for them, which never changes.
identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("person", Text, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    # Since when the provider gives them no role any more: until it does again, their keys and passwords are refused.
    Column("refused_at", UtcDateTime),
)
Index(None, identities.c.person)

# A key lets a program do what a person may, or less: ``permissions`` are the only ones that it has, null means all,
# and ``rbac_group_names`` are the only device groups that it reaches, null means all that the person does.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("key_sha256", LargeBinary(32), nullable=False),
    Column("permissions", Text),
    Column("rbac_group_names", Names),
    Column("created_at", UtcDateTime, nullable=False),
    Column("rotated_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("previous_sha256", LargeBinary(32)),
    Column("previous_until", UtcDateTime),
)
Index(None, api_keys.c.person)

# Tries to sign in that failed, for all nodes: ``key_sha256`` is of a name, an address, or both together, so that what
# somebody typed in the wrong field is not kept. Rows are forgotten after an hour, and there are only so many.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("key_sha256", LargeBinary(32), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)
Index(None, sign_in_failures.c.last_at)

# What came back from an OpenID provider once, so that it counts once: SHA-256 of the state, until it is too old anyway.
sign_in_states = Table(
    "sign_in_states",
    metadata,
    Column("state_sha256", LargeBinary(32), primary_key=True),
    Column("until", UtcDateTime, nullable=False),
)
