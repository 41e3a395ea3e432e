"""PostgreSQL: how its URL is read, a connection to it opened, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn
from urllib.parse import unquote

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError

from indicia.store import loading

_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")
_AUTHORITY: Final = re.compile(r"^[a-z+]+://(?:(?P<user>[^/?]*)@)?(?P<hosts>[^/?@]*)(?P<rest>[/?].*)?$", re.DOTALL)
_HOST: Final = re.compile(r"^(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>.*))?$")
_LAST_PORT: Final = 65_535
_SECRETS: Final = ("password", "sslpassword")

# A server that is gone is noticed in seconds, whether we wait for its answer or it for our bytes; a connection is
# tried for as long as that, too, with each host. Whoever knows better says so in the URL.
_CONNECTING: Final[Mapping[str, str]] = {
    "application_name": "indicia",
    "connect_timeout": "4",
    "keepalives_idle": "3",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "8000",
}
# The same the other way round: a server learns soon that a node is gone, which may hold the lock of writers.
_SESSION: Final[Mapping[str, str]] = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "idle_in_transaction_session_timeout": "10min",
    "client_min_messages": "warning",
    "jit": "off",  # compiling a statement takes longer than any of ours runs
}
# Half a node's threads at once; who waits longer than that for a connection is told so.
_POOL, _OVERFLOW, _POOL_SECONDS = 10, 30, 10.0
# The server says that it is not the one to write to: a primary before, or one that stops.
_GO_ELSEWHERE: Final = ("25006", "57P01", "57P02", "57P03")

_TOLD: Final[Mapping[str, str]] = {
    "53100": "the disk of the database {where} is full: nothing was changed; free some space and try again",
    "53200": "the database {where} is out of memory: nothing was changed; try again",
    "53300": "the database {where} has all the connections that it allows; try again, or let it allow more "
    "(max_connections)",
    "57P01": "the database {where} is shutting down: nothing was changed; try again when it is back",
    "57P02": "the database {where} starts again after a crash: nothing was changed; try again when it is back",
    "57P03": "the database {where} is starting or shutting down; try again in a moment",
    "57P05": "the database {where} gave up a connection that was idle for too long: nothing was changed; try again",
    "25P03": "the database {where} gave up a transaction that was idle for too long: nothing was changed; try again",
    "57014": "the database {where} took too long and was stopped: nothing was changed; try again",
    "55P03": "the database {where} is busy with another writer; try again when it is done",
    "40001": "the database {where} was changed meanwhile: nothing was changed by this; try again",
    "40P01": "the database {where} was changed meanwhile: nothing was changed by this; try again",
    "25006": "the database {where} may only be read: it is a standby, or set to be read only; name the primary, or "
    "several hosts as in postgresql://USER@HOST,OTHER/NAME",
    "28P01": "the database {where} refuses the password of its user",
    "28000": "the database {where} refuses its user: does pg_hba.conf allow the connection?",
    "3D000": "the database {where} does not exist; `createdb` makes one",
    "42501": "the user of the database {where} may not do this: it has to own the tables",
    "42P01": "the database {where} has no tables of this version yet; run `indicia db upgrade`",
    "42703": "the database {where} has no tables of this version yet; run `indicia db upgrade`",
    "3F000": "the database {where} has no schema to put tables in; is `search_path` right?",
    "58030": "the database {where} could not read or write its disk: nothing was changed",
    "XX001": "the database {where} is damaged: restore a backup",
    "XX002": "an index of the database {where} is damaged: `REINDEX DATABASE` makes it anew",
}
_LOST: Final = "the connection to the database {where} was lost: nothing was changed; try again"
_UNREACHABLE: Final = "the database {where} cannot be reached: {reason}"


def is_postgresql(url: str) -> bool:
    """Return whether *url* means a PostgreSQL, right or wrong in the rest."""
    return url.partition(":")[0] in _SCHEMES


def parse(url: str) -> URL:
    """Return the URL of a PostgreSQL; raises `ValueError` with a sentence on which part of it is wrong.

    Several hosts have commas between, each with its port if need be: the one that may be written to is used, if the
    query does not ask for another (``target_session_attrs``).
    """
    found = _AUTHORITY.match(url)
    if found is None:
        _wrong("it is not of the form postgresql://USER@HOST/NAME")
    hosts, ports = zip(*map(_host, found["hosts"].split(",")), strict=True) if found["hosts"] else ((), ())
    user, with_password, password = (found["user"] or "").partition(":")
    made = make_url(f"postgresql+psycopg:///{(found['rest'] or '/').removeprefix('/')}")
    made = made.set(username=unquote(user) or None, password=unquote(password) if with_password else None)
    if len(hosts) == 1:
        made = made.set(host=hosts[0], port=ports[0] and int(ports[0]))
    elif hosts:
        several = {"host": ",".join(hosts), "port": ",".join(port or "5432" for port in ports)}
        made = made.set(query={**several, "target_session_attrs": "read-write", **made.query})
    _check(made)
    return made


def shown(url: URL) -> str:
    """Return *url* as it is written, without its passwords."""
    query = dict(url.query)
    hosts, ports = str(query.get("host", "")), str(query.get("port", ""))
    for name in _SECRETS:
        if name in query:
            query[name] = "hidden"
    if "," not in hosts:
        return url.set(drivername="postgresql", query=query).render_as_string(hide_password=True)
    places = [
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        for host, port in zip(hosts.split(","), ports.split(","), strict=False)
    ]
    del query["host"]
    query.pop("port", None)
    one = url.set(drivername="postgresql", host="several-hosts", query=query).render_as_string(hide_password=True)
    return one.replace("several-hosts", ",".join(place.removesuffix(":5432") for place in places), 1)


def engine(url: URL, *, busy_timeout_s: float) -> Engine:
    """Return the engine for *url*: a pool of connections that gets over a server's restart or failover by itself.

    Who waits longer than *busy_timeout_s* for a lock, the one of writers above all, is told that it is busy.
    """
    from indicia.store import watching  # noqa: PLC0415 its driver is an extra

    made = create_engine(
        url,
        # A plan that was prepared when the tables were empty would outlive a bulk load (346 s instead of 6).
        connect_args={"prepare_threshold": None}
        | {name: value for name, value in _CONNECTING.items() if name not in url.query},
        pool_pre_ping=True,
        pool_size=_POOL,
        max_overflow=_OVERFLOW,
        pool_timeout=_POOL_SECONDS,
        pool_use_lifo=True,
    )
    watching.watch(made)
    session = {**_SESSION, "lock_timeout": f"{max(1, round(busy_timeout_s * 1000))}ms"}
    settings = ", ".join(["set_config(%s, %s, false)"] * len(session))
    values = [part for pair in session.items() for part in pair]

    @event.listens_for(made, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.adapters.register_dumper(str, _dumper())
        connection.execute(f"SELECT {settings}", values)
        connection.commit()

    @event.listens_for(made, "handle_error")
    def _leave(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) in _GO_ELSEWHERE:
            context.is_disconnect = True

    loading.settle_before_statements(made)
    return made


def explain(error: DBAPIError, where: str) -> str:
    """Return a sentence on why the database at *where* cannot be used and what to do."""
    state = getattr(error.orig, "sqlstate", None)
    told = _TOLD.get(state or "")
    if told is not None:
        return told.format(where=where)
    if state is None:  # it is libpq that speaks, not the server
        reason = "; ".join(line.strip() for line in str(error.orig).splitlines() if line.strip())
        for sign, known in (
            ("password authentication failed", "28P01"),
            ("no password supplied", "28P01"),
            ("too many clients", "53300"),
            ("remaining connection slots", "53300"),
            ("starting up", "57P03"),
            ("shutting down", "57P03"),
            ("recovery mode", "57P03"),
            ("pg_hba.conf", "28000"),
            ("session is read-only", "25006"),
        ):
            if sign in reason:
                return _TOLD[known].format(where=where)
        if "does not exist" in reason:
            return _TOLD["28000" if "role" in reason else "3D000"].format(where=where)
        if error.connection_invalidated and error.statement is not None:
            return _LOST.format(where=where)
        return _UNREACHABLE.format(where=where, reason=reason[:500] or "no reason was given")
    if state.startswith("08"):
        return _LOST.format(where=where)
    return f"the database {where} cannot be used: {error.orig}"


def is_unavailable(error: DBAPIError) -> bool:
    """Return whether *error* is about the database, and not about what was asked of it."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or state in _TOLD or state[:2] in ("08", "53", "57", "58", "XX")


def _host(written: str) -> tuple[str, str | None]:
    found = _HOST.match(written)
    if found is None:
        _wrong(f"the host {written[:100]!r} is not a name or an address, with :PORT if need be")
    host, port = found["v6"] or found["name"], found["port"]
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT):
        _wrong(f"the port {port[:20]!r} of the host {host[:100]} is not a number from 1 to {_LAST_PORT}")
    return host, port


def _check(url: URL) -> None:
    """Refuse an option that libpq does not know: it would say so with all the others, the password among them."""
    from psycopg import pq  # noqa: PLC0415 an extra, which who uses SQLite need not have

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    unknown = [name for name in url.query if name not in known]
    if unknown:
        _wrong(f"the option {unknown[0][:100]!r} after the ? is none of PostgreSQL's")


def _wrong(what: str) -> NoReturn:
    raise ValueError(what)


def _dumper() -> type[Any]:
    from psycopg.types.string import StrDumper  # noqa: PLC0415 as above

    class WithoutNul(StrDumper):
        """Text, with U+0001 for U+0000, which PostgreSQL has not: neither is in any text that is stored."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\1") if "\0" in obj else obj)

    return WithoutNul
