"""What the OpenAPI document says of the compat API; nothing is read or written through these."""

# The names are those of the API.
# ruff: noqa: N815

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from indicia.domain.indicator import Action, Category, Severity, Status
from indicia.domain.observable import ObservableType
from indicia.domain.rules import LEGACY_ACTIONS

MOST_PER_BATCH: Final = 500
MOST_PER_PAGE: Final = 10_000


class Entity(BaseModel):
    """An indicator; every property is present, null or empty where it is not set."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(examples=["994"])
    indicatorValue: str = Field(description="as it was submitted", examples=["evil.example"])
    indicatorType: ObservableType
    action: Action
    createdBy: str
    severity: Severity
    category: int = Field(description="1 = not chosen")
    application: str | None
    educateUrl: str | None
    bypassDurationHours: int | None
    title: str
    description: str
    recommendedActions: str | None
    creationTimeDateTimeUtc: str
    expirationTime: str | None
    lastUpdateTime: str
    lastUpdatedBy: str | None
    rbacGroupNames: list[str]
    rbacGroupIds: list[str]
    notificationId: str | None
    notificationBody: str | None
    version: str | None
    mitreTechniques: list[str]
    historicalDetection: bool
    lookBackPeriod: str | None
    generateAlert: bool
    additionalInfo: str | None
    createdByDisplayName: str
    externalId: str | None
    createdBySource: str
    certificateInfo: str | None
    source: str
    sourceType: str
    status: Status = Field(description="held: the guard keeps it from being enforced until it is released")


class EntityWithContext(Entity):
    """An indicator, with the address of its description."""

    context: str = Field(alias="@odata.context")


class EntityPage(BaseModel):
    """Some indicators, and where more of them are."""

    context: str = Field(alias="@odata.context")
    count: int = Field(default=0, alias="@odata.count", description="only where `$count=true` was asked for")
    value: list[Entity]
    next: str = Field(default="", alias="@odata.nextLink", description="only where rows remain")


class ImportedItem(BaseModel):
    """What became of one item of an import."""

    id: str | None
    indicator: str | None = Field(description="the value that was submitted")
    isFailed: bool
    failureReason: str | None


class ImportReply(BaseModel):
    """What became of each item, in the order of the request."""

    context: str = Field(alias="@odata.context")
    value: list[ImportedItem]


class Rows(BaseModel):
    """Rows of another kind."""

    context: str = Field(alias="@odata.context")
    value: list[dict[str, Any]]


class Score(BaseModel):
    """A score that is not kept here; clients that test their connection ask for it."""

    context: str = Field(alias="@odata.context")
    time: str
    score: float


_FLAG: Final = {"anyOf": [{"type": "boolean"}, {"enum": ["True", "False", "true", "false"]}, {"type": "null"}]}
_TEXT: Final = {"type": ["string", "null"]}
_NAMES: Final = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}, {"type": "null"}]}
SUBMITTED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["indicatorValue", "indicatorType", "action", "title", "description"],
    "properties": {
        "indicatorValue": {"type": "string", "minLength": 1},
        "indicatorType": {"enum": [kind.value for kind in ObservableType if kind is not ObservableType.IP_RANGE]},
        "action": {"enum": [*(action.value for action in Action), *LEGACY_ACTIONS]},
        "title": {"type": "string", "minLength": 1, "maxLength": 4000},
        "description": {"type": "string", "minLength": 1, "maxLength": 4000},
        "severity": {"enum": [*(severity.value for severity in Severity), None]},
        "category": {"anyOf": [{"enum": [category.value for category in Category]}, {"type": ["integer", "null"]}]},
        "recommendedActions": _TEXT,
        "expirationTime": {"type": ["string", "null"], "format": "date-time"},
        "generateAlert": _FLAG,
        "application": _TEXT,
        "educateUrl": _TEXT,
        "bypassDurationHours": {"type": ["integer", "null"]},
        "externalId": _TEXT,
        "mitreTechniques": _NAMES,
        "rbacGroupNames": _NAMES,
        "rbacGroupIds": {
            "anyOf": [{"type": "array", "items": {"type": ["string", "integer"]}}, {"type": ["string", "null"]}]
        },
        "overrideReason": {**_TEXT, "description": "releases a value that the guard would hold, for this reason"},
    },
    "examples": [
        {
            "indicatorValue": "evil.example",
            "indicatorType": "DomainName",
            "action": "Block",
            "title": "Known phishing site",
            "description": "Seen in the campaign of last week",
            "severity": "High",
            "expirationTime": "2035-01-01T00:00:00Z",
            "generateAlert": True,
        }
    ],
}


def body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what `openapi_extra=` says of a JSON body."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


ONE: Final = body_of(SUBMITTED)
MANY: Final = body_of(
    {
        "type": "object",
        "required": ["Indicators"],
        "properties": {"Indicators": {"type": "array", "minItems": 1, "maxItems": MOST_PER_BATCH, "items": SUBMITTED}},
    }
)
IDS: Final = body_of(
    {
        "type": "object",
        "required": ["IndicatorIds"],
        "properties": {
            "IndicatorIds": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_PER_BATCH,
                "items": {"type": "string", "pattern": "^[0-9]{1,18}$"},
            }
        },
    }
)


def _parameter(name: str, description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": f"{description} (also without the `$`)",
        "schema": schema,
        "example": example,
    }


FILTER: Final = _parameter("$filter", "which ones", {"type": "string"}, "severity eq 'High'")
QUERY: Final[dict[str, Any]] = {
    "parameters": [
        FILTER,
        _parameter("$orderby", "in which order", {"type": "string"}, "creationTimeDateTimeUtc desc"),
        _parameter("$top", "how many", {"type": "integer", "minimum": 0, "maximum": MOST_PER_PAGE}, 100),
        _parameter("$skip", "how many to leave out first", {"type": "integer", "minimum": 0}, 0),
        _parameter("$count", "say how many there are", {"type": "boolean"}, True),
    ]
}
