"""The log of a server: one line for each event, as JSON or for the eyes, and no secret in any."""

from __future__ import annotations

import sys
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

_SECRET_WORDS: Final = ("authorization", "secret", "token", "password", "body")


def open_log(stream: TextIO | None = None) -> FilteringBoundLogger:
    """Return a log on *stream* (stderr): for the eyes on a terminal, JSON elsewhere."""
    out = stream or sys.stderr
    # Tracebacks without the values of variables: a token may be among them.
    renderers: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if out.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return log


def _without_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Blank what is named like a secret, should anybody ever log one."""
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "…"
    return event
