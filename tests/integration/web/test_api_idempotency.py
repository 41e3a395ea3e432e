"""Our own API: a request that comes again under its Idempotency-Key has one effect and one answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine

from indicia.domain.access import Actor
from indicia.domain.draft import draft_of
from indicia.domain.errors import Conflict, NotFound
from indicia.services.idempotency import Asked, Reply, once
from indicia.services.indicators import delete, submit
from indicia.store.database import Database, Transaction
from tests.integration.web.test_api_imports import GOOD, send
from tests.integration.web.test_api_indicators import problem
from tests.wire.doors import ADMIN, Door, indicator

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def post(door: Door, body: Any, key: str, path: str = "/v1/indicators") -> httpx.Response:
    return door.post(path, body, headers=door.headers | {"Idempotency-Key": key})


def test_a_repetition_gets_the_first_answer(door: Door) -> None:
    first = post(door, indicator(), '"8e03978e-40d5"')
    assert (first.status_code, first.headers.get("idempotency-replayed")) == (201, None)
    door.delete("/v1/indicators/1", headers=door.headers | {"If-Match": "*"})
    for key in ('"8e03978e-40d5"', "8e03978e-40d5"):  # quotes are how the draft spells it
        again = post(door, indicator(), key)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
        assert again.content == first.content
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["etag"] == first.headers["etag"]
    assert door.get("/v1/indicators").json()["items"] == []


def test_a_key_is_for_one_request_of_one_client(door: Door) -> None:
    post(door, indicator(), "k")
    problem(post(door, indicator(title="Other"), "k"), 422, "idempotency-key-reused")
    problem(post(door, indicator(), "k", "/v1/indicators?reason=x"), 422, "idempotency-key-reused")
    problem(post(door, {"name": "g"}, "k", "/v1/groups"), 422, "idempotency-key-reused")
    other = door.as_client("Ti.ReadWrite.All")
    reply = door.post("/v1/indicators", indicator(action="Warn"), headers=other | {"Idempotency-Key": "k"})
    assert reply.status_code == 201


def test_a_key_is_forgotten_after_a_day(door: Door) -> None:
    with time_machine.travel(NOW, tick=False):
        door.headers = door.as_client("Ti.ReadWrite.All")
        assert post(door, indicator(), "k").status_code == 201
    with time_machine.travel(NOW + timedelta(hours=24), tick=False):
        door.headers = {"Authorization": f"Bearer {door.token()}"}
        assert post(door, indicator(), "k").status_code == 409


def test_what_failed_may_be_tried_again(door: Door) -> None:
    problem(post(door, indicator(action="Blok"), "k"), 400, "invalid-action")
    assert post(door, indicator(), "k").status_code == 201
    refused = send(door, GOOD + "IpAddress,x,Block,t,d\n", **{"Idempotency-Key": "i"})
    problem(refused, 422, "refused-rows")
    assert len(door.get("/v1/indicators").json()["items"]) == 1
    assert send(door, GOOD, **{"Idempotency-Key": "i"}).status_code == 200
    assert send(door, GOOD, **{"Idempotency-Key": "i"}).headers["idempotency-replayed"] == "true"
    problem(send(door, GOOD + "\n", **{"Idempotency-Key": "i"}), 422, "idempotency-key-reused")


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "\x7f", "é"])
def test_keys_that_are_none(door: Door, key: str) -> None:
    headers = {name: value.encode("latin-1") for name, value in {**door.headers, "Idempotency-Key": key}.items()}
    problem(door.http.post("/v1/indicators", json=indicator(), headers=headers), 400, "invalid-idempotency-key")


def test_a_hundred_at_once_have_one_effect(door: Door) -> None:
    with ThreadPoolExecutor(100) as pool:
        replies = list(pool.map(lambda _: post(door, indicator(), "k"), range(100)))
    made = [reply for reply in replies if reply.status_code == 201]
    waiting = [reply for reply in replies if reply.status_code == 409]
    assert len(made) + len(waiting) == 100
    assert len({reply.content for reply in made}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in made) == 1
    assert {reply.json()["code"] for reply in waiting} <= {"request-in-progress"}
    assert door.get("/v1/changesets").json()["items"][0]["created"] == 1
    assert len(door.get("/v1/indicators").json()["items"]) == 1
    assert post(door, indicator(), "k").headers["idempotency-replayed"] == "true"


#: What is posted because it is long, and changes nothing.
_QUESTIONS = ("/v1/verdicts", "/v1/groups/preview")
#: What answers with a secret or ends one: an answer that is kept to be given again would keep the secret too.
_SECRETS = ("/v1/keys", "/v1/clients", "/v1/people")


def test_every_post_takes_a_key(door: Door) -> None:
    door.headers = door.as_client("Indicia.Administer")
    held = post(door, indicator(indicatorValue="com"), "1").json()
    post(door, {"reason": "agreed"}, "2", f"/v1/indicators/{held['id']}/release")
    plan = send(door, GOOD, "dryRun=true", **{"Idempotency-Key": "3"})
    assert send(door, GOOD, "dryRun=true", **{"Idempotency-Key": "3"}).json() == plan.json()
    paths: list[tuple[str, Any]] = [
        (f"/v1/indicators/{held['id']}/release", {"reason": "agreed"}),
        (f"{plan.json()['apply']}", None),
        ("/v1/indicators/delete", {"filter": "indicatorValue eq 'a.example'"}),
        ("/v1/changesets/3/undo", {"keepLater": True}),
        ("/v1/groups", {"name": "g"}),
        ("/v1/devices", {"name": "d"}),
        ("/v1/devices/d/tags", {"add": ["t"]}),
    ]
    for number, (path, body) in enumerate(paths):
        first = post(door, body, "2" if number == 0 else f"k{number}", path)
        again = post(door, body, "2" if number == 0 else f"k{number}", path)
        assert first.status_code in (200, 201), (path, first.text)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.content == first.content
    operations = door.get("/openapi.json").json()["paths"]
    posts = {
        path: operation["post"]
        for path, operation in operations.items()
        if path.startswith("/v1") and "post" in operation and path not in _QUESTIONS and not path.startswith(_SECRETS)
    }
    assert len(posts) >= 9
    for operation in posts.values():
        assert "Idempotency-Key" in [each["name"] for each in operation["parameters"]]


# -- the service, where processes die ---------------------------------------------------------------------------------


def asked(what: bytes = b"x") -> Asked:
    return Asked(ADMIN, "k", what.ljust(32))


def writing(door: Door, value: str, actor: Actor = ADMIN) -> Any:
    def work(database: Database) -> Reply:
        draft, _ = draft_of(indicator(indicatorValue=value))
        submit(database, [draft], actor=actor, now=NOW, guard=door.app.guard)
        return Reply(201, {}, value.encode())

    return work


class Died(BaseException):
    """What stands for a process that is killed."""


def test_a_process_that_dies_before_the_commit_has_done_nothing(door: Door) -> None:
    database = door.app.database

    def work(joined: Database) -> Reply:
        writing(door, "a.example")(joined)
        raise Died

    with pytest.raises(Died):
        once(database, asked(), work, now=NOW)
    assert door.get("/v1/indicators").json()["items"] == []
    assert not once(database, asked(), writing(door, "b.example"), now=NOW).replayed


def test_a_claim_without_an_answer_holds_for_two_minutes(door: Door) -> None:
    database = door.app.database
    with database.transaction() as tx:  # what a process leaves behind that is killed while it works
        tx.idempotency_keys.claim(ADMIN.id, "k", asked().request_sha256, NOW)
    for later in (timedelta(0), timedelta(seconds=119)):
        with pytest.raises(Conflict):
            once(database, asked(), writing(door, "a.example"), now=NOW + later)
    reply = once(database, asked(), writing(door, "a.example"), now=NOW + timedelta(minutes=2))
    assert not reply.replayed
    assert once(database, asked(), writing(door, "a.example"), now=NOW + timedelta(minutes=3)).replayed


def test_one_that_was_taken_over_writes_nothing_when_it_wakes(door: Door) -> None:
    """The first sleeps between its claim and its transaction, for so long that a repetition takes over."""
    database = door.app.database
    began: list[Reply] = []

    class Sleepy(Database):
        transactions = 0

        @contextmanager
        def transaction(self) -> Iterator[Transaction]:
            self.transactions += 1
            if self.transactions == 2:  # the first was the claim
                began.append(once(database, asked(), writing(door, "a.example"), now=NOW + timedelta(minutes=5)))
            with super().transaction() as tx:
                yield tx

    def never(_joined: Database) -> Reply:
        raise AssertionError("it must not come to this")

    with pytest.raises(Conflict):
        once(Sleepy(database.engine), asked(), never, now=NOW)
    assert once(database, asked(), never, now=NOW + timedelta(minutes=6)).body == began[0].body
    assert len(door.get("/v1/indicators").json()["items"]) == 1


def test_a_part_that_fails_takes_back_only_itself(door: Door) -> None:
    def work(joined: Database) -> Reply:
        writing(door, "a.example")(joined)
        with pytest.raises(NotFound):
            delete(joined, [1, 99], actor=ADMIN, now=NOW)
        with joined.snapshot() as tx:
            assert tx.indicators.get([1])
        return Reply(200, {}, b"")

    once(door.app.database, asked(), work, now=NOW)
    assert len(door.get("/v1/indicators").json()["items"]) == 1
    assert door.get("/v1/verification", headers=door.as_client("Audit.Read.All")).json()["intact"] is True


def test_an_answer_that_is_too_long_is_not_kept_whole(door: Door) -> None:
    long = Reply(200, {"A": "b"}, b"x" * ((1 << 20) + 1))
    assert once(door.app.database, asked(), lambda _: long, now=NOW) == long
    assert once(door.app.database, asked(), lambda _: long, now=NOW) == Reply(200, {"A": "b"}, b"{}", replayed=True)
