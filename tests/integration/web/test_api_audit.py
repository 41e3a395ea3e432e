"""The audit by our own API: pages, filters, export, checkpoints, and for whom it is."""

from __future__ import annotations

import pytest

from indicia.services.audit_export import check_lines
from indicia.web import api_audit
from tests.wire.doors import Door


@pytest.fixture
def auditor(door: Door) -> dict[str, str]:
    """Return the headers of a client that reads the audit, and nothing else."""
    return door.as_client("Audit.Read.All")


def test_pages_lead_through_all(door: Door, auditor: dict[str, str]) -> None:
    for number in range(5):
        door.submitted(indicatorValue=f"h{number}.example")
        door.http.get("/v1/indicators")
        door.app.audit.flush()
    seen: list[int] = []
    link: str | None = "/v1/audit?limit=3"
    while link is not None:
        reply = door.http.get(link, headers=auditor)
        page = api_audit.AuditPage.model_validate_json(reply.content)
        seen += [entry.id for entry in page.items]
        link = page.next
    assert seen == list(range(seen[0], 0, -1))
    kinds = {each["kind"] for each in door.http.get("/v1/audit?limit=1000", headers=auditor).json()["items"]}
    assert {"submit", "access.denied", "app.add", "key.used"} <= kinds


def test_filters(door: Door, auditor: dict[str, str]) -> None:
    door.submitted()
    found = door.http.get("/v1/audit?kind=submit", headers=auditor).json()["items"]
    assert [each["kind"] for each in found] == ["submit"]
    assert door.http.get(f"/v1/audit?actor={found[0]['actor']}&kind=submit", headers=auditor).json()["items"] == found
    assert door.http.get("/v1/audit?until=2020-01-01T00:00:00", headers=auditor).json()["items"] == []
    assert door.http.get("/v1/audit?since=someday", headers=auditor).status_code == 400


def test_the_export_proves_itself_and_is_on_record(door: Door, auditor: dict[str, str]) -> None:
    door.submitted()
    door.app.audit.flush()
    reply = door.http.get("/v1/audit/export", headers=auditor)
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    lines = reply.content.splitlines(keepends=True)
    count, _head, faults = check_lines(lines)
    assert (count, faults) == (len(lines), [])
    cef = door.http.get("/v1/audit/export?format=cef&kind=submit", headers=auditor).text
    assert cef.startswith("CEF:0|Indicia|Indicia|")
    door.app.audit.flush()
    exports = door.http.get("/v1/audit?kind=export", headers=auditor).json()["items"]
    assert [each["details"]["rows"] for each in exports] == [1, len(lines)]
    assert exports[0]["details"]["filter"] == {"kind": "submit"}


def test_checkpoints(door: Door, auditor: dict[str, str]) -> None:
    assert door.http.get("/v1/audit/checkpoints", headers=auditor).json() == {"items": []}
    door.app.checkpoints.make(door.app.database, door.app.now())
    reply = door.http.get("/v1/audit/checkpoints", headers=auditor)
    [one] = api_audit.CheckpointPage.model_validate_json(reply.content).items
    assert (one.checkpoint, one.key_id) == (1, door.app.checkpoints.key.public.id)


@pytest.mark.parametrize("path", ["/v1/audit", "/v1/audit/export", "/v1/audit/checkpoints"])
@pytest.mark.parametrize("grant", ["Ti.ReadWrite", "Ti.ReadWrite.All", "Ti.Read.All"])
def test_it_is_for_auditors(door: Door, path: str, grant: str) -> None:
    assert door.http.get(path).status_code == 401
    reply = door.http.get(path, headers=door.as_client(grant))
    assert reply.status_code == 403
    assert "audit.read" in reply.json()["detail"]


def test_an_event_is_no_changeset_for_others(door: Door) -> None:
    door.submitted()
    door.http.get("/v1/indicators")
    door.app.audit.flush()
    with door.app.database.snapshot() as tx:
        newest = tx.changesets.head()
    assert newest is not None
    assert newest.kind == "access.denied"
    assert door.get(f"/v1/changesets/{newest.id}").status_code == 404
    assert {each["kind"] for each in door.get("/v1/changesets").json()["items"]}.isdisjoint(
        {"access.denied", "key.used"}
    )
