"""Signing in by an OpenID provider: the way there, the way back, and going on with a form that was filled in."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from indicia.domain.errors import NotFound, Problem, Unavailable
from indicia.services import identities, sessions
from indicia.services.oidc import OpenId, SignInRefused
from indicia.web.dependencies import AppDep, NowDep
from indicia.web.noting import keep_why
from indicia.web.openid import COOKIE as STATE_COOKIE
from indicia.web.openid import drop_state, keep_state, redirect_uri
from indicia.web.portal.resuming import KEPT, KEPT_FOR, kept_of, resumed
from indicia.web.portal.signing_in import Desk, DeskDep, FormDep, interrupted_page, sign_in_page, signed_in
from indicia.web.session import COOKIE, address_of, is_secure, limits_of, local_path, session_of

router = APIRouter(include_in_schema=False)

#: What a provider sends, each once.
_ANSWER = ("code", "error", "error_description", "iss", "state")


@router.get("/sign-in/openid")
def begin(request: Request, app: AppDep, now: NowDep, desk: DeskDep, next: str = "/") -> Response:  # noqa: A002 the name of a field of ours
    """Send somebody to the provider; the browser keeps what is needed when they come back."""
    openid, way = _provider(desk), local_path(next)
    if session_of(request, app, now) is not None:
        return RedirectResponse(way, 303)
    if not is_secure(request):
        return RedirectResponse("/sign-in", 303)
    try:
        started = openid.start(way, redirect_uri(request, app.settings), now)
    except Unavailable as error:
        return _down(request, app, desk, now, way, error)
    reply = RedirectResponse(started.url, 303)
    keep_state(reply, started.sealed)
    return reply


@router.get("/sign-in/openid/callback")
def come_back(request: Request, app: AppDep, now: NowDep, desk: DeskDep) -> Response:
    """Open a session for whom the provider vouches for; what does not fit is refused, and says why."""
    openid = _provider(desk)
    address, browser = address_of(request), request.headers.get("user-agent", "")
    limits = limits_of(app.settings)
    try:
        answer = _answer(request)
        claimed = openid.finish(answer, request.cookies.get(STATE_COOKIE, ""), now)
        welcomed = identities.sign_in(
            app.database, claimed, openid.rules, now=now, limits=limits, place=(browser, address)
        )  # fmt: skip
    except SignInRefused as error:
        request.state.claimed = error.claimed
        keep_why(request, 403, error.code, str(error))
        desk.log.warning("sign-in.refused", why=error.code, client=address)
        problems = {"": Problem(f"sign-in-{error.code}", str(error))}
        reply = sign_in_page(request, app, desk, now, "/", problems, status=403)
    except Unavailable as error:
        reply = _down(request, app, desk, now, "/", error)
    else:
        before = sessions.find(app.database, request.cookies.get(COOKIE, ""), now, limits)
        if before is not None:
            sessions.close(app.database, before, now=now)
        desk.log.info("sign-in.done", actor=welcomed.person.id, client=address)
        reply = signed_in(welcomed.token, claimed.next)
    drop_state(reply)
    return reply


@router.post("/sign-in/go-on")
def go_on(request: Request, app: AppDep, now: NowDep, form: FormDep) -> Response:
    """Ask whether to send what somebody had filled in, now that they are signed in: in another tab, by a provider."""
    kept, session = kept_of(form.text(KEPT_FOR), form.text(KEPT)), session_of(request, app, now)
    if kept is None:
        return RedirectResponse("/", 303)
    if session is None:
        return interrupted_page(request, now, kept)
    return resumed(request, now, session, kept)


def _provider(desk: Desk) -> OpenId:
    if desk.openid is None:
        raise NotFound("this installation has no OpenID provider; INDICIA_OIDC_ISSUER names one")
    return desk.openid


def _answer(request: Request) -> Mapping[str, str]:
    """Return what the provider sent; refused where something stands in it twice."""
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] in _ANSWER]
    if len(dict(pairs)) != len(pairs):
        raise SignInRefused("answer", "this answer says something twice, so nothing was done; sign in again")
    return dict(pairs)


def _down(request: Request, app: AppDep, desk: Desk, now: NowDep, way: str, error: Unavailable) -> Response:
    more = " With a password you can still sign in." if desk.local else ""
    problem = Problem("unavailable", f"{error}.{more}")
    return sign_in_page(
        request, app, desk, now, way, {"": problem}, status=503, headers={"Retry-After": "10"}
    )  # fmt: skip
