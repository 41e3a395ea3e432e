"""API clients: scopes, device groups, expiry, and secrets that are replaced."""

from __future__ import annotations

from datetime import timedelta

import pytest

from indicia.domain.access import Actor, Grant, Permission, Role, Source, granted
from indicia.domain.errors import Conflict, Forbidden, InvalidInput
from indicia.services import applications, groups
from indicia.services.applications import ExpiredClient
from indicia.store.database import Database
from tests.integration.stores import ADMIN, NOW

DAY = timedelta(days=1)


def test_several_grants_and_a_limit_of_groups_make_the_actor(database: Database) -> None:
    groups.add_group(database, "Paris", None, actor=ADMIN, now=NOW)
    grants = ["Ti.Read.All", "Machine.ReadWrite.All"]
    made = applications.add_application(database, "x", grants, actor=ADMIN, now=NOW, groups=["Paris"])
    actor = applications.actor_of(database, made.tenant_id, made.client_id, NOW)
    assert actor.permissions == granted(map(Grant, grants))
    assert actor.groups == frozenset({"Paris"})
    assert not actor.sees_only_own
    with pytest.raises(InvalidInput, match="there is no device group 'Oslo'"):
        applications.add_application(database, "x", [], actor=ADMIN, now=NOW, groups=["Oslo"])


def test_a_client_ends_at_its_time_and_only_who_knows_its_secret_is_told(database: Database) -> None:
    made = applications.add_application(database, "x", [], actor=ADMIN, now=NOW, days=30)
    end = NOW + 30 * DAY
    just = end - timedelta(microseconds=1)
    found = applications.authenticate(database, made.client_id, made.client_secret, just)
    assert found.until == end
    applications.actor_of(database, made.tenant_id, made.client_id, just, found.secret_id)
    with pytest.raises(ExpiredClient):
        applications.authenticate(database, made.client_id, made.client_secret, end)
    with pytest.raises(Forbidden, match="wrong") as error:
        applications.authenticate(database, made.client_id, "wrong", end)
    assert not isinstance(error.value, ExpiredClient)
    with pytest.raises(Forbidden, match="expired"):
        applications.actor_of(database, made.tenant_id, made.client_id, end, found.secret_id)


def test_what_a_replaced_secret_gave_ends_with_it(database: Database) -> None:
    made = applications.add_application(database, "x", [], actor=ADMIN, now=NOW, days=30)
    before = applications.authenticate(database, made.client_id, made.client_secret, NOW)
    later = NOW + 10 * DAY
    again = applications.rotate_application(database, made.client_id, actor=ADMIN, now=later)
    assert (again.tenant_id, again.client_id) == (made.tenant_id, made.client_id)
    soon, after = later + DAY - timedelta(seconds=1), later + DAY
    old = applications.authenticate(database, made.client_id, made.client_secret, soon)
    new = applications.authenticate(database, made.client_id, again.client_secret, soon)
    assert (old.secret_id, old.until) == (before.secret_id, after)
    assert (new.until, new.secret_id) != (old.until, old.secret_id)
    assert new.until == later + 30 * DAY
    for secret_id in (old.secret_id, new.secret_id, None):
        applications.actor_of(database, made.tenant_id, made.client_id, soon, secret_id)
    applications.actor_of(database, made.tenant_id, made.client_id, after, new.secret_id)
    for secret_id in (old.secret_id, None):
        with pytest.raises(Forbidden, match="was replaced"):
            applications.actor_of(database, made.tenant_id, made.client_id, after, secret_id)
    with pytest.raises(Forbidden):
        applications.authenticate(database, made.client_id, made.client_secret, after)


def test_a_stolen_secret_ends_at_once(database: Database) -> None:
    made = applications.add_application(database, "x", [], actor=ADMIN, now=NOW)
    before = applications.authenticate(database, made.client_id, made.client_secret, NOW)
    applications.rotate_application(database, made.client_id, actor=ADMIN, now=NOW, grace=timedelta(0))
    with pytest.raises(Forbidden):
        applications.actor_of(database, made.tenant_id, made.client_id, NOW, before.secret_id)
    with pytest.raises(Forbidden):
        applications.authenticate(database, made.client_id, made.client_secret, NOW)


def test_what_is_over_is_not_rotated(database: Database) -> None:
    made = applications.add_application(database, "x", [], actor=ADMIN, now=NOW, days=1)
    with pytest.raises(Conflict, match="has expired"):
        applications.rotate_application(database, made.client_id, actor=ADMIN, now=NOW + DAY)
    applications.revoke_application(database, made.client_id, actor=ADMIN, now=NOW)
    with pytest.raises(Conflict, match="was revoked"):
        applications.rotate_application(database, made.client_id, actor=ADMIN, now=NOW)


def test_nobody_makes_or_rotates_a_client_that_can_do_more_than_themselves(database: Database) -> None:
    small = Actor("k", "a small key", Source.PUBLIC_API, frozenset({Permission.CLIENTS_WRITE}))
    with pytest.raises(Forbidden, match="nobody gives more than they have"):
        applications.add_application(database, "x", ["Indicia.Administer"], actor=small, now=NOW)
    made = applications.add_application(database, "x", ["Indicia.Administer"], actor=ADMIN, now=NOW)
    with pytest.raises(Forbidden, match="nobody gives more than they have"):
        applications.rotate_application(database, made.client_id, actor=small, now=NOW)
    limited = Actor("l", "Lea", Source.PORTAL, Role.ADMINISTRATOR.permissions, frozenset({"Paris"}))
    with pytest.raises(Forbidden, match="reaches past"):
        applications.rotate_application(database, made.client_id, actor=limited, now=NOW)
    hers = applications.add_application(database, "x", [], actor=limited, now=NOW)
    assert applications.actor_of(database, hers.tenant_id, hers.client_id, NOW).groups == frozenset({"Paris"})
