"""Keys and API clients as the doors take them: by `Authorization` alone, until they end, and in no log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from indicia.domain.access import Role
from indicia.services import api_keys, applications, people
from indicia.services.api_keys import NewKey
from indicia.web.logs import open_log
from tests.wire.doors import ADMIN, SCOPE, Door, error_of


def key(door: Door, name: str = "ada", role: Role = Role.ADMINISTRATOR, **more: Any) -> NewKey:
    now = datetime.now(UTC)
    people.add_person(door.app.database, name, actor=ADMIN, now=now, role=role)
    return api_keys.add_key(door.app.database, "script", actor=ADMIN, now=now, person=name, **more)


def bearer(made: NewKey | str) -> dict[str, str]:
    return {"Authorization": f"Bearer {made if isinstance(made, str) else made.text}"}


def test_a_key_opens_both_apis_and_its_changes_are_those_of_its_person(door: Door) -> None:
    made = key(door)
    assert door.get("/v1/me", headers=bearer(made)).json()["name"] == "ada"
    reply = door.post(
        "/api/indicators",
        {
            "indicatorValue": "a.example",
            "indicatorType": "DomainName",
            "action": "Block",
            "title": "t",
            "description": "d",
        },
        headers=bearer(made),
    )
    assert reply.status_code == 200, reply.text
    (change,) = door.get("/v1/changesets?limit=1").json()["items"]
    assert made.person.id in str(change)


def test_a_key_counts_in_its_header_alone(door: Door) -> None:
    made = key(door)
    for path in (f"/v1/indicators?access_token={made.text}", f"/api/indicators?access_token={made.text}"):
        assert door.get(path, headers={}).status_code == 401
    for name in ("token", "Authorization", "__Host-indicia", "key"):
        assert door.get("/v1/me", headers={"Cookie": f"{name}={made.text}"}).status_code == 401
    assert door.get("/v1/me", headers={"X-API-Key": made.text}).status_code == 401
    assert door.get("/v1/me", headers={"Authorization": f"Basic {made.text}"}).status_code == 401
    assert made.text.rsplit("_", 1)[1] not in door.log.getvalue()


@pytest.mark.parametrize("path", ["/v1/me", "/api/indicators"])
def test_what_is_over_is_refused_in_the_shape_of_the_surface(door: Door, path: str) -> None:
    made = key(door, days=1)
    assert door.get(path, headers=bearer(made)).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1, seconds=1), tick=True):
        reply = door.get(path, headers=bearer(made))
    assert reply.status_code == 401
    assert "the key has expired" in reply.text
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    api_keys.revoke_key(door.app.database, made.key.id, actor=ADMIN, now=datetime.now(UTC))
    reply = door.get(path, headers=bearer(made))
    assert reply.status_code == 401
    assert "the key was revoked" in reply.text
    if path.startswith("/api"):
        assert error_of(reply)["code"] == "Unauthorized"


def test_what_a_key_may_not_do_is_forbidden(door: Door) -> None:
    made = key(door, permissions=["indicators.read"])
    reply = door.post("/v1/keys", {"name": "x", "permissions": ["people.write"]}, headers=bearer(made))
    assert reply.status_code == 400
    assert door.get("/v1/clients", headers=bearer(made)).status_code == 403
    body = {"indicatorValue": "a.example", "indicatorType": "DomainName", "action": "Block", "title": "t"}
    reply = door.post("/api/indicators", body | {"description": "d"}, headers=bearer(made))
    assert reply.status_code == 403
    assert error_of(reply)["code"] == "Forbidden"


def test_somebody_rotates_their_key_by_the_api(door: Door) -> None:
    made = key(door)
    reply = door.post(f"/v1/keys/{made.key.id}/rotate", {"graceHours": 0}, headers=bearer(made))
    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "no-store"
    again = reply.json()["key"]
    assert door.get("/v1/me", headers=bearer(made)).status_code == 401
    listed = door.get("/v1/keys", headers=bearer(again)).json()["items"]
    assert [each["id"] for each in listed] == [made.key.id]
    assert "key" not in listed[0]
    child = door.post("/v1/keys", {"name": "child", "expiresInDays": None}, headers=bearer(again))
    assert child.status_code == 201, child.text
    assert child.json()["expiresAt"] == listed[0]["expiresAt"]
    assert door.post(f"/v1/keys/{child.json()['id']}/revoke", None, headers=bearer(again)).status_code == 200
    assert door.get("/v1/me", headers=bearer(child.json()["key"])).status_code == 401
    assert door.get("/v1/keys").json() == {"items": []}, "an API client has none"
    assert door.post("/v1/keys", {"name": "x"}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x", "permissions": "all"},
        {"name": "x", "permissions": [1]},
        {"name": "x", "expiresInDays": "90"},
        {"name": "x", "expiresInDays": True},
        {"name": "x", "expiresInDays": 0},
        {"name": "x", "groups": ["nowhere"]},
        {"name": "x", "more": 1},
        [],
    ],
)
def test_a_body_that_is_wrong_is_refused(door: Door, body: Any) -> None:
    made = key(door)
    assert door.post("/v1/keys", body, headers=bearer(made)).status_code == 400


def test_an_administrator_manages_clients_by_the_api(door: Door) -> None:
    made = key(door)
    reply = door.post(
        "/v1/clients", {"name": "soar", "permissions": ["Ti.Read.All"], "expiresInDays": 30}, headers=bearer(made)
    )
    assert reply.status_code == 201, reply.text
    client = reply.json()["clientId"]
    shown = door.get(f"/v1/clients/{client}", headers=bearer(made)).json()
    assert (shown["permissions"], shown["name"]) == (["Ti.Read.All"], "soar")
    again = door.post(f"/v1/clients/{client}/rotate", {}, headers=bearer(made)).json()
    assert again["clientSecret"] != reply.json()["clientSecret"]
    assert door.post(f"/v1/clients/{client}/revoke", None, headers=bearer(made)).json()["revokedAt"]
    assert door.get("/v1/clients/nobody", headers=bearer(made)).status_code == 404


def test_a_client_that_has_expired_is_told_as_oauth_tells_it_and_its_tokens_stop(door: Door) -> None:
    now = datetime.now(UTC)
    made = applications.add_application(door.app.database, "x", [], actor=ADMIN, now=now, days=1)
    fields = {"grant_type": "client_credentials", "client_id": made.client_id, "scope": SCOPE}
    url = f"/{made.tenant_id}/oauth2/v2.0/token"
    with time_machine.travel(now + timedelta(days=1) - timedelta(minutes=10), tick=True):
        reply = door.http.post(url, data=fields | {"client_secret": made.client_secret}).json()
        assert 500 < reply["expires_in"] <= 600, "no token outlives its client"
        assert door.get("/api/indicators", headers=bearer(reply["access_token"])).status_code == 200
    with time_machine.travel(now + timedelta(days=1, seconds=1), tick=True):
        refused = door.http.post(url, data=fields | {"client_secret": made.client_secret})
        assert refused.status_code == 401
        assert refused.json()["error"] == "invalid_client"
        assert "expired" in refused.json()["error_description"]
        wrong = door.http.post(url, data=fields | {"client_secret": "wrong"}).json()
        assert "expired" not in wrong["error_description"]
        assert door.get("/api/indicators", headers=bearer(reply["access_token"])).status_code == 401


def test_tokens_of_a_secret_that_was_stolen_stop_at_once(door: Door) -> None:
    made = door.client("Ti.ReadWrite.All")
    token = door.token(made)
    assert door.get("/api/indicators", headers=bearer(token)).status_code == 200
    again = applications.rotate_application(
        door.app.database, made.client_id, actor=ADMIN, now=datetime.now(UTC), grace=timedelta(0)
    )
    reply = door.get("/api/indicators", headers=bearer(token))
    assert reply.status_code == 401
    assert "was replaced" in reply.text
    assert door.get("/api/indicators", headers=bearer(door.token(again))).status_code == 200


def test_no_key_gets_into_a_log() -> None:
    import io

    out = io.StringIO()
    log = open_log(out)
    text = "ind_k3jq0v9x2m1a_" + "Ab3" * 14 + "Z"
    try:
        raise ValueError(f"bad {text}")
    except ValueError as error:
        log.error("x", why=f"got {text}", deep={"a": [text]}, exc_info=error)
    assert "Ab3Ab3" not in out.getvalue()
    assert "ind_k3jq0v9x2m1a_" in out.getvalue(), "which one it was may be told"
