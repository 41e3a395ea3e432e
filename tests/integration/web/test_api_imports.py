"""Our own API: imports that are planned, looked at, and applied as they were shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest

from indicia.web import api_models as models
from tests.integration.web.test_api_indicators import create, problem
from tests.wire.doors import Door, indicator

HEADER = "indicatorType,indicatorValue,action,title,description\n"
GOOD = HEADER + "DomainName,a.example,Block,t,d\nIpAddress,192.0.2.7,Audit,t,d\nDomainName,com,Block,t,d\n"
BAD = GOOD + "IpAddress,1.2.3.4,Blok,t,d\nDomainName,b.example,Block,,d\n"


def send(door: Door, body: str | bytes, query: str = "", kind: str = "text/csv", **headers: str) -> httpx.Response:
    content = body.encode() if isinstance(body, str) else body
    return door.http.post(
        f"/v1/imports?{query}", content=content, headers=door.headers | {"Content-Type": kind} | headers
    )


def plan(door: Door, body: str | bytes, query: str = "") -> dict[str, Any]:
    reply = send(door, body, f"dryRun=true&{query}")
    assert reply.status_code == 200, reply.text
    models.ImportPlan.model_validate_json(reply.content)
    assert door.get(f"/v1/imports/{reply.json()['id']}").json() == reply.json()
    return dict(reply.json())


def values(door: Door) -> set[str]:
    return {item["indicatorValue"] for item in door.get("/v1/indicators").json()["items"]}


def test_a_plan_shows_each_row_and_is_applied_as_it_was_shown(door: Door) -> None:
    shown = plan(door, GOOD, "reason=ticket&name=list.csv")
    assert [(row["line"], row["outcome"], row["indicatorValue"]) for row in shown["rows"]] == [
        (2, "created", "a.example"),
        (3, "created", "192.0.2.7"),
        (4, "held", "com"),
    ]
    assert (shown["applicable"], shown["created"], shown["held"], shown["changeset"]) == (True, 2, 1, None)
    assert values(door) == set()
    reply = door.post(shown["apply"], None)
    assert reply.status_code == 200, reply.text
    models.ImportReport.model_validate_json(reply.content)
    assert {**shown, **reply.json()} == {**shown, "changeset": reply.json()["changeset"]}
    assert values(door) == {"a.example", "192.0.2.7", "com"}
    record = door.get(f"/v1/changesets/{reply.json()['changeset']}").json()
    assert (record["kind"], record["reason"], record["details"]["files"][0]["name"]) == ("import", "ticket", "list.csv")
    problem(door.post(shown["apply"], None), 409, "conflict")
    again = door.get(f"/v1/imports/{shown['id']}").json()
    assert (again["changeset"], again["apply"]) == (record["id"], None)


def test_a_plan_that_would_do_something_else_by_now_is_not_applied(door: Door) -> None:
    shown = plan(door, GOOD)
    create(door, indicatorValue="a.example", title="Somebody was faster")
    problem(door.post(shown["apply"], None), 409, "conflict")
    assert values(door) == {"a.example"}


def test_a_plan_whose_rows_are_refused_by_now_is_not_applied_and_not_lost(door: Door) -> None:
    door.group("Servers")
    body = HEADER.replace("\n", ",rbacGroups\n") + "DomainName,a.example,Block,t,d,Servers\n"
    shown = plan(door, body)
    assert door.delete("/v1/groups/Servers", headers=door.as_client("Indicia.Administer")).status_code == 204
    problem(door.post(shown["apply"], None), 409, "conflict")
    door.group("Servers")
    assert door.post(shown["apply"], None).status_code == 200


def test_a_plan_that_changes_nothing_is_applied_once(door: Door) -> None:
    send(door, GOOD)
    shown = plan(door, GOOD)
    assert shown["unchanged"] == 3
    assert door.post(shown["apply"], None).json()["changeset"] is None
    problem(door.post(shown["apply"], None), 409, "conflict")


def test_of_parallel_applications_one_counts(door: Door) -> None:
    shown = plan(door, GOOD)
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: door.post(shown["apply"], None), range(4)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]


def test_a_plan_with_refused_rows_cannot_be_applied(door: Door) -> None:
    shown = plan(door, BAD)
    assert (shown["applicable"], shown["apply"], shown["refused"]) == (False, None, 2)
    assert [
        (each["line"], each["column"], each["code"]) for each in shown["problems"] if each["severity"] == "error"
    ] == [
        (5, "Action", "invalid-action"),
        (6, "Title", "missing"),
    ]
    assert shown["problemsTotal"] == len(shown["problems"])
    problem(door.post(f"/v1/imports/{shown['id']}/apply", None), 422, "refused-rows")


def test_bad_rows_can_be_skipped(door: Door) -> None:
    shown = plan(door, BAD, "onError=skip")
    assert shown["applicable"] is True
    assert door.post(shown["apply"], None).json()["refused"] == 2
    assert len(values(door)) == 3


def test_an_import_at_once_is_all_or_nothing(door: Door) -> None:
    refused = send(door, BAD)
    body = problem(refused, 422, "refused-rows")
    models.ImportReport.model_validate(body["report"])
    assert body["report"]["changeset"] is None
    assert [error["line"] for error in body["errors"]] == [5, 6]
    assert values(door) == set()
    done = send(door, BAD, "onError=skip")
    models.ImportReport.model_validate_json(done.content)
    assert (done.status_code, done.json()["created"], done.json()["held"]) == (200, 2, 1)


def test_the_type_of_the_body_says_its_format(door: Door) -> None:
    lines = b"\n".join(orjson.dumps(indicator(indicatorValue=f"{n}.example")) for n in range(3))
    assert send(door, lines, kind="application/x-ndjson; charset=utf-8").json()["created"] == 3
    text = "# from a mail\nhxxp://evil[.]example/a\n192.0.2.9\n"
    reply = send(door, text, "action=Block&title=t&description=d&expires=30d&onError=skip", kind="text/plain")
    assert reply.json()["created"] + reply.json()["held"] == 2, reply.text
    assert send(door, GOOD, "format=csv", kind="application/octet-stream").status_code == 200
    problem(send(door, GOOD, kind="application/pdf"), 415, "unsupported-media-type")
    problem(send(door, GOOD, "action=Block"), 400, "not-for-this-format")
    problem(send(door, text, "expires=99999y", kind="text/plain"), 400, "invalid-time")
    problem(send(door, GOOD, "dryrun=true"), 400, "unknown-parameter")


def test_what_our_list_gives_can_be_imported_again(door: Door) -> None:
    create(door, category="Malware", externalId="x", bypassDurationHours=4, action="Warn")
    items = door.get("/v1/indicators").json()["items"]
    reply = send(door, b"\n".join(orjson.dumps(item) for item in items), kind="application/x-ndjson")
    assert reply.json()["unchanged"] == 1, reply.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"\0" * 1000,
        b'"' * 100_001,
        b"," * 200_000,
        HEADER.encode() + b"DomainName,\xff\xfe.example,\xed\xa0\x80,\xff,d\n",
        HEADER.encode() + b"=1+1,@x,+y,\x00,-d\n" * 3_000,
        b"\xef\xbb\xbf" + HEADER.encode() + b"\r\r\n\n",
    ],
    ids=["empty", "mark", "nul", "quotes", "commas", "bytes", "formulas", "blank"],
)
@pytest.mark.parametrize("kind", ["text/csv", "application/x-ndjson", "text/plain"])
def test_hostile_bodies_get_a_report(door: Door, body: bytes, kind: str) -> None:
    for query in ("", "dryRun=true", "onError=skip"):
        reply = send(door, body, query, kind)
        assert reply.status_code in (200, 422), reply.text[:500]
        assert len(reply.content) < 2 << 20
        if reply.status_code == 200 and reply.json().get("id"):
            assert door.get(f"/v1/imports/{reply.json()['id']}").status_code == 200


def test_long_imports_have_short_answers(door: Door) -> None:
    body = HEADER + "".join(f"DomainName,{n}.example,{'Blok' if n % 3 else 'Block'},t,d\n" for n in range(30_000))
    shown = plan(door, body, "onError=skip")
    assert (shown["created"], shown["refused"]) == (10_000, 20_000)
    assert shown["problemsTotal"] == 20_000
    assert [row["line"] for row in shown["rows"]] == list(range(2, 1_002))
    assert 500 < len(shown["problems"]) <= 1_000
    assert door.post(shown["apply"], None).json()["created"] == 10_000


def test_plans_that_nobody_made(door: Door) -> None:
    for id in ("x", "%00", "0" * 1_000, "00000000-0000-0000-0000-000000000000"):
        problem(door.get(f"/v1/imports/{id}"), 404, "not-found")
        problem(door.post(f"/v1/imports/{id}/apply", None), 404, "not-found")
