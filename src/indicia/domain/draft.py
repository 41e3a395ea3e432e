"""The fields of an indicator as somebody gave them, before anything was checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Draft(NamedTuple):
    """The fields of an indicator as somebody gave them: text, or the JSON value of the API; None = not given."""

    type: Any = None
    value: Any = None
    expires: Any = None
    action: Any = None
    severity: Any = None
    title: Any = None
    description: Any = None
    recommended_actions: Any = None
    rbac_group_names: Any = None
    category: Any = None
    mitre_techniques: Any = None
    generate_alert: Any = None
    external_id: Any = None
    application: Any = None
    educate_url: Any = None
    bypass_duration_hours: Any = None
    notification_id: Any = None
    notification_body: Any = None
    historical_detection: Any = None
    look_back_period: Any = None
    version: Any = None
    certificate_info: Any = None
    additional_info: Any = None
    override_reason: Any = None


#: What the API calls each field of a draft; a CSV reader passes its column names instead.
PROPERTY_NAMES: Final[Mapping[str, str]] = {
    "type": "indicatorType",
    "value": "indicatorValue",
    "expires": "expirationTime",
    "action": "action",
    "severity": "severity",
    "title": "title",
    "description": "description",
    "recommended_actions": "recommendedActions",
    "rbac_group_names": "rbacGroupNames",
    "category": "category",
    "mitre_techniques": "mitreTechniques",
    "generate_alert": "generateAlert",
    "external_id": "externalId",
    "application": "application",
    "educate_url": "educateUrl",
    "bypass_duration_hours": "bypassDurationHours",
    "notification_id": "notificationId",
    "notification_body": "notificationBody",
    "historical_detection": "historicalDetection",
    "look_back_period": "lookBackPeriod",
    "version": "version",
    "certificate_info": "certificateInfo",
    "additional_info": "additionalInfo",
    "override_reason": "overrideReason",
}
COLUMN_NAMES: Final[Mapping[str, str]] = {
    **PROPERTY_NAMES,
    "type": "IndicatorType",
    "value": "IndicatorValue",
    "expires": "ExpirationTime",
    "action": "Action",
    "severity": "Severity",
    "title": "Title",
    "description": "Description",
    "recommended_actions": "RecommendedActions",
    "rbac_group_names": "RbacGroups",
    "category": "Category",
    "mitre_techniques": "MitreTechniques",
    "generate_alert": "GenerateAlert",
}

#: How many fields a Defender CSV has; those after them are rare.
COMMON_FIELDS: Final = 12
NOTHING_GIVEN: Final = Draft()
NOTHING_RARE: Final = NOTHING_GIVEN[COMMON_FIELDS:]
_FIELD_OF: Final = {name.lower(): field for field, name in PROPERTY_NAMES.items()}


def draft_of(properties: Mapping[str, Any], base: Draft | None = None) -> tuple[Draft, list[str]]:
    """Return the draft that a JSON object spells, on top of *base*, and the names of it that are no fields of ours.

    Names match whatever their case: public clients send both (SPEC 10.2).
    """
    fields: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in properties.items():
        field = _FIELD_OF.get(name.lower())
        if field is None:
            unknown.append(name)
        else:
            fields[field] = value
    return (base or Draft())._replace(**fields), unknown
