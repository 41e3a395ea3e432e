"""Who is in conflict: exactly those of whom the notes on writing say so, at every moment."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from indicia.domain.draft import Draft
from indicia.domain.errors import InvalidInput
from indicia.domain.indicator import Status, StoredIndicator
from indicia.domain.precedence import NETWORK_TYPES, WINNING, Winner, Winners, beats, overlap
from indicia.domain.query_text import parse_filter
from indicia.services import conflicts, groups, indicators
from indicia.services.conflicts import Conflicts
from indicia.store.database import Database
from tests.integration import stores
from tests.integration.stores import ADMIN, NOW

VALUES = {
    "DomainName": ["evil.example", "a.evil.example", "b.a.evil.example", "other.example", "example"],
    "Url": ["http://a.evil.example/x", "http://11.1.2.3/x", "http://[2001:db9::1]/", "http://other.example/"],
    "IpAddress": ["11.1.2.3", "11.1.9.9", "2001:db9::1", "12.0.0.1"],
    "IpRange": ["11.1.0.0/16", "11.1.2.0/24", "11.1.2.3/32", "2001:db9::/32", "12.0.0.0/31"],
    "FileSha256": ["a" * 64, "b" * 64],
    "CertificateThumbprint": ["c" * 40],
}
ACTIONS = {
    "FileSha256": ["Block", "BlockAndRemediate", "Allowed", "Audit", "Warn"],
    "CertificateThumbprint": ["Block", "Allowed"],
}


def some(dice: random.Random) -> list[Draft]:
    drafts = []
    for _ in range(25):
        kind = dice.choice(list(VALUES))
        drafts.append(
            Draft(
                kind,
                dice.choice(VALUES[kind]),
                dice.choice([None, None, NOW + timedelta(seconds=dice.randint(1, 6))]),
                dice.choice(ACTIONS.get(kind, ["Block", "Allowed", "Warn", "Audit"])),
                "High",
                "a",
                "b",
                None,
                dice.choice([(), ("Servers",), ("Clients",)]),
                generate_alert=True,
            )
        )
    return drafts


def by_memory(rows: list[StoredIndicator]) -> set[int]:
    """Return who is in conflict, told by what the notes on writing are made of."""
    active = [row for row in rows if row.indicator.status is Status.ACTIVE]
    winners = Winners(
        Winner(
            row.id, row.indicator.type, row.indicator.canonical, row.indicator.action, row.indicator.rbac_group_names
        )
        for row in active
        if row.indicator.type in NETWORK_TYPES and row.indicator.action in WINNING
    )
    found = set()
    for row in active:
        one = row.indicator
        for twin in (each.indicator for each in active):
            same = (twin.type, twin.canonical) == (one.type, one.canonical)
            either = beats(one.type, one.action, twin.action) or beats(one.type, twin.action, one.action)
            if same and either and overlap(one.rbac_group_names, twin.rbac_group_names):
                found.add(row.id)
        if one.type in NETWORK_TYPES and winners.beating(one):
            found.add(row.id)
    return found


def asked(database: Database, now: datetime, text: str = "hasConflict") -> set[int]:
    return {row.id for row in stores.listed(database, now=now, query=parse_filter(text))}


@pytest.mark.parametrize("seed", range(12))
def test_those_are_in_conflict_of_whom_a_note_would_say_so(tmp_path: Path, seed: int) -> None:
    database, dice, remembered = (
        Database.open(stores.url_of(stores.new_file(tmp_path))),
        random.Random(seed),
        Conflicts(),
    )
    for name in ("Servers", "Clients"):
        groups.add_group(database, name, None, actor=ADMIN, now=NOW)
    ever: set[int] = set()
    for _ in range(3):
        stores.submit(database, *some(dice))
        for seconds in (0, 0, 2, 4, 7, 1):  # the clock may be set back
            now = NOW + timedelta(seconds=seconds)
            rows = stores.listed(database, now=now)
            expected = by_memory(rows)
            ever |= expected
            with database.snapshot() as tx:
                assert remembered.ids(tx, now) == expected
            assert asked(database, now) == expected
            assert asked(database, now, "not hasConflict") == {row.id for row in rows} - expected
    assert ever
    database.close()


def test_too_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(stores.url_of(stores.new_file(tmp_path)))
    stores.submit(database, *stores.domains(range(3)), *stores.domains(range(3), action="Allowed"))
    assert len(asked(database, NOW)) == 6
    monkeypatch.setattr(conflicts, "MOST", 5)
    with pytest.raises(InvalidInput):
        asked(database, NOW)
    database.close()


def test_of_the_past_nobody_knows(tmp_path: Path) -> None:
    database = Database.open(stores.url_of(stores.new_file(tmp_path)))
    stores.submit(database, *stores.domains(range(3)))
    with pytest.raises(InvalidInput):
        stores.listed(database, at=1, query=parse_filter("title eq 'a' or hasConflict"))
    database.close()


def test_what_is_in_conflict_can_be_deleted(tmp_path: Path) -> None:
    database = Database.open(stores.url_of(stores.new_file(tmp_path)))
    stores.submit(database, *stores.domains(range(3)), *stores.domains([0], action="Allowed"))
    wanted = indicators.Wanted(parse_filter("hasConflict and action eq 'Block'"))
    assert indicators.delete_matching(database, wanted, actor=ADMIN, now=NOW) == 1
    assert asked(database, NOW) == set()
    database.close()
