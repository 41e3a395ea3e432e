"""The checker: it makes every indicator that SPEC 2 and 9 allow, and says everything about those they do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.checker import Checked
from indicia.domain.draft import COLUMN_NAMES, PROPERTY_NAMES, Draft
from indicia.domain.errors import Problem
from indicia.domain.indicator import Action, Category, Indicator, Severity, Status
from indicia.domain.observable import ObservableType
from indicia.domain.rules import (
    ALLOWED_ACTIONS,
    DEFENDER_TYPES,
    LEGACY_ACTIONS,
    OTHER_CHARACTERS,
    RECOMMENDED_CHARACTERS,
    STRICT_URL_CHARACTERS,
    TITLE_CHARACTERS,
    Strictness,
)
from indicia.services.indicators import draft_from
from tests.unit.indicators import GOOD, GROUPS, NOW, VALUES, checker, draft_of_type, drafts, indicators

COMPAT, NATIVE, STRICT = Strictness.COMPAT, Strictness.NATIVE, Strictness.STRICT
T = ObservableType
EVERY_DOOR = pytest.mark.parametrize("strictness", Strictness)


def checked(strictness: Strictness = NATIVE, **changed: Any) -> Checked:
    return checker(strictness).check(GOOD._replace(**changed))


def made(strictness: Strictness = NATIVE, **changed: Any) -> Indicator:
    found = checked(strictness, **changed)
    assert found.indicator is not None, found.problems
    return found.indicator


def faults(found: Checked) -> list[str]:
    return [problem.code for problem in found.problems if not problem.warning]


def warnings(found: Checked) -> list[str]:
    return [problem.code for problem in found.problems if problem.warning]


def only(found: Checked) -> Problem:
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


# -- the matrix (SPEC 2.2, 9.4, 9.7, 9.9) -----------------------------------------------------------------------------

MATRIX = {  # Allowed, Audit, Warn, Block, BlockAndRemediate
    T.FILE_SHA256: "yyyyy",
    T.FILE_SHA1: "yyyyy",
    T.FILE_MD5: "yyyyy",
    T.IP_ADDRESS: "yyyyn",
    T.IP_RANGE: "yyyyn",
    T.DOMAIN_NAME: "yyyyn",
    T.URL: "yyyyn",
    T.CERTIFICATE_THUMBPRINT: "yynyy",
}
STRICT_MATRIX = MATRIX | {
    T.FILE_MD5: "nnnnn",
    T.IP_RANGE: "nnnnn",
    T.CERTIFICATE_THUMBPRINT: "nnnnn",  # and with the action of Defender's own: the type is refused all the same
}


@pytest.mark.parametrize("kind", T)
@pytest.mark.parametrize("action", Action)
@EVERY_DOOR
def test_type_and_action(kind: T, action: Action, strictness: Strictness) -> None:
    matrix = STRICT_MATRIX if strictness is STRICT else MATRIX
    allowed = matrix[kind][list(Action).index(action)] == "y"
    if strictness is COMPAT and kind is T.IP_RANGE:
        allowed = False
    found = checker(strictness).check(draft_of_type(kind, action=action.value))
    assert (found.indicator is not None) is allowed
    if found.indicator is not None:
        assert (found.indicator.type, found.indicator.action) == (kind, action)
    elif MATRIX[kind][list(Action).index(action)] == "n":
        problem = next(each for each in found.problems if each.code == "action-not-for-type")
        assert problem.column == "action"
        assert problem.suggestion in problem.allowed
        assert action.value not in problem.allowed


@pytest.mark.parametrize("action", Action)
def test_certificates_with_the_two_actions_of_defender(action: Action) -> None:
    found = checker(STRICT).check(draft_of_type(T.CERTIFICATE_THUMBPRINT, action=action.value))
    codes = set(faults(found))
    two = action in (Action.ALLOWED, Action.BLOCK_AND_REMEDIATE)
    assert codes == ({"type-not-in-defender"} if two else {"type-not-in-defender", "action-not-for-type"})


@pytest.mark.parametrize("kind", T)
def test_the_types_that_defenders_csv_takes(kind: T) -> None:
    found = checker(STRICT).check(draft_of_type(kind))
    assert ("type-not-in-defender" in faults(found)) is (kind not in DEFENDER_TYPES)


def test_ranges_are_not_for_compat() -> None:
    problem = only(checker(COMPAT).check(draft_of_type(T.IP_RANGE)))
    assert (problem.code, problem.column) == ("type-not-in-defender", "indicatorType")
    assert "CIDR" in problem.message
    assert "IpRange" not in problem.allowed


@EVERY_DOOR
def test_a_cidr_is_no_address(strictness: Strictness) -> None:
    problem = only(checker(strictness).check(draft_of_type(T.IP_ADDRESS, value="185.220.101.0/24")))
    assert problem.code == "invalid-ip-address"
    assert "CIDR" in problem.message


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


def test_a_message_names_the_value_and_what_is_allowed() -> None:
    problem = only(checked(action="Blok"))
    assert problem.message == (
        "'Blok' is not one of Allowed, Audit, Warn, Block, BlockAndRemediate; did you mean Block?"
    )
    assert problem.value == "Blok"


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


# -- SPEC 9.3: legacy actions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("old, new", LEGACY_ACTIONS.items())
def test_legacy_actions_are_mapped_with_an_alert(old: str, new: Action) -> None:
    draft = draft_of_type(T.FILE_SHA256, action=old, generate_alert=None)
    for door, expected in ((COMPAT, []), (NATIVE, ["legacy-action"])):
        found = checker(door).check(draft)
        assert found.indicator is not None
        assert (found.indicator.action, found.indicator.generate_alert) == (new, True)
        assert [problem.code for problem in found.problems] == expected


@pytest.mark.parametrize("old", LEGACY_ACTIONS)
def test_strict_refuses_legacy_actions_with_what_defender_allows(old: str) -> None:
    problem = only(checker(STRICT).check(draft_of_type(T.FILE_SHA256, action=old)))
    assert (problem.code, problem.value, set(problem.allowed)) == ("invalid-action", old, set(Action))


def test_a_legacy_action_that_does_not_go_with_the_type_is_refused_as_what_it_means() -> None:
    found = checked(action="AlertAndBlock")
    assert faults(found) == ["action-not-for-type"]


# -- SPEC 9.5, 9.6: alerts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, False, "false", ""])
def test_audit_without_an_alert(given: Any) -> None:
    problem = only(checked(COMPAT, action="Audit", generate_alert=given))
    assert (problem.code, problem.column, problem.warning) == ("audit-needs-alert", "generateAlert", False)
    for door in (NATIVE, STRICT):
        found = checked(door, action="Audit", generate_alert=given)
        assert found.indicator is not None
        assert found.indicator.generate_alert
        assert warnings(found) == ["audit-needs-alert"]


@EVERY_DOOR
def test_allowed_with_an_alert_is_stored_as_given(strictness: Strictness) -> None:
    found = checked(strictness, action="Allowed", generate_alert=True)
    assert found.indicator is not None
    assert found.indicator.generate_alert
    assert not found.problems


@pytest.mark.parametrize("text", ["true", "True", "TRUE", " tRuE ", "1", "yes", True, 1, 1.0])
def test_true(text: Any) -> None:
    assert made(generate_alert=text).generate_alert


@pytest.mark.parametrize("text", ["false", "False", "FALSE", "0", "no", "", None, False, 0])
def test_false(text: Any) -> None:
    assert not made(generate_alert=text).generate_alert


# -- SPEC 9.8 to 9.11: values -----------------------------------------------------------------------------------------


def test_compat_keeps_the_value_just_as_it_was_sent() -> None:
    indicator = made(COMPAT, value=" Evil.Example.ORG. ")
    assert (indicator.value, indicator.canonical) == (" Evil.Example.ORG. ", "evil.example.org")


def test_other_doors_take_white_space_off() -> None:
    indicator = made(value=" Evil.Example.ORG. ")
    assert (indicator.value, indicator.canonical) == ("Evil.Example.ORG.", "evil.example.org")


@EVERY_DOOR
@pytest.mark.parametrize("action", ["Allowed", "Audit"])
def test_private_addresses_may_be_allowed_and_audited(strictness: Strictness, action: str) -> None:
    found = checker(strictness).check(draft_of_type(T.IP_ADDRESS, value="10.10.10.10", action=action))
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


# -- SPEC 9.19: expiry ------------------------------------------------------------------------------------------------

THIS_SECOND = NOW.replace(microsecond=0)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2031-01-02T03:04:05Z", datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2031-01-02T03:04:05.0Z", datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2031-01-02T03:04:05.999Z", datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2031-01-02T03:04:05.9999999Z", datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2031-01-02 03:04:05+02:00", datetime(2031, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2031-01-02T03:04:05-0330", datetime(2031, 1, 2, 6, 34, 5, tzinfo=UTC)),
        ("2031-01-02t03:04z", datetime(2031, 1, 2, 3, 4, tzinfo=UTC)),
        (" 2031-01-02Z ", datetime(2031, 1, 2, tzinfo=UTC)),
        ("9999-12-31T23:59:59.9999999Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (
            datetime(2031, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=3))),
            datetime(2031, 1, 2, 0, 4, 5, tzinfo=UTC),
        ),
        ("", None),
        (None, None),
    ],
)
def test_times(text: Any, expected: datetime | None) -> None:
    found = checked(expires=text)
    assert found.indicator is not None
    assert found.indicator.expires_at == expected
    assert not found.problems


def test_a_time_without_a_zone_is_utc_and_that_is_said() -> None:
    found = checked(expires="2031-01-02T03:04:05")
    assert found.indicator is not None
    assert found.indicator.expires_at == datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert warnings(found) == ["no-time-zone"]


@EVERY_DOOR
def test_an_expiry_counts_from_its_exact_second(strictness: Strictness) -> None:
    def codes(at: datetime, now: datetime) -> list[str]:
        given = GOOD._replace(expires=at.isoformat())
        return faults(checker(strictness, now=now).check(given))

    second = timedelta(seconds=1)
    assert codes(THIS_SECOND, THIS_SECOND) == ["expiry-in-the-past"]
    assert codes(THIS_SECOND, THIS_SECOND - timedelta(microseconds=1)) == []
    assert codes(THIS_SECOND + second, THIS_SECOND) == []
    # The fraction is dropped towards zero, so half a second from now has passed already.
    assert codes(THIS_SECOND + timedelta(microseconds=999_999), THIS_SECOND) == ["expiry-in-the-past"]


def test_an_indicator_is_expired_from_the_exact_second() -> None:
    indicator = made(expires=THIS_SECOND + timedelta(seconds=1))
    assert indicator.expires_at is not None
    assert not indicator.is_expired(indicator.expires_at - timedelta(microseconds=1))
    assert indicator.is_expired(indicator.expires_at)
    assert not made().is_expired(datetime.max.replace(tzinfo=UTC))


# -- SPEC 9.22 to 9.24: category, techniques, texts -------------------------------------------------------------------


@pytest.mark.parametrize("category", Category)
@EVERY_DOOR
def test_a_category_by_name_and_by_number(category: Category, strictness: Strictness) -> None:
    number = list(Category).index(category) + 2
    for spelling in (category.value, number, float(number), str(number)):
        assert made(strictness, category=spelling).category is category


@pytest.mark.parametrize("given", [None, "", "None", 1, "1"])
def test_no_category(given: Any) -> None:
    assert made(category=given).category is None


@pytest.mark.parametrize("given", ["T1059,T1059.001", ["T1059", "T1059.001"], " T1059 , T1059.001,,T1059"])
def test_techniques_in_every_notation(given: Any) -> None:
    assert made(mitre_techniques=given, category="Malware").mitre_techniques == ("T1059", "T1059.001")


def test_techniques_without_a_category_are_told() -> None:
    found = checked(mitre_techniques="T1059")
    assert found.indicator is not None
    assert warnings(found) == ["technique-without-category"]


@pytest.mark.parametrize("field, most", [("title", 4_000), ("description", 4_000), ("recommended_actions", 8_000)])
def test_texts_are_never_cut(field: str, most: int) -> None:
    assert getattr(made(**{field: "é" * most}), field) == "é" * most
    problem = only(checked(**{field: "é" * (most + 1)}))
    assert problem.code == "too-long"
    assert str(most + 1) in problem.message


@given(st.characters())
def test_control_characters(character: str) -> None:
    allowed = character in "\t\n\r" or not (
        ord(character) < 32 or ord(character) == 127 or "\ud800" <= character <= "\udfff"
    )
    found = checked(title=f"a{character}b")
    assert (found.indicator is not None) is allowed
    if found.indicator is not None:
        assert found.indicator.title == f"a{character}b"


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

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**4_400, max_value=10**5_000),
    st.floats(),
    st.text(st.characters()),
    st.sampled_from([*Draft._fields, *T, *Action, "2031-01-01T00:00:00+14:00", "T1059", "Servers", "1", "5", "²", "٣"]),
)
json_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
        inner.map(lambda value: _nested(value, 2_000)),
    ),
    max_leaves=4,
)


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


_hostile = st.dictionaries(st.sampled_from(Draft._fields), json_values, max_size=4).map(
    lambda bad: GOOD._replace(**bad)
)


@given(_hostile, st.sampled_from(Strictness))
def test_no_draft_makes_the_checker_raise(draft: Draft, strictness: Strictness) -> None:
    found = checker(strictness).check(draft)
    assert (found.indicator is None) is any(not problem.warning for problem in found.problems)
    for problem in found.problems:
        assert problem.column in PROPERTY_NAMES.values()
        problem.as_dict()


@given(st.lists(_hostile | drafts(), min_size=2, max_size=3), st.sampled_from(Strictness))
def test_what_a_checker_remembers_changes_nothing(batch: list[Draft], strictness: Strictness) -> None:
    together = checker(strictness)
    for draft in batch:
        one, other = together.check(draft), checker(strictness).check(draft)
        assert one.indicator == other.indicator
        assert [(each.code, each.column) for each in one.problems] == [
            (each.code, each.column) for each in other.problems
        ]


@pytest.mark.parametrize(
    "field, one, other", [("generate_alert", True, 1), ("category", 2, 2.0), ("category", 1, True)]
)
def test_values_that_python_takes_for_equal_are_not_mixed_up(field: str, one: Any, other: Any) -> None:
    for first, second in ((one, other), (other, one)):
        together = checker()
        together.check(GOOD._replace(**{field: first}))
        again = together.check(GOOD._replace(**{field: second}))
        assert again == checked(**{field: second})


@given(indicators())
def test_an_indicator_checked_again_is_itself(indicator: Indicator) -> None:
    again = checker().check(draft_from(indicator))
    assert again.indicator == indicator
    assert indicator.action in ALLOWED_ACTIONS[indicator.type]
