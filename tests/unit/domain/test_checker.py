"""The checker: it makes every indicator that SPEC 2 and 9 allow, and says everything about those they do not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.draft import COLUMN_NAMES, PROPERTY_NAMES, Draft
from indicia.domain.indicator import Action, Category, Indicator, Severity, Status
from indicia.domain.rules import (
    ALLOWED_ACTIONS,
    OTHER_CHARACTERS,
    RECOMMENDED_CHARACTERS,
    STRICT_URL_CHARACTERS,
    TITLE_CHARACTERS,
    Strictness,
)
from indicia.services.indicators import draft_from
from tests.unit.checking import COMPAT, EVERY_DOOR, STRICT, T, checked, faults, hostile, made, only, warnings
from tests.unit.indicators import GOOD, GROUPS, VALUES, checker, draft_of_type, indicators

# -- every code once, with its column, what is allowed and a suggestion -----------------------------------------------

ACTIONS = tuple(Action)
FAULTS: list[tuple[dict[str, Any], str, str, tuple[str, ...], str | None]] = [
    ({"type": None}, "missing", "type", tuple(T), None),
    ({"type": "  "}, "missing", "type", tuple(T), None),
    ({"type": "Domain"}, "invalid-type", "type", tuple(T), "DomainName"),
    ({"type": 7}, "invalid-type", "type", tuple(T), None),
    ({"action": None}, "missing", "action", ACTIONS, None),
    ({"action": "Blok"}, "invalid-action", "action", ACTIONS, "Block"),
    ({"action": "Allow"}, "invalid-action", "action", ACTIONS, "Allowed"),
    ({"action": "Block and remediate"}, "invalid-action", "action", ACTIONS, "BlockAndRemediate"),
    ({"action": ["Block"]}, "invalid-action", "action", ACTIONS, "Block"),
    ({"severity": "Hihg"}, "invalid-severity", "severity", tuple(Severity), "High"),
    ({"category": "Suspicious Activity"}, "invalid-category", "category", tuple(Category), "SuspiciousActivity"),
    ({"category": "malware"}, "invalid-category", "category", tuple(Category), "Malware"),
    ({"category": 18}, "invalid-category", "category", tuple(Category), None),
    ({"category": -1}, "invalid-category", "category", tuple(Category), None),
    ({"value": None}, "missing", "value", (), None),
    ({"value": " \t"}, "missing", "value", (), None),
    ({"value": 5}, "not-a-text", "value", (), None),
    ({"value": "evil[.]example.org"}, "invalid-domain-name", "value", (), "evil.example.org"),
    ({"value": "*.evil.example.org"}, "invalid-domain-name", "value", (), "evil.example.org"),
    ({"value": "185.220.101.7"}, "invalid-domain-name", "value", (), "IpAddress"),
    ({"title": None}, "missing", "title", (), None),
    ({"title": " \n"}, "missing", "title", (), None),
    ({"title": {"a": 1}}, "not-a-text", "title", (), None),
    ({"title": "x" * (TITLE_CHARACTERS + 1)}, "too-long", "title", (), None),
    ({"description": ""}, "missing", "description", (), None),
    ({"description": "x" * (TITLE_CHARACTERS + 1)}, "too-long", "description", (), None),
    ({"description": "a\x00b"}, "control-character", "description", (), None),
    ({"recommended_actions": "x" * (RECOMMENDED_CHARACTERS + 1)}, "too-long", "recommended_actions", (), None),
    ({"recommended_actions": "\x1b[31m"}, "control-character", "recommended_actions", (), None),
    ({"external_id": "x" * (OTHER_CHARACTERS + 1)}, "too-long", "external_id", (), None),
    ({"application": 5}, "not-a-text", "application", (), None),
    (
        {"mitre_techniques": "t1059.001", "category": "Malware"},
        *("invalid-technique", "mitre_techniques", ("T1234", "T1234.001"), "T1059.001"),
    ),
    (
        {"mitre_techniques": "T10590", "category": "Malware"},
        *("invalid-technique", "mitre_techniques", ("T1234", "T1234.001"), None),
    ),
    ({"mitre_techniques": {"a": 1}}, "not-a-list", "mitre_techniques", (), None),
    ({"mitre_techniques": [1]}, "not-a-list", "mitre_techniques", (), None),
    ({"mitre_techniques": [f"T{n:04}" for n in range(101)]}, "too-many", "mitre_techniques", (), None),
    ({"rbac_group_names": "Server"}, "unknown-group", "rbac_group_names", tuple(sorted(GROUPS)), "Servers"),
    ({"rbac_group_names": ["servers"]}, "unknown-group", "rbac_group_names", tuple(sorted(GROUPS)), "Servers"),
    ({"rbac_group_names": "a\tb"}, "control-character", "rbac_group_names", (), None),
    (
        {"expires": "tomorrow"},
        *("invalid-time", "expires", ("YYYY-MM-DDTHH:MM:SS.0Z", "empty for never"), None),
    ),
    (
        {"expires": "2030-02-30T00:00:00Z"},
        "invalid-time",
        "expires",
        ("YYYY-MM-DDTHH:MM:SS.0Z", "empty for never"),
        None,
    ),
    ({"expires": 1893456000}, "invalid-time", "expires", ("YYYY-MM-DDTHH:MM:SS.0Z", "empty for never"), None),
    (
        {"expires": "0001-01-01T00:00:00+14:00"},
        *("invalid-time", "expires", ("YYYY-MM-DDTHH:MM:SS.0Z", "empty for never"), None),
    ),
    ({"expires": "2029-01-01T00:00:00Z"}, "expiry-in-the-past", "expires", (), None),
    ({"generate_alert": "maybe"}, "not-a-boolean", "generate_alert", ("True", "False"), None),
    ({"generate_alert": 2}, "not-a-boolean", "generate_alert", ("True", "False"), None),
    ({"historical_detection": []}, "not-a-boolean", "historical_detection", ("True", "False"), None),
    ({"bypass_duration_hours": 0}, "invalid-hours", "bypass_duration_hours", ("1 to 8760",), None),
    ({"bypass_duration_hours": 8_761}, "invalid-hours", "bypass_duration_hours", ("1 to 8760",), None),
    ({"bypass_duration_hours": "a day"}, "invalid-hours", "bypass_duration_hours", ("1 to 8760",), None),
    ({"bypass_duration_hours": True}, "invalid-hours", "bypass_duration_hours", ("1 to 8760",), None),
]


@pytest.mark.parametrize("changed, code, field, allowed, suggestion", FAULTS)
@pytest.mark.parametrize("names", [PROPERTY_NAMES, COLUMN_NAMES], ids=["properties", "columns"])
def test_each_fault(
    changed: dict[str, Any],
    code: str,
    field: str,
    allowed: tuple[str, ...],
    suggestion: str | None,
    names: dict[str, str],
) -> None:
    found = checker(names=names).check(GOOD._replace(**changed))
    assert found.indicator is None
    problem = next(each for each in found.problems if not each.warning)
    assert faults(found) == [code]
    assert (problem.column, problem.allowed, problem.suggestion) == (names[field], allowed, suggestion)
    assert len(problem.message) < 1_000
    assert problem.value is None or len(problem.value) <= 201


@given(st.sets(st.sampled_from(range(len(FAULTS)))))
def test_all_problems_come_at_once(chosen: set[int]) -> None:
    """The fault of one field never hides that of another."""
    by_field = {FAULTS[number][2]: FAULTS[number] for number in sorted(chosen)}
    draft = GOOD
    for field, (changed, *_) in by_field.items():
        draft = draft._replace(**{field: changed[field]})
    found = checker().check(draft)
    expected = {(PROPERTY_NAMES[field], code) for field, (_, code, *_) in by_field.items()}
    if "type" in by_field:  # what spells a value depends on its type
        expected = {(column, code) for column, code in expected if not code.startswith("invalid-domain")}
    assert {(problem.column, problem.code) for problem in found.problems if not problem.warning} == expected
    assert (found.indicator is None) is bool(expected)


# -- SPEC 9.8 to 9.11: values -----------------------------------------------------------------------------------------


def test_compat_keeps_the_value_just_as_it_was_sent() -> None:
    indicator = made(COMPAT, value=" Evil.Example.ORG. ")
    assert (indicator.value, indicator.canonical) == (" Evil.Example.ORG. ", "evil.example.org")


def test_other_doors_take_white_space_off() -> None:
    indicator = made(value=" Evil.Example.ORG. ")
    assert (indicator.value, indicator.canonical) == ("Evil.Example.ORG.", "evil.example.org")


@EVERY_DOOR
def test_a_cidr_is_no_address(strictness: Strictness) -> None:
    problem = only(checker(strictness).check(draft_of_type(T.IP_ADDRESS, value="185.220.101.0/24")))
    assert problem.code == "invalid-ip-address"
    assert "CIDR" in problem.message


@EVERY_DOOR
@pytest.mark.parametrize("action", ["Allowed", "Audit"])
def test_private_addresses_may_be_allowed_and_audited(strictness: Strictness, action: str) -> None:
    found = checker(strictness).check(draft_of_type(T.IP_ADDRESS, value="10.10.10.10", action=action))
    assert found.indicator is not None
    assert found.indicator.status is Status.ACTIVE


@pytest.mark.parametrize("action, said", [("Block", ["popular-name"]), ("Allowed", [])])
def test_a_popular_name_is_noted_and_enforced(action: str, said: list[str]) -> None:
    found = checked(value="reddit.com", action=action)
    assert warnings(found) == said
    assert found.indicator is not None
    assert found.indicator.status is Status.ACTIVE


@EVERY_DOOR
@pytest.mark.parametrize("action", ["Warn", "Block"])
def test_private_addresses_are_held_where_that_would_stop_somebody(strictness: Strictness, action: str) -> None:
    draft = draft_of_type(T.IP_ADDRESS, value="10.10.10.10", action=action)
    found = checker(strictness).check(draft)
    assert found.indicator is not None
    assert found.indicator.status is Status.HELD
    assert warnings(found) == ["held-private-address"]
    released = checker(strictness).check(draft._replace(override_reason="a honeypot"))
    assert released.indicator is not None
    assert released.indicator.status is Status.ACTIVE
    assert released.problems == ()


def test_strict_urls_are_shorter() -> None:
    url = "https://evil.example.org/" + "a" * STRICT_URL_CHARACTERS
    draft = draft_of_type(T.URL, value=url)
    assert checker().check(draft).indicator is not None
    assert faults(checker(STRICT).check(draft)) == ["too-long"]
    assert faults(checker(STRICT).check(draft._replace(value=url[:STRICT_URL_CHARACTERS]))) == []


# -- fields that have no effect ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, expected",
    [
        ({"educate_url": "https://help.example.org"}, ["educate-url-unused"]),
        ({"type": "Url", "value": VALUES[T.URL], "educate_url": "https://help.example.org"}, []),
        (
            {"type": "Url", "value": VALUES[T.URL], "action": "Allowed", "educate_url": "https://help.example.org"},
            ["educate-url-unused"],
        ),
        ({"bypass_duration_hours": 24}, ["bypass-unused"]),
        ({"bypass_duration_hours": "24", "action": "Warn"}, []),
        ({"bypass_duration_hours": 24.0, "action": "Warn"}, []),
        ({"bypass_duration_hours": "", "action": "Block"}, []),
    ],
)
def test_warnings_of_fields_that_have_no_effect(changed: dict[str, Any], expected: list[str]) -> None:
    found = checked(**changed)
    assert found.indicator is not None
    assert warnings(found) == expected


def test_a_support_page_is_a_url() -> None:
    assert faults(checked(educate_url="javascript:alert(1)")) == ["invalid-url"]


# -- laws -------------------------------------------------------------------------------------------------------------


@given(hostile, st.sampled_from(Strictness))
def test_no_draft_makes_the_checker_raise(draft: Draft, strictness: Strictness) -> None:
    found = checker(strictness).check(draft)
    assert (found.indicator is None) is any(not problem.warning for problem in found.problems)
    for problem in found.problems:
        assert problem.column in PROPERTY_NAMES.values()
        problem.as_dict()


@given(indicators())
def test_an_indicator_checked_again_is_itself(indicator: Indicator) -> None:
    again = checker().check(draft_from(indicator))
    assert again.indicator == indicator
    assert indicator.action in ALLOWED_ACTIONS[indicator.type]
