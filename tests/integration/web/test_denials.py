"""Whoever is refused something is in the audit: who, from where, what, and why; and no secret is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from indicia.store.changesets import ChangeSetRecord
from tests.wire.doors import SCOPE, Door, indicator

WRONG = "wrong-canary-secret"


def noted(door: Door, kind: str) -> list[ChangeSetRecord]:
    """Return the entries of *kind* that the audit has so far."""
    door.app.audit.flush()
    with door.app.database.snapshot() as tx:
        return [each for each in tx.changesets.page(before=None, limit=1_000)[::-1] if each.kind == kind]


def test_a_request_without_a_token(door: Door) -> None:
    for path in ("/api/indicators", "/v1/indicators"):
        assert door.http.get(f"{path}?$filter=canary").status_code == 401
    one, other = noted(door, "access.denied")
    assert (one.actor, one.source) == ("anonymous", "PublicApi")
    assert (one.details["status"], one.details["method"], one.details["route"]) == (401, "GET", "/api/indicators")
    assert one.details["address"] == "testclient"
    assert other.details["route"] == "/v1/indicators"
    assert "canary" not in f"{one.details}{other.details}"


@pytest.mark.parametrize("path", ["/api/indicators", "/v1/indicators"])
def test_a_client_that_may_not(door: Door, path: str) -> None:
    headers = door.as_client("Ti.Read.All")
    assert door.post(path, indicator(), headers=headers).status_code == 403
    [record] = noted(door, "access.denied")
    assert record.actor_name == "client of Ti.Read.All"
    assert (record.details["status"], record.details["method"], record.details["route"]) == (403, "POST", path)
    assert "indicators.write" in record.details["why"]


def test_a_wrong_secret_at_the_token_endpoint(door: Door) -> None:
    fields = {"grant_type": "client_credentials", "client_id": door.credentials.client_id, "scope": SCOPE}
    reply = door.http.post(f"/{door.tenant}/oauth2/v2.0/token", data={**fields, "client_secret": WRONG})
    assert reply.status_code == 401
    [record] = noted(door, "sign-in.refused")
    assert (record.actor, record.details["route"]) == ("anonymous", "/{tenant}/oauth2/v2.0/token")
    assert record.details["code"] == "invalid_client"
    assert WRONG not in str(record.details)


def test_a_wrong_password(door: Door) -> None:
    form: Mapping[str, Any] = {"name": "ada", "password": WRONG}
    assert door.http.post("/sign-in", data=form).status_code == 401
    [record] = noted(door, "sign-in.refused")
    assert (record.actor, record.source, record.details["route"]) == ("anonymous", "Portal", "/sign-in")
    assert WRONG not in str(record.details)


def test_what_is_answered_is_no_denial(door: Door) -> None:
    for path in ("/api/indicators", "/v1/indicators", "/healthz", "/nothing", "/v1/indicators/99"):
        door.get(path)
    assert noted(door, "access.denied") == noted(door, "sign-in.refused") == []
