"""The shapes of our own API, for its description only: what comes in is checked by the domain, and once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from indicia.domain.indicator import Action, Category, Severity
from indicia.domain.observable import ObservableType
from indicia.domain.rules import OTHER_CHARACTERS, RECOMMENDED_CHARACTERS, TITLE_CHARACTERS

Outcome = Literal["created", "updated", "unchanged", "refused", "held"]
Type = Literal[
    "FileSha256", "FileSha1", "FileMd5", "CertificateThumbprint", "IpAddress", "IpRange", "DomainName", "Url"
]
ActionName = Literal["Allowed", "Audit", "Warn", "Block", "BlockAndRemediate"]
SeverityName = Literal["Informational", "Low", "Medium", "High"]
TakesTwo = Annotated[
    list[str],
    Field(description="why doing it takes a second person, who finds it under /v1/proposals; of a plan or a dry run"),
]


class Model(BaseModel):
    """A JSON object with exactly these members, under the names of the API."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)


class Note(Model):
    """Something to know about what was sent: a warning refuses nothing."""

    code: str
    message: str
    column: str | None
    value: str | None
    allowed: list[str]
    suggestion: str | None
    line: int | None
    file: str | None
    severity: Literal["error", "warning"]


class Indicator(Model):
    """An indicator: a rule about one value."""

    id: str
    indicator_value: str = Field(description="as it was written")
    indicator_type: Type
    action: ActionName
    created_by: str
    severity: SeverityName
    category: str | None
    application: str | None
    educate_url: str | None
    bypass_duration_hours: int | None
    title: str
    description: str
    recommended_actions: str | None
    creation_time_date_time_utc: datetime
    expiration_time: datetime | None
    last_update_time: datetime
    last_updated_by: str | None
    rbac_group_names: list[str]
    rbac_group_ids: list[str]
    notification_id: str | None
    notification_body: str | None
    version: str | None
    mitre_techniques: list[str]
    historical_detection: bool
    look_back_period: str | None
    generate_alert: bool
    additional_info: str | None
    created_by_display_name: str
    external_id: str | None
    created_by_source: str
    certificate_info: str | None
    source: str
    source_type: str
    status: Literal["active", "held"] = Field(description="held: not enforced until it is released")
    override_reason: str | None = Field(description="why it is enforced although the guard would hold it")
    etag: str = Field(description="what `If-Match` wants, for this version")
    changeset: int = Field(description="the changeset that made this version")


class WrittenIndicator(Indicator):
    """An indicator as it is now, and what there is to know about it."""

    warnings: list[Note]


class PlannedIndicator(Model):
    """What a dry run says: nothing was written."""

    dry_run: Literal[True]
    outcome: Outcome
    indicator: Indicator | None = Field(description="as it would be; null where it has no number yet")
    warnings: list[Note]
    takes_two: TakesTwo


class IndicatorPage(Model):
    """Some indicators, by their number."""

    items: list[Indicator]
    next: str | None = Field(description="the address of the next page, null on the last one")
    count: int | None = Field(description="how many match in all, at most 10,000; null unless asked for")
    count_is_exact: bool | None


class Changeset(Model):
    """One applied plan; each is signed over the one before."""

    id: int
    at: datetime
    actor: str
    actor_name: str
    source: str
    kind: str
    reason: str | None
    undoes: int | None
    created: int
    updated: int
    deleted: int
    details: dict[str, Any]
    hash: str


class ShownChangeset(Changeset):
    """One applied plan, and whether it was taken back."""

    undone_by: int | None = Field(description="the newest changeset that took it back")


class ChangesetPage(Model):
    """Some changesets, the newest first."""

    items: list[Changeset]
    next: str | None


class Version(Model):
    """One version of an indicator."""

    began: Changeset
    ended: Changeset | None = Field(description="null for the version that is current")
    indicator: Indicator


class History(Model):
    """Every version of an indicator, the oldest first."""

    id: str
    versions: list[Version]


class Undone(Model):
    """What an undo did, or would do."""

    undone: int
    dry_run: bool
    changeset: Changeset | None = Field(description="null for a dry run, and where nothing was left to take back")
    created: int
    updated: int
    deleted: int
    kept: list[str] = Field(description="indicators that later changesets touched: the first 1,000")
    kept_total: int
    takes_two: TakesTwo


class Deleted(Model):
    """What a deletion did, or would do."""

    deleted: int
    dry_run: bool
    changeset: int | None = Field(description="what to undo; null for a dry run, and where nothing matched")
    takes_two: TakesTwo


class ImportedFile(Model):
    """What becomes of the rows of one file."""

    name: str
    rows: int
    created: int
    updated: int
    unchanged: int
    refused: int
    held: int
    conflicts: int


class ImportReport(Model):
    """What an import did; `problems` are the first 1,000."""

    files: list[ImportedFile]
    created: int
    updated: int
    unchanged: int
    refused: int
    held: int
    conflicts: int
    changeset: int | None
    problems: list[Note]
    problems_total: int


class PlannedRow(Model):
    """What becomes of one row."""

    line: int
    outcome: Outcome
    indicator_type: str | None
    indicator_value: str | None
    action: str | None
    notes: list[str]


class ImportPlan(ImportReport):
    """What an import would do; `rows` are the first 1,000. `apply` is where to POST to do just that."""

    id: str
    applicable: bool = Field(description="false where rows are refused and not to be skipped")
    at: datetime
    expires: datetime
    rows: list[PlannedRow]
    takes_two: TakesTwo
    apply: str | None


class Me(Model):
    """Who the token says you are, and what you may do."""

    id: str
    name: str
    source: str
    permissions: list[str]
    sees_only_own: bool = Field(description="whether only the indicators that you created exist for you")
    groups: list[str] | None = Field(description="the device groups that you are limited to; null for no limit")


class Verification(Model):
    """Whether the history is what was signed."""

    intact: bool
    head: Changeset | None
    faults: list[str] = Field(description="the first 1,000")
    faults_total: int


def _text(most: int, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": most, **more}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"type": [schema["type"], "null"]}


_OTHER: Final = _nullable(_text(OTHER_CHARACTERS))
#: The properties of an indicator that somebody may set.
PROPERTIES: Final[dict[str, Any]] = {
    "indicatorType": {"type": "string", "enum": [str(each) for each in ObservableType]},
    "indicatorValue": _text(2_048),
    "action": {"type": "string", "enum": [str(each) for each in Action]},
    "title": _text(TITLE_CHARACTERS, minLength=1),
    "description": _text(TITLE_CHARACTERS, minLength=1),
    "severity": {"type": ["string", "null"], "enum": [*map(str, Severity), None]},
    "category": {"type": ["string", "null"], "enum": [*map(str, Category), None]},
    "mitreTechniques": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 100},
    "recommendedActions": _nullable(_text(RECOMMENDED_CHARACTERS)),
    "rbacGroupNames": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "maxItems": 2_000,
        "description": "the device groups that it applies to; none: all devices",
    },
    "expirationTime": {"type": ["string", "null"], "format": "date-time"},
    "generateAlert": {"type": ["boolean", "null"]},
    "externalId": _OTHER,
    "application": _OTHER,
    "educateUrl": _OTHER,
    "bypassDurationHours": {"type": ["integer", "null"], "minimum": 1, "maximum": 8_760},
    "notificationId": _OTHER,
    "notificationBody": _OTHER,
    "historicalDetection": {"type": ["boolean", "null"]},
    "lookBackPeriod": _OTHER,
    "version": _OTHER,
    "certificateInfo": _OTHER,
    "additionalInfo": _OTHER,
    "overrideReason": _OTHER | {"description": "enforce it although the guard would hold it, and why"},
}
REQUIRED: Final = ("indicatorType", "indicatorValue", "action", "title", "description")
EXAMPLE: Final[dict[str, Any]] = {
    "indicatorType": "DomainName",
    "indicatorValue": "login.evil.example",
    "action": "Block",
    "title": "Phishing: login page of evil.example",
    "description": "Seen in the mails of the spring campaign.",
    "severity": "High",
    "category": "InitialAccess",
    "mitreTechniques": ["T1566.002"],
}

NEW_INDICATOR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": PROPERTIES,
    "required": list(REQUIRED),
    "additionalProperties": False,
}
PATCH: Final[dict[str, Any]] = {
    "type": "object",
    "properties": PROPERTIES,
    "additionalProperties": False,
    "description": "the properties to change; null takes one away",
}
REASON: Final = _text(1_000, minLength=1)
RELEASE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"reason": REASON},
    "required": ["reason"],
    "additionalProperties": False,
}
UNDO: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "reason": _nullable(_text(1_000)),
        "keepLater": {"type": ["boolean", "null"], "description": "keep what later changesets touched as it is"},
    },
    "additionalProperties": False,
}
DELETE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "ids": {"type": "array", "items": {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}, "maxItems": 10_000},
        "filter": _text(8_192, description="which to delete, in the language of the list's `filter`"),
        "reason": _nullable(_text(1_000)),
    },
    "oneOf": [{"required": ["ids"]}, {"required": ["filter"]}],
    "additionalProperties": False,
}


def body(schema: dict[str, Any], example: Any, *types: str, required: bool = True) -> dict[str, Any]:
    """Return what says of an operation that it takes a body."""
    content = {kind: {"schema": schema, "example": example} for kind in types or ("application/json",)}
    return {"requestBody": {"required": required, "content": content}}
