"""How two versions differ: every field that counts is compared, and equal ones are not named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from indicia.domain.differences import Difference, differences
from indicia.domain.indicator import Action, Category, Extras, Indicator, Severity, Status
from indicia.domain.observable import ObservableType

ONE = Indicator(ObservableType.DOMAIN_NAME, "evil.example", "evil.example", Action.BLOCK, "t", "d")
CHANGED = {
    "type": ObservableType.URL,
    "value": "EVIL.example",
    "action": Action.WARN,
    "title": "another",
    "description": "another",
    "severity": Severity.HIGH,
    "category": Category.MALWARE,
    "mitre_techniques": ("T1071",),
    "recommended_actions": "wait",
    "rbac_group_names": ("Servers",),
    "expires_at": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    "generate_alert": True,
    "external_id": "x-1",
    "application": "app",
    "status": Status.HELD,
}
EXTRAS = {
    "educate_url": "https://example.org/",
    "bypass_duration_hours": 4,
    "notification_id": "n",
    "notification_body": "b",
    "historical_detection": True,
    "look_back_period": "7d",
    "version": "1",
    "certificate_info": "c",
    "additional_info": "i",
    "override_reason": "because",
}


def test_equal_versions_have_no_difference() -> None:
    assert differences(ONE, ONE) == ()
    assert differences(None, None) == ()


@pytest.mark.parametrize("field", [name for name in Indicator._fields if name not in ("canonical", "extras")])
def test_each_field_is_named_once_with_what_it_was_and_is(field: str) -> None:
    [found] = differences(ONE, ONE._replace(**{field: CHANGED[field]}))
    assert found.old != found.new
    [back] = differences(ONE._replace(**{field: CHANGED[field]}), ONE)
    assert (back.field, back.old, back.new) == (found.field, found.new, found.old)


@pytest.mark.parametrize("field", Extras._fields)
def test_rare_fields_are_compared_too(field: str) -> None:
    [found] = differences(ONE, ONE._replace(extras=Extras(**{field: EXTRAS[field]})))
    assert found.old != found.new


def test_times_and_lists_are_words() -> None:
    later = ONE._replace(expires_at=CHANGED["expires_at"], rbac_group_names=("A", "B"))
    assert differences(ONE, later) == (
        Difference("Expires", "never", "2030-01-02 03:04:05 UTC"),
        Difference("Device groups", "all devices", "A, B"),
    )
