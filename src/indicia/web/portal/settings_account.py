"""The page `/settings/account`: one's own password, sessions, and how the pages look."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.passwords import LEAST_CHARACTERS
from indicia.services import people, preferences, sessions
from indicia.services.sessions import Limits, Place
from indicia.store.people import Person
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.signing_in import DeskDep
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.session import address_of, drop_cookie, limits_of

# The first that fits counts: every browser says that it is several others too.
_BROWSERS: Final = (
    ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
    ("Opera", r"OPR/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Chromium", r"Chromium/(\d+)"),
    ("Chrome", r"(?:Headless)?(?:Chrome|CriOS)/(\d+)"),
    ("Safari", r"Version/(\d+)[\d.]* (?:Mobile/\S+ )?Safari/"),
    ("curl", r"curl/(\d+)"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPad", "iPad"),
    ("iPhone", "iPhone"),
    ("Windows", "Windows"),
    ("macOS", "Macintosh"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One's own account."""

    section: str
    person: Person
    places: tuple[Place, ...]
    browsers: tuple[str, ...]
    theme: str
    keys: bool
    limits: Limits
    least: int = LEAST_CHARACTERS
    problems: Faults = field(default_factory=dict)


@router.get("/settings/account")
def read_account(visit: VisitDep) -> Response:
    """The page."""
    return visit.page("settings_account.html", _page(visit))


@router.post("/settings/account/password")
def change_password(visit: PostDep, desk: DeskDep) -> Response:
    """Set another password; whoever has the old one is signed out with it."""
    form, person = visit.form, visit.session.person
    key, address = people.name_key(person.name), address_of(visit.request)
    if form.text("again") not in ("", form.text("new")):
        differs = Problem("passwords-differ", "this is not what you typed above; type both again", "again")
        return _again(visit, {"again": (differs,)})
    seconds = desk.throttle.attempt(key, address, visit.now)
    if seconds:
        message = f"too many tries that failed; the next one is taken in {seconds} seconds"
        return _again(visit, {"current": (Problem("too-many-tries", message, "current"),)}, status=429)
    try:
        people.set_password(
            visit.database,
            person,
            form.text("current"),
            form.text("new"),
            passwords=desk.passwords,
            keep=visit.session.token_sha256,
            now=visit.now,
        )
    except InvalidInput as error:
        problems = by_field(error)
        if "current" not in problems:
            desk.throttle.succeeded(key, address)
        return _again(visit, problems)
    desk.throttle.succeeded(key, address)
    return visit.go("/settings/account", said="password-changed")


@router.post("/settings/account/appearance")
def change_appearance(visit: PostDep) -> Response:
    """Keep how the pages look, and whether single keys do something on them."""
    theme, keys = visit.form.text("theme"), visit.form.flag("keys")
    preferences.set_appearance(visit.database, visit.session.person, theme=theme, keys=keys)
    return visit.go("/settings/account", said="saved")


@router.post("/settings/account/sessions")
def end_sessions(visit: PostDep) -> Response:
    """Sign out somewhere else, everywhere else, or everywhere."""
    place, what = visit.form.text("place"), visit.form.text("what")
    if place:
        sessions.close_place(visit.database, visit.session, place, now=visit.now)
        return visit.go("/settings/account", said="session-ended")
    if what == "others":
        sessions.close_all(visit.database, visit.session, actor=visit.actor, now=visit.now, keep_own=True)
        return visit.go("/settings/account", said="sessions-ended")
    sessions.close_all(visit.database, visit.session, actor=visit.actor, now=visit.now)
    reply = RedirectResponse("/sign-in?said=signed-out-everywhere", 303)
    drop_cookie(reply)
    return reply


def browser_of(client: str) -> str:
    """Return in a few words what a browser says of itself.

    >>> browser_of("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0")
    'Firefox 133 on Linux'
    >>> browser_of(""), browser_of("something else")
    ('an unknown program', 'an unknown program')
    """
    names = (f"{name} {found[1]}" for name, pattern in _BROWSERS if (found := re.search(pattern, client)))
    systems = (name for name, word in _SYSTEMS if word in client)
    name, system = next(names, "an unknown program"), next(systems, None)
    return f"{name} on {system}" if system else name


def _page(visit: Visit, problems: Faults | None = None) -> AccountPage:
    limits = limits_of(visit.app.settings)
    places = tuple(sessions.places(visit.database, visit.session, now=visit.now, limits=limits))
    return AccountPage(
        section="account",
        person=visit.session.person,
        places=places,
        browsers=tuple(browser_of(place.client) for place in places),
        theme=visit.session.theme,
        keys=visit.session.keys,
        limits=limits,
        problems=problems or {},
    )


def _again(visit: Visit, problems: Faults, *, status: int = 422) -> Response:
    return visit.page("settings_account.html", _page(visit, problems), status=status)
