"""Devices of the made-up organisation: what they are, and the rules by which they are in its device groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from indicia.app import App
from indicia.domain.access import Actor
from indicia.services import devices

#: Rules by the name of the device group.
RULES: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "Servers": (
        {"field": "name", "operator": "startsWith", "values": ["srv-"]},
        {"field": "osPlatform", "operator": "in", "values": ["Linux", "WindowsServer2022"]},
    ),
    "Finance workstations": (
        {"field": "name", "operator": "contains", "values": ["-ws-"]},
        {"field": "tag", "operator": "equals", "values": ["finance"]},
    ),
    "Developers": ({"field": "domain", "operator": "endsWith", "values": ["lab.contoso.example"]},),
    "Kiosks": ({"field": "tag", "operator": "equals", "values": ["kiosk"]},),
}
_SYSTEMS: Final = (("Windows11", "24H2"), ("Linux", "Debian 13"), ("WindowsServer2022", "21H2"), ("macOS", "26.1"))
_NAMES: Final = (
    ("srv-web-01", "eu.contoso.example", 1, ("web", "dmz")),
    ("srv-web-02", "eu.contoso.example", 1, ("web", "dmz")),
    ("srv-mail-01", "eu.contoso.example", 2, ("mail",)),
    ("srv-dc-01", "eu.contoso.example", 2, ("domain controller", "tier 0", "no reboot", "backup nightly", "audit")),
    ("ber-ws-0117", "eu.contoso.example", 0, ()),
    ("ber-ws-0118", "eu.contoso.example", 0, ("finance",)),
    ("osl-ws-0031", "eu.contoso.example", 3, ()),
    ("lobby-1", "eu.contoso.example", 0, ("kiosk",)),
    ("lobby-2", "eu.contoso.example", 0, ("kiosk",)),
    ("bench-4", "lab.contoso.example", 1, ("isolated",)),
    ("printer-hq", "", 1, ()),
    ("visitor-7", "", 0, ()),
)


def fill(app: App, start: datetime, now: datetime, actor: Actor) -> int:
    """Register the devices as of *start*, and hear of most of them again until *now*; return the number of one."""
    given = [
        {
            "name": name,
            "domain": domain or None,
            "osPlatform": _SYSTEMS[system][0],
            "osVersion": _SYSTEMS[system][1],
            "tags": list(tags),
            "addresses": [f"10.20.{system}.{place + 10}"],
        }
        for place, (name, domain, system, tags) in enumerate(_NAMES)
    ]
    made = devices.register(app.database, given, actor=actor, now=start, grouping=app.grouping)
    for place, each in enumerate(given[:-2]):
        seen = now - timedelta(minutes=17 * place)
        devices.register(app.database, [each], actor=actor, now=seen, grouping=app.grouping)
    assert made[0].device is not None
    return made[0].device.id
