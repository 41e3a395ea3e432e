"""What the OpenAPI document says of devices and device groups; nothing is read or written through these."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field

from indicia.domain import device as devices
from indicia.domain import grouping
from indicia.web.api_models import Model, Note

FieldName = Literal["name", "domain", "tag", "osPlatform"]
OperatorName = Literal["equals", "startsWith", "endsWith", "contains", "in"]


class Condition(Model):
    """One row of a rule: those on one field are alternatives, and every field that has any has to be met."""

    field: FieldName
    operator: OperatorName
    values: list[str] = Field(description="one text, or with `in` several; the case of letters makes no difference")


class DeviceGroup(Model):
    """A device group; rank 1 is the highest."""

    id: str
    name: str
    rank: int
    description: str | None = None
    rules: list[Condition] | None = Field(None, description="none: no device is in it; null: you may not read devices")
    members: int | None = Field(None, description="how many devices are in it; null: you may not read devices")
    indicators: int | None = Field(None, description="how many live indicators have it in their scope")


class DeviceGroupList(Model):
    """Every device group, the highest ranked first."""

    items: list[DeviceGroup]
    ungrouped: int | None = Field(None, description="how many devices are in none of them")


class ChangedGroup(DeviceGroup):
    """A device group as it is now, and what else changed."""

    moved: int = Field(description="devices that are in another group now")
    renamed: int = Field(description="indicators whose scope names the group by its new name now")


class Moving(Model):
    """How many devices, and the other group; null: no group."""

    group: str | None
    devices: int


class GroupPreview(Model):
    """What a rule would do; nothing was changed."""

    matching: int = Field(description="devices that the rule matches, those of higher ranked groups too")
    members: int = Field(description="devices that would be in the group")
    sample: list[str] = Field(description="some of the members")
    joining: list[Moving] = Field(description="from where devices would come")
    leaving: list[Moving] = Field(description="to where devices would go")


class Device(Model):
    """A device, and the one device group that it is in."""

    id: str
    machine_id: str
    name: str
    domain: str
    os_platform: str
    os_version: str | None
    tags: list[str]
    addresses: list[str]
    group: str | None = Field(description="null: it is in no device group")
    first_seen: datetime
    last_seen: datetime
    registered_by: str


class Passed(Model):
    """A group that ranks higher, and the field of its rule that the device does not meet; null: it has no rule."""

    group: str
    rank: int
    unmet: FieldName | None


class Why(Model):
    """Why a device is in its group."""

    rule: list[Condition] | None = Field(description="the rule that matched; null: none did")
    passed: list[Passed] = Field(description="higher ranked groups that it is not in, the highest first")
    more: int = Field(description="how many more of those there are")


class DeviceWithWhy(Device):
    """A device, and why it is in its group."""

    why: Why


class DevicePage(Model):
    """Some devices, by their number."""

    items: list[Device]
    next: str | None = Field(description="the address of the next page, null on the last one")
    count: int | None = Field(description="how many match in all; null unless asked for")


class Registered(Model):
    """What became of one report."""

    outcome: Literal["created", "updated", "unchanged", "refused"]
    device: Device | None
    problems: list[Note]


class RegisteredMany(Model):
    """What became of each report, in their order."""

    created: int
    updated: int
    unchanged: int
    refused: int
    results: list[Registered]


def _text(most: int, description: str) -> dict[str, Any]:
    return {"type": ["string", "null"], "maxLength": most, "description": description}


_TEXTS: Final = {"type": ["array", "null"], "items": {"type": "string"}}
DEVICE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": devices.NAME_CHARACTERS},
        "domain": _text(devices.NAME_CHARACTERS, "left out, it is what follows the first dot of the name"),
        "machineId": _text(40, "40 hexadecimal digits; left out, made of name and domain, always the same"),
        "osPlatform": _text(devices.VERSION_CHARACTERS, "such as Windows11 or Linux"),
        "osVersion": _text(devices.VERSION_CHARACTERS, "such as 24H2"),
        "tags": _TEXTS | {"maxItems": devices.MOST_TAGS, "description": "all of them; left out, they stay"},
        "addresses": _TEXTS | {"maxItems": devices.MOST_ADDRESSES, "description": "all of them; left out, they stay"},
        "lastSeen": {"type": ["string", "null"], "format": "date-time", "description": "left out: now"},
    },
    "additionalProperties": False,
}
DEVICE_EXAMPLE: Final = {
    "name": "srv-web-01.corp.example",
    "osPlatform": "Linux",
    "tags": ["web"],
    "addresses": ["10.0.0.7"],
}
TAGS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        name: _TEXTS | {"maxItems": devices.MOST_TAGS, "description": what}
        for name, what in (("add", "tags to give"), ("remove", "tags to take away"))
    },
    "additionalProperties": False,
}
_CONDITION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["field", "operator", "values"],
    "properties": {
        "field": {"enum": [each.value for each in grouping.Field]},
        "operator": {"enum": [each.value for each in grouping.Operator]},
        "values": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": grouping.VALUE_CHARACTERS},
            "minItems": 1,
            "maxItems": grouping.MOST_VALUES,
        },
    },
}
_RULES: Final = {"type": ["array", "null"], "items": _CONDITION, "maxItems": 4 * grouping.MOST_ROWS}
_ABOUT: Final = {"type": ["string", "null"], "maxLength": 1_000}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 200, "description": "without a comma"}
_RANK: Final = {"type": ["integer", "null"], "minimum": 1, "maximum": 1_000_000}
NEW_GROUP: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": _NAME, "rank": _RANK, "rules": _RULES, "description": _ABOUT},
    "additionalProperties": False,
}
GROUP_CHANGE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {**_NAME, "type": ["string", "null"]},
        "rank": _RANK,
        "rules": _RULES,
        "description": _ABOUT,
    },
    "additionalProperties": False,
}
PREVIEW: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["rules"],
    "properties": {
        "name": {**_NAME, "type": ["string", "null"], "description": "of a group that is there; left out: a new one"},
        "rank": _RANK,
        "rules": {**_RULES, "type": "array"},
    },
    "additionalProperties": False,
}
RULES_EXAMPLE: Final = [
    {"field": "name", "operator": "startsWith", "values": ["srv-"]},
    {"field": "osPlatform", "operator": "in", "values": ["Linux", "WindowsServer2022"]},
]
