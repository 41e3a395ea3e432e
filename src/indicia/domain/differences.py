"""How two versions of an indicator differ, field by field, in words that a person reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from indicia.domain.indicator import Indicator


class Difference(NamedTuple):
    """One field that is not the same: what it was and what it is, None for nothing."""

    field: str
    old: str | None
    new: str | None


def differences(before: Indicator | None, after: Indicator | None) -> tuple[Difference, ...]:
    """Return the fields in which *before* and *after* differ, in the order of a form; None is no indicator at all."""
    found = []
    for field, read in _FIELDS.items():
        old = read(before) if before is not None else None
        new = read(after) if after is not None else None
        if old != new:
            found.append(Difference(field, old, new))
    return tuple(found)


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    return str(value)


def _list(items: Sequence[str]) -> str | None:
    return ", ".join(items) or None


def _time(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _flag(value: bool) -> str:  # noqa: FBT001 a field of an indicator, not an option
    return "yes" if value else "no"


_FIELDS: Final[Mapping[str, Callable[[Indicator], str | None]]] = {
    "Type": lambda each: each.type.value,
    "Indicator": lambda each: each.value,
    "Action": lambda each: each.action.value,
    "Status": lambda each: each.status.value,
    "Severity": lambda each: each.severity.value,
    "Title": lambda each: _text(each.title),
    "Description": lambda each: _text(each.description),
    "Expires": lambda each: _time(each.expires_at) or "never",
    "Device groups": lambda each: _list(each.rbac_group_names) or "all devices",
    "Generate alert": lambda each: _flag(each.generate_alert),
    "Category": lambda each: _text(each.category),
    "Techniques": lambda each: _list(each.mitre_techniques),
    "Recommended actions": lambda each: _text(each.recommended_actions),
    "External id": lambda each: _text(each.external_id),
    "Application": lambda each: _text(each.application),
    "Reason of the release": lambda each: _text(each.extras.override_reason),
    "Education URL": lambda each: _text(each.extras.educate_url),
    "Bypass duration": lambda each: (
        None if each.extras.bypass_duration_hours is None else f"{each.extras.bypass_duration_hours} h"
    ),
    "Notification id": lambda each: _text(each.extras.notification_id),
    "Notification": lambda each: _text(each.extras.notification_body),
    "Historical detection": lambda each: _flag(each.extras.historical_detection),
    "Look-back period": lambda each: _text(each.extras.look_back_period),
    "Version": lambda each: _text(each.extras.version),
    "Certificate": lambda each: _text(each.extras.certificate_info),
    "Additional information": lambda each: _text(each.extras.additional_info),
}
