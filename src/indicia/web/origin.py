"""Under which name a client reached us: links that we give it have to lead there again (SPEC 10.6)."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

_HOST: Final = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.IGNORECASE)


def origin_of(request: Request) -> str:
    """Return scheme, host and port as the client knows them; our own address where it sent no sensible Host."""
    scheme = request.scope.get("scheme", "http")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = request.scope.get("server") or ("localhost", 80)
        host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    return f"{scheme}://{host}"
