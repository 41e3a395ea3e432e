"""The page `/settings/clients`: the programs that may use the API."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.access import Permission
from indicia.domain.errors import InvalidInput
from indicia.services import applications
from indicia.services.applications import Credentials
from indicia.store.applications import Application
from indicia.web.origin import origin_of
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.visit import PostDep, Visit, VisitDep
from indicia.web.tokens import DEFENDER_RESOURCE

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ClientsPage:
    """Every client, and the form that makes one with what was typed."""

    section: str
    clients: tuple[Application, ...]
    revoked: tuple[Application, ...]
    tenant: str | None
    name: str = ""
    permission: str = Permission.TI_READ_WRITE_ALL.value
    problems: Faults = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientMadePage:
    """What the new client needs to know; the secret is shown here and never again."""

    section: str
    name: str
    credentials: Credentials
    token_url: str
    origin: str
    resource: str


@dataclass(frozen=True, slots=True)
class RevokePage:
    """Asks before a client is revoked."""

    section: str
    client: Application


@router.get("/settings/clients")
def read_clients(visit: VisitDep) -> Response:
    """The page."""
    return visit.page("settings_clients.html", _page(visit))


@router.post("/settings/clients")
def add_client(visit: PostDep) -> Response:
    """Make a client and show its secret, once."""
    name, permission = visit.form.text("name"), visit.form.text("permission")
    try:
        made = applications.add_application(visit.database, name, [permission], actor=visit.actor, now=visit.now)
    except InvalidInput as error:
        return visit.page("settings_clients.html", _page(visit, name, permission, by_field(error)), status=422)
    origin = origin_of(visit.request)
    token_url = f"{origin}/{made.tenant_id}/oauth2/v2.0/token"
    page = ClientMadePage("clients", name.strip(), made, token_url, origin, DEFENDER_RESOURCE)
    return visit.page("settings_client_made.html", page)


@router.get("/settings/clients/{client_id}/revoke")
def ask_to_revoke(visit: VisitDep, client_id: str) -> Response:
    """Ask whether a client shall be revoked."""
    found = applications.show_application(visit.database, client_id, actor=visit.actor)
    return visit.page("settings_client_revoke.html", RevokePage("clients", found))


@router.post("/settings/clients/{client_id}/revoke")
def revoke_client(visit: PostDep, client_id: str) -> Response:
    """Revoke a client; whoever asks for it a second time has what they want."""
    found = applications.show_application(visit.database, client_id, actor=visit.actor)
    if found.revoked_at is None:
        applications.revoke_application(visit.database, client_id, actor=visit.actor, now=visit.now)
    return visit.go("/settings/clients", said="client-revoked")


def _page(
    visit: Visit, name: str = "", permission: str = Permission.TI_READ_WRITE_ALL.value, problems: Faults | None = None
) -> ClientsPage:
    found = applications.list_applications(visit.database, actor=visit.actor)
    return ClientsPage(
        "clients",
        tuple(each for each in found if each.revoked_at is None),
        tuple(each for each in found if each.revoked_at is not None),
        applications.tenant_of(visit.database),
        name[:300],
        permission[:100],
        problems or {},
    )
