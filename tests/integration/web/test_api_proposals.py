"""Proposals by our own API: what takes two people waits, and somebody else decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from indicia.domain.access import Role
from indicia.services import changesets
from indicia.web import api_models as models
from indicia.web import api_proposals as shapes
from indicia.web.api_proposing import ProposalShape
from tests.integration.web.test_api_indicators import problem
from tests.integration.web.two_people import guarded_door, key_of, person
from tests.wire.doors import ADMIN, Door, error_of, indicator

ALLOWED = indicator(action="Allowed", indicatorValue="good.example")


@pytest.fixture
def two(folder: Path) -> Iterator[Door]:
    with guarded_door(folder) as door:
        yield door


def stored(door: Door) -> list[str]:
    return [item["indicatorValue"] for item in door.get("/v1/indicators").json()["items"]]


def asked(door: Door, who: dict[str, str], body: Any = ALLOWED) -> dict[str, Any]:
    """Propose the creation of an indicator and return the proposal."""
    reply = door.post("/v1/indicators", body, headers=who)
    assert reply.status_code == 202, reply.text
    ProposalShape.model_validate_json(reply.content)
    assert reply.headers["location"] == f"/v1/proposals/{reply.json()['id']}"
    return dict(reply.json())


def test_what_one_person_allows_somebody_else_applies(two: Door) -> None:
    ada, ben = person(two, "Ada"), person(two, "Ben")
    made = asked(two, ada)
    assert (made["state"], made["proposedByName"], [each["need"] for each in made["reasons"]]) == (
        "open",
        "Ada",
        ["allow"],
    )
    assert stored(two) == []
    shown = two.get(f"/v1/proposals/{made['id']}", headers=ben)
    shapes.ShownProposal.model_validate_json(shown.content)
    assert (shown.json()["inTheWay"], shown.json()["now"], shown.json()["mine"]) == (None, None, False)
    [row] = shown.json()["planned"]["rows"]
    assert (row["value"], row["effect"], row["need"]) == ("good.example", "created", "allow")
    problem(two.post(f"/v1/proposals/{made['id']}/apply", {"plan": made["plan"]}, headers=ada), 403, "forbidden")
    done = two.post(f"/v1/proposals/{made['id']}/apply", {"plan": made["plan"], "comment": "Ours."}, headers=ben)
    assert (done.status_code, done.json()["state"], done.json()["decidedByName"]) == (200, "applied", "Ben")
    assert stored(two) == ["good.example"]
    record = changesets.show_changeset(two.app.database, done.json()["changeset"], actor=ADMIN)[0]
    assert (record.actor_name, record.details["proposal"]["byName"], record.kind) == ("Ben", "Ada", "create")
    kinds = [each.kind for each in changesets.list_changesets(two.app.database, actor=ADMIN, limit=3)]
    assert kinds == ["proposal.applied", "create", "proposal.made"]


def test_nobody_applies_their_own_by_another_key_or_client(two: Door) -> None:
    ada = person(two, "Ada", Role.ADMINISTRATOR)
    made = asked(two, ada)
    apply, body = f"/v1/proposals/{made['id']}/apply", {"plan": made["plan"]}
    problem(two.post(apply, body, headers=key_of(two, "Ada")), 403, "forbidden")
    [mine] = two.get("/v1/proposals?mine=true", headers=ada).json()["items"]
    assert mine["id"] == made["id"]
    assert two.get("/v1/proposals?mine=false", headers=ada).json()["items"] == []
    by_client = asked(two, two.headers, indicator(action="Allowed", indicatorValue="other.example"))
    other = two.as_client("Ti.ReadWrite.All")  # made by who made the first one
    by_other = two.post(f"/v1/proposals/{by_client['id']}/apply", {"plan": by_client["plan"]}, headers=other)
    problem(by_other, 403, "forbidden")
    assert stored(two) == []


def test_a_plan_that_became_another_one_is_shown_before_it_is_applied(two: Door) -> None:
    ada, ben = person(two, "Ada"), person(two, "Ben")
    item = two.post("/v1/indicators", indicator(), headers=ada).json()
    etag = {"If-Match": "*"}
    made = two.http.patch(f"/v1/indicators/{item['id']}", json={"action": "Allowed"}, headers=ada | etag)
    assert made.status_code == 202, made.text
    two.http.patch(f"/v1/indicators/{item['id']}", json={"title": "Meanwhile"}, headers=ben | etag)
    path = f"/v1/proposals/{made.json()['id']}"
    stale = problem(two.post(f"{path}/apply", {"plan": made.json()["plan"]}, headers=ben), 409, "conflict")
    [error] = stale["errors"]
    assert error["code"] == "plan-changed"
    now = two.get(path, headers=ben).json()["now"]
    assert now["plan"] == error["value"]
    assert [each["field"] for each in now["rows"][0]["changes"]] == ["Action"]
    assert two.post(f"{path}/apply", {"plan": now["plan"]}, headers=ben).json()["state"] == "applied"
    [after] = two.get("/v1/indicators", headers=ben).json()["items"]
    assert (after["title"], after["action"]) == ("Meanwhile", "Allowed")


def test_declining_withdrawing_and_what_is_said(two: Door) -> None:
    ada, ben = person(two, "Ada"), person(two, "Ben")
    first = asked(two, ada)
    said = two.post(f"/v1/proposals/{first['id']}/comments", {"comment": "Why?"}, headers=ben)
    assert (said.status_code, said.json()["number"], said.json()["byName"]) == (201, 1, "Ben")
    problem(two.post(f"/v1/proposals/{first['id']}/decline", {"comment": " "}, headers=ben), 400, "missing")
    problem(two.post(f"/v1/proposals/{first['id']}/decline", {"comment": "No."}, headers=ada), 403, "forbidden")
    problem(two.post(f"/v1/proposals/{first['id']}/withdraw", None, headers=ben), 403, "forbidden")
    declined = two.post(f"/v1/proposals/{first['id']}/decline", {"comment": "No."}, headers=ben)
    assert (declined.json()["state"], declined.json()["decidedByName"]) == ("declined", "Ben")
    problem(two.post(f"/v1/proposals/{first['id']}/apply", {"plan": first["plan"]}, headers=ben), 409, "conflict")
    second = asked(two, ada)
    assert second["id"] != first["id"]
    gone = two.http.post(f"/v1/proposals/{second['id']}/withdraw", headers=ada)
    assert gone.json()["state"] == "withdrawn"
    texts = [each["text"] for each in two.get(f"/v1/proposals/{first['id']}", headers=ada).json()["comments"]]
    assert texts == ["Why?", "No."]
    assert [each["id"] for each in two.get("/v1/proposals?state=declined", headers=ada).json()["items"]] == [
        first["id"]
    ]


def test_who_asks_again_gets_the_same_proposal(two: Door) -> None:
    ada = person(two, "Ada")
    assert asked(two, ada)["id"] == asked(two, ada)["id"]
    keyed = [two.post("/v1/indicators", ALLOWED, headers=ada | {"Idempotency-Key": "one"}) for _ in range(2)]
    assert [each.status_code for each in keyed] == [202, 202]
    assert keyed[1].headers["Idempotency-Replayed"] == "true"
    assert keyed[0].json() == keyed[1].json()


def test_anything_can_be_proposed_and_lists_are_walked(two: Door) -> None:
    ada, ben = person(two, "Ada", Role.ANALYST), person(two, "Ben")
    for n in range(3):
        reply = two.post("/v1/indicators?propose=true", indicator(indicatorValue=f"{n}.example"), headers=ada)
        assert (reply.status_code, reply.json()["reasons"]) == (202, [])
    seen, address = [], "/v1/proposals?state=open&limit=2"
    while address:
        page = two.get(address, headers=ben)
        shapes.ProposalPage.model_validate_json(page.content)
        seen += [int(each["id"]) for each in page.json()["items"]]
        address = page.json()["next"]
    assert seen == [3, 2, 1]
    problem(two.get("/v1/proposals/99", headers=ben), 404, "not-found")
    problem(two.get("/v1/proposals/x", headers=ben), 404, "not-found")


def test_many_at_once_wait_by_every_road(two: Door) -> None:
    ada, ben = person(two, "Ada"), person(two, "Ben")
    rows = [indicator(indicatorValue=f"{n}.example") for n in range(4)]
    body = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    kind = {"Content-Type": "application/x-ndjson"}
    planned = two.http.post("/v1/imports?dryRun=true", content=body, headers=ada | kind).json()
    first = two.http.post(planned["apply"], headers=ada)
    assert first.status_code == 202, first.text
    at_once = two.http.post("/v1/imports", content=body, headers=ada | kind | {"Idempotency-Key": "k"})
    assert at_once.status_code == 202, at_once.text
    assert (at_once.status_code, at_once.json()["id"]) == (202, first.json()["id"])
    done = two.post(f"/v1/proposals/{first.json()['id']}/apply", {"plan": first.json()["plan"]}, headers=ben)
    assert done.json()["counts"]["created"] == 4
    everything = two.post("/v1/indicators/delete", {"filter": "action eq 'Block'"}, headers=ada)
    assert everything.status_code == 202, everything.text
    undo = two.http.post(f"/v1/changesets/{done.json()['changeset']}/undo", headers=ada)
    assert undo.status_code == 202, undo.text
    assert len(stored(two)) == 4


def test_the_compat_api_says_disallowed_and_names_the_proposal(two: Door) -> None:
    refused = two.post("/api/indicators", ALLOWED)
    error = error_of(refused)
    assert (refused.status_code, error["code"]) == (403, "DisallowedOperation")
    assert "proposal 1" in error["message"]
    batch = {"Indicators": [ALLOWED, indicator(), {"indicatorValue": "x"}]}
    results = two.post("/api/indicators/import", batch).json()["value"]
    assert [each["isFailed"] for each in results] == [True, False, True]
    assert "proposal 1" in results[0]["failureReason"]
    assert stored(two) == ["evil.example"]
    many = {"Indicators": [indicator(indicatorValue=f"{n}.example") for n in range(4)]}
    results = two.post("/api/indicators/import", many).json()["value"]
    assert all("proposal 2" in each["failureReason"] for each in results)
    assert stored(two) == ["evil.example"]
    shown = two.get("/v1/proposals/2").json()
    assert (shown["counts"]["created"], shown["reasons"][0]["need"]) == (4, "rows")


def test_the_plan_of_an_import_says_that_it_takes_two(two: Door) -> None:
    line = "good.example\n"
    asked = "/v1/imports?dryRun=true&format=text&action={}&title=t&description=d"
    plain = {**two.headers, "Content-Type": "text/plain"}
    plan = two.http.post(asked.format("Allowed"), content=line, headers=plain)
    assert plan.status_code == 200, plan.text
    [why] = plan.json()["takesTwo"]
    assert "allow" in why
    assert two.get(f"/v1/imports/{plan.json()['id']}").json()["takesTwo"] == [why]
    alone = two.http.post(asked.format("Audit"), content=line, headers=plain)
    assert alone.json()["takesTwo"] == []


def test_every_dry_run_says_that_it_takes_two_and_makes_no_proposal(two: Door) -> None:
    many = [indicator(indicatorValue=f"bad{number}.example") for number in range(3)]
    for each in many:
        assert two.post("/v1/indicators", each).status_code == 201
    allowed = asked(two, person(two, "Ada"))
    ben = person(two, "Ben")
    applied = two.post(f"/v1/proposals/{allowed['id']}/apply", {"plan": allowed["plan"]}, headers=ben)
    assert applied.status_code == 200, applied.text
    gone = two.post("/v1/indicators/delete", {"filter": "action eq 'Allowed'"})
    assert (gone.json()["deleted"], gone.json()["takesTwo"]) == (1, [])

    tried = two.post("/v1/indicators?dryRun=true", ALLOWED)
    models.PlannedIndicator.model_validate_json(tried.content)
    [why] = tried.json()["takesTwo"]
    assert "allow" in why
    back = two.post(f"/v1/changesets/{gone.json()['changeset']}/undo?dryRun=true", {})
    models.Undone.model_validate_json(back.content)
    assert (back.json()["created"], back.json()["takesTwo"]) == (1, [why])
    two.post("/v1/indicators", indicator(indicatorValue="bad3.example"))
    all_of_them = two.post("/v1/indicators/delete?dryRun=true", {"filter": "action eq 'Block'"})
    models.Deleted.model_validate_json(all_of_them.content)
    assert all_of_them.json()["deleted"] == 4
    assert "3" in all_of_them.json()["takesTwo"][0]

    some = two.post("/v1/indicators/delete?dryRun=true", {"filter": "indicatorValue eq 'bad3.example'"})
    block = two.post("/v1/indicators?dryRun=true", indicator(indicatorValue="bad4.example"))
    assert some.json()["takesTwo"] == block.json()["takesTwo"] == []
    assert [each["state"] for each in two.get("/v1/proposals").json()["items"]] == ["applied"]


def test_without_the_rule_no_dry_run_says_so(door: Door) -> None:
    assert door.post("/v1/indicators?dryRun=true", ALLOWED).json()["takesTwo"] == []
