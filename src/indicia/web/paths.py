"""How paths of the compat API are understood: in any case, with a version, with a slash at the end (SPEC 10.2)."""

from __future__ import annotations

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

# The spelling of the OpenAPI document; every other segment is lower-case.
_SPELLING: Final = {name.lower(): name for name in ("BatchDelete", "batchUpdate", "exposureScore", "ByMachineGroups")}
_VERSION: Final = re.compile(r"v\d+(?:\.\d+)?")
_TENANT: Final = re.compile(
    r"/[^/]+(/oauth2/token|/oauth2/v2\.0/token|/v2\.0/\.well-known/openid-configuration|/discovery/v2\.0/keys)"
)
# The first segments of the pages; the empty one is the home page.
_PAGES: Final = frozenset(
    {
        "",
        "assets",
        "audit",
        "changes",
        "check",
        "devices",
        "import",
        "indicators",
        "proposals",
        "settings",
        "sign-in",
        "sign-out",
        "welcome",
    }
)
_SLASHES: Final = re.compile(r"/{2,}")


class ForgivingPaths:
    """Gives each path of the compat API and of its token endpoint its one spelling; leaves all others alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = canonical_path(scope["path"])
            if path != scope["path"]:
                scope["path"] = path
                scope["raw_path"] = path.encode()
        await self._app(scope, receive, send)


def canonical_path(path: str) -> str:
    """Return the one spelling of *path*.

    >>> canonical_path("/API/v1.0/Indicators/batchdelete/")
    '/api/indicators/BatchDelete'
    >>> canonical_path("//api//machines")
    '/api/machines'
    >>> canonical_path("/1234ABCD/OAuth2/v2.0/Token")
    '/1234ABCD/oauth2/v2.0/token'
    >>> canonical_path("/v1/Imports/")
    '/v1/Imports/'
    """
    folded = _SLASHES.sub("/", path.lower()).rstrip("/")
    if folded == "/api" or folded.startswith("/api/"):
        segments = folded.split("/")
        if len(segments) > 2 and _VERSION.fullmatch(segments[2]):
            del segments[2]
        return "/".join(_SPELLING.get(segment, segment) for segment in segments)
    found = _TENANT.fullmatch(folded)
    if found is not None:
        tenant = _SLASHES.sub("/", path).split("/")[1]
        return f"/{tenant}{found[1]}"
    return path


def is_compat(path: str) -> bool:
    """Return whether *path* belongs to the compat API."""
    return path == "/api" or path.startswith("/api/")


def is_token_endpoint(path: str) -> bool:
    """Return whether *path* is one of the token endpoints."""
    return path.endswith(("/oauth2/token", "/oauth2/v2.0/token"))


def is_portal(path: str) -> bool:
    """Return whether *path* is one of the pages for people."""
    return path.split("/", 2)[1] in _PAGES if path.startswith("/") else False
