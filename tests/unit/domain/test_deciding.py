"""What a draft decides: which type, action, category, scope, alert and expiry it has, whatever row it stands in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.draft import Draft
from indicia.domain.indicator import Action, Category
from indicia.domain.rules import DEFENDER_TYPES, LEGACY_ACTIONS, Strictness
from tests.unit.checking import COMPAT, EVERY_DOOR, NATIVE, STRICT, T, checked, faults, hostile, made, only, warnings
from tests.unit.indicators import GOOD, NOW, checker, draft_of_type, drafts

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


# -- SPEC 9.22, 9.23: category, techniques ----------------------------------------------------------------------------


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


# -- what is remembered -----------------------------------------------------------------------------------------------


@given(st.lists(hostile | drafts(), min_size=2, max_size=3), st.sampled_from(Strictness))
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
