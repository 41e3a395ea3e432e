"""What an entry of the audit tells of, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from indicia.services.audit_told import told
from indicia.store.changesets import ChangeSetRecord

A_START = ChangeSetRecord(
    id=1,
    at=datetime(2026, 1, 2, tzinfo=UTC),
    actor="ada",
    actor_name="Ada",
    source="cli",
    kind="server.started",
    reason=None,
    details={},
    created=0,
    updated=0,
    deleted=0,
    undoes=None,
    first_id=1,
    next_id=1,
    rows_digest=b"",
    prev_hash=b"",
    hash=b"",
)


@pytest.mark.parametrize(
    "details, words",
    [
        ({}, ""),
        ({"release": "0.5.0"}, "release 0.5.0"),
        ({"changed": {"two_person_rows": [0, 10], "port": [1, 2]}, "settings": {}}, "two_person_rows, port"),
        ({"changed": {}, "settings": {}}, "those of the first start"),
        ({"subject": "ada", "why": "wrong password", "name": "x"}, "ada · wrong password"),
        ({"created": 2, "updated": 1, "devices": ["srv-1", "srv-2", "pc7"]}, "2 new, 1 changed: srv-1, srv-2, pc7"),
        (
            {"created": 9, "updated": 0, "devices": [f"d{number}" for number in range(7)]},
            "9 new: d0, d1, d2, d3, d4 and 4 more",
        ),
        ({"name": "Servers", "rank": 1, "rules": [], "moved": 1200}, "Servers · 1,200 devices moved"),
        (
            {
                "id": "1",
                "name": "grace",
                "role": "analyst",
                "groups": ["Lab"],
                "was": {"role": "viewer", "groups": None},
            },
            "grace · viewer to analyst · limited to Lab",
        ),
        (
            {"name": "grace", "role": "viewer", "groups": None, "was": {"role": "viewer", "groups": ["Lab"]}},
            "grace · in all device groups",
        ),
        ({"keyId": "4f", "publicKey": "…"}, "key 4f"),
        ({"name": "b.tar", "rows": 1}, "b.tar · 1 row"),
        ({"proposal": 7, "title": "Allow a name"}, "proposal 7: Allow a name"),
        ({"devices": [], "created": 0}, ""),
        # What another release, or who altered the database, may have written there.
        ({"release": 5, "keyId": None, "devices": "x", "moved": "y", "rows": None, "changed": 3, "was": 1}, ""),
    ],
)
def test_what_is_told(details: dict[str, Any], words: str) -> None:
    assert told(replace(A_START, details=details)) == words


def test_what_was_done_to_indicators_is_told() -> None:
    assert told(replace(A_START, created=2, deleted=1_000)) == "2 added, 1,000 deleted"
