"""What every route of our own API does alike: what it is given, how it answers, and once only."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Header, Query
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from indicia.app import App
from indicia.domain.access import Actor
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.services import idempotency
from indicia.services.idempotency import Asked, Reply
from indicia.services.indicators import STALE
from indicia.services.policy import Watched
from indicia.store.database import Database
from indicia.web.cursors import Cursors, InvalidCursor
from indicia.web.dependencies import ActorDep, NowDep, app_of, tokens_of
from indicia.web.problems import Refusal

MOST_NUMBER: Final = 2**63 - 1
REASON_CHARACTERS: Final = 1_000
KEY_CHARACTERS: Final = 255
_REPLAYED: Final = "Idempotency-Replayed"
# What no text of ours has: control characters but tab and line breaks, and halves of characters.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

DryRun = Annotated[bool, Query(alias="dryRun", description="say what would be done, and do nothing")]
Reason = Annotated[str | None, Query(max_length=REASON_CHARACTERS, description="why; it is kept with the changeset")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="the most items of a page")]
Cursor = Annotated[str | None, Query(description="where to go on: part of the `next` link of a page")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="the ETag of the version that you read; `*` takes any")
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="a text of your own, at most 255 characters: a repeated request with the same key has one effect, "
        "and for 24 hours gets the first answer again",
    ),
]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to our own API, and the parts that answer it."""

    request: Request
    app: App
    actor: Actor
    now: datetime
    cursors: Cursors

    @property
    def database(self) -> Database:
        """Where the indicators are."""
        return self.app.database

    def watched(self, *, dry_run: bool) -> Watched:
        """Return the policy to plan with, which of a dry run tells afterwards why doing it takes two."""
        return Watched(self.app.policy, dry_run=dry_run)

    def position(self, cursor: str | None, *bound: str) -> int | None:
        """Return where *cursor* leads on in the list that *bound* names; refused with 400 where it is of another."""
        if cursor is None:
            return None
        try:
            return self.cursors.read(cursor, [self.actor.id, *bound])
        except InvalidCursor:
            message = "the cursor is not of this list: follow the `next` link of a page as it is, or begin anew"
            raise InvalidInput([Problem("invalid-cursor", message, "cursor", cursor[:100])]) from None

    def next_link(self, position: int, *bound: str) -> str:
        """Return the address of the page after *position* of the list that *bound* names."""
        cursor = self.cursors.write(position, [self.actor.id, *bound])
        return str(self.request.url.include_query_params(cursor=cursor))

    def once(
        self, key: str | None, payload: Callable[[], bytes], work: Callable[[Database], Reply], *, changes: bool = True
    ) -> Response:
        """Answer with what *work* makes of *payload*, or made of it before under the same Idempotency-Key."""
        if key is None:
            return sent(work(self.database))
        asked = Asked(self.actor, _checked_key(key), self._digest(payload()))
        try:
            node = self.app.node
            return sent(idempotency.once(self.database, asked, work, now=self.now, changes=changes, node=node))
        except InvalidInput as error:
            if [problem.code for problem in error.problems] == [idempotency.REUSED]:
                raise Refusal(422, idempotency.REUSED, error.problems[0].message) from None
            raise
        except Conflict as error:
            if [problem.code for problem in error.problems] == [idempotency.IN_PROGRESS]:
                raise Refusal(409, idempotency.IN_PROGRESS, str(error), headers={"Retry-After": "1"}) from None
            raise

    def _digest(self, payload: bytes) -> bytes:
        url = self.request.url
        head = (self.request.method, url.path, url.query, self.request.headers.get("content-type", ""))
        return hashlib.sha256(repr(head).encode() + payload).digest()


async def call(request: Request, actor: ActorDep, at: NowDep) -> Call:
    """Return the parts that answer *request*; a query parameter that the route does not know is refused by name."""
    route = request.scope.get("route")
    if isinstance(route, APIRoute):
        known = list(_query_parameters(route.dependant))
        problems = [_unknown_parameter(name, known) for name in request.query_params if name not in known]
        if problems:
            raise InvalidInput(problems)
    return Call(request, app_of(request), actor, at, Cursors(tokens_of(request).secret("cursors")))


CallDep = Annotated[Call, Depends(call)]


def _query_parameters(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for part in dependant.dependencies:
        yield from _query_parameters(part)


def _unknown_parameter(name: str, known: Collection[str]) -> Problem:
    near = difflib.get_close_matches(name[:100], known, n=1)
    message = f"there is no query parameter {name[:100]!r} here" + (f"; did you mean {near[0]}?" if near else "")
    return Problem("unknown-parameter", message, name[:100], allowed=tuple(known), suggestion=near[0] if near else None)


# -- what comes in ----------------------------------------------------------------------------------------------------


def number_of(id: str, what: str = "indicator") -> int:
    """Return the number that the *id* of a path spells; `NotFound` where nothing of ours has such an id."""
    if not (id.isascii() and id.isdecimal() and len(id) < 20 and 0 < int(id) <= MOST_NUMBER):
        raise NotFound(f"there is no {what} {id[:100]!r}")
    return int(id)


def object_of(body: Any, known: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the JSON object *body*; `InvalidInput` where it is none, or has a member that is not in *known*."""
    if not isinstance(body, dict):
        raise InvalidInput([Problem("not-an-object", "the body is JSON but not an object {…}")])
    unknown = [name for name in body if known is not None and name not in known]
    if unknown:
        message = "the object has no member {!r} here"
        raise InvalidInput(
            [
                Problem("unknown-property", message.format(name[:100]), name[:100], allowed=tuple(known or ()))
                for name in unknown
            ]
        )
    return body


def text_of(body: Mapping[str, Any], name: str) -> str | None:
    """Return the text *name* of *body*, None where it is not given."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput([Problem("not-a-text", "a text is wanted", name, str(value)[:200])])
    return checked_text(value, name)


def checked_text(value: str | None, name: str) -> str | None:
    """Return *value*; `InvalidInput` where it is longer than a reason may be, or has control characters."""
    if value is not None and len(value) > REASON_CHARACTERS:
        message = f"{len(value)} characters are given, at most {REASON_CHARACTERS} are allowed"
        raise InvalidInput([Problem("too-long", message, name)])
    if value is not None and _CONTROL.search(value):
        raise InvalidInput([Problem("control-character", "control characters are not allowed", name)])
    return value


def flag_of(body: Mapping[str, Any], name: str) -> bool:
    """Return the boolean *name* of *body*, false where it is not given."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        message = "true or false is wanted"
        raise InvalidInput([Problem("not-a-boolean", message, name, str(value)[:200], ("true", "false"))])
    return bool(value)


def require_type(request: Request, *allowed: str) -> None:
    """Refuse with 415 a body whose type is none of *allowed*; the first one of them is assumed where none is named."""
    given = media_type(request)
    if given and given not in allowed:
        message = f"a body of the type {given[:100]!r} is not taken here; allowed: {', '.join(allowed)}"
        raise Refusal(415, "unsupported-media-type", message, headers={"Accept": ", ".join(allowed)})


def media_type(request: Request) -> str:
    """Return the type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def version_of(if_match: str | None, number: int) -> int | None:
    """Return the version of indicator *number* that `If-Match` names, None for any.

    Refused with 428 where the header is missing, with 412 where it names no version of this indicator.
    """
    if if_match is None:
        message = "say which version you change: send `If-Match` with the ETag that you read, or `*` for any"
        raise Refusal(428, "precondition-required", message)
    if if_match.strip() == "*":
        return None
    tags = [part.strip().strip('"') for part in if_match.split(",") if not part.strip().startswith("W/")]
    versions = [tag.removeprefix(f"{number}-") for tag in tags if tag.startswith(f"{number}-")]
    known = [int(version) for version in versions if version.isascii() and version.isdecimal() and len(version) < 19]
    if not known:
        raise Refusal(412, STALE, f"{if_match[:200]} is no version of indicator {number}; read it again")
    return max(known)  # of all that there ever were the current one is the newest


@contextmanager
def stale_is_refused() -> Iterator[None]:
    """Turn the conflict about a version that is not the current one any more into 412."""
    try:
        yield
    except Conflict as error:
        if [problem.code for problem in error.problems] == [STALE]:
            raise Refusal(412, STALE, str(error)) from None
        raise


def _checked_key(key: str) -> str:
    """Return the text of an Idempotency-Key: with quotes as the draft has it, or without as most clients do."""
    text = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not 0 < len(text) <= KEY_CHARACTERS or not text.isascii() or not text.isprintable():
        message = f"an Idempotency-Key has 1 to {KEY_CHARACTERS} printable ASCII characters"
        raise InvalidInput([Problem("invalid-idempotency-key", message, "Idempotency-Key", text[:100])])
    return text


# -- what goes out ----------------------------------------------------------------------------------------------------


def json_of(value: Any) -> bytes:
    """Return *value* as JSON."""
    return orjson.dumps(value)


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return the answer that says *value*."""
    return Reply(status, {"Content-Type": "application/json", **(headers or {})}, json_of(value))


def sent(answer: Reply) -> Response:
    """Return *answer* as it goes over the wire."""
    headers = dict(answer.headers) | ({_REPLAYED: "true"} if answer.replayed else {})
    return Response(answer.body, answer.status, headers)
