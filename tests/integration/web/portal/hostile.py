"""A database whose every text field was written by somebody hostile."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from indicia.domain.access import Actor, Role, Source
from indicia.domain.draft import Draft
from indicia.domain.errors import InvalidInput
from indicia.services import api_keys, applications, deciding, devices, groups, indicators, people, proposals
from indicia.services.policy import Policy
from indicia.services.requests import Delete
from tests.integration.web.portal.conftest import Portal
from tests.integration.web.portal.payloads import PAYLOADS
from tests.wire.doors import ADMIN


def fill_names(app: Any, now: datetime) -> list[str]:
    """Name device groups, clients and people after payloads, where such a name is allowed; return those of groups."""
    taken = []
    for payload in PAYLOADS:
        for add in (
            lambda name: groups.add_group(
                app.database, name, None, actor=ADMIN, now=now, rules=rules(name), description=name
            ),
            lambda name: applications.add_application(app.database, name, [], actor=ADMIN, now=now),
            lambda name: people.add_person(app.database, name, actor=ADMIN, now=now, role=Role.ADMINISTRATOR),
        ):
            try:
                made = add(payload)
            except InvalidInput:
                continue
            if type(made).__name__ == "DeviceGroup":
                taken.append(payload)
    assert len(taken) > len(PAYLOADS) // 2
    return taken


def rules(payload: str) -> list[dict[str, Any]]:
    """Return the rules of a group that ask for *payload* wherever text may stand."""
    return [
        {"field": "name", "operator": "startsWith", "values": [payload[:200]]},
        {"field": "tag", "operator": "in", "values": [payload[:200], f"{payload[:190]} 2"]},
    ]


def fill_devices(app: Any, now: datetime) -> None:
    """Register devices whose every text is a payload, as far as such a text is allowed."""
    given = [
        {"name": name, "osPlatform": payload, "osVersion": payload, "tags": [payload, f"tag {at}"]}
        for at, payload in enumerate(PAYLOADS)
        for name in (payload, f"host-{at}")
    ]
    taken = 0
    for start in range(0, len(given), 100):
        part = given[start : start + 100]
        made = devices.register(app.database, part, actor=ADMIN, now=now, grouping=app.grouping)
        taken += sum(each.device is not None for each in made)
    assert taken > len(PAYLOADS) // 2


def fill_keys(portal: Portal, now: datetime) -> None:
    """Give keys that are called like payloads to whoever looks, and to somebody else."""
    second = people.add_person(portal.app.database, "second", actor=ADMIN, now=now, role=Role.ANALYST).person
    for start, person in ((0, portal.person), (20, second)):
        for payload in PAYLOADS[start : start + 20]:
            api_keys.add_key(portal.app.database, payload, actor=people.actor_of(person), now=now)


def fill_proposals(app: Any, numbers: list[int], now: datetime) -> list[int]:
    """Propose a change for every third payload: actor, reason and comment say it."""
    parts = proposals.Parts(app.guard, Policy())
    asked = []
    for payload, number in list(zip(PAYLOADS, numbers, strict=False))[::3]:
        actor = Actor(payload, payload, Source.PORTAL, ADMIN.permissions)
        made = proposals.propose(app.database, Delete((number,)), actor=actor, now=now, parts=parts, reason=payload)
        deciding.comment(app.database, made.id, payload, actor=actor, now=now)
        if made.id % 5 == 0:
            deciding.decline(app.database, made.id, actor=ADMIN, now=now, comment=payload)
        asked.append(made.id)
    return asked


def fill_indicators(app: Any, names: list[str], now: datetime) -> list[int]:
    """Store an indicator for each payload, by an actor that is called so, with a reason that says so."""
    numbers = []
    for at, payload in enumerate(PAYLOADS):
        actor = Actor(payload, payload, Source.PUBLIC_API, ADMIN.permissions)
        group = names[at % len(names)]
        draft = Draft(
            "Url",
            f"https://host{at}.example/{quote(payload, safe='/<>{}$()*@')}?q={quote(payload)}",
            now + timedelta(days=3) if at % 3 else None,
            ("Block", "Warn", "Audit", "Allowed")[at % 4],
            "High",
            payload,
            payload,
            payload,
            None if "," in group else [group],
            external_id=payload,
            application=payload,
            notification_body=payload,
            certificate_info=payload,
            additional_info=payload,
            override_reason=payload,
        )
        [made] = indicators.submit(app.database, [draft], actor=actor, now=now, guard=app.guard, reason=payload)
        assert made.stored is not None, (payload, made.problems)
        numbers.append(made.stored.id)
    held = Draft("IpAddress", "10.1.2.3", None, "Block", "High", PAYLOADS[0], PAYLOADS[1])
    [made] = indicators.submit(app.database, [held], actor=ADMIN, now=now, guard=app.guard, reason=PAYLOADS[2])
    assert made.stored is not None
    return [*numbers, made.stored.id]
