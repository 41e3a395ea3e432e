"""What a client is told when something goes wrong: RFC 9457 for our own API, each other API in its own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.errors import Conflict, Forbidden, IndiciaError, InvalidInput, NotFound, Problem, Unavailable

#: The status of each outcome; a test keeps it complete.
STATUS: Final[Mapping[type[IndiciaError], int]] = {
    InvalidInput: 400,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
}
PROBLEM_JSON: Final = "application/problem+json"
#: Where each kind of problem is explained; the code of the problem is the anchor.
PROBLEMS_PAGE: Final = "/docs/problems"
RETRY_AFTER_SECONDS: Final = 5
MOST_PROBLEMS: Final = 1_000

# What HTTP itself refuses, before any use case is reached.
_MESSAGES: Final = {
    404: "there is nothing at this path; /openapi.json lists what there is",
    405: "this path does not take this method; the header Allow lists those that it takes",
}
_CODES: Final = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    412: "precondition-failed",
    413: "body-too-large",
    415: "unsupported-media-type",
    422: "unprocessable",
    428: "precondition-required",
    429: "too-many-requests",
    500: "internal-error",
    503: "unavailable",
}


class Refusal(HTTPException):
    """A request that HTTP itself refuses: no token, a body too large, a precondition that does not hold."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code = code


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, before it takes the shape of one API or another."""

    status: int
    code: str
    message: str
    problems: tuple[Problem, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


#: Nothing is told of what only the log should know.
INTERNAL_ERROR: Final = Fault(500, "internal-error", "Something went wrong here; the log of the server says what.")


def fault_of(error: Exception) -> Fault:
    """Return what a client is told of *error*: an outcome, a refusal by HTTP, or faults of parameters."""
    if isinstance(error, IndiciaError):
        status = STATUS[type(error)]
        problems = tuple(getattr(error, "problems", ()))
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
        code = problems[0].code if len(problems) == 1 and isinstance(error, InvalidInput) else error.code
        return Fault(status, code, str(error), problems, headers)
    if isinstance(error, RequestValidationError):
        problems = tuple(_parameter_problem(each) for each in error.errors()[:MOST_PROBLEMS])
        return Fault(400, "invalid-input", "; ".join(map(str, problems[:10])), problems)
    if isinstance(error, HTTPException):
        code = error.code if isinstance(error, Refusal) else _CODES.get(error.status_code, "error")
        message = str(error.detail)
        if message == HTTPStatus(error.status_code).phrase:
            message = _MESSAGES.get(error.status_code, message)
        return Fault(error.status_code, code, message, headers=error.headers or {})
    raise TypeError(f"{type(error).__name__} is no error that a client is told of")


def problem_reply(fault: Fault, request: Request) -> Response:
    """Return *fault* as problem details."""
    body = {
        "type": f"{PROBLEMS_PAGE}#{fault.code}",
        "title": HTTPStatus(fault.status).phrase,
        "status": fault.status,
        "detail": fault.message,
        "instance": request.url.path,
        "code": fault.code,
        "errors": errors_of(fault.problems),
        "requestId": request_id(request),
    }
    return Response(orjson.dumps(body), fault.status, dict(fault.headers), PROBLEM_JSON)


def errors_of(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Return *problems* in the shape that problem details and reports of our own API share."""
    return [
        {
            "pointer": f"/{shown['column']}" if shown["column"] and shown["line"] is None else None,
            "line": shown["line"],
            "column": shown["column"],
            "code": shown["code"],
            "detail": shown["message"],
            "allowed": shown["allowed"],
            "suggestion": shown["suggestion"],
            "value": shown["value"],
            "severity": shown["severity"],
        }
        for shown in [problem.as_dict() for problem in problems[:MOST_PROBLEMS]]
    ]


def request_id(request: Request) -> str:
    """Return the id under which the log has this request."""
    return str(request.scope.get("indicia.request_id", ""))


def _parameter_problem(fault: Mapping[str, Any]) -> Problem:
    place = [str(part) for part in fault["loc"][1:]] or [str(part) for part in fault["loc"]]
    given = fault.get("input")
    shown = None if given is None or isinstance(given, dict | list) else str(given)[:200]
    return Problem("invalid-parameter", str(fault["msg"]), "/".join(place), shown)


class ProblemError(BaseModel):
    """One fault in what was sent."""

    pointer: str | None = Field(description="JSON pointer to the property, where the body is one JSON object")
    line: int | None = Field(description="line of the file on which the record begins")
    column: str | None = Field(description="name of the column, property or parameter")
    code: str
    detail: str
    allowed: list[str]
    suggestion: str | None
    value: str | None
    severity: str


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(examples=["/docs/problems#not-found"])
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[ProblemError]
    requestId: str  # noqa: N815 a name of the API


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the entries of an OpenAPI operation for errors of our own API, for `responses=` of a route."""
    content = {PROBLEM_JSON: {"schema": ProblemDetails.model_json_schema(ref_template=_REFERENCE)}}
    schema = content[PROBLEM_JSON]["schema"]
    definitions = schema.pop("$defs", {})
    schema["properties"]["errors"]["items"] = definitions["ProblemError"]
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


_REFERENCE: Final = "#/components/schemas/{model}"
