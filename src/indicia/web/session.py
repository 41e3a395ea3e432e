"""Who a request of the portal is from: the session's cookie, and proof that a write came from a page of ours."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.errors import Forbidden
from indicia.services import sessions
from indicia.services.sessions import Limits, Session
from indicia.settings import Settings
from indicia.web.dependencies import AppDep, NowDep

#: The browser takes a cookie of such a name only by https (or from this machine), for this host alone.
COOKIE: Final = "__Host-indicia"
HOME: Final = "/"
_LONGEST_PATH: Final = 4_000
#: Nobody comes back to these after signing in.
_NO_WAY_BACK: Final = ("sign-in", "sign-out", "welcome", "assets")


class SignedOut(Exception):
    """Nobody is signed in; ``ended`` says whether somebody was, as far as the browser knows."""

    def __init__(self, *, ended: bool) -> None:
        super().__init__("nobody is signed in")
        self.ended = ended


class StalePage(Forbidden):
    """A page of ours sent this, but one of another session: of before somebody signed in anew."""


def limits_of(settings: Settings) -> Limits:
    """Return how long sessions last."""
    return Limits(timedelta(seconds=settings.session_seconds), timedelta(seconds=settings.session_idle_seconds))


def current_session(request: Request, app: AppDep, now: NowDep) -> Session:
    """Return the session that a request belongs to; raises `SignedOut`, which is answered with the way to sign in."""
    found = session_of(request, app, now)
    if found is None:
        raise SignedOut(ended=COOKIE in request.cookies)
    return found


def session_of(request: Request, app: AppDep, now: NowDep) -> Session | None:
    """Return the session that a request belongs to, None where nobody is signed in."""
    token = request.cookies.get(COOKIE, "")
    return sessions.find(app.database, token, now, limits_of(app.settings))


def keep_cookie(response: Response, token: str) -> None:
    """Let the browser keep the token of a session, until it is closed."""
    response.set_cookie(COOKIE, token, path="/", secure=True, httponly=True, samesite="lax")


def drop_cookie(response: Response) -> None:
    """Let the browser forget the token of a session."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def check_csrf(request: Request, session: Session, given: str) -> None:
    """Raise `Forbidden` unless a request that writes came from a page of *session*, which knows the token *given*."""
    check_origin(request)
    if not sessions.is_of(session, given):
        raise StalePage(
            "this page is older than your sign-in, so nothing was done; go back, reload the page, and send it again"
        )


def check_origin(request: Request) -> None:
    """Raise `Forbidden` where the browser says that a page of somebody else sent this.

    What a browser says of itself no page can change: Sec-Fetch-Site where it is sent, or else Origin.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        foreign = origin is not None and _netloc(origin) != request.headers.get("host", "").lower()
    if foreign:
        raise Forbidden("this was sent by a page of another site, so nothing was done")


def is_from_page(request: Request) -> bool:
    """Return whether the browser says for sure that a page of ours sent this."""
    return request.headers.get("sec-fetch-site") == "same-origin"


def _netloc(origin: str) -> str | None:
    """Return the host and port of *origin*, None where it is none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def local_path(text: str) -> str:
    """Return *text* where it is a path of ours that somebody may come back to, else that of the first page.

    >>> local_path("/indicators?q=type:ip"), local_path("//evil.example/"), local_path("https://evil.example/")
    ('/indicators?q=type:ip', '/', '/')
    """
    if not text.startswith("/") or text.startswith("//") or len(text) > _LONGEST_PATH:
        return HOME
    # Browsers drop some control characters and take a backslash for a slash: then the rest would name a host.
    if "\\" in text or not text.isascii() or any(not "!" <= each <= "~" for each in text):
        return HOME
    first = text[1:].partition("/")[0].partition("?")[0].partition("#")[0]
    return HOME if first in _NO_WAY_BACK else text


def is_secure(request: Request) -> bool:
    """Return whether the browser keeps our cookie: it came by https, or this is its own machine.

    Browsers send Sec-Fetch-Site over such connections only: so we know also where a proxy speaks TLS for us.
    """
    if request.url.scheme == "https" or "sec-fetch-site" in request.headers:
        return True
    name = (request.url.hostname or "").lower()
    return name in ("localhost", "::1") or name.endswith(".localhost") or name.startswith("127.")


def address_of(request: Request) -> str:
    """Return the address that a request came from, as far as it is known."""
    return request.client.host if request.client else "unknown"
