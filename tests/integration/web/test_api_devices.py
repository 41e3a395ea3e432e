"""Our own API of devices and device groups, and the compat API of machines."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from indicia.web import api_device_models as models
from tests.integration.web.test_api_indicators import problem
from tests.wire.doors import ORIGIN, Door, error_of

RULES = [{"field": "name", "operator": "startsWith", "values": ["srv-"]}]
KEYS = {
    *("id", "computerDnsName", "firstSeen", "lastSeen", "osPlatform", "osProcessor", "version", "lastIpAddress"),
    *("lastExternalIpAddress", "osBuild", "healthStatus", "deviceValue", "rbacGroupName", "riskScore"),
    *("exposureLevel", "aadDeviceId", "machineTags", "ipAddresses", "rbacGroupId", "onboardingStatus"),
}


@pytest.fixture
def whole(door: Door) -> Door:
    """Return the door with an API client that may do everything."""
    door.headers = door.as_client("Indicia.Administer")
    return door


def put(door: Door, *given: Any) -> dict[str, Any]:
    reply = door.http.put("/v1/devices", json=list(given), headers=door.headers)
    assert reply.status_code == 200, reply.text
    models.RegisteredMany.model_validate_json(reply.content)
    return dict(reply.json())


def test_device_groups(whole: Door) -> None:
    door = whole
    made = door.post("/v1/groups", {"name": "Servers / EU", "rank": 3, "rules": RULES, "description": "racks"})
    models.DeviceGroup.model_validate_json(made.content)
    assert (made.status_code, made.json()["rank"], made.json()["rules"]) == (201, 3, RULES)
    listed = door.get("/v1/groups")
    models.DeviceGroupList.model_validate_json(listed.content)
    assert listed.json() == {"items": [made.json()], "ungrouped": 0}
    problem(door.post("/v1/groups", {"name": "Servers / EU"}), 409, "conflict")
    for body, code in [
        ({"name": ""}, "invalid-name"),
        ({"name": "a,b"}, "invalid-name"),
        ({"name": None}, "invalid-name"),
        ({"name": 5}, "not-a-text"),
        ({"name": "x", "rank": 0}, "invalid-rank"),
        ({"name": "x", "rank": True}, "invalid-rank"),
        ({"name": "x", "rank": 10**30}, "invalid-rank"),
        ({"name": "x", "id": 1}, "unknown-property"),
        ({"name": "x", "rules": "all"}, "not-a-list"),
        ({"name": "x", "rules": [{"field": "nam", "operator": "in", "values": ["a"]}]}, "invalid-field"),
    ]:
        problem(door.post("/v1/groups", body), 400, code)
    path = f"/v1/groups/{quote('Servers / EU', safe='')}"
    assert door.get(path).json() == made.json()
    changed = door.http.patch(path, json={"name": "Servers", "rank": 1, "rules": None}, headers=door.headers)
    models.ChangedGroup.model_validate_json(changed.content)
    assert (changed.json()["name"], changed.json()["rank"], changed.json()["rules"]) == ("Servers", 1, [])
    problem(door.get(path), 404, "not-found")
    assert door.delete("/v1/groups/Servers").status_code == 204
    problem(door.delete("/v1/groups/Servers"), 404, "not-found")


def test_a_preview(whole: Door) -> None:
    put(whole, {"name": "srv-1"}, {"name": "pc-1"})
    reply = whole.post("/v1/groups/preview", {"rules": RULES})
    models.GroupPreview.model_validate_json(reply.content)
    assert reply.json()["members"] == 1
    assert reply.json()["joining"] == [{"group": None, "devices": 1}]
    problem(whole.post("/v1/groups/preview", {"rules": RULES, "name": "x"}), 404, "not-found")
    problem(whole.post("/v1/groups/preview", {}), 400, "not-a-list")


def test_registering(whole: Door) -> None:
    door = whole
    door.post("/v1/groups", {"name": "Servers", "rules": RULES})
    made = door.post("/v1/devices", {"name": "srv-1.corp.example", "tags": ["web"], "addresses": ["10.0.0.7"]})
    models.Device.model_validate_json(made.content)
    assert (made.status_code, made.json()["group"]) == (201, "Servers")
    assert made.headers["location"] == f"/v1/devices/{made.json()['machineId']}"
    again = door.post("/v1/devices", {"name": "srv-1.corp.example"})
    assert (again.status_code, again.json()) == (200, made.json())
    problem(door.post("/v1/devices", {"name": "a", "x": 1}), 400, "unknown-property")
    many = put(door, {"name": "srv-2"}, {"nam": "x"}, 5, {"name": "srv-1.corp.example", "osPlatform": "Linux"})
    assert [each["outcome"] for each in many["results"]] == ["created", "refused", "refused", "updated"]
    assert (many["created"], many["updated"], many["refused"]) == (1, 1, 2)
    lines = b'{"name":"pc-1"}\n\n{"name":"pc-2"}\n'
    headers = door.headers | {"Content-Type": "application/x-ndjson"}
    assert door.http.put("/v1/devices", content=lines, headers=headers).json()["created"] == 2
    problem(door.http.put("/v1/devices", content=b"{}\n{", headers=headers), 400, "not-json")
    problem(door.http.put("/v1/devices", json={}, headers=door.headers), 400, "not-a-list")
    problem(door.http.put("/v1/devices", json=[], headers=door.headers), 400, "wrong-number-of-devices")
    shown = door.get("/v1/devices/srv-1")
    models.DeviceWithWhy.model_validate_json(shown.content)
    assert shown.json()["why"] == {"rule": RULES, "passed": [], "more": 0}
    tagged = door.post("/v1/devices/srv-1/tags", {"add": ["lab"], "remove": ["web"]})
    assert tagged.json()["tags"] == ["lab"]
    assert door.delete("/v1/devices/srv-1").status_code == 204
    problem(door.get("/v1/devices/srv-1"), 404, "not-found")


def test_pages_of_devices(whole: Door) -> None:
    put(whole, *({"name": f"d{number}", "tags": ["odd"] if number % 2 else []} for number in range(7)))
    first = whole.get("/v1/devices?limit=3&count=true&tag=ODD")
    models.DevicePage.model_validate_json(first.content)
    assert ([each["name"] for each in first.json()["items"]], first.json()["count"]) == (["d1", "d3", "d5"], 3)
    names: list[str] = []
    address: str | None = "/v1/devices?limit=3&search=d"
    while address:
        page = whole.get(address).json()
        names += [each["name"] for each in page["items"]]
        address = page["next"]
    assert names == [f"d{number}" for number in range(7)]
    problem(whole.get("/v1/devices?cursor=x"), 400, "invalid-cursor")
    problem(whole.get("/v1/devices?group=Nobody"), 400, "unknown-group")
    assert len(whole.get("/v1/devices?group=").json()["items"]) == 7


def test_a_verdict_for_a_device(whole: Door) -> None:
    whole.post("/v1/groups", {"name": "Servers", "rules": RULES})
    put(whole, {"name": "srv-1"}, {"name": "pc-1"})
    whole.submitted(rbacGroupNames=["Servers"])
    assert whole.get("/v1/verdicts?value=evil.example&device=srv-1").json()["action"] == "Block"
    body = {"values": ["evil.example"], "device": "pc-1"}
    assert whole.post("/v1/verdicts", body).json()["verdicts"][0]["action"] is None
    problem(whole.get("/v1/verdicts?value=evil.example&device=x"), 400, "unknown-device")
    problem(whole.get("/v1/verdicts?value=evil.example&device=srv-1&group=Servers"), 400, "contradicting-question")


def test_what_permissions_are_for(door: Door) -> None:
    reader, writer, ti = (
        door.as_client(name) for name in ("Machine.Read.All", "Machine.ReadWrite.All", "Ti.ReadWrite")
    )
    assert door.get("/v1/devices", headers=reader).status_code == 200
    problem(door.post("/v1/devices", {"name": "a"}, headers=reader), 403, "forbidden")
    problem(door.post("/v1/groups", {"name": "a"}, headers=reader), 403, "forbidden")
    assert door.post("/v1/devices", {"name": "a"}, headers=writer).status_code == 201
    assert door.post("/v1/groups", {"name": "a"}, headers=writer).status_code == 201
    problem(door.get("/v1/devices", headers=ti), 403, "forbidden")
    [group] = door.get("/v1/groups", headers=ti).json()["items"]
    assert (group["name"], group["rules"], group["members"]) == ("a", None, None)
    assert door.get("/api/machines", headers=ti).json()["value"] == [], "a test of the connection, and no more"
    audit = door.as_client("Audit.Read.All")
    assert door.get("/api/machines", headers=audit).status_code == 403
    assert door.get("/api/exposureScore/ByMachineGroups", headers=audit).status_code == 403


def test_machines(whole: Door) -> None:
    whole.post("/v1/groups", {"name": "Servers", "rules": RULES})
    given = [{"name": f"srv-{n}.corp.example", "addresses": ["10.0.0.7"], "tags": ["web"]} for n in range(5)]
    put(whole, *given, {"name": "pc-1", "osPlatform": "Windows11", "lastSeen": "2020-01-01T00:00:00Z"})
    body = whole.get("/api/machines?$count=true").json()
    assert (body["@odata.context"], body["@odata.count"]) == (f"{ORIGIN}/api/$metadata#Machines", 6)
    one = body["value"][0]
    assert one.keys() >= KEYS
    assert len(one["id"]) == 40
    assert (one["computerDnsName"], one["rbacGroupName"], one["machineTags"]) == (
        "srv-0.corp.example",
        "Servers",
        ["web"],
    )
    assert one["ipAddresses"][0]["ipAddress"] == one["lastIpAddress"] == "10.0.0.7"
    found: list[str] = []
    address = "/api/v1.0/machines?$top=2&$filter=" + quote("rbacGroupName eq 'Servers'")
    while address:
        page = whole.get(address).json()
        found += [each["id"] for each in page["value"]]
        address = page.get("@odata.nextLink", "").removeprefix(ORIGIN)
    assert len(set(found)) == len(found) == 5
    for text, names in (
        ("healthStatus eq 'Inactive'", ["pc-1"]),
        ("OsPlatform eq 'windows11' and RbacGroupId eq 0", ["pc-1"]),
        ("LastSeen lt 2021-01-01Z", ["pc-1"]),
        ("ComputerDnsName eq 'SRV-3.corp.example'", ["srv-3.corp.example"]),
    ):
        value = whole.get(f"/api/machines?$filter={quote(text)}").json()["value"]
        assert [each["computerDnsName"] for each in value] == names
    assert [each["id"] for each in whole.get("/api/machines?$skip=5").json()["value"]] == [body["value"][5]["id"]]
    shown = whole.get(f"/api/machines/{one['id']}").json()
    assert {key: value for key, value in shown.items() if key != "@odata.context"} == one
    tagged = whole.post(f"/api/machines/{one['id']}/tags", {"Value": "lab", "Action": "Add"})
    assert tagged.json()["machineTags"] == ["web", "lab"]
    assert whole.post(f"/api/machines/{one['id']}/tags", {"Value": "LAB", "Action": "Remove"}).json() == shown
    [score] = whole.get("/api/exposureScore/ByMachineGroups").json()["value"]
    assert (score["rbacGroupName"], score["score"]) == ("Servers", 0)


@pytest.mark.parametrize(
    "query",
    [
        "$filter=x",
        "$filter=id%20eq",
        "$filter=lastSeen%20eq%20'soon'",
        "$filter=riskScore%20gt%20'Low'",
        "$filter=" + "(" * 40,
        "$filter=" + quote("not " * 500 + "id eq 'a'"),
        "$top=10001",
        "$skip=x",
    ],
)
def test_what_machines_cannot_be_asked(whole: Door, query: str) -> None:
    reply = whole.get(f"/api/machines?{query}")
    assert (reply.status_code, error_of(reply)["code"]) == (400, "ODataError")


def test_what_a_machine_cannot_be_told(whole: Door) -> None:
    put(whole, {"name": "a"})
    for body in ({}, [], {"Value": "x"}, {"Value": 5, "Action": "Add"}, {"Value": "x", "Action": "Sing"}):
        assert whole.post("/api/machines/a/tags", body).status_code == 400
    assert whole.post("/api/machines/b/tags", {"Value": "x", "Action": "Add"}).status_code == 404
    assert json.loads(whole.get("/api/machines/b").content)["error"]["code"] == "ResourceNotFound"
