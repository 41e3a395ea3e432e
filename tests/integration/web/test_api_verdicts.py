"""Our own API: what the indicators decide about values, asked one by one or many at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from indicia.domain.errors import Unavailable
from indicia.services import verdicts
from indicia.web import api_verdicts
from tests.integration.web.test_api_indicators import change, create, problem
from tests.wire.doors import Door, open_door

PATH = "/v1/verdicts"
HOSTILE = [
    "",
    " ",
    "\0",
    "evil\0.example",
    "\x1b[31mevil.example",
    "a" * 8_192,
    "a." * 4_096,
    "http://evil.example/" + "a/" * 4_000,
    "http://" + "[" * 2_000,
    "\N{PILE OF POO}",
    "\N{PILE OF POO}.example",
    "\u202e\u200d\ufeff",
    "%s%n{0}${jndi:ldap://evil.example/a}",
    "' OR 1=1 --",
    "0x7f.1",
    "1.2.3.4/33",
    "::/0",
    "0.0.0.0/0",
    "xn--a",
]


def ask(door: Door, values: Any, **more: Any) -> list[dict[str, Any]]:
    reply = door.post(PATH, {"values": values, **more})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json"
    api_verdicts.Verdicts.model_validate_json(reply.content)
    return list(reply.json()["verdicts"])


def ask_one(door: Door, value: str, **more: Any) -> dict[str, Any]:
    """Ask both ways, which have to agree."""
    reply = door.get(PATH, params={"value": value, **more})
    assert reply.status_code == 200, reply.text
    api_verdicts.Verdict.model_validate_json(reply.content)
    assert [reply.json()] == ask(door, [value], **more)
    return dict(reply.json())


def send(door: Door, body: bytes, kind: str = "application/json") -> httpx.Response:
    return door.http.post(PATH, content=body, headers=door.headers | {"Content-Type": kind})


# -- answers ----------------------------------------------------------------------------------------------------------


def test_the_winner_is_the_indicator_as_the_api_shows_it(door: Door) -> None:
    made = create(door, severity="High", generateAlert=True)
    verdict = ask_one(door, "hxxps://www[.]evil[.]example/a")
    assert verdict["winner"] == door.get(f"/v1/indicators/{made['id']}").json()
    assert verdict == verdict | {
        "value": "hxxps://www[.]evil[.]example/a",
        "type": "Url",
        "canonical": "https://www.evil.example/a",
        "action": "Block",
        "alert": True,
        "snapshot": made["changeset"],
    }
    assert [(each["matched_on"], each["outcome"]) for each in verdict["considered"]] == [("www.evil.example", "won")]
    assert [note["code"] for note in verdict["notes"]] == ["refanged"]


def test_verdicts_are_in_the_order_of_the_values_and_repeat_with_them(door: Door) -> None:
    create(door)
    values = ["good.example", "evil.example", "nonsense", "EVIL.example.", "evil.example"]
    assert [(each["value"], each["action"]) for each in ask(door, values)] == list(
        zip(values, [None, "Block", None, "Block", "Block"], strict=True)
    )


def test_whoever_does_not_decide_says_why(door: Door) -> None:
    door.group("Servers")
    create(door, indicatorValue="org")
    create(door, indicatorValue="a.example.org", action="Warn")
    create(door, indicatorValue="a.example.org", action="Allowed", rbacGroupNames=["Servers"])
    create(door, indicatorValue="example.org", action="Audit")
    told = {each["indicator"]["id"]: each for each in ask_one(door, "http://a.example.org/")["considered"]}
    assert [told[id]["outcome"] for id in sorted(told)] == ["ignored", "won", "ignored", "lost"]
    assert "held by the guard" in told["1"]["because"]
    assert "Servers" in told["3"]["because"]
    assert "adds an alert" in told["4"]["because"]
    verdict = ask_one(door, "http://a.example.org/", group="Servers")
    assert (verdict["action"], verdict["winner"]["id"], verdict["alert"]) == ("Allowed", "3", True)
    assert verdict["winner"]["rbacGroupIds"] != []


def test_the_setting_lets_the_narrowest_name_win(door: Door, folder: Path) -> None:
    create(door, action="Allowed")
    create(door, indicatorValue="login.evil.example")
    assert ask_one(door, "login.evil.example")["action"] == "Allowed"
    with open_door(folder, network_precedence="most-specific") as other:
        assert ask_one(other, "login.evil.example")["action"] == "Block"


def test_verdicts_of_the_past(door: Door) -> None:
    made = create(door)
    before = door.get(f"/v1/changesets/{made['changeset']}").json()["at"]
    change(door, made["id"], {"action": "Warn"})
    assert ask_one(door, "evil.example")["action"] == "Warn"
    for at in (str(made["changeset"]), before):
        verdict = ask_one(door, "evil.example", at=at)
        assert (verdict["action"], verdict["snapshot"]) == ("Block", made["changeset"])
    verdict = ask_one(door, "evil.example", at="2001-01-01T00:00:00Z")
    assert (verdict["action"], verdict["snapshot"], verdict["considered"]) == (None, 0, [])
    assert ask_one(door, "evil.example", at="9999-12-31T23:59:59-14:00")["action"] == "Warn"


def test_expiry_is_to_the_second(door: Door) -> None:
    create(door, expirationTime="2099-01-01T00:00:00Z")
    assert ask_one(door, "evil.example", at="2098-12-31T23:59:59Z")["action"] == "Block"
    verdict = ask_one(door, "evil.example", at="2099-01-01T00:00:00Z")
    assert (verdict["action"], verdict["considered"][0]["outcome"]) == (None, "ignored")


def test_null_is_as_good_as_nothing(door: Door) -> None:
    assert ask(door, ["evil.example"], group=None, at=None) == ask(door, ["evil.example"])


def test_ten_thousand_values_are_one_question(door: Door) -> None:
    create(door)
    found = ask(door, [f"n{number}.evil.example" for number in range(10_000)])
    assert len(found) == 10_000
    assert {each["action"] for each in found} == {"Block"}


def test_long_urls_are_looked_up_in_portions(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "_KEYS_AT_ONCE", 50)
    create(door)
    create(door, indicatorType="Url", indicatorValue="http://h3.example/a/a", action="Warn")
    values = [f"http://h{number}.example/{'a/' * 20}" for number in range(8)]
    assert [each["action"] for each in ask(door, [*values, "evil.example", *values])] == [
        *(["Warn" if number == 3 else None for number in range(8)]),
        "Block",
        *(["Warn" if number == 3 else None for number in range(8)]),
    ]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:20]))
def test_hostile_values_get_a_verdict_or_a_note(door: Door, value: str) -> None:
    [verdict] = ask(door, [value])
    assert verdict["value"] == value
    assert (verdict["type"] is None) == any(note["severity"] == "error" for note in verdict["notes"])
    assert verdict["action"] is None
    got = door.get(PATH, params={"value": value})
    assert got.json() == verdict


def test_all_hostile_values_at_once(door: Door) -> None:
    create(door)
    found = ask(door, [*HOSTILE, "evil.example"])
    assert [each["value"] for each in found[:-1]] == HOSTILE
    assert found[-1]["action"] == "Block"


def test_halves_of_characters_are_refused_or_replaced(door: Door) -> None:
    for body in (
        rb'{"values": ["\ud800"]}',
        rb'{"values": ["evil.example"], "group": "\udfff"}',
        b'{"values": ["\xff"]}',
    ):
        problem(send(door, body), 400, "not-json")
    reply = door.get(f"{PATH}?value=%ED%A0%80%FF")
    assert reply.status_code == 200
    assert reply.json()["type"] is None


# -- who may ask ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, more", [("GET", {"params": {"value": "a.example"}}), ("POST", {"json": {"values": ["a.example"]}})]
)
def test_only_those_who_see_every_indicator_may_ask(door: Door, method: str, more: dict[str, Any]) -> None:
    reply = door.http.request(method, PATH, **more)
    problem(reply, 401, "unauthorized")
    assert reply.headers["www-authenticate"].startswith("Bearer")
    problem(door.http.request(method, PATH, headers={"Authorization": "Bearer x"}, **more), 401, "unauthorized")
    refused = problem(door.http.request(method, PATH, headers=door.as_client("Ti.ReadWrite"), **more), 403, "forbidden")
    assert "Ti.ReadWrite.All" in refused["detail"]
    assert door.http.request(method, PATH, headers=door.as_client("Ti.ReadWrite.All"), **more).status_code == 200


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, code",
    [
        ({}, "not-a-list"),
        ({"values": None}, "not-a-list"),
        ({"values": "evil.example"}, "not-a-list"),
        ({"values": {"0": "evil.example"}}, "not-a-list"),
        ({"values": ["evil.example", 5]}, "not-a-list"),
        ({"values": [None]}, "not-a-list"),
        ({"values": [["evil.example"]]}, "not-a-list"),
        ({"values": []}, "wrong-number-of-values"),
        ({"values": ["a.example"] * 10_001}, "wrong-number-of-values"),
        ({"values": ["a" * 8_193]}, "too-long"),
        ({"values": ["a.example"], "value": "b.example"}, "unknown-property"),
        ({"values": ["a.example"], "group": "Kiosks"}, "unknown-group"),
        ({"values": ["a.example"], "group": ""}, "unknown-group"),
        ({"values": ["a.example"], "group": "x" * 1_001}, "too-long"),
        ({"values": ["a.example"], "group": "a\0b"}, "control-character"),
        ({"values": ["a.example"], "group": 5}, "not-a-text"),
        ({"values": ["a.example"], "at": "yesterday"}, "invalid-time"),
        ({"values": ["a.example"], "at": ""}, "invalid-time"),
        ({"values": ["a.example"], "at": "2026-13-01"}, "invalid-time"),
        ({"values": ["a.example"], "at": "9" * 40}, "invalid-time"),
        ({"values": ["a.example"], "at": 1}, "not-a-text"),
        (["evil.example"], "not-an-object"),
        ("evil.example", "not-an-object"),
    ],
)
def test_what_is_no_question_is_refused(door: Door, body: Any, code: str) -> None:
    problem(door.post(PATH, body), 400, code)


@pytest.mark.parametrize(
    "query, code",
    [
        ("", "invalid-input"),
        ("?group=Servers", "invalid-input"),
        (f"?value={'a' * 8_193}", "invalid-input"),
        (f"?value=a.example&group={'x' * 257}", "invalid-input"),
        (f"?value=a.example&at={'9' * 65}", "invalid-input"),
        ("?value=a.example&at=yesterday", "invalid-time"),
        ("?value=a.example&at=", "invalid-time"),
        ("?value=a.example&group=Kiosks", "unknown-group"),
        ("?value=a.example&group=%00", "unknown-group"),
        ("?value=a.example&values=b.example", "unknown-parameter"),
    ],
)
def test_what_is_no_question_in_a_query_is_refused(door: Door, query: str, code: str) -> None:
    assert problem(door.get(f"{PATH}{query}"), 400, code)["errors"]


def test_an_unknown_group_names_those_that_there_are(door: Door) -> None:
    door.group("Servers")
    door.group("Lab")
    for reply in (
        door.get(PATH, params={"value": "a.example", "group": "lab"}),
        door.post(PATH, {"values": ["a.example"], "group": "lab"}),
    ):
        [error] = problem(reply, 400, "unknown-group")["errors"]
        assert (error["column"], error["value"], error["allowed"]) == ("group", "lab", ["Lab", "Servers"])


def test_there_is_no_such_changeset(door: Door) -> None:
    for at in ("0", "99999", str(2**63 - 1)):
        problem(door.get(PATH, params={"value": "a.example", "at": at}), 404, "not-found")
        problem(door.post(PATH, {"values": ["a.example"], "at": at}), 404, "not-found")


def test_other_bodies_are_not_taken(door: Door) -> None:
    problem(send(door, b'{"values": ["evil.example"]}', "text/plain"), 415, "unsupported-media-type")
    assert send(door, b'{"values": ["evil.example"]}', "application/json; charset=utf-8").status_code == 200
    problem(send(door, b""), 400, "not-json")
    problem(send(door, b"[" * 100_000 + b"]" * 100_000), 400, "json-too-deep")
    problem(send(door, b'{"values": ["' + b"a" * (17 << 20) + b'"]}'), 413, "body-too-large")


def test_asking_changes_nothing(door: Door) -> None:
    create(door)
    before = door.get("/v1/changesets").json()
    ask_one(door, "evil.example")
    assert door.get("/v1/changesets").json() == before


# -- as lines ---------------------------------------------------------------------------------------------------------

NDJSON = "application/x-ndjson"


def stream(door: Door, body: bytes, query: str = "") -> list[dict[str, Any]]:
    reply = door.http.post(f"{PATH}{query}", content=body, headers=door.headers | {"Content-Type": NDJSON})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == NDJSON
    assert reply.content.endswith(b"\n") or not reply.content
    return [json.loads(line) for line in reply.content.splitlines()]


def test_a_stream_answers_line_by_line(door: Door) -> None:
    door.group("Servers")
    create(door, rbacGroupNames=["Servers"])
    values = ["hxxps://evil[.]example/a", "good.example", "two words"]
    body = b'"hxxps://evil[.]example/a"\r\n\n{"value": "good.example"}\n"two words"'
    for group in (None, "Servers"):
        assert stream(door, body, f"?group={group}" if group else "") == ask(door, values, group=group)
    assert stream(door, body, "?at=1")[0]["snapshot"] == 1
    assert stream(door, b"") == []


def test_a_bad_line_is_told_and_the_stream_goes_on(door: Door) -> None:
    create(door)
    bad = [
        b"evil.example",
        b"5",
        b"null",
        b'{"value": 1}',
        b'{"value": "a.example", "group": "x"}',
        b"\xff",
        b"[" * 99 + b"]" * 99,
        b'"' + b"a" * 9_000 + b'"',
        b'"' + b"a" * 70_000 + b'"',
        b'"' + b"a" * 200_000 + b'"',
        b'"\\ud800"',
    ]
    found = stream(door, b"\n".join(each for line in bad for each in (line, b'"evil.example"')))
    assert [each["action"] for each in found[1::2]] == ["Block"] * len(bad)
    assert [each["line"] for each in found[::2]] == list(range(1, 2 * len(bad), 2))
    codes = [each["problem"]["code"] for each in found[::2]]
    assert codes == [
        *("not-json", "not-a-text", "not-a-text", "not-a-text", "not-a-text", "not-json", "json-too-deep"),
        *("too-long", "line-too-long", "line-too-long", "not-json"),
    ]


def test_a_stream_has_no_end_that_we_know_of(door: Door) -> None:
    create(door)
    found = stream(door, b"".join(b'"n%d.evil.example"\n' % number for number in range(25_000)))
    assert len(found) == 25_000
    assert found[-1] == found[-1] | {"value": "n24999.evil.example", "action": "Block"}


def test_a_list_may_be_answered_line_by_line_too(door: Door) -> None:
    create(door)
    values = [f"n{number}.evil.example" for number in range(500)]
    headers = door.headers | {"Accept": f"text/html, {NDJSON};q=0.5"}
    reply = door.http.post(PATH, json={"values": values}, headers=headers)
    assert reply.headers["content-type"] == NDJSON
    assert [json.loads(line) for line in reply.content.splitlines()] == ask(door, values)
    problem(door.http.post(PATH, json={"values": []}, headers=headers), 400, "wrong-number-of-values")


def test_what_is_wrong_before_the_first_line_is_an_answer_of_its_own(door: Door, folder: Path) -> None:
    kind = {"Content-Type": NDJSON}
    problem(door.http.post(PATH, content=b'"a.example"', headers=kind), 401, "unauthorized")
    limited = door.as_client("Ti.ReadWrite") | kind
    problem(door.http.post(PATH, content=b'"a.example"', headers=limited), 403, "forbidden")
    for query, status, code in [("group=Kiosks", 400, "unknown-group"), ("at=99", 404, "not-found")]:
        reply = door.http.post(f"{PATH}?{query}", content=b'"a.example"', headers=door.headers | kind)
        problem(reply, status, code)
    with open_door(folder, max_import_bytes=2_000) as small:
        reply = small.http.post(PATH, content=b'"a.example"\n' * 1_000, headers=small.headers | kind)
        problem(reply, 413, "body-too-large")


def test_what_goes_wrong_later_is_the_last_line(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def failing(*arguments: Any, **more: Any) -> verdicts.Explanation:
        asked.append(len(arguments[1]))
        if len(asked) == 3:
            raise Unavailable("the disk is gone")
        return verdicts.explain(*arguments, **more)

    monkeypatch.setattr(api_verdicts, "explain", failing)
    found = stream(door, b'"a.example"\n' * 2_000)
    assert len(found) == asked[0] + asked[1] + 1
    assert found[-1]["problem"] == found[-1]["problem"] | {"code": "unavailable", "message": "the disk is gone"}


def test_the_engine_of_the_server_answers(door: Door) -> None:
    create(door)
    assert ask_one(door, "evil.example")["action"] == "Block"
    view = door.app.engine.current()
    assert view is not None
    assert len(view.matcher) == 1


def test_a_contradiction_is_a_note(door: Door) -> None:
    create(door)
    create(door, action="Warn")
    create(door, action="Audit", generateAlert=True)
    [note] = ask_one(door, "www.evil.example")["notes"]
    assert (note["code"], note["severity"]) == ("conflict-same-value", "warning")
    assert note["message"] == (
        "DomainName evil.example is stored with the actions Block (indicator 1) and Warn (indicator 2) and "
        "Audit (indicator 3): Warn wins"
    )
