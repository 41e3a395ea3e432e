"""The JSON entities of the two APIs; the compat one has every documented key, in the order of live replies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from indicia.domain.indicator import StoredIndicator
from indicia.domain.query import CATEGORY_NUMBERS, NO_CATEGORY


def entity(stored: StoredIndicator, group_ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the entity of *stored*; *group_ids* gives the number of each device group by name."""
    indicator = stored.indicator
    extras = indicator.extras
    names = list(indicator.rbac_group_names)
    return {
        "id": str(stored.id),
        "indicatorValue": indicator.value,
        "indicatorType": indicator.type.value,
        "action": indicator.action.value,
        "createdBy": stored.created_by,
        "severity": indicator.severity.value,
        "category": CATEGORY_NUMBERS[indicator.category] if indicator.category else NO_CATEGORY,
        "application": indicator.application,
        "educateUrl": extras.educate_url,
        "bypassDurationHours": extras.bypass_duration_hours,
        "title": indicator.title,
        "description": indicator.description,
        "recommendedActions": indicator.recommended_actions,
        "creationTimeDateTimeUtc": precise(stored.created_at),
        "expirationTime": seconds(indicator.expires_at) if indicator.expires_at else None,
        "lastUpdateTime": precise(stored.updated_at),
        "lastUpdatedBy": stored.updated_by,
        "rbacGroupNames": names,
        "rbacGroupIds": [group_ids[name] for name in names if name in group_ids],
        "notificationId": extras.notification_id,
        "notificationBody": extras.notification_body,
        "version": extras.version,
        "mitreTechniques": list(indicator.mitre_techniques),
        "historicalDetection": extras.historical_detection,
        "lookBackPeriod": extras.look_back_period,
        "generateAlert": indicator.generate_alert,
        "additionalInfo": extras.additional_info,
        "createdByDisplayName": stored.created_by_name,
        "externalId": indicator.external_id,
        "createdBySource": stored.created_source,
        "certificateInfo": extras.certificate_info,
        # Gone from Defender's newest replies, still read by older clients (SPEC 9.28).
        "source": stored.created_by_name,
        "sourceType": "AadApp" if stored.created_source == "PublicApi" else "User",
        # Ours: whether it is enforced, or held by the guard.
        "status": indicator.status.value,
    }


def native(stored: StoredIndicator, group_ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the entity of our own API: that of the compat API with names for numbers, and what only we have."""
    category = stored.indicator.category
    return entity(stored, group_ids) | {
        "category": category.value if category else None,
        "overrideReason": stored.indicator.extras.override_reason,
        "etag": etag(stored),
        "changeset": stored.began,
    }


def etag(stored: StoredIndicator) -> str:
    """Return the strong ETag of this version."""
    return f'"{stored.id}-{stored.began}"'


def seconds(at: datetime) -> str:
    """Return *at* as RFC 3339 in UTC, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at.year >= 1000 else at.isoformat().replace("+00:00", "Z")


def precise(at: datetime) -> str:
    """Return *at* with the seven fractional digits of Defender's replies."""
    return f"{at.isoformat(timespec='microseconds').removesuffix('+00:00')}0Z"
