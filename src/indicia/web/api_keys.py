"""Keys of one's own programs, and API clients, over our own API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import InvalidInput, Problem
from indicia.exporters.entity import seconds
from indicia.services import api_keys, applications
from indicia.services.api_keys import DEFAULT_DAYS, NewKey
from indicia.services.applications import Credentials
from indicia.services.credentials import GRACE
from indicia.store.api_keys import ApiKey
from indicia.store.applications import Application
from indicia.web import api_key_models as key_models
from indicia.web import api_models as models
from indicia.web.api_call import Call, CallDep, object_of, reply, require_type, sent, text_of
from indicia.web.dependencies import JsonBodyDep
from indicia.web.problems import documented

router = APIRouter(prefix="/v1", default_response_class=Response)

_ERRORS: Final = documented(400, 401, 403, 404, 409, 413, 415, 503)
_MOST_ITEMS: Final = 2_000
_GRACE_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"graceHours": {"type": "integer", "description": "for how long the secret before is good; 24"}},
}
_NEW_KEY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "permissions": {"type": ["array", "null"], "items": {"type": "string"}, "description": "null: all of yours"},
        "groups": {"type": ["array", "null"], "items": {"type": "string"}, "description": "null: all of yours"},
        "expiresInDays": {"type": ["integer", "null"], "description": "90 where it is not given; null: no end"},
    },
}
_NEW_CLIENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name", "permissions"],
    "properties": {
        "name": {"type": "string"},
        "permissions": {"type": "array", "items": {"type": "string"}, "description": "such as Ti.ReadWrite.All"},
        "groups": {"type": ["array", "null"], "items": {"type": "string"}, "description": "null: all"},
        "expiresInDays": {"type": ["integer", "null"], "description": "null, or not given: no end"},
    },
}


# -- keys -------------------------------------------------------------------------------------------------------------


@router.get(
    "/keys",
    tags=["Keys"],
    summary="List your keys",
    responses={200: {"model": key_models.KeyList}, **documented(400, 401, 403, 503)},
)
def list_keys(call: CallDep) -> Response:
    """Your keys, revoked ones too, the oldest first; an API client has none."""
    found = api_keys.own_keys(call.database, actor=call.actor)
    return sent(reply({"items": [_key_as_dict(each) for each in found]}))


@router.post(
    "/keys",
    tags=["Keys"],
    status_code=201,
    summary="Add a key of yours",
    responses={201: {"model": key_models.NewKey}, **_ERRORS},
    openapi_extra=models.body(_NEW_KEY, {"name": "dashboard", "permissions": ["indicators.read"]}),
)
def add_key(call: CallDep, body: JsonBodyDep) -> Response:
    """Add a key; it can do no more than the one that you come with, and ends with it. Its text is told this once."""
    require_type(call.request, "application/json")
    fields = object_of(body, list(_NEW_KEY["properties"]))
    made = api_keys.add_key(
        call.database,
        text_of(fields, "name") or "",
        actor=call.actor,
        now=call.now,
        permissions=_texts(fields, "permissions"),
        groups=_texts(fields, "groups"),
        days=_days(fields, DEFAULT_DAYS),
        by=_by(call),
    )
    return _told_once(_new_key_as_dict(made), 201)


@router.post(
    "/keys/{key_id}/rotate",
    tags=["Keys"],
    summary="Give a key of yours another secret",
    responses={200: {"model": key_models.NewKey}, **_ERRORS},
    openapi_extra=models.body(_GRACE_BODY, {"graceHours": 24}),
)
def rotate_key(call: CallDep, key_id: str, body: JsonBodyDep) -> Response:
    """Give a key another secret, and as much time again as it had; the one before is good for a while."""
    require_type(call.request, "application/json")
    made = api_keys.rotate_key(call.database, key_id, actor=call.actor, now=call.now, grace=_grace(body), by=_by(call))
    return _told_once(_new_key_as_dict(made))


@router.post(
    "/keys/{key_id}/revoke",
    tags=["Keys"],
    summary="Revoke a key",
    responses={200: {"model": key_models.ApiKey}, **documented(400, 401, 403, 404, 409, 503)},
)
def revoke_key(call: CallDep, key_id: str) -> Response:
    """Revoke a key of yours, or anybody's for whoever manages keys: it stops working with its next request."""
    key, _person = api_keys.revoke_key(call.database, key_id, actor=call.actor, now=call.now, by=_by(call))
    return sent(reply(_key_as_dict(key)))


# -- API clients ------------------------------------------------------------------------------------------------------


@router.get(
    "/clients",
    tags=["API clients"],
    summary="List API clients",
    responses={200: {"model": key_models.ClientList}, **documented(400, 401, 403, 503)},
)
def list_clients(call: CallDep) -> Response:
    """Every API client, revoked ones too, the oldest first."""
    found = applications.list_applications(call.database, actor=call.actor)
    return sent(reply({"items": [_client_as_dict(each) for each in found]}))


@router.post(
    "/clients",
    tags=["API clients"],
    status_code=201,
    summary="Add an API client",
    responses={201: {"model": key_models.NewClient}, **_ERRORS},
    openapi_extra=models.body(_NEW_CLIENT, {"name": "soar", "permissions": ["Ti.ReadWrite.All"]}),
)
def add_client(call: CallDep, body: JsonBodyDep) -> Response:
    """Add an API client, which can do no more than you; its secret is told this once."""
    require_type(call.request, "application/json")
    fields = object_of(body, list(_NEW_CLIENT["properties"]))
    permissions = _texts(fields, "permissions")
    if not permissions:
        message = "at least one permission is wanted, such as Ti.ReadWrite.All"
        raise InvalidInput([Problem("unknown-permission", message, "permissions")])
    made = applications.add_application(
        call.database,
        text_of(fields, "name") or "",
        permissions,
        actor=call.actor,
        now=call.now,
        groups=_texts(fields, "groups"),
        days=_days(fields, None),
    )
    return _told_once(_credentials_as_dict(made), 201)


@router.get(
    "/clients/{client_id}",
    tags=["API clients"],
    summary="Read an API client",
    responses={200: {"model": key_models.Client}, **documented(400, 401, 403, 404, 503)},
)
def read_client(call: CallDep, client_id: str) -> Response:
    """One API client, a revoked one too."""
    return sent(reply(_client_as_dict(applications.show_application(call.database, client_id, actor=call.actor))))


@router.post(
    "/clients/{client_id}/rotate",
    tags=["API clients"],
    summary="Give an API client another secret",
    responses={200: {"model": key_models.NewClient}, **_ERRORS},
    openapi_extra=models.body(_GRACE_BODY, {"graceHours": 24}),
)
def rotate_client(call: CallDep, client_id: str, body: JsonBodyDep) -> Response:
    """Give an API client another secret, and as much time again as it had; the one before is good for a while."""
    require_type(call.request, "application/json")
    made = applications.rotate_application(call.database, client_id, actor=call.actor, now=call.now, grace=_grace(body))
    return _told_once(_credentials_as_dict(made))


@router.post(
    "/clients/{client_id}/revoke",
    tags=["API clients"],
    summary="Revoke an API client",
    responses={200: {"model": key_models.Client}, **documented(400, 401, 403, 404, 503)},
)
def revoke_client(call: CallDep, client_id: str) -> Response:
    """Revoke an API client: its secret and its tokens stop working with the next request."""
    applications.revoke_application(call.database, client_id, actor=call.actor, now=call.now)
    return sent(reply(_client_as_dict(applications.show_application(call.database, client_id, actor=call.actor))))


# -- parts ------------------------------------------------------------------------------------------------------------


def _told_once(body: dict[str, Any], status: int = 200) -> Response:
    """Return an answer with a secret: it is kept nowhere, so that an Idempotency-Key could not give it again."""
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, "application/json")


def _by(call: Call) -> ApiKey | None:
    """Return the key that a call came with, None where it came with a token."""
    return getattr(call.request.state, "api_key", None)


def _texts(fields: Mapping[str, Any], name: str) -> list[str] | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, list) and len(value) <= _MOST_ITEMS and all(isinstance(each, str) for each in value):
        return value
    raise InvalidInput([Problem("not-a-list", "a list of texts is wanted, or null", name, str(value)[:200])])


def _days(fields: Mapping[str, Any], default: int | None) -> int | None:
    return _integer(fields, "expiresInDays") if "expiresInDays" in fields else default


def _grace(body: Any) -> timedelta:
    hours = _integer(object_of(body, ["graceHours"]), "graceHours")
    return GRACE if hours is None else timedelta(hours=hours)


def _integer(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1_000_000):
        return value
    raise InvalidInput([Problem("not-an-integer", "a whole number is wanted", name, str(value)[:200])])


def _key_as_dict(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "permissions": None if key.permissions is None else sorted(key.permissions),
        "groups": None if key.groups is None else sorted(key.groups),
        "createdAt": _at(key.created_at),
        "rotatedAt": _at(key.rotated_at),
        "expiresAt": _at(key.expires_at),
        "revokedAt": _at(key.revoked_at),
        "lastUsedAt": _at(key.last_used_at),
        "previousUntil": _at(key.previous_until),
    }


def _new_key_as_dict(made: NewKey) -> dict[str, Any]:
    return {"key": made.text, **_key_as_dict(made.key)}


def _client_as_dict(each: Application) -> dict[str, Any]:
    return {
        "clientId": each.client_id,
        "name": each.name,
        "permissions": sorted(each.grants),
        "groups": None if each.groups is None else sorted(each.groups),
        "createdAt": _at(each.created_at),
        "createdBy": each.created_by,
        "rotatedAt": _at(each.rotated_at),
        "expiresAt": _at(each.expires_at),
        "revokedAt": _at(each.revoked_at),
        "lastUsedAt": _at(each.last_used_at),
        "previousUntil": _at(each.previous_until),
    }


def _credentials_as_dict(made: Credentials) -> dict[str, Any]:
    return {"tenantId": made.tenant_id, "clientId": made.client_id, "clientSecret": made.client_secret}


def _at(at: datetime | None) -> str | None:
    return None if at is None else seconds(at)
