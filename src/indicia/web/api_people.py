"""People: who may sign in, what each may do, and for which device groups."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from indicia.domain.access import Role
from indicia.domain.errors import InvalidInput, NotFound, Problem
from indicia.exporters.entity import seconds
from indicia.services import people, standings
from indicia.store.people import Person
from indicia.web import api_models
from indicia.web.api_call import Call, CallDep, object_of, reply, require_type, sent, text_of
from indicia.web.dependencies import JsonBodyDep
from indicia.web.problems import documented

router = APIRouter(prefix="/v1/people", tags=["People"], default_response_class=Response)

_ROLE: Final = {"type": "string", "enum": [role.value for role in Role], "description": "what they may do"}
_GROUPS: Final = {
    "type": ["array", "null"],
    "items": {"type": "string"},
    "description": "the device groups that they are limited to; null for no limit",
}
_NEW: Final = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "role": _ROLE, "groups": _GROUPS},
    "required": ["name"],
    "additionalProperties": False,
}
_CHANGE: Final = {
    "type": "object",
    "properties": {"role": _ROLE, "groups": _GROUPS, "disabled": {"type": "boolean"}},
    "additionalProperties": False,
}


class PersonShape(BaseModel):
    """Somebody who may sign in."""

    id: str
    name: str
    role: str = Field(examples=["analyst"])
    groups: list[str] | None = Field(description="the device groups that they are limited to; null for no limit")
    created_at: str = Field(alias="createdAt")
    created_by: str = Field(alias="createdBy")
    password_at: str | None = Field(alias="passwordAt", description="when they last set a password, null for never")
    disabled_at: str | None = Field(alias="disabledAt", description="since when they cannot sign in")


class PersonList(BaseModel):
    """Everybody."""

    items: list[PersonShape]


class NewPerson(PersonShape):
    """Somebody who was just added, and the link by which they set a password: shown this once."""

    link: str = Field(description="the path of the link, on the address of the portal; it works once, and for a day")


@router.get("", summary="List people", responses={200: {"model": PersonList}, **documented(400, 401, 403, 503)})
def list_people(call: CallDep) -> Response:
    """Everybody who may sign in or might once, the oldest first."""
    found = people.list_people(call.database, actor=call.actor)
    return sent(reply({"items": [person_as_dict(each) for each in found]}))


@router.post(
    "",
    status_code=201,
    summary="Add a person",
    responses={201: {"model": NewPerson}, **documented(400, 401, 403, 409, 413, 415, 422, 503)},
    openapi_extra=api_models.body(_NEW, {"name": "grace@example.org", "role": "analyst", "groups": ["Servers"]}),
)
def add_person(call: CallDep, body: JsonBodyDep) -> Response:
    """Add a person, a viewer where nothing else is said; the reply has the link by which they set a password.

    It is kept nowhere, so the reply is not given again under an `Idempotency-Key`.
    """
    require_type(call.request, "application/json")
    fields = object_of(body, ["name", "role", "groups"])
    name, role, groups = text_of(fields, "name") or "", _role(fields) or Role.VIEWER, _groups(fields)
    made = people.add_person(call.database, name, actor=call.actor, now=call.now, role=role, groups=groups)
    answer = sent(reply({**person_as_dict(made.person), "link": f"/welcome/{made.token}"}, 201))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.patch(
    "/{id}",
    summary="Change what somebody may do",
    responses={200: {"model": PersonShape}, **documented(400, 401, 403, 404, 409, 413, 415, 503)},
    openapi_extra=api_models.body(_CHANGE, {"role": "responder", "groups": None}),
)
def change_person(call: CallDep, id: str, body: JsonBodyDep) -> Response:
    """Change the members that are sent. A role and device groups hold from their next request on.

    Nobody changes themselves, and the last administrator stays one: 409.
    """
    require_type(call.request, "application/json", "application/merge-patch+json")
    fields = object_of(body, ["role", "groups", "disabled"])
    role, groups, disabled = _role(fields), _groups(fields), _flag(fields)
    everywhere = "groups" in fields and groups is None
    person = standings.change_person(
        call.database, id, role=role, groups=groups, everywhere=everywhere, actor=call.actor, now=call.now
    )
    if disabled is not None and disabled is not (person.disabled_at is not None):
        change = people.disable_person if disabled else people.enable_person
        change(call.database, person.name, actor=call.actor, now=call.now)
    return sent(reply(person_as_dict(_person(call, id))))


def person_as_dict(person: Person) -> dict[str, Any]:
    """Return the shape of a person; nothing of the password is part of it."""
    return {
        "id": person.id,
        "name": person.name,
        **standings.standing_as_dict(person),
        "createdAt": seconds(person.created_at),
        "createdBy": person.created_by,
        "passwordAt": seconds(person.password_at) if person.password_at else None,
        "disabledAt": seconds(person.disabled_at) if person.disabled_at else None,
    }


def _person(call: Call, id: str) -> Person:
    for each in people.list_people(call.database, actor=call.actor):
        if each.id == id:
            return each
    raise NotFound("there is no such person")


def _role(fields: dict[str, Any]) -> Role | None:
    given = text_of(fields, "role")
    if given is None:
        return None
    if given not in list(Role):
        message = f"{given[:50]!r} is no role"
        raise InvalidInput([Problem("unknown-role", message, "role", given[:50], tuple(Role))])
    return Role(given)


def _groups(fields: dict[str, Any]) -> list[str] | None:
    given = fields.get("groups")
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidInput([Problem("not-a-list", "a list of names is wanted", "groups")])
    if not given:
        message = "nobody can be limited to no device group at all; null lifts the limit"
        raise InvalidInput([Problem("required", message, "groups")])
    return given


def _flag(fields: dict[str, Any]) -> bool | None:
    given = fields.get("disabled")
    if given is not None and not isinstance(given, bool):
        raise InvalidInput([Problem("not-a-boolean", "true or false is wanted", "disabled")])
    return given
