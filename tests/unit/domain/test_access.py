"""Who may do what: the permission that is asked for, by name, or `Forbidden`; and what touches whose device groups."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.access import (
    Actor,
    Grant,
    Permission,
    Role,
    Source,
    granted,
    limits_to_own,
    require,
    require_all,
    require_unlimited,
    system_actor,
)
from indicia.domain.errors import Forbidden
from indicia.domain.sight import outside, own_groups

PERMISSIONS = st.frozensets(st.sampled_from(Permission))
ASKED = st.frozensets(st.sampled_from(Permission), min_size=1)
GRANTS = st.frozensets(st.sampled_from(Grant))
NAMES = st.sampled_from(["Servers", "Clerks", "Lab", "Kiosks"])
GROUPS = st.none() | st.frozensets(NAMES)
SCOPES = st.lists(NAMES, unique=True)


def actor(
    permissions: frozenset[Permission], groups: frozenset[str] | None = None, *, sees_only_own: bool = False
) -> Actor:
    return Actor("42", "somebody", Source.PUBLIC_API, permissions, groups, sees_only_own)


@given(held=PERMISSIONS, asked=ASKED)
def test_one_of_the_permissions_asked_for_is_enough(held: frozenset[Permission], asked: frozenset[Permission]) -> None:
    if held & asked:
        require(actor(held), *asked)
        return
    with pytest.raises(Forbidden) as refused:
        require(actor(held), *asked)
    assert all(permission in str(refused.value) for permission in asked | held)
    assert "somebody" in str(refused.value)


def test_each_role_may_do_all_that_the_one_before_it_may_and_more() -> None:
    for lower, higher in pairwise(Role):
        assert lower.permissions < higher.permissions
    assert Role.ADMINISTRATOR.permissions == frozenset(Permission)


def test_who_only_looks_changes_nothing() -> None:
    assert all(permission.value.endswith(".read") for permission in Role.VIEWER.permissions)


def test_releasing_is_for_responders_and_people_are_for_administrators() -> None:
    assert [Permission.INDICATORS_RELEASE in role.permissions for role in Role] == [False, False, True, True]
    assert [Permission.PEOPLE_WRITE in role.permissions for role in Role] == [False, False, False, True]


@given(one=GRANTS, other=GRANTS)
def test_another_grant_never_takes_anything_away(one: frozenset[Grant], other: frozenset[Grant]) -> None:
    assert granted(one) | granted(other) == granted(one | other)
    assert limits_to_own(one | other) <= (limits_to_own(one) or limits_to_own(other))


@given(grants=GRANTS)
def test_a_client_that_may_write_by_one_name_only_sees_what_it_created(grants: frozenset[Grant]) -> None:
    if limits_to_own(grants):
        assert Grant.TI_READ_WRITE in grants
        assert Permission.INDICATORS_RELEASE not in granted(grants)
        assert not grants & {Grant.TI_READ_WRITE_ALL, Grant.TI_READ_ALL, Grant.ADMINISTER}


@given(permissions=PERMISSIONS, groups=GROUPS, own=st.booleans(), asked=st.sampled_from(Permission))
def test_what_is_about_everything_is_for_who_sees_everything(
    permissions: frozenset[Permission], groups: frozenset[str] | None, own: bool, asked: Permission
) -> None:
    somebody = actor(permissions, groups, sees_only_own=own)
    assert somebody.sees_all is (groups is None and not own)
    for needed, fits in ((require_unlimited, not own), (require_all, somebody.sees_all)):
        if asked in permissions and fits:
            needed(somebody, asked)
        else:
            with pytest.raises(Forbidden):
                needed(somebody, asked)


@given(groups=GROUPS, scope=SCOPES)
def test_what_somebody_may_change_they_see(groups: frozenset[str] | None, scope: list[str]) -> None:
    somebody = actor(frozenset(), groups)
    if somebody.reaches(scope):
        assert somebody.sees(scope)
        assert outside(somebody, scope) is None
    else:
        problem = outside(somebody, scope)
        assert problem is not None
        assert problem.code == "outside-your-groups"
        strangers = set(scope) - (groups or frozenset())
        assert not any(name in problem.message for name in strangers), "a group that is not theirs is never named"


@given(groups=st.frozensets(NAMES), scope=SCOPES, more=st.frozensets(NAMES))
def test_more_groups_show_more_and_reach_further(
    groups: frozenset[str], scope: list[str], more: frozenset[str]
) -> None:
    narrow, wide = actor(frozenset(), groups), actor(frozenset(), groups | more)
    assert narrow.sees(scope) <= wide.sees(scope)
    assert narrow.reaches(scope) <= wide.reaches(scope)
    assert own_groups(narrow, scope) <= own_groups(wide, scope)
    assert own_groups(narrow, scope) == groups & set(scope)


@given(groups=st.frozensets(NAMES))
def test_what_is_for_every_device_is_seen_by_all_and_changed_by_who_is_not_limited(groups: frozenset[str]) -> None:
    assert actor(frozenset(), groups).sees([])
    assert not actor(frozenset(), groups).reaches([])
    assert actor(frozenset()).reaches([])


def test_timed_work_may_touch_everything_and_is_named() -> None:
    expiry = system_actor("expiry")
    assert (expiry.id, expiry.name, expiry.source) == ("expiry", "expiry", Source.SYSTEM)
    assert expiry.sees_all
    assert expiry.permissions == frozenset(Permission)
