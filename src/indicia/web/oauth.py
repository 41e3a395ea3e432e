"""The token endpoint, as clients of Defender's API know it: client credentials, versions 1 and 2 (SPEC 5.2, 10.1)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote_plus

import orjson
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from indicia.app import App
from indicia.domain.errors import Forbidden
from indicia.services import applications
from indicia.services.applications import Authenticated, ExpiredClient
from indicia.web.dependencies import AppDep, NowDep, TokensDep, bounded_body
from indicia.web.origin import origin_of
from indicia.web.problems import Fault, request_id
from indicia.web.tokens import ALGORITHM, DEFENDER_RESOURCE, is_our_resource, resource_of

MAX_FORM_BYTES: Final = 64 * 1024
V1: Final = "/{tenant}/oauth2/token"
V2: Final = "/{tenant}/oauth2/v2.0/token"

router = APIRouter(tags=["token"])


class TokenRefused(Exception):
    """A request for a token that is refused: ``error`` is OAuth's word, ``number`` the one that clients look for."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.number = number
        self.message = message


class TokenReply(BaseModel):
    """A token, version 2: numbers."""

    token_type: str = Field(examples=["Bearer"])
    expires_in: int = Field(examples=[3599])
    ext_expires_in: int
    access_token: str


class TokenReplyV1(BaseModel):
    """A token, version 1: all strings."""

    token_type: str = Field(examples=["Bearer"])
    expires_in: str = Field(examples=["3599"])
    ext_expires_in: str
    expires_on: str
    not_before: str
    resource: str
    access_token: str


class TokenError(BaseModel):
    """Why there is no token."""

    error: str = Field(examples=["invalid_client"])
    error_description: str
    error_codes: list[int]
    timestamp: str
    trace_id: str
    correlation_id: str


async def form(request: Request) -> dict[str, str]:
    """Return the fields of the body, and of the query, whatever the body calls itself; the body wins."""
    body = (await bounded_body(request, MAX_FORM_BYTES)).decode("utf-8", "replace")
    pairs = [*parse_qsl(request.url.query, keep_blank_values=True), *parse_qsl(body, keep_blank_values=True)]
    fields = {name.strip().lower(): value for name, value in pairs}
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and "client_secret" not in fields:
        name, secret = _basic(encoded)
        fields |= {"client_id": name, "client_secret": secret}
    request.state.client_id = fields.get("client_id", "")
    return fields


FormDep = Annotated[dict[str, str], Depends(form)]
_FORM: Final[dict[str, Any]] = {
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["grant_type", "client_id", "client_secret"],
                "properties": {
                    "grant_type": {"type": "string", "enum": ["client_credentials"]},
                    "client_id": {"type": "string"},
                    "client_secret": {"type": "string"},
                    "scope": {"type": "string", "examples": [f"{DEFENDER_RESOURCE}/.default"]},
                    "resource": {"type": "string", "examples": [DEFENDER_RESOURCE]},
                },
            }
        }
    }
}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "The request is wrong", "model": TokenError},
    401: {"description": "The client id or the secret is wrong", "model": TokenError},
    413: {"description": "The form is too large", "model": TokenError},
    503: {"description": "The database cannot be used now", "model": TokenError},
}


@router.get(V1, response_model=TokenReplyV1, responses=_REFUSALS, summary="Get a token (version 1)")
@router.post(
    V1,
    response_model=TokenReplyV1,
    responses=_REFUSALS,
    openapi_extra={"requestBody": _FORM},
    summary="Get a token (version 1)",
)
def token_v1(tenant: str, request: Request, fields: FormDep, app: AppDep, tokens: TokensDep, now: NowDep) -> Response:
    """Return a token for a client's id and secret; `resource` names the API it is for."""
    resource = _resource(fields, request, default=DEFENDER_RESOURCE)
    client = _client(tenant, fields, app, now)
    seconds = _seconds(client, app, now)
    token = tokens.issue(
        client.application,
        tenant=client.tenant,
        audience=resource,
        issuer=f"{origin_of(request)}/{client.tenant}/",
        version="1.0",
        now=now,
        seconds=seconds,
        secret_id=client.secret_id,
    )
    at = int(now.timestamp())
    reply = {
        "token_type": "Bearer",
        "expires_in": str(seconds),
        "ext_expires_in": str(seconds),
        "expires_on": str(at + seconds),
        "not_before": str(at),
        "resource": resource,
        "access_token": token,
    }
    return _json(reply)


@router.get(V2, response_model=TokenReply, responses=_REFUSALS, summary="Get a token (version 2)")
@router.post(
    V2,
    response_model=TokenReply,
    responses=_REFUSALS,
    openapi_extra={"requestBody": _FORM},
    summary="Get a token (version 2)",
)
def token_v2(tenant: str, request: Request, fields: FormDep, app: AppDep, tokens: TokensDep, now: NowDep) -> Response:
    """Return a token for a client's id and secret; `scope` names the API it is for."""
    resource = _resource(fields, request, default=None)
    client = _client(tenant, fields, app, now)
    seconds = _seconds(client, app, now)
    token = tokens.issue(
        client.application,
        tenant=client.tenant,
        audience=resource,
        issuer=f"{origin_of(request)}/{client.tenant}/v2.0",
        version="2.0",
        now=now,
        seconds=seconds,
        secret_id=client.secret_id,
    )
    return _json({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token})


@router.get("/{tenant}/v2.0/.well-known/openid-configuration", responses={400: _REFUSALS[400], 503: _REFUSALS[503]})
def discovery(tenant: str, request: Request, app: AppDep) -> dict[str, Any]:
    """Return where the token endpoint and its keys are (OIDC discovery)."""
    tenant = _tenant(tenant, applications.tenant_of(app.database))
    base = f"{origin_of(request)}/{tenant}"
    return {
        "issuer": f"{base}/v2.0",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        # There is no sign-in of people here; clients insist on the key being there.
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "tenant_region_scope": None,
        "cloud_instance_name": request.url.hostname,
    }


@router.get("/{tenant}/discovery/v2.0/keys", responses={400: _REFUSALS[400], 503: _REFUSALS[503]})
def keys(tenant: str, app: AppDep, tokens: TokensDep) -> dict[str, Any]:
    """Return the public key that tokens are checked with."""
    _tenant(tenant, applications.tenant_of(app.database))
    return tokens.public_keys()


def token_refused(refused: TokenRefused, request: Request, now: datetime) -> Response:
    """Return *refused* in the shape that clients of Entra read."""
    headers = {"WWW-Authenticate": 'Basic realm="indicia"'} if refused.status == 401 else {}
    return _error(refused.status, refused.error, refused.number, refused.message, request, now, headers)


def fault_reply(fault: Fault, request: Request, now: datetime) -> Response:
    """Return any other fault at the token endpoint, in the same shape."""
    errors = {500: "server_error", 503: "temporarily_unavailable"}
    error = errors.get(fault.status, "invalid_request")
    return _error(fault.status, error, 90_000, fault.message, request, now, fault.headers)


def _error(
    status: int, error: str, number: int, message: str, request: Request, now: datetime, headers: Mapping[str, str]
) -> Response:
    stamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
    identity = request_id(request)
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {message} Trace ID: {identity} Timestamp: {stamp}",
        "error_codes": [number],
        "timestamp": stamp,
        "trace_id": identity,
        "correlation_id": identity,
    }
    return _json(body, status, headers)


def _json(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    kept = {"Cache-Control": "no-store", "Pragma": "no-cache", **(headers or {})}
    return Response(orjson.dumps(body), status, kept, "application/json")


def _basic(encoded: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        raise TokenRefused(400, "invalid_request", 900_144, "The Authorization header is not HTTP Basic.") from None
    return unquote_plus(name), unquote_plus(secret)  # RFC 6749, 2.3.1


def _client(tenant: str, fields: Mapping[str, str], app: AppDep, now: datetime) -> Authenticated:
    """Return the client whose id and secret are in *fields*."""
    kind = _needed(fields, "grant_type")
    if kind != "client_credentials":
        raise TokenRefused(
            400, "unsupported_grant_type", 70_003, "The only grant type of this server is 'client_credentials'."
        )
    _tenant(tenant, applications.tenant_of(app.database))
    client_id = _needed(fields, "client_id").strip()
    if not client_id.isprintable():
        raise TokenRefused(400, "invalid_request", 900_144, "The client id has characters that none has.")
    if not fields.get("client_secret"):
        raise TokenRefused(401, "invalid_client", 7_000_218, "The request has to contain 'client_secret'.")
    try:
        return applications.authenticate(app.database, client_id, fields["client_secret"], now)
    except ExpiredClient:
        raise TokenRefused(
            401, "invalid_client", 7_000_222, "The API client has expired; an administrator can make a new one."
        ) from None
    except Forbidden:
        raise TokenRefused(
            401, "invalid_client", 7_000_215, "The client id or the client secret is wrong, or the client was revoked."
        ) from None


def _seconds(client: Authenticated, app: App, now: datetime) -> int:
    """Return how long a token is good: never past the end of the client, or of a secret that was replaced."""
    most = app.settings.token_seconds
    return most if client.until is None else max(1, min(most, int((client.until - now).total_seconds())))


def _tenant(given: str, known: str | None) -> str:
    if known is None or given.lower() != known.lower():
        raise TokenRefused(400, "invalid_request", 90_002, f"There is no tenant '{given[:100]}' here.")
    return known


def _needed(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name, "")
    if not value:
        raise TokenRefused(400, "invalid_request", 900_144, f"The request has to contain '{name}'.")
    return value


def _resource(fields: Mapping[str, str], request: Request, *, default: str | None) -> str:
    """Return the resource that a token is asked for, by the field of either version."""
    given = fields.get("resource") or fields.get("scope") or default or _needed(fields, "scope")
    for each in given.split():
        resource = resource_of(each)
        if is_our_resource(resource, request.url.netloc):
            return resource
    raise TokenRefused(400, "invalid_resource", 500_011, f"There is no resource '{given[:200]}' in this tenant.")
