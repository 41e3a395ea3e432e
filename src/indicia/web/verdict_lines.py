"""Verdicts as a stream of lines: as many values as anybody likes, one answer a line, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO, Final, NamedTuple

from starlette.responses import Response, StreamingResponse

from indicia.domain.errors import IndiciaError, Problem
from indicia.web.api_call import json_of
from indicia.web.dependencies import parse_json
from indicia.web.problems import Refusal

NDJSON: Final = "application/x-ndjson"
#: Of one value.
LONGEST_VALUE: Final = 8_192
#: Of one line: a value of escapes only, and the rest of the object around it.
_LONGEST_LINE: Final = 64 * 1024
#: Values that are looked up together: even the longest URLs are not too many keys then.
_TOGETHER: Final = 200

#: Answers values in their order: a verdict for each.
Answering = Callable[[list[str]], Sequence[dict[str, Any]]]


class _Line(NamedTuple):
    """A value to ask about, or what is wrong with its line."""

    value: str
    problem: Problem | None = None


def streamed(asked: BinaryIO | Sequence[str], answering: Answering) -> Response:
    """Return the answer that streams: about the lines of a body, or about values.

    What goes wrong before the first line is an answer of its own, as everywhere; later on it is the last line.
    """
    lines = (_Line(value) for value in asked) if isinstance(asked, Sequence) else _lines(asked)
    portions = _answered(lines, answering)
    first = next(portions, b"")
    return StreamingResponse(chain([first], _told(portions)), media_type=NDJSON)


def _answered(lines: Iterable[_Line], answering: Answering) -> Iterator[bytes]:
    """Yield what is answered to portion after portion of *lines*."""
    remaining = iter(lines)
    while portion := list(islice(remaining, _TOGETHER)):
        values = [line.value for line in portion if line.problem is None]
        verdicts = iter(answering(values) if values else ())
        told = [json_of(next(verdicts) if line.problem is None else _shown(line.problem)) for line in portion]
        yield b"\n".join([*told, b""])


def _told(portions: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from portions
    except IndiciaError as error:  # the status is sent: the last line says that there is no more, and why
        yield json_of(_shown(Problem(error.code, str(error)))) + b"\n"


def _shown(problem: Problem) -> dict[str, Any]:
    return {"line": problem.line, "problem": problem.as_dict()}


def _lines(body: BinaryIO) -> Iterator[_Line]:
    number = 0
    while line := body.readline(_LONGEST_LINE):
        number += 1
        whole = line.endswith(b"\n") or len(line) < _LONGEST_LINE
        while not line.endswith(b"\n") and (rest := body.readline(_LONGEST_LINE)):
            line = rest  # the end of a line that is too long
            whole = False
        if not whole:
            message = f"the line is longer than {_LONGEST_LINE:,} bytes"
            yield _Line("", Problem("line-too-long", message, line=number))
        elif line.strip():
            yield _read(line, number)


def _read(line: bytes, number: int) -> _Line:
    try:
        said = parse_json(line)
    except Refusal as refusal:
        return _Line("", Problem(refusal.code, str(refusal.detail).replace("the body", "the line"), line=number))
    if isinstance(said, dict) and set(said) == {"value"}:
        said = said["value"]
    if not isinstance(said, str):
        message = 'a text is wanted, or {"value": a text}'
        return _Line("", Problem("not-a-text", message, value=str(said)[:200], line=number))
    if len(said) > LONGEST_VALUE:
        return _Line("", Problem("too-long", f"a value has at most {LONGEST_VALUE:,} characters", "value", line=number))
    return _Line(said)
