"""What routes ask for: the parts of the process, who is asking, the moment, and a body within bounds."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Final, cast

import orjson
from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from indicia.app import App
from indicia.domain.access import Actor
from indicia.domain.errors import Forbidden, Unavailable
from indicia.services import api_keys, applications
from indicia.web.noting import note_key
from indicia.web.problems import Refusal
from indicia.web.tokens import InvalidToken, Tokens

#: A spooled body is kept in memory up to this size.
SPOOL_BYTES: Final = 1 << 20
MAX_JSON_DEPTH: Final = 32
#: Seconds.
LONGEST_WAIT_FOR_TURN: Final = 2.0

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    bearerFormat="JWT",
    description="A token of the token endpoint, or an API key (`ind_…`)",
)
# Brackets inside strings do not count; possessive, so that one pass is all.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def app_of(request: Request) -> App:
    """Return the parts of the process that answers *request*."""
    return cast(App, request.app.state.indicia)


def tokens_of(request: Request) -> Tokens:
    """Return what signs and checks tokens where *request* is answered."""
    return cast(Tokens, request.app.state.tokens)


async def get_app(request: Request) -> App:
    """Return the parts of this process."""
    return app_of(request)


async def get_tokens(request: Request) -> Tokens:
    """Return what signs and checks tokens."""
    return tokens_of(request)


async def now(request: Request) -> datetime:
    """Return the moment of this request, by the clock that all nodes share."""
    return app_of(request).now()


AppDep = Annotated[App, Depends(get_app)]
TokensDep = Annotated[Tokens, Depends(get_tokens)]
NowDep = Annotated[datetime, Depends(now)]


async def in_turn(request: Request) -> AsyncIterator[None]:
    """Let a few questions to a route be answered at a time; the others wait their turn, in the order they came.

    Threads share one interpreter: more of them answer no faster together, and each change from one to the next costs.
    Each route has turns of its own, so that no kind of question holds up another. Who has waited for long goes ahead
    without one: behind a database that answers nobody the waits would add up.
    """
    turns = cast(Mapping[str, asyncio.Semaphore], request.app.state.turns)[request.scope["route"].path]
    try:
        async with asyncio.timeout(LONGEST_WAIT_FOR_TURN):
            await turns.acquire()
    except TimeoutError:
        yield
        return
    try:
        yield
    finally:
        turns.release()


# Of the function alone: who reads an answer slowly keeps no turn.
IN_TURN: Final = (Depends(in_turn, scope="function"),)
#: The same as the last parameter of a route that reads a body: who sends one slowly keeps no turn either.
InTurnDep = Annotated[None, Depends(in_turn, scope="function")]


def current_actor(
    request: Request, at: NowDep, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Actor:
    """Return who is asking, by a token or by a key; one that is missing, wrong, expired or revoked is refused."""
    app = app_of(request)
    if bearer is None:
        raise _unauthorized("a token or a key is needed: send `Authorization: Bearer …`", None)
    try:
        if api_keys.is_key(bearer.credentials):
            actor, key = api_keys.bearer_of(app.database, bearer.credentials, at)
            request.state.api_key, used = key, key.id
        else:
            issued = tokens_of(request).client_of(bearer.credentials, host=request.url.netloc, now=at)
            actor = applications.actor_of(app.database, issued.tenant, issued.client_id, at, issued.secret_id)
            used = issued.client_id
    except (InvalidToken, Forbidden) as error:
        raise _unauthorized(str(error), "invalid_token") from None
    request.state.actor = actor.id
    request.state.who = actor
    note_key(request, app.audit, actor, used, at)
    return actor


ActorDep = Annotated[Actor, Depends(current_actor)]


def _unauthorized(message: str, error: str | None) -> Refusal:
    challenge = 'Bearer realm="indicia"'
    if error is not None:
        challenge += f', error="{error}", error_description="{message}"'
    return Refusal(401, "unauthorized", message, headers={"WWW-Authenticate": challenge})


# -- bodies: read after the token was checked, so that strangers send nothing that is kept ----------------------------


async def raw_body(request: Request, app: AppDep, _actor: ActorDep) -> bytes:
    """Return the body, whose size is bounded by the settings."""
    return await bounded_body(request, app.settings.max_body_bytes)


def json_body(body: Annotated[bytes, Depends(raw_body)]) -> Any:
    """Return the JSON value of the body; refused with 400 where it is none, or nested too deeply."""
    return parse_json(body)


async def spooled_body(request: Request, app: AppDep, _actor: ActorDep) -> AsyncIterator[BinaryIO]:
    """Give the body as a seekable file of bounded size, which is gone after the request."""
    most = app.settings.max_import_bytes
    _refuse_announced(request, most)
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as file:
        size = 0
        try:
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise _too_large(most)
                if size > SPOOL_BYTES:
                    await run_in_threadpool(file.write, piece)
                else:
                    file.write(piece)
        except ClientDisconnect:
            raise _gone() from None
        except OSError as error:
            raise _no_room(error) from error
        file.seek(0)
        yield cast(BinaryIO, file)


JsonBodyDep = Annotated[Any, Depends(json_body)]
RawBodyDep = Annotated[bytes, Depends(raw_body)]
SpooledBodyDep = Annotated[BinaryIO, Depends(spooled_body)]


async def bounded_body(request: Request, most: int) -> bytes:
    """Return the body of *request*; refused with 413 where it is longer than *most* bytes."""
    _refuse_announced(request, most)
    pieces = bytearray()
    try:
        async for piece in request.stream():
            pieces += piece
            if len(pieces) > most:
                raise _too_large(most)
    except ClientDisconnect:
        raise _gone() from None
    return bytes(pieces)


def parse_json(body: bytes) -> Any:
    """Return the JSON value that *body* spells; raises `Refusal` where it spells none.

    Integers past 64 bits become floats, so that no digits are counted at length; nesting is bounded.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    if depth_of(body) > MAX_JSON_DEPTH:
        raise Refusal(400, "json-too-deep", f"the JSON is nested more than {MAX_JSON_DEPTH} deep")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "the body is empty, JSON is wanted" if not body.strip() else f"the body is not JSON: {error}"
        raise Refusal(400, "not-json", what) from None


def depth_of(body: bytes) -> int:
    """Return how deeply the brackets of a JSON text nest, without parsing it; no further than one past the most.

    Whole layers of brackets are taken away at a time, so that no text takes long.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_JSON_DEPTH:
        return 0  # it cannot nest too deeply: most bodies are told by this
    rest = _STRING.sub(b"", body).translate(_ALIKE, _NO_BRACKETS)
    depth = 0
    while rest and depth <= MAX_JSON_DEPTH:
        shorter = rest.replace(b"[]", b"")
        if len(shorter) == len(rest):
            return depth  # they do not pair: this is no JSON
        rest = shorter
        depth += 1
    return depth


def _refuse_announced(request: Request, most: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > most:
        raise _too_large(most)


def _too_large(most: int) -> Refusal:
    return Refusal(413, "body-too-large", f"the body is longer than {most} bytes, the most this server takes")


def _no_room(error: OSError) -> Unavailable:
    return Unavailable(f"the body cannot be kept while it is read ({error.strerror}): nothing was changed")


def _gone() -> Refusal:
    return Refusal(400, "incomplete-body", "the body ended before it was complete")
