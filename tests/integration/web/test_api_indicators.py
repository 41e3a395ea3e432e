"""Our own API: indicators by themselves, their versions, and walks through their list."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from indicia.web import api_models as models
from tests.wire.doors import Door, indicator


def create(door: Door, **changes: Any) -> dict[str, Any]:
    reply = door.post("/v1/indicators", indicator(**changes))
    assert reply.status_code == 201, reply.text
    models.WrittenIndicator.model_validate_json(reply.content)
    return dict(reply.json())


def problem(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    body = dict(reply.json())
    assert body["code"] == code
    assert body["type"] == f"/docs/problems#{code}"
    assert body["requestId"] == reply.headers["x-request-id"]
    return body


def change(door: Door, id: str, patch: Any, if_match: str | None = "*", **options: Any) -> httpx.Response:
    headers = door.headers | ({"If-Match": if_match} if if_match else {})
    return door.http.patch(f"/v1/indicators/{id}", json=patch, headers=headers, **options)


# -- one --------------------------------------------------------------------------------------------------------------


def test_create_answers_with_the_indicator_where_it_is_and_its_version(door: Door) -> None:
    reply = door.post("/v1/indicators?reason=a+ticket", indicator(category="Malware", severity="High"))
    assert reply.status_code == 201
    made = reply.json()
    assert (made["category"], made["severity"], made["status"], made["warnings"]) == ("Malware", "High", "active", [])
    assert reply.headers["location"] == f"/v1/indicators/{made['id']}"
    assert reply.headers["etag"] == made["etag"]
    read = door.get(reply.headers["location"])
    assert read.json() == {name: value for name, value in made.items() if name != "warnings"}
    models.Indicator.model_validate_json(read.content)
    assert door.get(f"/v1/changesets/{made['changeset']}").json()["reason"] == "a ticket"


def test_a_dry_run_of_create_writes_nothing(door: Door) -> None:
    reply = door.post("/v1/indicators?dryRun=true", indicator(indicatorValue="com"))
    assert reply.status_code == 200
    models.PlannedIndicator.model_validate_json(reply.content)
    assert reply.json()["outcome"] == "held"
    assert door.get("/v1/indicators").json()["items"] == []


def test_create_names_the_indicator_that_is_there_already(door: Door) -> None:
    made = create(door)
    reply = door.post("/v1/indicators", indicator(indicatorValue="EVIL.example.", title="Another"))
    [error] = problem(reply, 409, "conflict")["errors"]
    assert error["code"] == "already-exists"
    assert f"indicator {made['id']} " in error["detail"]
    assert door.get(f"/v1/indicators/{made['id']}").json()["title"] == made["title"]


def test_every_fault_is_named_and_read_only_properties_too(door: Door) -> None:
    reply = door.post("/v1/indicators", indicator(id="7", tittle="x", action="Blok", severity=5, title=None))
    errors = {error["column"]: error for error in problem(reply, 400, "invalid-input")["errors"]}
    assert errors["id"]["code"] == "read-only-property"
    assert errors["tittle"]["suggestion"] == "title"
    assert errors["action"]["suggestion"] == "Block"
    assert errors["severity"]["allowed"] == ["Informational", "Low", "Medium", "High"]
    assert errors["title"]["code"] == "missing"
    assert errors["title"]["pointer"] == "/title"


def test_conditional_reads(door: Door) -> None:
    made = create(door)
    path = f"/v1/indicators/{made['id']}"
    for known in (made["etag"], f"W/{made['etag']}", f'"x", {made["etag"]}', "*"):
        reply = door.get(path, headers=door.headers | {"If-None-Match": known})
        assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", made["etag"])
    assert door.get(path, headers=door.headers | {"If-None-Match": '"1-99"'}).status_code == 200


def test_put_replaces_and_patch_merges(door: Door) -> None:
    made = create(door, severity="High", externalId="feed-1", mitreTechniques=["T1566"], category="Malware")
    patched = change(door, made["id"], {"externalId": None, "title": "New", "ACTION": "Warn"}, made["etag"])
    assert patched.status_code == 200
    body = patched.json()
    assert (body["externalId"], body["title"], body["action"], body["severity"]) == (None, "New", "Warn", "High")
    assert patched.headers["etag"] == body["etag"] != made["etag"]
    replaced = door.http.put(
        f"/v1/indicators/{made['id']}", json=indicator(), headers=door.headers | {"If-Match": body["etag"]}
    )
    assert replaced.status_code == 200
    assert replaced.json()["severity"] == "Informational"
    assert replaced.json()["mitreTechniques"] == []
    history = door.get(f"/v1/indicators/{made['id']}/history")
    models.History.model_validate_json(history.content)
    versions = history.json()["versions"]
    assert [version["indicator"]["etag"] for version in versions] == [
        made["etag"],
        body["etag"],
        replaced.json()["etag"],
    ]
    assert [version["ended"] and version["ended"]["id"] for version in versions[:-1]] == [
        version["began"]["id"] for version in versions[1:]
    ]


def test_a_patch_that_changes_nothing_makes_no_version(door: Door) -> None:
    made = create(door)
    assert change(door, made["id"], {}).json()["etag"] == made["etag"]
    assert change(door, made["id"], {"title": made["title"], "severity": None}).json()["etag"] == made["etag"]


def test_a_patch_cannot_take_away_what_is_required(door: Door) -> None:
    made = create(door)
    problem(change(door, made["id"], {"title": None}), 400, "missing")
    problem(change(door, made["id"], {"indicatorValue": None}), 400, "missing")
    problem(change(door, made["id"], ["title"]), 400, "not-an-object")
    assert door.get(f"/v1/indicators/{made['id']}").json()["etag"] == made["etag"]


def test_an_edit_cannot_take_the_identity_of_another(door: Door) -> None:
    create(door)
    other = create(door, action="Warn")
    problem(change(door, other["id"], {"action": "Block"}), 409, "conflict")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_changes_say_which_version_they_change(door: Door, method: str) -> None:
    made = create(door)
    path = f"/v1/indicators/{made['id']}"
    body = None if method == "DELETE" else indicator(title="New")
    problem(door.http.request(method, path, json=body, headers=door.headers), 428, "precondition-required")
    for stale in ('"1-1"', f'"{made["id"]}-999"', '"x"', f"W/{made['etag']}", "", '"2-2"', "\xe9\x80"):
        headers = {name: value.encode("latin-1") for name, value in {**door.headers, "If-Match": stale}.items()}
        reply = door.http.request(method, path, json=body, headers=headers)  # type: ignore[arg-type]  # bytes will do
        problem(reply, 412, "stale-version")
    reply = door.http.request(method, path, json=body, headers=door.headers | {"If-Match": f'"0-0", {made["etag"]}'})
    assert reply.status_code in (200, 204)


def test_of_parallel_patches_with_one_version_exactly_one_counts(door: Door) -> None:
    for _ in range(10):
        made = create(door, indicatorValue=f"{random.getrandbits(60):x}.example")
        with ThreadPoolExecutor(4) as pool:
            replies = list(
                pool.map(lambda n, made=made: change(door, made["id"], {"title": f"t{n}"}, made["etag"]), range(4))
            )
        assert sorted(reply.status_code for reply in replies) == [200, 412, 412, 412]
        [winner] = [reply for reply in replies if reply.status_code == 200]
        assert door.get(f"/v1/indicators/{made['id']}").json()["title"] == winner.json()["title"]


def test_a_held_indicator_is_released_with_a_reason(door: Door) -> None:
    made = create(door, indicatorValue="com")
    assert made["status"] == "held"
    assert [note["code"] for note in made["warnings"]] == ["held-public-suffix"]
    path = f"/v1/indicators/{made['id']}/release"
    problem(door.post(path, {}), 400, "missing")
    problem(door.post(path, {"reason": 5}), 400, "not-a-text")
    problem(door.post(path, {"reason": "a\0b"}), 400, "control-character")
    problem(door.post(path, {"reason": "x", "why": "y"}), 400, "unknown-property")
    reply = door.post(path, {"reason": "agreed"})
    assert reply.status_code == 200
    assert (reply.json()["status"], reply.json()["overrideReason"]) == ("active", "agreed")
    problem(door.post(path, {"reason": "agreed"}), 409, "conflict")


def test_delete_keeps_the_history(door: Door) -> None:
    made = create(door)
    path = f"/v1/indicators/{made['id']}"
    reply = door.delete(path, headers=door.headers | {"If-Match": made["etag"]})
    assert (reply.status_code, reply.content) == (204, b"")
    problem(door.get(path), 404, "not-found")
    problem(change(door, made["id"], {}), 404, "not-found")
    assert door.get(f"{path}/history").json()["versions"][0]["ended"]["kind"] == "delete"


@pytest.mark.parametrize("id", ["0", "x", "-1", "9" * 30, "1" * 5000, "%C2%B2", "1.0", "9223372036854775808", "%00"])
def test_ids_that_nothing_has(door: Door, id: str) -> None:
    problem(door.get(f"/v1/indicators/{id}"), 404, "not-found")
    problem(door.get(f"/v1/indicators/{id}/history"), 404, "not-found")
    problem(door.get(f"/v1/changesets/{id}"), 404, "not-found")


# -- many -------------------------------------------------------------------------------------------------------------


def test_delete_many_by_ids_or_filter_and_undo_it(door: Door) -> None:
    made = [create(door, indicatorValue=f"{n}.example", severity="High" if n % 2 else "Low") for n in range(6)]
    path = "/v1/indicators/delete"
    tried = door.post(f"{path}?dryRun=true", {"filter": "severity eq 'High'"})
    assert tried.json() == {"deleted": 3, "dryRun": True, "changeset": None, "takesTwo": []}
    problem(door.post(path, {"ids": [made[0]["id"], "999"]}), 404, "not-found")
    done = door.post(path, {"filter": "severity eq 'High'", "reason": "retired"})
    models.Deleted.model_validate_json(done.content)
    assert done.json()["deleted"] == 3
    assert door.post(path, {"filter": "severity eq 'High'"}).json() == {
        "deleted": 0,
        "dryRun": False,
        "changeset": None,
        "takesTwo": [],
    }
    assert door.post(path, {"ids": [made[0]["id"]]}).json()["deleted"] == 1
    undone = door.post(f"/v1/changesets/{done.json()['changeset']}/undo", {"reason": "not yet"})
    assert (undone.status_code, undone.json()["created"]) == (200, 3)
    assert len(door.get("/v1/indicators").json()["items"]) == 5


@pytest.mark.parametrize(
    "body, code",
    [
        ({}, "ids-or-filter"),
        ({"ids": ["1"], "filter": "id eq 1"}, "ids-or-filter"),
        ({"ids": []}, "not-a-list"),
        ({"ids": "1"}, "not-a-list"),
        ({"filter": None}, "not-a-text"),
        ({"filter": ""}, "invalid-filter"),
        ({"filter": "severity eq"}, "invalid-filter"),
        ({"filters": "id eq 1"}, "unknown-property"),
        ([], "not-an-object"),
    ],
)
def test_what_to_delete_has_to_be_said(door: Door, body: Any, code: str) -> None:
    create(door)
    problem(door.post("/v1/indicators/delete", body), 400, code)
    assert len(door.get("/v1/indicators").json()["items"]) == 1


@pytest.mark.parametrize("order", ["id", "-id"])
def test_a_walk_neither_repeats_nor_skips_those_that_stay(door: Door, order: str) -> None:
    chance = random.Random(7)
    ids = [create(door, indicatorValue=f"{n}.example")["id"] for n in range(40)]
    gone: set[str] = set()
    seen: list[str] = []
    address = f"/v1/indicators?limit=7&order={order}&filter=action+eq+'Block'"
    while address:
        page = door.get(address)
        models.IndicatorPage.model_validate_json(page.content)
        seen += [item["id"] for item in page.json()["items"]]
        address = page.json()["next"]
        assert page.headers.get("link") == (f'<{address}>; rel="next"' if address else None)
        leaving = chance.sample([id for id in ids if id not in gone], 3)
        assert door.post("/v1/indicators/delete", {"ids": leaving}).status_code == 200
        gone.update(leaving)
        create(door, indicatorValue=f"new-{len(seen)}.example", action="Warn")
    assert len(seen) == len(set(seen))
    assert {id for id in ids if id not in gone} <= set(seen) <= set(ids)
    assert seen == sorted(seen, key=int, reverse=order == "-id")


def test_a_cursor_leads_on_in_its_own_list_only(door: Door) -> None:
    for n in range(3):
        create(door, indicatorValue=f"{n}.example")
    link = httpx.URL(door.get("/v1/indicators?limit=1").json()["next"])
    cursor = link.params["cursor"]
    other = door.as_client("Ti.ReadWrite.All")
    changed = chr(ord(cursor[0]) ^ 1) + cursor[1:]
    for query in (
        f"cursor={changed}",
        f"cursor={cursor[:-1]}",
        f"cursor={cursor}A",
        "cursor=",
        "cursor=%00%ff",
        f"cursor={cursor}&order=-id",
        f"cursor={cursor}&filter=id+gt+1",
        f"cursor={cursor}&at=1",
    ):
        problem(door.get(f"/v1/indicators?{query}"), 400, "invalid-cursor")
    problem(door.get(f"/v1/changesets?cursor={cursor}"), 400, "invalid-cursor")
    problem(door.get(f"/v1/indicators?cursor={cursor}", headers=other), 400, "invalid-cursor")
    assert len(door.get(f"/v1/indicators?cursor={cursor}&limit=2").json()["items"]) == 2


def test_lists_of_the_past(door: Door) -> None:
    made = create(door)
    change(door, made["id"], {"title": "Later"})
    for at in (str(made["changeset"]), door.get(f"/v1/changesets/{made['changeset']}").json()["at"]):
        [item] = door.get("/v1/indicators", params={"at": at}).json()["items"]
        assert (item["title"], item["etag"]) == (made["title"], made["etag"])
    assert door.get("/v1/indicators", params={"at": "2001-01-01T00:00:00Z"}).json()["items"] == []
    problem(door.get("/v1/indicators?at=99999"), 404, "not-found")
    for at in ("yesterday", "2001-13-01", "9" * 40):
        problem(door.get(f"/v1/indicators?at={at}"), 400, "invalid-time")
    assert door.get("/v1/indicators?at=0001-01-01T00:00:00%2B14:00").status_code == 200
    assert door.get("/v1/indicators?at=9999-12-31T23:59:59-14:00").status_code == 200


def test_counts_and_limits(door: Door) -> None:
    for n in range(3):
        create(door, indicatorValue=f"{n}.example")
    page = door.get("/v1/indicators?limit=1&count=true").json()
    assert (page["count"], page["countIsExact"], len(page["items"])) == (3, True, 1)
    for query in ("limit=0", "limit=1001", "limit=x", "order=title", "count=maybe"):
        [error] = problem(door.get(f"/v1/indicators?{query}"), 400, "invalid-input")["errors"]
        assert error["code"] == "invalid-parameter"
    body = problem(door.get("/v1/indicators?fliter=id+gt+1"), 400, "unknown-parameter")
    assert body["errors"][0]["suggestion"] == "filter"
    body = problem(door.get("/v1/indicators?filter=severity+eq+'Hgih'"), 400, "invalid-filter")
    assert "position 12" in body["detail"]


def test_an_expired_indicator_is_gone_from_its_second(door: Door) -> None:
    import time_machine

    soon = (datetime.now(UTC) + timedelta(minutes=5)).replace(microsecond=0)
    made = create(door, expirationTime=soon.isoformat())
    with time_machine.travel(soon - timedelta(microseconds=1), tick=False):
        assert door.get(f"/v1/indicators/{made['id']}").status_code == 200
    with time_machine.travel(soon, tick=False):
        problem(door.get(f"/v1/indicators/{made['id']}"), 404, "not-found")
        assert door.get("/v1/indicators").json()["items"] == []
        problem(change(door, made["id"], {"title": "x"}), 404, "not-found")


# -- hostile ----------------------------------------------------------------------------------------------------------


HOSTILE: list[bytes] = [
    b"",
    b"{",
    b"null",
    b'"text"',
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"title":' + b"9" * 100_000 + b"}",
    b'{"title":1e999999}',
    b'{"title":NaN}',
    b'{"title":"\\ud800"}',
    b'{"title":"\\u0000"}',
    b'{"indicatorValue":"a\\u0000b.example"}',
    b'{"title":"\xff\xfe"}',
    b"\xff\xfe{\x00}\x00",
    b'{"rbacGroupNames":["a\\u0000"],"mitreTechniques":{"a":1}}',
    b'{"indicatorType":{},"action":[],"severity":true,"category":1.5,"expirationTime":1e300,"generateAlert":[]}',
    b'{"expirationTime":"9999-12-31T23:59:59-23:59","bypassDurationHours":1e30}',
    b'{"__proto__":{"x":1},"constructor":1,"":2}',
    b'{"title":"a","title":"b"}',
    b'{"' + b"k" * 100_000 + b'":1}',
    b'{"action":' + b"[" * 31 + b"]" * 31 + b"}",
    orjson.dumps({f"k{n}": n for n in range(10_000)}),
]


@pytest.mark.parametrize("body", HOSTILE, ids=[repr(body[:30]) for body in HOSTILE])
def test_hostile_json_gets_an_answer(door: Door, body: bytes) -> None:
    made = create(door)
    headers = door.headers | {"Content-Type": "application/json", "If-Match": "*"}
    for method, path in [
        ("POST", "/v1/indicators"),
        ("PUT", f"/v1/indicators/{made['id']}"),
        ("PATCH", f"/v1/indicators/{made['id']}"),
        ("POST", f"/v1/indicators/{made['id']}/release"),
        ("POST", "/v1/indicators/delete"),
        ("POST", f"/v1/changesets/{made['changeset']}0/undo"),
        ("POST", "/v1/groups"),
    ]:
        reply = door.http.request(method, path, content=body, headers=headers)
        assert reply.status_code in (200, 400, 404, 409), (method, path, reply.status_code, reply.text[:300])
        if reply.status_code != 200:
            assert reply.headers["content-type"] == "application/problem+json"
            assert len(reply.content) < 4_000_000
    assert len(door.get("/v1/indicators").json()["items"]) == 1


def test_bodies_of_another_type_or_size_are_refused(door: Door) -> None:
    headers = door.headers | {"Content-Type": "text/html"}
    reply = door.http.post("/v1/indicators", content=b"{}", headers=headers)
    problem(reply, 415, "unsupported-media-type")
    assert reply.headers["accept"] == "application/json"
    problem(door.http.post("/v1/indicators", content=b" " * (17 << 20), headers=door.headers), 413, "body-too-large")
