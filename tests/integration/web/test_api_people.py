"""People by our own API: added with a link, given a role, limited to device groups, disabled."""

from __future__ import annotations

import pytest

from tests.integration.web.test_api_indicators import problem
from tests.integration.web.two_people import person
from tests.wire.doors import Door

PEOPLE = "/v1/people"


@pytest.fixture
def door(door: Door) -> Door:
    door.headers = door.as_client("Indicia.Administer")
    return door


def test_somebody_is_added_changed_and_disabled(door: Door) -> None:
    made = door.post(PEOPLE, {"name": "Grace", "role": "analyst"})
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    grace = made.json()
    assert (grace["name"], grace["role"], grace["groups"], grace["passwordAt"]) == ("Grace", "analyst", None, None)
    assert grace["link"].startswith("/welcome/")
    [listed] = [each for each in door.get(PEOPLE).json()["items"] if each["name"] == "Grace"]
    assert listed == {name: value for name, value in grace.items() if name != "link"}
    door.post("/v1/groups", {"name": "Servers", "rank": 1, "rules": []})
    limited = door.patch(f"{PEOPLE}/{grace['id']}", {"role": "responder", "groups": ["Servers"]})
    assert limited.status_code == 200, limited.text
    assert (limited.json()["role"], limited.json()["groups"]) == ("responder", ["Servers"])
    only = door.patch(f"{PEOPLE}/{grace['id']}", {"groups": None}).json()
    assert (only["role"], only["groups"]) == ("responder", None), "what is not sent stays"
    gone = door.patch(f"{PEOPLE}/{grace['id']}", {"disabled": True}).json()
    assert gone["disabledAt"] is not None
    assert door.patch(f"{PEOPLE}/{grace['id']}", {"disabled": True}).json() == gone, "twice is once"
    assert door.patch(f"{PEOPLE}/{grace['id']}", {"disabled": False}).json()["disabledAt"] is None


def test_a_role_holds_from_the_next_request_on(door: Door) -> None:
    ada = person(door, "Ada")
    body = {"indicatorValue": "x.example", "indicatorType": "DomainName", "action": "Block", "title": "t"}
    assert door.post("/v1/indicators", body | {"description": "d"}, headers=ada).status_code == 201
    [found] = [each for each in door.get(PEOPLE).json()["items"] if each["name"] == "Ada"]
    door.patch(f"{PEOPLE}/{found['id']}", {"role": "viewer"})
    problem(door.post("/v1/indicators", body | {"description": "d"}, headers=ada), 403, "forbidden")
    door.patch(f"{PEOPLE}/{found['id']}", {"disabled": True})
    assert door.get("/v1/indicators", headers=ada).status_code == 401


def test_what_cannot_be_is_told(door: Door) -> None:
    door.post(PEOPLE, {"name": "Grace"})
    problem(door.post(PEOPLE, {"name": "GRACE"}), 409, "conflict")
    for body in (
        {},
        {"name": ""},
        {"name": "x", "role": "king"},
        {"name": "x", "groups": "Servers"},
        {"name": "x", "groups": ["no such group"]},
        {"name": "x", "groups": [1]},
        {"name": "x" * 300},
        {"name": "x", "surprise": 1},
    ):
        answer = door.post(PEOPLE, body)
        assert answer.status_code in (400, 422), (body, answer.text)
        assert answer.json()["code"], body
    assert [each["name"] for each in door.get(PEOPLE).json()["items"]].count("x") == 0
    problem(door.patch(f"{PEOPLE}/nobody", {"role": "viewer"}), 404, "not-found")
