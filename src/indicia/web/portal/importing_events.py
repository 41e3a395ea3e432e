"""How far an import has got, told as it happens: a stream of events, or one state for those who ask again and again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from indicia.domain.errors import IndiciaError
from indicia.services.import_job import Job
from indicia.web.portal.importing_words import state_of
from indicia.web.portal.visit import Visit, VisitDep
from indicia.web.problems import Refusal
from indicia.web.session import session_of

#: Open streams of one person; who opens more asks again and again instead.
MOST_STREAMS: Final = 8
_TICK_SECONDS: Final = 0.4
#: A sign of life for whatever stands between; then the session is looked at again too.
_HEARTBEAT_TICKS: Final = 12
#: A stream ends after some seconds and the browser opens it anew: a server that is to stop waits for none for long.
_LONGEST_TICKS: Final = 30

router = APIRouter(include_in_schema=False)


@router.get("/import/{id}/state")
def state(visit: VisitDep, id: str) -> Response:
    """Say how far an import has got."""
    job = visit.app.imports.get(id, actor=visit.actor)
    return Response(orjson.dumps(state_of(job)), media_type="application/json")


@router.get("/import/{id}/events")
async def events(visit: VisitDep, id: str) -> Response:
    """Say how far an import has got, again whenever that changes, until it is done."""
    open_streams = _open_streams(visit.request)
    person = visit.actor.id
    job = await run_in_threadpool(_job, visit, id)
    if open_streams[person] >= MOST_STREAMS:
        message = f"{MOST_STREAMS} pages of yours watch imports already; close one"
        raise Refusal(429, "too-many-requests", message, headers={"Retry-After": "10"})

    async def stream() -> AsyncIterator[bytes]:
        open_streams[person] += 1
        try:
            async for piece in _told(visit, job):
                yield piece
        finally:
            open_streams[person] -= 1

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _told(visit: Visit, job: Job) -> AsyncIterator[bytes]:
    """Yield events: each says all there is to say, so that one who comes back has missed nothing."""
    last = b""
    yield b"retry: 1000\n\n"
    for tick in range(_LONGEST_TICKS):
        said = orjson.dumps(state_of(job))
        if said != last:
            last = said
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (tick, b"progress" if job.under_way else b"done", said)
        if not job.under_way:
            return
        await asyncio.sleep(_TICK_SECONDS)
        if tick % _HEARTBEAT_TICKS == _HEARTBEAT_TICKS - 1:
            yield b": still here\n\n"
            if await run_in_threadpool(session_of, visit.request, visit.app, visit.now) is None:
                return
        try:
            job = await run_in_threadpool(_job, visit, job.id)
        except IndiciaError:
            return


def _job(visit: Visit, id: str) -> Job:
    return visit.app.imports.get(id, actor=visit.actor)


def _open_streams(request: Request) -> Counter[str]:
    """Return how many streams each person has open at this server; only the event loop's own thread looks at it."""
    state = request.app.state
    if not hasattr(state, "import_streams"):
        state.import_streams = Counter()
    found: Counter[str] = state.import_streams
    return found
