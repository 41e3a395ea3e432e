"""The page `/settings/clients`: the programs that may use the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.access import Grant
from indicia.domain.errors import Forbidden, InvalidInput, Problem
from indicia.services import applications
from indicia.services.applications import Credentials
from indicia.services.credentials import OFFERED_DAYS
from indicia.store.applications import Application
from indicia.web.origin import origin_of
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.settings_keys import GRACES, NEVER
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.tokens import DEFENDER_RESOURCE

router = APIRouter(include_in_schema=False)

#: What each grant lets a program do, in words.
WORDS: Final = {
    Grant.TI_READ_WRITE_ALL: "See and change every indicator",
    Grant.TI_READ_WRITE: "See and change only the indicators that it made itself",
    Grant.TI_READ_ALL: "See every indicator, change none",
    Grant.MACHINE_READ_ALL: "See devices and device groups",
    Grant.MACHINE_READ_WRITE_ALL: "Register devices, change device groups",
    Grant.SCORE_READ_ALL: "See device groups as Defender shows them with their exposure",
    Grant.ALERT_READ_ALL: "See alerts",
    Grant.AUDIT_READ_ALL: "Read the audit, for a system that keeps or watches it",
    Grant.ADMINISTER: "Everything that an administrator may",
}


@dataclass(frozen=True, slots=True)
class ClientForm:
    """What was typed: a name, grants, device groups with commas between (empty: all), and how many days."""

    name: str = ""
    permissions: tuple[str, ...] = (Grant.TI_READ_WRITE_ALL.value,)
    groups: str = ""
    days: str = NEVER


@dataclass(frozen=True, slots=True)
class ClientsPage:
    """Every client, and the form that makes one with what was typed."""

    section: str
    clients: tuple[Application, ...]
    over: tuple[Application, ...]
    tenant: str | None
    words: dict[Grant, str]
    lifetimes: tuple[tuple[str, str], ...]
    given: ClientForm
    problems: Faults = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientMadePage:
    """What the client needs to know; the secret is shown here and never again.

    ``until`` is how long the secret before is good, where there was one.
    """

    section: str
    name: str
    credentials: Credentials
    token_url: str
    origin: str
    resource: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClientPage:
    """Asks before a client is rotated or revoked."""

    section: str
    client: Application
    good: bool


@router.get("/settings/clients")
def read_clients(visit: VisitDep) -> Response:
    """The page."""
    return visit.page("settings_clients.html", _page(visit))


@router.post("/settings/clients")
def add_client(visit: PostDep) -> Response:
    """Make a client and show its secret, once."""
    form = visit.form
    given = ClientForm(
        form.text("name")[:300], form.texts("permission")[:50], form.text("groups")[:4_000], form.text("days")[:20]
    )
    groups = [name.strip() for name in given.groups.split(",") if name.strip()]
    try:
        if not given.permissions:
            message = "tick at least one: a client that may do nothing is of no use"
            raise InvalidInput([Problem("unknown-permission", message, "scope")])
        made = applications.add_application(
            visit.database,
            given.name,
            given.permissions,
            actor=visit.actor,
            now=visit.now,
            groups=groups or None,
            days=_days(given.days),
        )
    except InvalidInput as error:
        return visit.page("settings_clients.html", _page(visit, given, by_field(error)), status=422)
    except Forbidden as error:
        problems = {"scope": (Problem("forbidden", str(error), "scope"),)}
        return visit.page("settings_clients.html", _page(visit, given, problems), status=403)
    return _made(visit, given.name.strip(), made)


@router.get("/settings/clients/{client_id}/rotate")
def ask_to_rotate(visit: VisitDep, client_id: str) -> Response:
    """Ask how long the secret before shall be good."""
    return visit.page("settings_client_rotate.html", _client_page(visit, client_id))


@router.post("/settings/clients/{client_id}/rotate")
def rotate_client(visit: PostDep, client_id: str) -> Response:
    """Give a client another secret and show it, once."""
    found = applications.show_application(visit.database, client_id, actor=visit.actor)
    grace = GRACES.get(visit.form.text("grace"), GRACES["24"])
    made = applications.rotate_application(visit.database, client_id, actor=visit.actor, now=visit.now, grace=grace)
    return _made(visit, found.name, made, visit.now + grace)


@router.get("/settings/clients/{client_id}/revoke")
def ask_to_revoke(visit: VisitDep, client_id: str) -> Response:
    """Ask whether a client shall be revoked."""
    return visit.page("settings_client_revoke.html", _client_page(visit, client_id))


@router.post("/settings/clients/{client_id}/revoke")
def revoke_client(visit: PostDep, client_id: str) -> Response:
    """Revoke a client; whoever asks for it a second time has what they want."""
    found = applications.show_application(visit.database, client_id, actor=visit.actor)
    if found.revoked_at is None:
        applications.revoke_application(visit.database, client_id, actor=visit.actor, now=visit.now)
    return visit.go("/settings/clients", said="client-revoked")


def _page(visit: Visit, given: ClientForm | None = None, problems: Faults | None = None) -> ClientsPage:
    found = applications.list_applications(visit.database, actor=visit.actor)
    return ClientsPage(
        "clients",
        tuple(each for each in found if each.is_good(visit.now)),
        tuple(each for each in found if not each.is_good(visit.now)),
        applications.tenant_of(visit.database),
        WORDS,
        ((NEVER, "no end"), *((str(days), f"{days} days") for days in OFFERED_DAYS)),
        given or ClientForm(),
        problems or {},
    )


def _client_page(visit: Visit, client_id: str) -> ClientPage:
    found = applications.show_application(visit.database, client_id, actor=visit.actor)
    return ClientPage("clients", found, found.is_good(visit.now))


def _made(visit: Visit, name: str, made: Credentials, until: datetime | None = None) -> Response:
    origin = origin_of(visit.request)
    token_url = f"{origin}/{made.tenant_id}/oauth2/v2.0/token"
    page = ClientMadePage("clients", name, made, token_url, origin, DEFENDER_RESOURCE, until)
    return visit.page("settings_client_made.html", page)


def _days(text: str) -> int | None:
    """Return the days that were chosen; whoever sends no choice, as a program of old, wants no end."""
    if text in (NEVER, ""):
        return None
    if text.isascii() and text.isdecimal() and len(text) < 6:
        return int(text)
    raise InvalidInput([Problem("invalid-expiry", "choose how long it lasts", "expires", text)])
