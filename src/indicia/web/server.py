"""The server: puts the doors by HTTP together, and serves them until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from indicia.app import App
from indicia.domain.access import system_actor
from indicia.domain.errors import Forbidden, IndiciaError, Unavailable
from indicia.services import indicators
from indicia.services.auditing import Audit, known_client
from indicia.services.board import Board
from indicia.services.checkpoints import own_keys
from indicia.services.node_health import numbers
from indicia.services.shared_keys import shared_key
from indicia.services.starting import record_start
from indicia.services.verification import Verification
from indicia.settings import Settings
from indicia.web import api, defender, defender_machines, docs, oauth, status
from indicia.web.defender_errors import defender_reply
from indicia.web.description import Described
from indicia.web.draining import DrainingServer
from indicia.web.first_run import way_in, what_to_try
from indicia.web.logs import open_log
from indicia.web.metrics import Metrics
from indicia.web.noting import keep_why, note_answer
from indicia.web.paths import ForgivingPaths, is_compat, is_portal, is_token_endpoint
from indicia.web.portal import routes as portal
from indicia.web.portal.assets import Assets
from indicia.web.portal.compressing import CompressedPages
from indicia.web.portal.faults import portal_reply, signed_out_reply
from indicia.web.portal.page import Templates
from indicia.web.portal.resuming import kept_form, kept_from, resumed
from indicia.web.portal.signing_in import Desk, interrupted_page
from indicia.web.problems import INTERNAL_ERROR, Fault, fault_of, problem_reply
from indicia.web.session import SignedOut, StalePage, is_from_page
from indicia.web.tokens import Tokens, new_key
from indicia.worker import Worker

# Clients of a compat API give up after a minute or so; a writer that waits longer than that waits in vain.
BUSY_TIMEOUT_SECONDS: Final = 60.0
SHUTDOWN_SECONDS: Final = 15
# Longer than the pauses of clients which keep a session: one that is closed under them fails a request.
KEEP_ALIVE_SECONDS: Final = 75
# Questions that a route answers at a time. Reading a file, threads wait for each other's interpreter and for little
# else, and with every row anew; a server is far enough away that more of them wait for it.
_TURNS_ON_FILE: Final = 2
_TURNS_ON_SERVER: Final = 8
_SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": ("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(app: App, *, log: FilteringBoundLogger | None = None) -> FastAPI:
    """Return the ASGI application over *app*; nothing is started, and closing *app* stays with the caller."""
    log = log or open_log()
    counter = system_actor("metrics")

    def count() -> int:
        everything = indicators.Wanted(include_expired=True)
        return indicators.count_indicators(app.database, everything, actor=counter, now=app.now())

    metrics = Metrics(count, lambda: numbers(app.node, app.follower, app.clock))
    server = Described(
        title="Indicia",
        summary="Indicators of compromise: a Defender-compatible API under /api, our own under /v1.",
        version=version("indicia"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Doorkeeper, log=log, metrics=metrics, audit=app.audit, clock=app.now),
            Middleware(ForgivingPaths),
            Middleware(CompressedPages),
        ],
        exception_handlers={
            IndiciaError: _told,
            HTTPException: _told,
            RequestValidationError: _told,
            oauth.TokenRefused: _token_refused,
            SignedOut: _signed_out,
            StalePage: _stale_page,
        },
    )
    server.state.indicia = app
    server.state.tokens = _tokens(app)
    turns = _TURNS_ON_SERVER if app.database.file is None else _TURNS_ON_FILE
    server.state.turns = defaultdict(lambda: asyncio.Semaphore(turns))
    server.state.metrics = metrics
    server.state.desk = Desk.open(log, app, server.state.tokens)
    server.state.assets = Assets.load()
    server.state.templates = Templates(server.state.assets)
    server.state.verification = Verification(
        app.database,
        app.now,
        lambda: own_keys(app.checkpoints.shipping.key_file),
        Board(app.database, app.node, app.now),
    )
    for router in (
        status.router,
        oauth.router,
        defender.router,
        defender_machines.router,
        api.router,
        docs.router,
        portal.router,
    ):
        server.include_router(router)
    return server


async def _told(request: Request, error: Exception) -> Response:
    return fault_reply(fault_of(error), request)


async def _token_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, oauth.TokenRefused)
    keep_why(request, error.status, error.error, error.message)
    given = getattr(request.state, "client_id", "")
    if error.status == 401 and given.isprintable():
        with suppress(Unavailable):
            claimed = await run_in_threadpool(known_client, request.app.state.indicia.database, given)
            request.state.claimed = claimed
    return oauth.token_refused(error, request, _now(request))


async def _signed_out(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignedOut)
    if request.method == "POST" and request.headers.get("hx-request") != "true":
        kept = await kept_from(request)
        if kept is not None:
            return interrupted_page(request, _now(request), kept)
    return signed_out_reply(request, ended=error.ended)


async def _stale_page(request: Request, error: Exception) -> Response:
    """Ask whether to send what a page of an earlier session sent, where it can wait in a page."""
    form, session = getattr(request.state, "form", None), getattr(request.state, "session", None)
    kept = kept_form(request, form) if form is not None and is_from_page(request) else None
    if kept is not None and session is not None and request.headers.get("hx-request") != "true":
        return resumed(request, _now(request), session, kept, status=403)
    return await _told(request, Forbidden(str(error)))


def _tokens(app: App) -> Tokens:
    if not app.nodes_share_key:
        return Tokens.open(app.key_file)
    return Tokens.of(shared_key(app.database, "tokens", new_key, now=app.now()))


def _now(request: Request) -> datetime:
    app: App = request.app.state.indicia
    return app.now()


def fault_reply(fault: Fault, request: Request) -> Response:
    """Return *fault* in the shape of the API that was called."""
    keep_why(request, fault.status, fault.code, fault.message)
    path = request.scope["path"]
    if is_compat(path):
        return defender_reply(fault, request)
    if is_token_endpoint(path):
        return oauth.fault_reply(fault, request, _now(request))
    is_nowhere = request.scope.get("route") is None
    if is_portal(path) or (is_nowhere and "text/html" in request.headers.get("accept", "")):
        return portal_reply(fault, request)
    return problem_reply(fault, request)


class Doorkeeper:
    """Stands outermost: numbers, logs and counts each request, adds headers, and is the last resort of errors."""

    def __init__(
        self, app: ASGIApp, log: FilteringBoundLogger, metrics: Metrics, audit: Audit, clock: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._log = log
        self._metrics = metrics
        self._audit = audit
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        scope["indicia.request_id"] = str(uuid.uuid4())
        answered: list[int] = []

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.append(message["status"])
                _add_headers(MutableHeaders(scope=message), scope["indicia.request_id"])
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            self._log.error("requests.failed", exc_info=error, **_about(scope))
            if not answered:
                request = Request(scope)
                await fault_reply(INTERNAL_ERROR, request)(scope, receive, sending)
        seconds = time.perf_counter() - began
        code = answered[0] if answered else 0
        self._metrics.request(scope["method"], _route(scope), code, seconds)
        note_answer(self._audit, scope, code, self._clock())
        self._log.info("requests.answer", status=code, milliseconds=round(seconds * 1000, 2), **_about(scope))


def _add_headers(headers: MutableHeaders, request_id: str) -> None:
    headers["X-Request-Id"] = request_id
    for name, value in _SECURITY_HEADERS.items():
        headers.setdefault(name, value)


def _about(scope: Scope) -> dict[str, Any]:
    """Return what the log tells of a request: never its query or its body, which may hold secrets."""
    client = scope.get("client")
    return {
        "request_id": scope["indicia.request_id"],
        "method": scope["method"],
        "path": _loggable(scope["path"]),
        "client": client[0] if client else None,
        "actor": scope.get("state", {}).get("actor"),
    }


def _loggable(path: str) -> str:
    """Return *path* without the token of a one-time link, which is as good as a password."""
    return "/welcome/…" if path.startswith("/welcome/") else path


def _route(scope: Scope) -> str | None:
    return getattr(scope.get("route"), "path", None)


# -- serving ----------------------------------------------------------------------------------------------------------


def run(settings: Settings, *, host: str = "127.0.0.1", port: int = 8484, first_run: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; the first line on stdout is the address, also for port 0.

    While there is nobody who could sign in, a link that makes the first administrator follows. With *first_run* an API
    client is made where there is none, and what to try is printed. Raises `Unavailable`
    where the port is taken or the database cannot be used.
    """
    with _listening(host, port) as listener, _opened(settings) as app:
        log = open_log()
        server = create_app(app, log=log)
        _record_start(app, server.state.tokens, log)
        if app.engine.slow_because is not None:
            log.warning("engine.slow", why=app.engine.slow_because)
        address = _address(listener)
        lines = [address, *way_in(app, address, now=app.now())]
        if first_run:
            lines += what_to_try(app, address, now=app.now())
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            server,
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.trusted_proxies,  # who may say that a client came by https, and from where
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            lifespan="off",
        )
        serving = DrainingServer(config, server, app.drain_seconds)
        with _signals_return(serving), Worker(app, log):
            serving.run(sockets=[listener])


def _record_start(app: App, tokens: Tokens, log: FilteringBoundLogger) -> None:
    """Record that this server starts, and with which settings; one that cannot be written now starts all the same."""
    key = tokens.secret("settings in the audit")
    try:
        changed = record_start(
            app.database, app.settings.model_dump(), now=app.now(), release=version("indicia"), key=key
        )
    except Unavailable as error:  # the next start tells the difference
        log.warning("audit.start_not_recorded", why=str(error))
    else:
        if changed:
            log.info("settings.changed", names=changed)


@contextmanager
def _opened(settings: Settings) -> Iterator[App]:
    app = App.open(settings, upgrade=True, busy_timeout_s=BUSY_TIMEOUT_SECONDS)
    try:
        app.audit.start()
        yield app
    finally:
        app.close()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Give a socket that takes connections already: whoever reads the address may connect at once."""
    if not 0 <= port <= 65_535:
        raise Unavailable(f"there is no port {port}; allowed: 0 (any that is free) to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"{host} port {port} is no address to listen on: {error}") from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as error:
            why = error.strerror or error
            raise Unavailable(
                f"port {port} on {host} cannot be used ({why}); stop what uses it, or choose another with --port"
            ) from None
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _signals_return(serving: uvicorn.Server) -> Iterator[None]:
    """Let the signals that stop *serving* end it without killing the process.

    uvicorn listens to them only while it serves, and raises them again when it has stopped: without this the process
    would die before it closed anything. One that comes before it serves counts too.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        serving.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
