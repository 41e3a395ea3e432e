"""One database: how it is opened, upgraded, and how a transaction on it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, column, inspect, select, table
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from indicia.domain.errors import Unavailable
from indicia.store import (  # noqa: F401 every table has to be known before the first is used
    announcing,
    engines,
    postgresql,
    schema_audit,
    schema_devices,
    schema_floor,
    schema_keys,
    schema_nodes,
    schema_proposals,
)
from indicia.store.announcing import Listening
from indicia.store.api_keys import ApiKeys
from indicia.store.applications import Applications
from indicia.store.changesets import ChangeSets
from indicia.store.checkpoints import Checkpoints
from indicia.store.devices import DeviceRecords
from indicia.store.entries import Entries
from indicia.store.groups import DeviceGroups
from indicia.store.idempotency import IdempotencyKeys
from indicia.store.identities import Failures, Identities
from indicia.store.import_jobs import ImportJobRecords
from indicia.store.imports import PlannedImports
from indicia.store.indicators import Indicators
from indicia.store.integrity import Integrity
from indicia.store.leases import Leases
from indicia.store.nodes import Nodes
from indicia.store.people import People
from indicia.store.proposals import Proposals
from indicia.store.sessions import Preferences, Sessions
from indicia.store.touched import Touched

#: The newest file in migrations/versions; a test keeps the two equal.
NEWEST_SCHEMA: Final = "0010"
_UPGRADE_TRIES: Final = 5
_DEADLOCK: Final = "40P01"


class Transaction:
    """One unit of work: everything read in it is of one moment, everything written in it counts together."""

    def __init__(self, connection: Connection, *, writable: bool) -> None:
        self.connection = connection
        self.writable = writable

    @cached_property
    def indicators(self) -> Indicators:
        """The indicators that are and that were."""
        return Indicators(self.connection)

    @cached_property
    def entries(self) -> Entries:
        """What of the indicators decides."""
        return Entries(self.connection)

    @cached_property
    def changesets(self) -> ChangeSets:
        """The chain of applied plans."""
        return ChangeSets(self.connection)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """Where the chain was signed."""
        return Checkpoints(self.connection)

    @cached_property
    def integrity(self) -> Integrity:
        """Whether the tables hold what the chain signed."""
        return Integrity(self.connection)

    @cached_property
    def touched(self) -> Touched:
        """Which indicators a changeset touched."""
        return Touched(self.connection)

    @cached_property
    def devices(self) -> DeviceRecords:
        """The devices, and the group of each."""
        return DeviceRecords(self.connection)

    @cached_property
    def groups(self) -> DeviceGroups:
        """The device groups."""
        return DeviceGroups(self.connection)

    @cached_property
    def applications(self) -> Applications:
        """The API clients."""
        return Applications(self.connection)

    @cached_property
    def api_keys(self) -> ApiKeys:
        """The keys of people's own programs."""
        return ApiKeys(self.connection)

    @cached_property
    def imports(self) -> PlannedImports:
        """The imports that were planned and wait to be applied."""
        return PlannedImports(self.connection)

    @cached_property
    def import_jobs(self) -> ImportJobRecords:
        """The imports that run in the background."""
        return ImportJobRecords(self.connection)

    @cached_property
    def proposals(self) -> Proposals:
        """What was proposed, and waits for somebody else."""
        return Proposals(self.connection)

    @cached_property
    def people(self) -> People:
        """Who signs in."""
        return People(self.connection)

    @cached_property
    def identities(self) -> Identities:
        """Who people are to an OpenID provider."""
        return Identities(self.connection)

    @cached_property
    def failures(self) -> Failures:
        """Tries to sign in that failed."""
        return Failures(self.connection)

    @cached_property
    def sessions(self) -> Sessions:
        """Who is signed in."""
        return Sessions(self.connection)

    @cached_property
    def preferences(self) -> Preferences:
        """How each person likes the portal."""
        return Preferences(self.connection)

    @cached_property
    def leases(self) -> Leases:
        """Who does timed work."""
        return Leases(self.connection)

    @cached_property
    def nodes(self) -> Nodes:
        """The processes that serve this database."""
        return Nodes(self.connection)

    @cached_property
    def idempotency_keys(self) -> IdempotencyKeys:
        """The answers that were given to requests with an Idempotency-Key."""
        return IdempotencyKeys(self.connection)


class Database:
    """The store of one organisation, on SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str, *, busy_timeout_s: float = 120.0) -> Database:
        """Return the database at *url*; nothing is read yet. Raises `Unavailable` where *url* cannot be used."""
        parsed = _parse(url)
        try:
            engine = engines.engine(parsed, busy_timeout_s=busy_timeout_s)
        except ImportError as error:
            message = f"no driver for {shown(parsed)} ({error}); pip install 'indicia[postgres]' brings it"
            raise Unavailable(message) from error
        except (OSError, SQLAlchemyError) as error:
            raise Unavailable(f"the database {shown(parsed)} cannot be opened: {error}") from error
        return cls(engine)

    @property
    def url(self) -> URL:
        """Where this database is."""
        return self.engine.url

    @property
    def file(self) -> Path | None:
        """The file of an embedded database, None for a server's."""
        return engines.file_of(self.engine.url)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def upgrade(self) -> bool:
        """Bring the tables to the newest schema; return whether there was anything to do."""
        with _outcomes(self.engine.url):
            if self.schema_is_current():
                return False
            # Alembic takes a tenth of a second to import, and nearly every start finds nothing to do.
            from alembic import command  # noqa: PLC0415 see above
            from alembic.config import Config  # noqa: PLC0415 see above

            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            # Nodes that go on reading take the tables in another order: one of two gives way, which may be this one.
            for _ in range(_UPGRADE_TRIES):
                with _given_way():
                    return self._upgraded(lambda: command.upgrade(config, "head"), config.attributes)
            return self._upgraded(lambda: command.upgrade(config, "head"), config.attributes)

    def _upgraded(self, upgrade: Callable[[], None], attributes: dict[str, Any]) -> bool:
        with self.engine.connect() as connection, engines.begin_write(connection):
            if (_schema(connection) or "") >= NEWEST_SCHEMA:
                return False  # another process was quicker
            attributes["connection"] = connection
            upgrade()
            schema_floor.settle_oldest_program(connection)
        return True

    def schema(self) -> str | None:
        """Return the version of the tables, None where there are none."""
        with _outcomes(self.engine.url), self.engine.connect() as connection:
            return _schema(connection)

    def schema_is_current(self) -> bool:
        """Return whether this program can work on the tables: its own, or later ones that only have more.

        Raises `Unavailable` where they are of a later version, and this program is too old for them.
        """
        with _outcomes(self.engine.url), self.engine.connect() as connection:
            found = _schema(connection)
            if found is None or found <= NEWEST_SCHEMA:
                return found == NEWEST_SCHEMA
            oldest = schema_floor.oldest_program(connection)
        if oldest is None or oldest > NEWEST_SCHEMA:
            raise Unavailable(
                f"the database {shown(self.engine.url)} was upgraded by a later version of Indicia (schema {found}, "
                f"this version knows {NEWEST_SCHEMA}); install that version"
            )
        return True

    def faults(self) -> list[str]:
        """Return what an embedded database finds wrong with its own file, a few at most."""
        with _outcomes(self.engine.url), self.engine.connect() as connection:
            return engines.faults(connection)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction that may write; writers queue, and it is committed whole or not at all."""
        with _outcomes(self.engine.url), self.engine.connect() as connection:
            with engines.begin_write(connection):
                yield Transaction(connection, writable=True)

    @contextmanager
    def attempt(self) -> Iterator[Transaction]:
        """Begin a transaction that waits for no other writer: `Unavailable` where there is one.

        For what is good to know and may be lost, and must keep nobody waiting while a million rows are imported.
        """
        with _outcomes(self.engine.url), self.engine.connect() as connection:
            with engines.begin_write(connection, wait=False):
                yield Transaction(connection, writable=True)

    @contextmanager
    def aside(self) -> Iterator[Transaction]:
        """Begin a transaction beside the writers of the chain, for small rows of its own: leases, progress, nodes.

        `Unavailable` where somebody has the same row for long; on SQLite, where there is any other writer.
        """
        with _outcomes(self.engine.url), self.engine.connect() as connection, engines.begin_aside(connection):
            yield Transaction(connection, writable=True)

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """Begin a transaction that only reads, all of it as of one moment."""
        with _outcomes(self.engine.url), self.engine.connect() as connection:
            with engines.begin_read(connection):
                yield Transaction(connection, writable=False)

    @contextmanager
    def listening(self) -> Iterator[Listening]:
        """Give a connection that hears what `announcing.announce` tells; on PostgreSQL only."""
        with (
            _outcomes(self.engine.url),
            self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
            announcing.listening(connection) as heard,
        ):
            yield heard


class Place(NamedTuple):
    """Where a database is: fit to be shown, and the file of an embedded one."""

    shown: str
    file: Path | None


def place_of(url: str) -> Place:
    """Return where *url* points; nothing is opened or made. Raises `Unavailable` where it is no database URL."""
    parsed = _parse(url)
    return Place(shown(parsed), engines.file_of(parsed))


def shown(url: URL) -> str:
    """Return *url* fit to be shown: without its password."""
    return postgresql.shown(url) if url.get_backend_name() == "postgresql" else url.render_as_string(hide_password=True)


def _schema(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(select(column("version_num")).select_from(table("alembic_version"))).scalar()
    return found


def _parse(url: str) -> URL:
    try:
        return postgresql.parse(url) if postgresql.is_postgresql(url) else make_url(url)
    except ImportError as error:
        raise Unavailable(f"no driver for PostgreSQL ({error}); pip install 'indicia[postgres]' brings it") from error
    except ValueError as error:
        named = url.split("@")[-1].partition("?")[0][:200]
        allowed = "postgresql://USER@HOST[:PORT][,HOST[:PORT]…]/NAME[?OPTION=VALUE…]"
        raise Unavailable(f"{named!r} is not the URL of a database: {error}; allowed: {allowed}") from None
    except ArgumentError:
        raise Unavailable(
            f"{url.split('@')[-1][:200]!r} is not a database URL; allowed: sqlite:///PATH, postgresql://USER@HOST/NAME"
        ) from None


@contextmanager
def _outcomes(url: URL) -> Iterator[None]:
    """Turn what the driver raises when the database cannot be used into `Unavailable`."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable(f"the database {shown(url)} has more to do than it can; try again") from error
    except engines.CommitUnknown as error:
        raise Unavailable(
            f"the connection to the database {shown(url)} was lost while a change was being committed, so nobody can "
            "say whether it was made: look before you send it again"
        ) from error
    except engines.OtherWriter as error:
        raise Unavailable(engines.busy(shown(url))) from error
    except OperationalError as error:
        raise Unavailable(engines.explain(error, shown(url))) from error
    except DBAPIError as error:
        if url.get_backend_name() == "postgresql" and postgresql.is_unavailable(error):
            raise Unavailable(engines.explain(error, shown(url))) from error
        # A file that is no database, or is damaged, is told by the bare class of the driver's errors.
        if error.connection_invalidated or type(error) is DatabaseError:
            raise Unavailable(engines.explain(error, shown(url))) from error
        raise


__all__ = ["Database", "Place", "Transaction", "place_of", "shown"]


@contextmanager
def _given_way() -> Iterator[None]:
    """Pass over that a server chose this transaction to end a deadlock: nothing of it was done."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _DEADLOCK:
            raise
