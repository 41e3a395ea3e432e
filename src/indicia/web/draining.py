"""Stopping in good order behind a balancer: first it is told, then what is under way ends, then the process."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request


class DrainingServer(uvicorn.Server):
    """A server that on SIGTERM says it is not ready any more, and takes requests for some seconds all the same.

    Balancers ask `/readyz` every few seconds, and send requests until they know. A second signal ends the waiting, and
    SIGINT never waits: somebody sits before it.
    """

    def __init__(self, config: uvicorn.Config, server: FastAPI, seconds: float) -> None:
        super().__init__(config)
        self._server = server
        self._seconds = seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        if sig == signal.SIGTERM and self._seconds > 0 and not is_draining(self._server):
            self._server.state.draining = True
            timer = threading.Timer(self._seconds, super().handle_exit, (sig, frame))
            timer.daemon = True
            timer.start()
            return
        super().handle_exit(sig, frame)


def is_draining(server: FastAPI | Request) -> bool:
    """Return whether this process is about to stop."""
    state = server.app.state if isinstance(server, Request) else server.state
    return getattr(state, "draining", False)
