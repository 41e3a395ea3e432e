"""The pages under `/settings/keys`: the keys of one's own programs, and those of others for who manages them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.access import Permission
from indicia.domain.errors import Conflict, InvalidInput, Problem
from indicia.services import api_keys
from indicia.services.api_keys import DEFAULT_DAYS, NewKey, Owned
from indicia.services.credentials import OFFERED_DAYS
from indicia.store.api_keys import ApiKey
from indicia.web.origin import origin_of
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.visit import PostDep, Visit, VisitDep

router = APIRouter(include_in_schema=False)

#: What a permission is called on pages, in the order of `Permission`.
WORDS: Final = {
    Permission.INDICATORS_READ: "See indicators, check values, export",
    Permission.INDICATORS_PROPOSE: "Propose changes",
    Permission.INDICATORS_WRITE: "Add, change, delete, import indicators",
    Permission.INDICATORS_RELEASE: "Release held indicators",
    Permission.PROPOSALS_DECIDE: "Decide on proposals",
    Permission.DEVICES_READ: "See devices and device groups",
    Permission.DEVICES_WRITE: "Register devices",
    Permission.GROUPS_WRITE: "Change device groups",
    Permission.AUDIT_READ: "Read the audit",
    Permission.SYSTEM_READ: "See how the installation is",
    Permission.SYSTEM_WRITE: "Change what the installation does",
    Permission.PEOPLE_WRITE: "Manage people",
    Permission.CLIENTS_WRITE: "Manage API clients, and the keys of others",
}
NEVER: Final = "never"
GRACES: Final = {"24": timedelta(hours=24), "168": timedelta(days=7), "0": timedelta(0)}


@dataclass(frozen=True, slots=True)
class KeyForm:
    """What was typed: a name, how many days (or never), and which permissions where not all."""

    name: str = ""
    days: str = str(DEFAULT_DAYS)
    limited: bool = False
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeysPage:
    """One's own keys, those that are over, everybody else's for who manages them, and the form that makes one."""

    section: str
    keys: tuple[ApiKey, ...]
    over: tuple[ApiKey, ...]
    others: tuple[Owned, ...] | None
    offered: tuple[tuple[str, str], ...]
    lifetimes: tuple[tuple[str, str], ...]
    words: dict[Permission, str]
    given: KeyForm
    problems: Faults = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyMadePage:
    """The key, which is shown here and never again; ``until`` is how long the one before is good."""

    section: str
    made: NewKey
    origin: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Asks before a key is rotated or revoked."""

    section: str
    key: ApiKey
    owner: str
    own: bool
    good: bool


@router.get("/settings/keys")
def read_keys(visit: VisitDep) -> Response:
    """The page."""
    return visit.page("settings_keys.html", _page(visit, KeyForm()))


@router.post("/settings/keys")
def add_key(visit: PostDep) -> Response:
    """Make a key and show it, once."""
    form = visit.form
    given = KeyForm(
        form.text("name")[:300], form.text("days")[:20], form.text("limited") == "yes", form.texts("permissions")[:50]
    )
    try:
        days = None if given.days == NEVER else _days(given.days)
        made = api_keys.add_key(
            visit.database,
            given.name,
            actor=visit.actor,
            now=visit.now,
            permissions=given.permissions if given.limited else None,
            days=days,
        )
    except (InvalidInput, Conflict) as error:
        return visit.page("settings_keys.html", _page(visit, given, by_field(error)), status=422)
    return visit.page("settings_key_made.html", KeyMadePage("keys", made, origin_of(visit.request)))


@router.get("/settings/keys/{key_id}/rotate")
def ask_to_rotate(visit: VisitDep, key_id: str) -> Response:
    """Ask how long the secret before shall be good."""
    return visit.page("settings_key_rotate.html", _key_page(visit, key_id))


@router.post("/settings/keys/{key_id}/rotate")
def rotate_key(visit: PostDep, key_id: str) -> Response:
    """Give a key another secret and show it, once."""
    grace = GRACES.get(visit.form.text("grace"), GRACES["24"])
    made = api_keys.rotate_key(visit.database, key_id, actor=visit.actor, now=visit.now, grace=grace)
    page = KeyMadePage("keys", made, origin_of(visit.request), visit.now + grace if grace else visit.now)
    return visit.page("settings_key_made.html", page)


@router.get("/settings/keys/{key_id}/revoke")
def ask_to_revoke(visit: VisitDep, key_id: str) -> Response:
    """Ask whether a key shall be revoked."""
    return visit.page("settings_key_revoke.html", _key_page(visit, key_id))


@router.post("/settings/keys/{key_id}/revoke")
def revoke_key(visit: PostDep, key_id: str) -> Response:
    """Revoke a key; whoever asks for it a second time has what they want."""
    if api_keys.show_key(visit.database, key_id, actor=visit.actor).key.revoked_at is None:
        api_keys.revoke_key(visit.database, key_id, actor=visit.actor, now=visit.now)
    return visit.go("/settings/keys", said="key-revoked")


def _page(visit: Visit, given: KeyForm, problems: Faults | None = None) -> KeysPage:
    own = api_keys.own_keys(visit.database, actor=visit.actor)
    others = None
    if visit.actor.may(Permission.CLIENTS_WRITE):
        found = api_keys.all_keys(visit.database, actor=visit.actor)
        others = tuple(each for each in found if each.key.person != visit.actor.id and each.key.is_good(visit.now))
    return KeysPage(
        "keys",
        tuple(each for each in own if each.is_good(visit.now)),
        tuple(each for each in own if not each.is_good(visit.now)),
        others,
        tuple((each.value, WORDS[each]) for each in api_keys.permissions_offered(visit.actor)),
        (*((str(days), f"{days} days") for days in OFFERED_DAYS), (NEVER, "no end")),
        WORDS,
        given,
        problems or {},
    )


def _key_page(visit: Visit, key_id: str) -> KeyPage:
    key, person = api_keys.show_key(visit.database, key_id, actor=visit.actor)
    return KeyPage("keys", key, person.name, key.person == visit.actor.id, key.is_good(visit.now))


def _days(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 6:
        return int(text)
    raise InvalidInput([Problem("invalid-expiry", "choose how long it lasts", "expires", text)])
