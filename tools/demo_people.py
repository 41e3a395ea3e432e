"""People of the made-up organisation: what each may do, their keys, and what they asked somebody else to look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.app import App
from indicia.domain.access import Actor, Role
from indicia.domain.approval import Rule
from indicia.domain.draft import Draft
from indicia.services import api_keys, applications, deciding, people, proposals
from indicia.services.policy import Policy
from indicia.services.proposals import Parts
from indicia.services.requests import Delete, Submit

_OTHERS: Final = (
    ("Grete Holm", Role.ANALYST, ("Finance workstations", "Kiosks")),
    ("Tomas Reyes", Role.RESPONDER, None),
    ("Audit of the group", Role.VIEWER, None),
)
_RULE: Final = Rule(release=True, allow=True, rows=100)
_ALLOWED: Final = Draft(
    "DomainName",
    "webinar.contoso-partner.example",
    None,
    "Allowed",
    "Informational",
    "Webinars of a partner",
    "The mail gateway blocks its parent; the partner owns it, see the ticket.",
    None,
    None,
    "None",
)
_KIOSKS: Final = Draft(
    "IpAddress",
    "28.40.7.19",
    None,
    "Allowed",
    "Informational",
    "Booking system of the lobby",
    "Kiosks have to reach it.",
    None,
    "Kiosks",
)


class Asked(NamedTuple):
    """The numbers of what was made."""

    proposal: int
    declined: int
    person: str
    client: str
    key: str


def add(app: App, start: datetime, actor: Actor) -> None:
    """Add the others who work here; groups have to be there."""
    for place, (name, role, limits) in enumerate(_OTHERS):
        at = start + timedelta(seconds=place)
        people.add_person(app.database, name, actor=actor, now=at, role=role, groups=limits)


def ask(app: App, now: datetime, number: int, actor: Actor) -> Asked:
    """Make keys and a client, and propose changes, one of them to the indicator of that *number*."""
    there = {each.name: each for each in people.list_people(app.database, actor=actor)}
    known = {name: people.actor_of(each) for name, each in there.items()}
    ada, sam, tomas = (known[name] for name in ("Ada Lindqvist", "Sam Okafor", "Tomas Reyes"))
    parts = Parts(app.guard, Policy(rule=_RULE))
    at = now - timedelta(minutes=110)
    key = _keys(app, at, known)
    client = applications.add_application(
        app.database, "Lobby dashboard", ["Ti.Read.All"], actor=ada, now=at, days=90, groups=["Kiosks"]
    )
    declined = proposals.propose(
        app.database, Delete((number,)), actor=tomas, now=at, parts=parts, reason="the page is gone"
    )
    deciding.decline(
        app.database,
        declined.id,
        actor=ada,
        now=at + timedelta(minutes=20),
        comment="It was moved, not taken down: keep it.",
    )
    waits = proposals.propose(
        app.database,
        Submit((_ALLOWED, _KIOSKS)),
        actor=sam,
        now=at + timedelta(minutes=50),
        parts=parts,
        reason="ticket 4471",
    )
    for minutes, who, said in (
        (60, tomas, "Who is the owner of the booking system?"),
        (66, sam, "Facilities; they confirmed the address by phone."),
    ):
        deciding.comment(app.database, waits.id, said, actor=who, now=at + timedelta(minutes=minutes))
    return Asked(waits.id, declined.id, there["Grete Holm"].id, client.client_id, key)


def _keys(app: App, at: datetime, known: Mapping[str, Actor]) -> str:
    made = [
        api_keys.add_key(app.database, name, actor=known[who], now=at, permissions=permissions, days=days)
        for who, name, permissions, days in (
            ("Ada Lindqvist", "Morning report", ("indicators.read",), 90),
            ("Ada Lindqvist", "Notebook of the hunt team", None, 30),
            ("Sam Okafor", "Script for cases", ("indicators.read", "indicators.write"), 365),
        )
    ]
    return made[0].key.id
