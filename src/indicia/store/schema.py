"""The tables: what is, what was, and the chain of changesets that led from one to the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def to_microseconds(at: datetime) -> int:
    """Return the stored form of *at*: microseconds since 1970 in UTC; naive times are refused."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return (at - EPOCH) // _MICROSECOND


def from_microseconds(stored: int) -> datetime:
    """Return the aware UTC time that `to_microseconds` stored."""
    return EPOCH + stored * _MICROSECOND


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times, kept as an integer of microseconds so that every engine stores and orders them alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


class Names(TypeDecorator[frozenset[str]]):
    """A set of names as a JSON list; null is no set at all, which is not the empty one."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: frozenset[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(sorted(value)).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> frozenset[str] | None:
        return None if value is None else frozenset(orjson.loads(value))


# 64 bits everywhere; on SQLite `INTEGER PRIMARY KEY` has to be spelled so to be the row's own number.
BigNumber = BigInteger().with_variant(Integer, "sqlite")


# What was decided about a value, apart from the value and its texts. Lists of indicators share few decisions, so
# that a row per distinct one keeps the rows of indicators short, and a filter by type, action or severity looks at
# these few before it looks at a million. Rows are only ever added, never changed: history refers to them too.
# ``type``, ``action``, ``severity``, ``category`` and ``status`` are the codes of `store.codes`;
# ``mitre_techniques`` and ``rbac_group_names`` are lists with U+001F before, between and after the items;
# ``extras`` is a JSON object of the rare properties; ``key`` is SHA-256 of all the others.
decisions = Table(
    "decisions",
    metadata,
    Column("id", BigNumber, primary_key=True, autoincrement=False),
    Column("key", LargeBinary(32), nullable=False, unique=True),
    Column("type", SmallInteger, nullable=False),
    Column("action", SmallInteger, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("category", SmallInteger),
    Column("status", SmallInteger, nullable=False),
    Column("generate_alert", Boolean(create_constraint=False), nullable=False),
    Column("recommended_actions", Text),
    Column("mitre_techniques", Text),
    Column("rbac_group_names", Text),
    Column("application", Text),
    Column("extras", Text),
)


def _version_columns() -> list[Column[Any]]:
    """Return the columns of one version of an indicator, shared by what is and what was.

    ``subject`` is SHA-256 of (type, canonical value): together with ``action`` the identity of SPEC 9.1, and
    alone the way to every indicator about one value.
    ``value`` is null where the user wrote the canonical spelling.
    ``digest`` is SHA-256 of the whole content, the decision included; the chain of changesets is built on it.
    ``created`` and ``began`` are the changesets that created the indicator and that made this version.
    """
    return [
        Column("subject", LargeBinary(32), nullable=False),
        Column("digest", LargeBinary(32), nullable=False),
        Column("action", SmallInteger, nullable=False),
        Column("decision", BigInteger, nullable=False),
        Column("canonical", Text, nullable=False),
        Column("value", Text),
        Column("title", Text, nullable=False),
        Column("description", Text, nullable=False),
        Column("expires_at", UtcDateTime),
        Column("external_id", Text),
        Column("created", BigInteger, nullable=False),
        Column("began", BigInteger, nullable=False),
    ]


indicators = Table(
    "indicators",
    metadata,
    Column("id", BigNumber, primary_key=True, autoincrement=False),
    *_version_columns(),
    UniqueConstraint("subject", "action"),
)
Index(None, indicators.c.decision)
# What a changeset created has the numbers that it gave out, one after the other: only what it changed needs an index.
_is_changed = indicators.c.began != indicators.c.created
Index(None, indicators.c.began, sqlite_where=_is_changed, postgresql_where=_is_changed)
_expires = indicators.c.expires_at.is_not(None)
Index(None, indicators.c.expires_at, sqlite_where=_expires, postgresql_where=_expires)
_has_external_id = indicators.c.external_id.is_not(None)
Index(None, indicators.c.external_id, sqlite_where=_has_external_id, postgresql_where=_has_external_id)

indicator_history = Table(
    "indicator_history",
    metadata,
    Column("id", BigNumber, primary_key=True, autoincrement=False),
    *(column for column in _version_columns() if column.name != "began"),
    Column("began", BigInteger, primary_key=True, autoincrement=False),
    Column("ended", BigInteger, nullable=False),
)
# With the number, so that what a changeset touched is read a page at a time.
Index(None, indicator_history.c.ended, indicator_history.c.id)
Index(None, indicator_history.c.began, indicator_history.c.id)

changesets = Table(
    "changesets",
    metadata,
    Column("id", BigNumber, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text),
    Column("undoes", BigInteger),
    Column("details", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("first_id", BigInteger, nullable=False),
    Column("next_id", BigInteger, nullable=False),
    Column("rows_digest", LargeBinary(32), nullable=False),
    Column("prev_hash", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
Index(None, changesets.c.at)
Index(None, changesets.c.actor)
Index(None, changesets.c.kind)
# Those that changed indicators, which may be few among sign-ins: the newest of them is asked for with every request.
MOVED: Final = changesets.c.created + changesets.c.updated + changesets.c.deleted > literal_column("0")
Index("ix_changesets_moved", changesets.c.id, sqlite_where=MOVED, postgresql_where=MOVED)

# ``rules`` is a JSON document that says which devices are of the group, null where none are by themselves.
device_groups = Table(
    "device_groups",
    metadata,
    Column("id", BigNumber, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("rank", Integer, nullable=False),
    Column("rules", Text),
    Column("description", Text),
)

# ``rbac_group_names`` is the set of device groups that a client or a person is limited to, null where it is not;
# ``previous_sha256`` is the secret before the last rotation, which is good a while longer.
applications = Table(
    "applications",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", LargeBinary(32), nullable=False),
    Column("permissions", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("rbac_group_names", Names),
    Column("rotated_at", UtcDateTime),
    Column("previous_sha256", LargeBinary(32)),
    Column("previous_until", UtcDateTime),
)

tenants = Table("tenants", metadata, Column("id", Text, primary_key=True))

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_sha256", LargeBinary(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", LargeBinary),
    Column("node", Text),
)
Index(None, idempotency_keys.c.at)

# An import that was planned and may be applied: the bytes as they came, and the digest of the plan shown.
planned_imports = Table(
    "planned_imports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("options", Text, nullable=False),
    Column("plan_digest", LargeBinary(32), nullable=False),
    Column("report", Text, nullable=False),
    Column("changeset", BigInteger),
)
Index(None, planned_imports.c.at)

planned_import_chunks = Table(
    "planned_import_chunks",
    metadata,
    Column("import_id", Text, ForeignKey("planned_imports.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

# Who manages indicators by the portal. ``name_key`` is the name as it is compared: nobody has one that only looks
# different. ``password`` is what argon2 made of it, null until a link was used to set one.
people = Table(
    "people",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),
    Column("password", Text),
    Column("password_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("disabled_at", UtcDateTime),
    # A node of the version before makes people who may do everything, as they could.
    Column("role", Text, nullable=False, server_default="administrator"),
    Column("rbac_group_names", Names),
)

# Links that let somebody set a password, once; without a person the one that makes the first.
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("token_sha256", LargeBinary(32), primary_key=True),
    Column("person", Text, ForeignKey("people.id", ondelete="CASCADE")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# ``client`` is what the browser said that it is, ``address`` where it came from, as of the sign-in.
sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", LargeBinary(32), primary_key=True),
    Column("person", Text, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("client", Text, nullable=False),
    Column("address", Text, nullable=False),
)
Index(None, sessions.c.person)

# How somebody likes the portal: small JSON documents, each under a key.
preferences = Table(
    "preferences",
    metadata,
    Column("person", Text, ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# An import that runs in the background: ``id`` is also that of the planned import which holds the file. ``owner`` names
# the process that has it under way, so that another one knows that it was left behind.
import_jobs = Table(
    "import_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_at", UtcDateTime, nullable=False),
    Column("owner", Text),
    Column("options", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("changeset", BigInteger),
    Column("progress", Text),
    Column("stop_asked_at", UtcDateTime),
)
Index(None, import_jobs.c.at)

# Everything that was found about the rows of such a file, in pieces: problems of one kind, or the refused rows.
import_findings = Table(
    "import_findings",
    metadata,
    Column("import_id", Text, ForeignKey("import_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
