"""Signing in and out, the one-time link that sets a password, and going on where somebody was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from structlog.typing import FilteringBoundLogger

from indicia.app import App
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem, Unavailable
from indicia.domain.passwords import LEAST_CHARACTERS
from indicia.services import people, sessions
from indicia.services.auditing import known_person
from indicia.services.oidc import OpenId
from indicia.services.passwords import Passwords
from indicia.services.throttling import Throttle
from indicia.store.people import Person
from indicia.web.dependencies import AppDep, NowDep
from indicia.web.openid import openid_of
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.forms import Form, read_form
from indicia.web.portal.page import SAID, Notice
from indicia.web.portal.resuming import KEPT, KEPT_FOR, Kept, kept_of, resumed
from indicia.web.portal.visit import PostDep, shell_of
from indicia.web.session import (
    COOKIE,
    address_of,
    check_origin,
    drop_cookie,
    is_secure,
    keep_cookie,
    limits_of,
    local_path,
    session_of,
)
from indicia.web.tokens import Tokens

MOST_FORM_BYTES: Final = 1 << 20
_NO_PASSWORDS: Final = "passwords are not used here; sign in with the button"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Desk:
    """What one process needs for signing people in."""

    passwords: Passwords
    throttle: Throttle
    log: FilteringBoundLogger
    openid: OpenId | None = None
    local: bool = True

    @classmethod
    def open(cls, log: FilteringBoundLogger, app: App, tokens: Tokens) -> Desk:
        """Return the desk of a new process; raises `InvalidInput` where the settings of the provider are wrong."""
        openid = openid_of(app.settings, tokens.secret("sign-in by OpenID"))
        if openid is None and not app.settings.local_sign_in:
            message = "INDICIA_LOCAL_SIGN_IN is off and there is no INDICIA_OIDC_ISSUER, so that nobody could sign in"
            raise InvalidInput([Problem("invalid-setting", message)])
        return cls(Passwords(), Throttle(app.database), log, openid, app.settings.local_sign_in)


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The form; ``kept`` is what somebody had filled in when their session was over.

    ``label`` is what the provider is called, where there is one; ``local`` is whether passwords are taken.
    """

    secure: bool
    anybody: bool
    name: str
    next: str
    problems: Faults
    kept: Kept | None = None
    label: str | None = None
    local: bool = True


@dataclass(frozen=True, slots=True)
class WelcomePage:
    """The form that a one-time link leads to; without a person it makes the first one."""

    secure: bool
    person: str | None
    is_new: bool
    name: str
    problems: Faults
    least: int = LEAST_CHARACTERS


@dataclass(frozen=True, slots=True)
class CookiePage:
    """What to do where the browser did not keep the cookie."""

    next: str
    url: str


@dataclass(frozen=True, slots=True)
class NoLinkPage:
    """What to do where a link is not good any more."""

    why: str
    anybody: bool


async def stranger_form(request: Request) -> Form:
    """Return the form of somebody who is not signed in, sent by a page of ours."""
    check_origin(request)
    return await read_form(request, MOST_FORM_BYTES)


async def desk(request: Request) -> Desk:
    """Return what signs people in."""
    found: Desk = request.app.state.desk
    return found


FormDep = Annotated[Form, Depends(stranger_form)]
DeskDep = Annotated[Desk, Depends(desk)]


# -- signing in -------------------------------------------------------------------------------------------------------


@router.get("/sign-in")
def show_sign_in(
    request: Request,
    app: AppDep,
    now: NowDep,
    desk: DeskDep,
    next: str = "/",  # noqa: A002 the name of a field of ours
    said: str = "",
) -> Response:
    """Ask for name and password."""
    way = local_path(next)
    if session_of(request, app, now) is not None:
        return RedirectResponse(way, 303)
    text = SAID.get(said)
    notice = Notice(text, kind="ok" if said.startswith("signed-out") else "info") if text else None
    return sign_in_page(request, app, desk, now, way, {}, notice=notice)


@router.post("/sign-in")
def sign_in(request: Request, app: AppDep, now: NowDep, form: FormDep, desk: DeskDep) -> Response:
    """Open a session for whoever knows the password; say nothing of which names there are."""
    name, password, way = form.text("name"), form.text("password"), local_path(form.text("next", "/"))
    kept = kept_of(form.text(KEPT_FOR), form.text(KEPT))

    def again(status: int, problems: Mapping[str, Problem], headers: Mapping[str, str] | None = None) -> Response:
        return sign_in_page(request, app, desk, now, way, problems, name, kept, status=status, headers=headers)

    if not desk.local:
        return again(403, {"": Problem("no-passwords", _NO_PASSWORDS)})

    missing = {
        field: Problem("required", f"enter your {field}", field)
        for field, text in (("name", name.strip()), ("password", password))
        if not text
    }
    if missing:
        return again(422, missing)
    key, address = people.name_key(name), address_of(request)
    seconds = desk.throttle.attempt(key, address, now)
    if seconds:
        message = f"too many tries that failed; the next one is taken in {_told(seconds)}"
        problem = Problem("too-many-tries", message, "password")
        return again(429, {"password": problem}, {"Retry-After": str(seconds)})
    try:
        person = people.check_password(app.database, name, password, passwords=desk.passwords)
    except Unavailable as error:
        return again(503, {"password": Problem("unavailable", str(error), "password")}, {"Retry-After": "10"})
    except Forbidden as error:
        desk.throttle.failed(key, address, now)
        request.state.claimed = known_person(app.database, name)
        strained = desk.throttle.is_strained(key, address)
        desk.log.warning("sign-in.throttled" if strained else "sign-in.failed", client=address)
        return again(401, {"password": Problem("wrong-password", str(error), "password")})
    desk.throttle.succeeded(key, address)
    token = _begin(request, app, now, person, desk)
    if kept is not None:
        session = sessions.find(app.database, token, now, limits_of(app.settings))
        if session is not None:
            reply = resumed(request, now, session, kept)
            keep_cookie(reply, token)
            return reply
    return signed_in(token, way)


@router.get("/sign-in/kept")
def was_it_kept(request: Request, app: AppDep, now: NowDep, next: str = "/") -> Response:  # noqa: A002 the name of a field of ours
    """Go on to where somebody wanted to be; where the browser did not keep the cookie, say so and what to do."""
    way = local_path(next)
    if session_of(request, app, now) is not None:
        return RedirectResponse(way, 303)
    page = CookiePage(way, f"https://{request.url.netloc}/")
    return request.app.state.templates.render("cookie.html", page, shell_of(request, now, None), status=401)  # type: ignore[no-any-return] # a Response: state is untyped


@router.post("/sign-out")
def sign_out(visit: PostDep) -> Response:
    """End this session."""
    sessions.close(visit.database, visit.session, now=visit.now)
    reply = RedirectResponse("/sign-in?said=signed-out", 303)
    drop_cookie(reply)
    return reply


# -- one-time links ---------------------------------------------------------------------------------------------------


@router.get("/welcome/{token}")
def show_welcome(request: Request, app: AppDep, now: NowDep, token: str) -> Response:
    """Ask for a password, and the first person for a name; looking at the page does not use the link up."""
    try:
        person = people.invitation(app.database, token, now).person
    except NotFound as error:
        return _no_link(request, app, now, str(error))
    return _welcome_page(request, now, person, "", {})


@router.post("/welcome/{token}")
def welcome(request: Request, app: AppDep, now: NowDep, token: str, form: FormDep, desk: DeskDep) -> Response:
    """Set the password, use the link up, and sign in."""
    name, password = form.text("name"), form.text("password")
    if not desk.local:
        return _no_link(request, app, now, _NO_PASSWORDS)
    person: Person | None = None
    try:
        person = people.invitation(app.database, token, now).person
        if form.text("again") not in ("", password):
            differs = Problem("passwords-differ", "this is not what you typed above; type both again", "again")
            raise InvalidInput([differs])
        who = people.accept(app.database, token, name, password, passwords=desk.passwords, now=now)
    except NotFound as error:
        return _no_link(request, app, now, str(error))
    except (InvalidInput, Conflict) as error:
        return _welcome_page(request, now, person, name, by_field(error), status=422)
    return signed_in(_begin(request, app, now, who, desk), "/")


# -- parts ------------------------------------------------------------------------------------------------------------


def _begin(request: Request, app: App, now: datetime, person: Person, desk: Desk) -> str:
    """Open a session in place of the one that this browser had, and return its token."""
    limits = limits_of(app.settings)
    before = sessions.find(app.database, request.cookies.get(COOKIE, ""), now, limits)
    if before is not None:
        sessions.close(app.database, before, now=now)
    address = address_of(request)
    desk.log.info("sign-in.done", actor=person.id, client=address)
    browser = request.headers.get("user-agent", "")
    return sessions.open_session(app.database, person, now=now, limits=limits, client=browser, address=address)


def signed_in(token: str, way: str) -> Response:
    """Return the way to where somebody wanted to be, with the cookie of their session."""
    reply = RedirectResponse(f"/sign-in/kept?{urlencode({'next': way})}", 303)
    keep_cookie(reply, token)
    return reply


def sign_in_page(
    request: Request,
    app: App,
    desk: Desk,
    now: datetime,
    way: str,
    problems: Mapping[str, Problem],
    name: str = "",
    kept: Kept | None = None,
    *,
    notice: Notice | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the page that leads to *way*, with what was wrong by field (the empty one: all of it)."""
    label = desk.openid.label if desk.openid is not None else None
    told = {field: (problem,) for field, problem in problems.items()}
    page = SignInPage(is_secure(request), _is_anybody(app), name[:200], way, told, kept, label, desk.local)
    shell = shell_of(request, now, None, notice)
    reply: Response = request.app.state.templates.render("sign_in.html", page, shell, status=status, headers=headers)
    if COOKIE in request.cookies and status == 200:
        drop_cookie(reply)
    return reply


def _welcome_page(
    request: Request,
    now: datetime,
    person: Person | None,
    name: str,
    problems: Faults,
    *,
    status: int = 200,
) -> Response:
    page = WelcomePage(
        is_secure(request), person.name if person else None, not person or not person.password_at, name[:200], problems
    )
    reply: Response = request.app.state.templates.render(
        "welcome.html", page, shell_of(request, now, None), status=status
    )
    return reply


def _no_link(request: Request, app: App, now: datetime, why: str) -> Response:
    page = NoLinkPage(why, _is_anybody(app))
    reply: Response = request.app.state.templates.render("no_link.html", page, shell_of(request, now, None), status=404)
    return reply


def interrupted_page(request: Request, now: datetime, kept: Kept) -> Response:
    """Return the sign-in page that keeps what somebody had filled in when their session was over."""
    app, own = request.app.state.indicia, request.app.state.desk
    return sign_in_page(request, app, own, now, local_path(kept.path), {}, "", kept, status=401)


def _is_anybody(app: App) -> bool:
    return people.is_anybody(app.database)


def _told(seconds: int) -> str:
    return "a second" if seconds == 1 else f"{seconds} seconds" if seconds < 60 else "a minute"
