"""The log of a server: one line for each event, as JSON or for the eyes, and no secret in any."""

from __future__ import annotations

import re
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

_KEY: Final = re.compile(r"(ind_[a-z0-9]{12}_)[A-Za-z0-9]{8,100}")
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
            *renderers[:-1],
            _without_keys,
            renderers[-1],
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return log


def _without_keys(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Leave of every API key only what tells which one it is, wherever it stands: traces of errors, too."""
    return {name: _scrubbed(value) for name, value in event.items()}


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return _KEY.sub(r"\1…", value) if "ind_" in value else value
    if isinstance(value, dict):
        return {name: _scrubbed(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(each) for each in value]
    return value


def _without_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Blank what is named like a secret, should anybody ever log one."""
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "…"
    return event
