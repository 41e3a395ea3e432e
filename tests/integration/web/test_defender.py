"""The compat API: permissions, the guard, limits, and what its description promises."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from tests.wire.doors import Door, error_of, indicator, open_door

# -- permissions ------------------------------------------------------------------------------------------------------


def test_a_client_of_its_own_sees_and_touches_only_its_own(door: Door) -> None:
    others = door.submitted(indicatorValue="theirs.example")
    mine = door.as_client("Ti.ReadWrite")
    reply = door.post("/api/indicators", indicator(indicatorValue="mine.example"), headers=mine)
    own = reply.json()["id"]

    listed = door.get("/api/indicators?$count=true", headers=mine).json()
    assert [each["indicatorValue"] for each in listed["value"]] == ["mine.example"]
    assert listed["@odata.count"] == 1
    assert door.get("/api/indicators/$count", headers=mine).text == "1"
    assert door.get(f"/api/indicators/{others['id']}", headers=mine).status_code == 404

    assert door.delete(f"/api/indicators/{others['id']}", headers=mine).status_code == 403
    ids = {"IndicatorIds": [own, others["id"]]}
    reply = door.post("/api/indicators/BatchDelete", ids, headers=mine)
    assert (reply.status_code, error_of(reply)["code"]) == (403, "Forbidden")
    update = indicator(indicatorValue="theirs.example", title="mine now")
    reply = door.post("/api/indicators", update, headers=mine)
    assert (reply.status_code, error_of(reply)["code"]) == (403, "Forbidden")
    [row] = door.post("/api/indicators/import", {"Indicators": [update]}, headers=mine).json()["value"]
    assert row["isFailed"] is True

    assert door.values() == ["theirs.example", "mine.example"]
    assert door.get(f"/api/indicators/{others['id']}").json()["title"] != "mine now"
    assert door.post("/api/indicators/BatchDelete", ids).status_code == 204


# -- the guard, expiry, conflicts -------------------------------------------------------------------------------------


def test_what_the_guard_holds_is_accepted_and_says_so(door: Door) -> None:
    held = door.submitted(indicatorValue="com")
    assert held["status"] == "held"
    assert door.submitted(indicatorValue="com", overrideReason="we know what we do")["status"] == "active"
    assert (
        door.submitted(indicatorType="IpAddress", indicatorValue="10.10.10.10", action="Allowed")["status"] == "active"
    )
    assert door.values("$filter=status eq 'held'") == []


def test_what_has_expired_is_gone_for_every_call(door: Door) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    made = door.submitted(expirationTime=at.isoformat())
    assert made["expirationTime"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")
    door.headers = {"Authorization": f"Bearer {door.token()}"}
    with time_machine.travel(at.replace(microsecond=0), tick=False):
        door.headers = {"Authorization": f"Bearer {door.token()}"}
        assert door.values() == []
        assert door.get("/api/indicators/$count").text == "0"
        assert door.get(f"/api/indicators/{made['id']}").status_code == 404
        assert door.delete(f"/api/indicators/{made['id']}").status_code == 404
        again = door.submitted()
        assert (again["id"], again["expirationTime"]) == ("2", None)


def test_one_value_may_have_an_indicator_of_each_action(door: Door) -> None:
    actions = ["BlockAndRemediate", "Audit", "Allowed", "Warn", "Block"]
    for action in actions:
        door.submitted(indicatorType="FileMd5", indicatorValue="a" * 32, action=action, generateAlert=True)
    assert [each["action"] for each in door.get("/api/indicators").json()["value"]] == actions


def test_application_is_set_on_creation_only(door: Door) -> None:
    door.submitted(application="first", educateUrl="https://help.example/a")
    body = door.submitted(application="second", bypassDurationHours=5, recommendedActions="none")
    assert (body["application"], body["recommendedActions"], body["bypassDurationHours"]) == ("first", "none", 5)


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(folder: Path) -> Iterator[Door]:
    with open_door(folder, max_active_indicators=3) as opened:
        yield opened


def test_no_more_indicators_than_configured(small: Door) -> None:
    for number in range(3):
        small.submitted(indicatorValue=f"h{number}.example")
    one_more = indicator(indicatorValue="h3.example")
    reply = small.post("/api/indicators", one_more)
    assert (reply.status_code, error_of(reply)["code"]) == (400, "MaximumIndicatorsExceeded")
    reply = small.post("/api/indicators/import", {"Indicators": [one_more]})
    assert (reply.status_code, error_of(reply)["code"]) == (400, "MaximumIndicatorsExceeded")
    assert small.submitted(indicatorValue="h2.example", title="an update adds nothing")["id"] == "3"
    small.delete("/api/indicators/1")
    assert small.post("/api/indicators", one_more).status_code == 200
    assert small.values() == ["h1.example", "h2.example", "h3.example"]


def test_the_default_page_is_ten_thousand(door: Door) -> None:
    for start in range(0, 10_500, 500):
        items = [indicator(indicatorValue=f"h{start + number}.example") for number in range(500)]
        door.post("/api/indicators/import", {"Indicators": items})
    body = door.get("/api/indicators").json()
    assert len(body["value"]) == 10_000
    rest = door.get(body["@odata.nextLink"]).json()
    assert len(rest["value"]) == 500
    assert "@odata.nextLink" not in rest


# -- at once ----------------------------------------------------------------------------------------------------------


def test_clients_that_submit_at_once_queue(door: Door) -> None:
    statuses: list[int] = []

    def submit(worker: int) -> None:
        for number in range(10):
            body = indicator(indicatorValue=f"h{worker}-{number}.example")
            statuses.append(door.post("/api/indicators", body).status_code)
            statuses.append(door.post("/api/indicators", indicator(title=str(worker))).status_code)

    threads = [threading.Thread(target=submit, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 120
    assert door.get("/api/indicators/$count").text == "61"
