"""Fills a database as a small team would have filled it in a month: for pictures, and for the tests of the pages.

Everything is made up, and the same each time but for the clock it is given. Names end in ``.example``, addresses lie in
ranges that are never routed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.app import App
from indicia.domain.access import Actor, Role, Source
from indicia.domain.changes import Outcome
from indicia.domain.draft import Draft
from indicia.services import changesets, expiry, groups, indicators, people
from tools import demo_devices, demo_people

_ALL: Final = Role.ADMINISTRATOR.permissions
ADA: Final = Actor("ada", "Ada Lindqvist", Source.PORTAL, _ALL)
SAM: Final = Actor("sam", "Sam Okafor", Source.PORTAL, _ALL)
SOAR: Final = Actor("soar", "SOAR playbooks", Source.PUBLIC_API, _ALL)
NIGHT: Final = Actor("night", "night import", Source.CLI, _ALL)
GROUPS: Final = ("Servers", "Finance workstations", "Developers", "Kiosks")
SIGNER: Final = "CN=Northwind Updates Ltd, O=Northwind Updates Ltd, C=NL"


class Campaign(NamedTuple):
    """What one list of indicators has in common."""

    title: str
    description: str
    category: str
    severity: str
    action: str
    techniques: tuple[str, ...]
    stems: tuple[str, ...]
    day: int
    actor: Actor
    size: int
    expires_after: int | None
    scope: tuple[str, ...] = ()


CAMPAIGNS: Final = (
    Campaign(
        "Silver Heron: invoice phishing",
        "Credential pages behind invoice mails to Finance; case 2314",
        "InitialAccess",
        "High",
        "Block",
        ("T1566.002",),
        ("invoice-portal", "pay-secure", "docs-signin", "remittance"),
        1,
        ADA,
        34,
        60,
    ),
    Campaign(
        "Loader of Silver Heron",
        "Second stage, dropped as an update of a PDF reader",
        "Malware",
        "High",
        "BlockAndRemediate",
        ("T1204.002", "T1027"),
        ("reader-update",),
        2,
        ADA,
        28,
        None,
    ),
    Campaign(
        "Beacons seen by the mail gateway",
        "Regular beacons every 300 s, small answers",
        "CommandAndControl",
        "High",
        "Block",
        ("T1071.001",),
        ("cdn-metrics", "status-api", "edge-sync"),
        5,
        SOAR,
        46,
        60,
        ("Servers", "Developers"),
    ),
    Campaign(
        "Unwanted installers",
        "Bundles that bring a browser extension nobody asked for",
        "UnwantedSoftware",
        "Low",
        "Warn",
        (),
        ("free-pdf-tools", "driver-boost"),
        9,
        NIGHT,
        40,
        12,
    ),
    Campaign(
        "Ransomware precursors, sharing group of the sector",
        "From the weekly list; seen with Akira-like intrusions",
        "Ransomware",
        "High",
        "Block",
        ("T1486", "T1021.002"),
        ("relay", "vpn-gate"),
        13,
        NIGHT,
        62,
        None,
    ),
    Campaign(
        "Scanners that test passwords",
        "More than 500 failed sign-ins a day each",
        "CredentialAccess",
        "Medium",
        "Audit",
        ("T1110.003",),
        ("scan",),
        17,
        SOAR,
        38,
        8,
    ),
    Campaign(
        "Exfiltration by file sharing",
        "Uploads outside of office hours; watch before we block",
        "Exfiltration",
        "Medium",
        "Audit",
        ("T1567.002",),
        ("drop-files", "quick-share"),
        22,
        SAM,
        24,
        40,
        ("Finance workstations",),
    ),
    Campaign(
        "Suspicious macros, week 47",
        "Attachments that start a shell",
        "SuspiciousActivity",
        "Informational",
        "Audit",
        ("T1059.005",),
        ("macro",),
        27,
        SAM,
        20,
        30,
    ),
)


@dataclass(frozen=True, slots=True)
class Demo:
    """What was put in, for those who want to look for it."""

    number: int
    value: str
    held: int
    changeset: int
    device: int
    asked: demo_people.Asked


def fill(app: App, now: datetime) -> Demo:
    """Fill the empty database of *app* as of *now*; return what a page of one thing can show.

    What happened is told in its order: the history of a database only goes forward.
    """
    dice = random.Random(4)
    start = now - timedelta(days=30)
    for person in (ADA, SAM):
        people.add_person(app.database, person.name, actor=ADA, now=start, role=Role.ADMINISTRATOR)
        start += timedelta(seconds=1)
    for rank, name in enumerate(GROUPS, start=1):
        groups.add_group(app.database, name, rank, actor=ADA, now=start, rules=demo_devices.RULES.get(name, ()))
    demo_people.add(app, start, ADA)
    device = demo_devices.fill(app, start + timedelta(minutes=1), now, ADA)
    first = edited = 0
    for campaign in CAMPAIGNS:
        at = start + timedelta(days=campaign.day, minutes=dice.randrange(400))
        if not first and campaign.day > 17:
            first = _submit(app, [EVIL], SAM, now - timedelta(days=12), "case 2381")[0]
        if not edited and campaign.day > 24:
            _change(app, first, {"severity": "High", "action": "Block"}, ADA, now - timedelta(days=6))
            edited = _newest(app)
        _submit(app, list(_drafts(campaign, at, dice)), campaign.actor, at, f"import of {campaign.title}")
    held = _submit(app, HELD, NIGHT, now - timedelta(days=2, hours=3), "weekly list of a partner")[0]
    freed = _submit(app, [RELEASED], ADA, now - timedelta(days=2), "printer network of the old site")[0]
    indicators.release(
        app.database, [freed], actor=ADA, now=now - timedelta(days=1, hours=22), reason="sold; not ours any more"
    )
    _submit(app, OTHERS, SAM, now - timedelta(days=1, hours=4), "case 2381: what is around it")
    _submit(app, list(_expiring(now)), SOAR, now - timedelta(days=1), "playbook: short-lived")
    _change(app, first, {"expires": now + timedelta(days=90)}, SAM, now - timedelta(hours=20))
    _submit(app, list(_mistaken()), SAM, now - timedelta(hours=5), "customers of November")
    mistake = _newest(app)
    changesets.undo(app.database, mistake, actor=SAM, now=now - timedelta(hours=4, minutes=50), reason="wrong file")
    indicators.delete(
        app.database, _some(app, now, 3), actor=ADA, now=now - timedelta(hours=2), reason="false positive"
    )
    asked = demo_people.ask(app, now, first, ADA)
    return Demo(first, str(EVIL.value), held, edited, device, asked)


EVIL: Final = Draft(
    "DomainName",
    "login.contoso-support.example",
    None,
    "Warn",
    "Medium",
    "Sign-in page that imitates our support desk",
    "Reported by two people in Finance; the page asks for the second factor as well.",
    "Reset the password of whoever typed it there, and revoke their sessions.",
    None,
    "CredentialAccess",
    "T1566.002, T1556",
    True,
    external_id="CASE-2381",
)
OTHERS: Final = (
    Draft("DomainName", "contoso-support.example", None, "Block", "High", "The whole name", "Registered last week."),
    Draft(
        "Url",
        "https://login.contoso-support.example/training/",
        None,
        "Allowed",
        "Informational",
        "Awareness training",
        "Our own exercise of November: people have to reach it.",
    ),
    Draft(
        "CertificateThumbprint",
        hashlib.sha1(b"signer", usedforsecurity=False).hexdigest(),
        None,
        "Block",
        "High",
        "Stolen signing certificate",
        "Signs the loader of Silver Heron.",
        certificate_info=SIGNER,
    ),
    Draft(
        "CertificateThumbprint",
        hashlib.sha1(b"vendor", usedforsecurity=False).hexdigest(),
        None,
        "Allowed",
        "Informational",
        "Our own build pipeline",
        "Test builds are signed with it.",
        rbac_group_names="Developers",
    ),
    Draft(
        "IpAddress", "28.14.7.250", None, "Allowed", "Informational", "Partner's gateway", "Agreed with the partner."
    ),
    Draft(
        "IpAddress", "28.14.7.250", None, "Audit", "Low", "Partner's gateway, watched", "For the audit of the quarter."
    ),
)
HELD: Final = (
    Draft("DomainName", "co.uk", None, "Block", "High", "Weekly list", "From a partner, unchecked"),
    Draft("IpAddress", "10.20.0.17", None, "Block", "High", "Weekly list", "From a partner, unchecked"),
    Draft("IpAddress", "127.0.0.1", None, "Block", "Medium", "Weekly list", "From a partner, unchecked"),
    Draft(
        "FileSha256",
        hashlib.sha256(b"").hexdigest(),
        None,
        "Block",
        "High",
        "Weekly list",
        "From a partner, unchecked",
    ),
)
RELEASED: Final = Draft("IpAddress", "192.168.44.9", None, "Block", "Medium", "Old printer network", "Sold in October.")


def _drafts(campaign: Campaign, at: datetime, dice: random.Random) -> Iterator[Draft]:
    """Return the rows of a campaign: of each kind some, in the order in which somebody found them."""
    for number in range(campaign.size):
        kind, value = _value(campaign, number, dice)
        file = kind.startswith("File")
        action = campaign.action if file or campaign.action != "BlockAndRemediate" else "Block"
        yield Draft(
            kind,
            value,
            at + timedelta(days=campaign.expires_after) if campaign.expires_after else None,
            action,
            campaign.severity,
            campaign.title,
            campaign.description,
            "Isolate the device, and open a case." if campaign.severity == "High" else None,
            ", ".join(campaign.scope) or None,
            campaign.category,
            ", ".join(campaign.techniques) or None,
            action in {"Block", "BlockAndRemediate"} or None,
        )


def _value(campaign: Campaign, number: int, dice: random.Random) -> tuple[str, str]:
    stem = campaign.stems[number % len(campaign.stems)]
    word = f"{stem}-{dice.choice(('eu', 'us', 'mail', 'id', 'new', 'go'))}{dice.randrange(10, 99)}"
    seed = f"{campaign.title} {number}".encode()
    match number % 6:
        case 0 | 3:
            return "DomainName", f"{word}.example"
        case 1:
            return "IpAddress", f"28.{campaign.day}.{dice.randrange(1, 255)}.{number + 1}"
        case 2:
            return "Url", f"https://{word}.example/{dice.choice(('login', 'gate.php', 'dl', 'a/b'))}?id={number}"
        case 4:
            return "FileSha1", hashlib.sha1(seed, usedforsecurity=False).hexdigest()
        case _:
            return "FileSha256", hashlib.sha256(seed).hexdigest()


def _expiring(now: datetime) -> Iterator[Draft]:
    for number, hours in enumerate((5, 20, 30, 52, 75, 110, 150)):
        yield Draft(
            "IpAddress",
            f"28.77.3.{number + 10}",
            now + timedelta(hours=hours),
            "Block",
            "Medium",
            "Exit of an anonymiser",
            "Short-lived by nature",
            None,
            "Servers",
            "SuspiciousActivity",
        )


def _mistaken() -> Iterator[Draft]:
    for number in range(12):
        yield Draft(
            "DomainName", f"customer-{number}.example", None, "Block", "High", "Wrong list", "Our own customers"
        )


def _submit(app: App, drafts: Sequence[Draft], actor: Actor, at: datetime, reason: str) -> list[int]:
    """Submit what somebody did at that time, after what had expired until then; return the numbers."""
    while expiry.remove_expired(app.database, now=at):
        pass
    made = indicators.submit(app.database, drafts, actor=actor, now=at, guard=app.guard, reason=reason)
    refused = [each.problems for each in made if each.outcome is Outcome.REFUSED or each.stored is None]
    if refused:
        raise ValueError(f"the demonstration is refused: {refused[0]}")
    return [each.stored.id for each in made if each.stored is not None]


def _change(app: App, number: int, fields: dict[str, object], actor: Actor, at: datetime) -> None:
    indicators.edit(
        app.database,
        number,
        lambda stored: (indicators.draft_from(stored.indicator)._replace(**fields), ()),
        actor=actor,
        now=at,
        guard=app.guard,
    )


def _some(app: App, now: datetime, most: int) -> list[int]:
    page = indicators.list_indicators(app.database, indicators.Wanted(), actor=ADA, now=now, limit=most)
    return [stored.id for stored in page.items]


def _newest(app: App) -> int:
    return changesets.list_changesets(app.database, actor=ADA, limit=1)[0].id
