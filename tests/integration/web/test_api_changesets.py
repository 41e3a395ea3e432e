"""Our own API: changesets, undo, verification, device groups, and who may see what."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from indicia.domain.access import Grant
from indicia.web import api_models as models
from tests.integration.web.test_api_imports import GOOD, send
from tests.integration.web.test_api_indicators import change, create, problem
from tests.wire.doors import Door, indicator


def test_a_walk_through_changesets_is_newest_first(door: Door) -> None:
    for n in range(5):
        create(door, indicatorValue=f"{n}.example")
    seen: list[int] = []
    address = "/v1/changesets?limit=2"
    while address:
        page = door.get(address)
        models.ChangesetPage.model_validate_json(page.content)
        seen += [item["id"] for item in page.json()["items"]]
        address = page.json()["next"]
        create(door, indicatorValue=f"new-{len(seen)}.example")
    assert seen == [6, 5, 4, 3, 2, 1]


def test_undo_takes_back_and_says_what_stands_in_the_way(door: Door) -> None:
    made = send(door, GOOD).json()
    [first, *_] = door.get("/v1/indicators").json()["items"]
    later = change(door, first["id"], {"title": "Later"}).json()
    path = f"/v1/changesets/{made['changeset']}/undo"
    body = problem(door.post(path, None), 409, "conflict")
    assert [(error["code"], error["value"]) for error in body["errors"]] == [("touched-later", first["id"])]
    tried = door.post(f"{path}?dryRun=true", {"keepLater": True})
    models.Undone.model_validate_json(tried.content)
    assert (tried.json()["changeset"], tried.json()["deleted"], tried.json()["kept"]) == (None, 2, [first["id"]])
    assert len(door.get("/v1/indicators").json()["items"]) == 3
    done = door.http.post(path, json={"keepLater": True, "reason": "wrong file"}, headers=door.headers)
    models.Undone.model_validate_json(done.content)
    assert (done.json()["deleted"], done.json()["keptTotal"]) == (2, 1)
    assert done.json()["changeset"]["reason"] == "wrong file"
    assert [item["id"] for item in door.get("/v1/indicators").json()["items"]] == [first["id"]]
    shown = door.get(f"/v1/changesets/{made['changeset']}")
    models.ShownChangeset.model_validate_json(shown.content)
    assert shown.json()["undoneBy"] == done.json()["changeset"]["id"]
    assert later["changeset"] == made["changeset"] + 1


def test_undo_without_a_body_and_with_a_bad_one(door: Door) -> None:
    made = create(door)
    path = f"/v1/changesets/{made['changeset']}/undo"
    problem(door.post(path, {"keepLater": "yes"}), 400, "not-a-boolean")
    problem(door.post(path, {"why": "x"}), 400, "unknown-property")
    assert door.http.post(path, headers=door.headers).json()["deleted"] == 1
    problem(door.http.post("/v1/changesets/1/undo", headers=door.headers), 409, "conflict")
    problem(door.http.post("/v1/changesets/999/undo", headers=door.headers), 404, "not-found")


def test_verification_finds_what_was_altered(door: Door) -> None:
    create(door)
    problem(door.get("/v1/verification"), 403, "forbidden")
    door.headers = door.as_client("Indicia.Administer")
    good = door.get("/v1/verification")
    models.Verification.model_validate_json(good.content)
    assert (good.json()["intact"], good.json()["faults"]) == (True, [])
    head = good.json()["head"]["hash"]
    assert door.get(f"/v1/verification?head={head}").json()["intact"] is True
    assert door.get(f"/v1/verification?head={'0' * 64}").json()["intact"] is False
    problem(door.get("/v1/verification?head=x"), 400, "invalid-input")
    with door.app.database.transaction() as tx:
        tx.connection.execute(text("UPDATE indicators SET title = 'altered'"))
    assert door.get("/v1/verification").json()["faultsTotal"] == 1


def test_who_one_is(door: Door) -> None:
    reply = door.get("/v1/me")
    models.Me.model_validate_json(reply.content)
    assert reply.json()["permissions"] == sorted(Grant.TI_READ_WRITE_ALL.permissions)
    assert (reply.json()["seesOnlyOwn"], reply.json()["groups"]) == (False, None)
    problem(door.http.get("/v1/me"), 401, "unauthorized")


def test_an_actor_with_ti_readwrite_never_sees_what_others_did(door: Door) -> None:
    theirs = create(door, indicatorValue="com", externalId="secret-of-others")
    plan = send(door, GOOD, "dryRun=true").json()
    admin, door.headers = door.headers, door.as_client("Ti.ReadWrite")
    own = create(door, indicatorValue="own.example")
    changesets = f"/v1/changesets/{theirs['changeset']}"
    any_version = door.headers | {"If-Match": "*"}

    def hidden(reply: httpx.Response) -> None:
        problem(reply, 404, "not-found")
        assert "secret-of-others" not in reply.text

    hidden(door.get(f"/v1/indicators/{theirs['id']}"))
    hidden(door.get(f"/v1/indicators/{theirs['id']}/history"))
    hidden(change(door, theirs["id"], {"title": "x"}))
    hidden(door.http.put(f"/v1/indicators/{theirs['id']}", json=indicator(), headers=any_version))
    hidden(door.delete(f"/v1/indicators/{theirs['id']}", headers=any_version))
    problem(door.post(f"/v1/indicators/{theirs['id']}/release", {"reason": "x"}), 403, "forbidden")
    hidden(door.post("/v1/indicators/delete", {"ids": [own["id"], theirs["id"]]}))
    hidden(door.get(changesets))
    hidden(door.post(f"{changesets}/undo", {}))
    hidden(door.post(f"{changesets}/undo?dryRun=true", {}))
    hidden(door.get(f"/v1/imports/{plan['id']}"))
    hidden(door.post(plan["apply"], None))
    for query in ("", "at=99999999", "filter=externalId eq 'secret-of-others'", "order=-id", f"at={own['changeset']}"):
        reply = door.get(f"/v1/indicators?count=true&{query}")
        if reply.status_code == 200:
            assert [item["id"] for item in reply.json()["items"]] in ([own["id"]], []), query
            assert reply.json()["count"] == len(reply.json()["items"])
    assert [item["id"] for item in door.get("/v1/changesets").json()["items"]] == [own["changeset"]]
    assert door.post("/v1/indicators/delete?dryRun=true", {"filter": "id gt 0"}).json()["deleted"] == 1
    problem(door.get("/v1/verification"), 403, "forbidden")
    problem(door.post("/v1/groups", {"name": "g"}), 403, "forbidden")
    problem(door.delete("/v1/groups/g"), 403, "forbidden")
    door.headers = admin
    assert door.get(f"/v1/indicators/{theirs['id']}").json()["etag"] == theirs["etag"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_operation_wants_a_token(door: Door, method: str) -> None:
    for path, operations in door.get("/openapi.json").json()["paths"].items():
        if path.startswith("/v1") and method.lower() in operations:
            reply = door.http.request(method, path.replace("{id}", "1").replace("{name}", "g"), content=b"{}")
            problem(reply, 401, "unauthorized")
