"""Who may do what: the permission that is asked for, by name, or `Forbidden`."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from indicia.domain.access import Actor, Permission, Source, require, system_actor
from indicia.domain.errors import Forbidden

SETS = [
    frozenset(each) for each in chain.from_iterable(combinations(Permission, n) for n in range(len(Permission) + 1))
]


def named(permissions: frozenset[Permission]) -> str:
    """Return one name in every process: a set has another order in each."""
    return "+".join(sorted(permissions)) or "none"


def actor(permissions: frozenset[Permission]) -> Actor:
    return Actor("42", "somebody", Source.PUBLIC_API, permissions)


@pytest.mark.parametrize("held", SETS, ids=named)
@pytest.mark.parametrize("asked", SETS[1:], ids=named)
def test_one_of_the_permissions_asked_for_is_enough(held: frozenset[Permission], asked: frozenset[Permission]) -> None:
    if held & asked:
        require(actor(held), *asked)
        return
    with pytest.raises(Forbidden) as refused:
        require(actor(held), *asked)
    assert all(permission in str(refused.value) for permission in asked)
    assert "somebody" in str(refused.value)


@pytest.mark.parametrize("held", SETS, ids=named)
def test_only_the_permission_for_all_shows_what_others_created(held: frozenset[Permission]) -> None:
    assert actor(held).sees_only_own is (Permission.TI_READ_WRITE_ALL not in held)


def test_timed_work_may_touch_everything_and_is_named() -> None:
    expiry = system_actor("expiry")
    assert (expiry.id, expiry.name, expiry.source) == ("expiry", "expiry", Source.SYSTEM)
    assert not expiry.sees_only_own
