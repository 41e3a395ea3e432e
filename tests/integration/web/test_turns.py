"""A few questions to a route are answered at a time; the others wait, and those to other routes do not."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

import pytest
from fastapi import FastAPI

from indicia.web import dependencies
from tests.wire.doors import Door

ASKED = ("/api/indicators", "/v1/indicators", "/v1/verdicts?value=evil.example")
#: How long something is watched that must not happen.
MOMENT = 0.3


def app_of(door: Door) -> FastAPI:
    assert isinstance(door.http.app, FastAPI)
    return door.http.app


def turns_of(door: Door, path: str) -> asyncio.Semaphore:
    found = app_of(door).state.turns[path.partition("?")[0]]
    assert isinstance(found, asyncio.Semaphore)
    return found


def in_loop(door: Door, work: Any, *arguments: Any) -> Any:
    """Do *work* in the event loop of the server."""
    assert door.http.portal is not None
    return door.http.portal.call(work, *arguments)


async def take_all_but(turns: asyncio.Semaphore, left: int) -> int:
    taken = 0
    while turns._value > left:
        await turns.acquire()
        taken += 1
    return taken


def scope_of(door: Door, method: str, path: str, query: str = "") -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", door.headers["Authorization"].encode())],
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "state": {},
    }


@pytest.mark.parametrize("path", ASKED)
def test_a_question_waits_for_a_turn_of_its_route_and_of_no_other(door: Door, path: str) -> None:
    turns = turns_of(door, path)
    taken = in_loop(door, take_all_but, turns, 0)
    assert taken > 1
    with ThreadPoolExecutor(1) as aside:
        waiting: Future[int] = aside.submit(lambda: door.get(path).status_code)
        with pytest.raises(NotYet):
            waiting.result(MOMENT)
        for other in ASKED:
            if other != path:
                assert door.get(other).status_code == 200
        in_loop(door, turns.release)
        assert waiting.result(30) == 200
    assert turns._value == 1


@pytest.mark.parametrize("path", [*ASKED, "/v1/verdicts?value=x", "/v1/indicators/404", "/api/indicators/404"])
def test_every_answer_gives_its_turn_back_before_it_is_sent(door: Door, path: str) -> None:
    """Who reads slowly, or not at all, holds nobody up."""
    name, _, query = path.partition("?")
    free_when_sent = []
    scope = scope_of(door, "GET", name, query)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        [(of, turns)] = app_of(door).state.turns.items()
        free_when_sent.append((of, turns._value))

    in_loop(door, app_of(door), scope, receive, send)
    key = name.replace("404", "{id}")
    assert set(free_when_sent) == {(key, turns_of(door, "another")._value)}


def test_who_has_waited_for_long_goes_ahead_without_a_turn(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "LONGEST_WAIT_FOR_TURN", 0.1)
    for path in ASKED:
        turns = turns_of(door, path)
        in_loop(door, take_all_but, turns, 0)
        assert door.get(path).status_code == 200
        assert turns._value == 0, "what it did not take it does not give"


def test_a_refused_question_gives_its_turn_back(door: Door) -> None:
    for path in ASKED:
        turns = turns_of(door, path)
        full = turns._value
        for _ in range(full + 1):
            assert door.http.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert turns._value == full


def test_who_sends_a_body_slowly_has_no_turn_yet(door: Door) -> None:
    pieces = [b'{"values": ["evil', b'.example"]}']
    turns, statuses = turns_of(door, "/v1/verdicts"), []
    in_loop(door, take_all_but, turns, 1)

    async def receive() -> dict[str, Any]:
        assert not turns.locked()
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    in_loop(door, app_of(door), scope_of(door, "POST", "/v1/verdicts"), receive, send)
    assert (statuses[0], pieces, turns.locked()) == (200, [], False)
