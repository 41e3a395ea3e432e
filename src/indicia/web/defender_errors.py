"""Errors as Defender's API has them: `{"error": {"code", "message", "target"}}`, all strings (SPEC 5.5)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from indicia.web.problems import Fault, request_id

# What goes wrong with one property, by the code of the problem; all others are InvalidInput.
_BY_PROBLEM: Final[Mapping[str, str]] = {
    "invalid-hash": "InvalidHashValue",
    "invalid-thumbprint": "InvalidHashValue",
    "invalid-domain-name": "InvalidDomainName",
    "invalid-ip-address": "InvalidIpAddress",
    "invalid-url": "InvalidUrl",
    "invalid-filter": "ODataError",
    "missing": "MissingRequiredParameter",
    "maximum-batch-size-exceeded": "MaximumBatchSizeExceeded",
    "maximum-indicators-exceeded": "MaximumIndicatorsExceeded",
}
_BY_CODE: Final[Mapping[str, str]] = {
    **_BY_PROBLEM,
    "invalid-input": "InvalidInput",
    "not-json": "InvalidRequestBody",
    "json-too-deep": "InvalidRequestBody",
    "not-an-object": "InvalidRequestBody",
    "incomplete-body": "InvalidRequestBody",
}
# What is forbidden for another reason than a permission.
_FORBIDDEN: Final[Mapping[str, str]] = {
    "waits-for-somebody-else": "DisallowedOperation",
}
_BY_STATUS: Final[Mapping[int, str]] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "ResourceNotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


def defender_code(fault: Fault) -> str:
    """Return Defender's code for *fault*: that of its first problem which refuses anything."""
    errors = [problem for problem in fault.problems if not problem.warning]
    if errors and fault.status != 403:
        return _BY_PROBLEM.get(errors[0].code, "InvalidInput")
    if fault.status == 403 and fault.code in _FORBIDDEN:
        return _FORBIDDEN[fault.code]
    if fault.status == 400 and fault.code in _BY_CODE:
        return _BY_CODE[fault.code]
    return _BY_STATUS.get(fault.status, "BadRequest")


def defender_reply(fault: Fault, request: Request) -> Response:
    """Return *fault* as Defender's clients expect it; all that is wrong is in the message."""
    errors = [problem for problem in fault.problems if not problem.warning]
    message = "; ".join(map(str, errors[:50])) or fault.message or HTTPStatus(fault.status).phrase
    body = {"error": {"code": defender_code(fault), "message": message, "target": request_id(request)}}
    return Response(orjson.dumps(body), fault.status, dict(fault.headers), "application/json")


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(examples=["InvalidDomainName"])
    message: str
    target: str = Field(description="correlation id: the log has the request under it")


class DefenderError(BaseModel):
    """The shape of every error of the compat API."""

    error: ErrorBody


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the entries of an OpenAPI operation for errors of the compat API, for `responses=` of a route."""
    return {status: {"description": HTTPStatus(status).phrase, "model": DefenderError} for status in statuses}
