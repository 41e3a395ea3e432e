"""Notes for the audit what every door refuses: who it was, from where, what was asked for, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.types import Scope

from indicia.app import App
from indicia.domain.access import Actor, Source
from indicia.services.auditing import Audit, stranger
from indicia.web.paths import is_portal, is_token_endpoint

#: Answers that say: not you.
_DENIED: Final = (401, 403)
#: Where people and programs prove who they are: there, "too many tries" is a refusal of the same kind.
_SIGN_IN: Final = ("/sign-in", "/welcome")
_WHY: Final = "indicia.refused"


def keep_why(request: Request, status: int, code: str, message: str) -> None:
    """Keep for the audit why *request* is answered with *status*, as the client is told it."""
    if status in _DENIED or status == 429:
        request.scope[_WHY] = (code, message)


def note_answer(audit: Audit, scope: Scope, status: int, now: datetime) -> None:
    """Note an answer that refuses somebody something; every other answer is none of the audit's business."""
    if status not in _DENIED and status != 429:
        return
    path = scope["path"]
    is_sign_in = is_token_endpoint(path) or path.startswith(_SIGN_IN)
    if status == 429 and not is_sign_in:
        return
    state = scope.get("state", {})
    code, message = scope.get(_WHY, (None, None))
    audit.note(
        "sign-in.refused" if is_sign_in else "access.denied",
        actor=_who(scope),
        now=now,
        details={
            "status": status,
            "code": code,
            "why": message,
            # Never what was typed into a form, unless the door knows it for a name: people type passwords there.
            "claimed": state.get("claimed"),
            "address": _address(scope),
            "method": scope["method"] if scope["method"] in _METHODS else "other",
            "route": getattr(scope.get("route"), "path", None),
        },
    )


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def note_export(
    request: Request,
    actor: Actor,
    now: datetime,
    what: str,
    *,
    rows: int,
    filters: Mapping[str, Any] | None = None,
    form: str | None = None,
) -> None:
    """Note that *actor* took *rows* of *what* away."""
    app: App = request.app.state.indicia
    details = {**origin_details(request), "rows": rows, "filter": filters or None, "format": form}
    app.audit.note("export", actor=actor, now=now, details=details, subject=what)


def note_key(request: Request, audit: Audit, actor: Actor, key_id: str, now: datetime) -> None:
    """Note that a key or a client is used from an address that this server has not seen it come from."""
    address = _address(request.scope) or "unknown"
    audit.note_first("key.used", address, actor=actor, now=now, details={"address": address}, subject=key_id)


def origin_details(request: Request) -> dict[str, Any]:
    """Return what the audit keeps of where a request came from."""
    return {"address": _address(request.scope), "route": getattr(request.scope.get("route"), "path", None)}


def _who(scope: Scope) -> Actor:
    who = scope.get("state", {}).get("who")
    if isinstance(who, Actor):
        return who
    return stranger(Source.PORTAL if is_portal(scope["path"]) else Source.PUBLIC_API)


def _address(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None
