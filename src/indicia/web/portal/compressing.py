"""Pages go out compressed; streams of events, assets (which are kept compressed) and the APIs go out as they are."""

from __future__ import annotations

from typing import Final

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from indicia.web.paths import is_portal

_LEAST_BYTES: Final = 1_000
# A page of a list is 100 kB: this level takes a millisecond or so, the highest three times that for little.
_LEVEL: Final = 5


class CompressedPages:
    """Compresses what the portal answers.

    What compresses well could be guessed by its length where a page holds a secret beside somebody else's text; the one
    secret of our pages is spelled anew in each (`visit.masked`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressing = GZipMiddleware(app, minimum_size=_LEAST_BYTES, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pages = scope["type"] == "http" and is_portal(scope["path"])
        await (self._compressing if pages else self._app)(scope, receive, send)
