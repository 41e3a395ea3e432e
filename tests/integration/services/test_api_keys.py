"""Keys of people's own programs: what comes with one, and what ends it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from indicia.domain.access import Actor, Permission, Role, Source
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from indicia.services import api_keys, groups, people
from indicia.services.api_keys import MOST_KEYS, NewKey
from indicia.store.database import Database
from indicia.store.people import Person
from tests.integration.stores import ADMIN, CLIENT, NOW

DAY = timedelta(days=1)


def person(database: Database, name: str = "ada", role: Role = Role.ADMINISTRATOR, *limits: str) -> Person:
    made = people.add_person(database, name, actor=ADMIN, now=NOW).person
    with database.transaction() as tx:
        tx.people.give(made.id, role, frozenset(limits) if limits else None)
    return found(database, made.id)


def found(database: Database, number: str) -> Person:
    with database.snapshot() as tx:
        read = tx.people.get(number)
    assert read is not None
    return read


def key_of(database: Database, who: Person, **more: object) -> NewKey:
    return api_keys.add_key(database, "script", actor=people.actor_of(who), now=NOW, **more)  # type: ignore[arg-type] # any of them


def test_what_comes_with_a_key_is_its_person(database: Database) -> None:
    ada = person(database)
    made = key_of(database, ada)
    actor = api_keys.bearer_of(database, made.text, NOW).actor
    assert (actor.id, actor.name, actor.source) == (ada.id, "ada", Source.PUBLIC_API)
    assert actor.permissions == Role.ADMINISTRATOR.permissions
    assert made.text.startswith("ind_")
    assert made.text not in repr(database.snapshot)


def test_a_key_is_kept_as_a_digest_alone(database: Database) -> None:
    made = key_of(database, person(database))
    secret = made.text.rsplit("_", 1)[1]
    with database.snapshot() as tx:
        kept = repr(tx.api_keys.all())
    assert secret not in kept
    assert secret not in repr(made.key)


def test_a_key_may_what_it_has_and_its_person_has(database: Database) -> None:
    ada = person(database, "ada", Role.RESPONDER)
    made = key_of(database, ada, permissions=["indicators.read", "indicators.write"])
    assert api_keys.bearer_of(database, made.text, NOW).actor.permissions == {
        Permission.INDICATORS_READ,
        Permission.INDICATORS_WRITE,
    }
    with database.transaction() as tx:
        tx.people.give(ada.id, Role.VIEWER, frozenset({"Paris"}))
    actor = api_keys.bearer_of(database, made.text, NOW).actor
    assert actor.permissions == {Permission.INDICATORS_READ}, "a lower role counts with the next request"
    assert actor.groups == frozenset({"Paris"})


def test_a_key_reaches_its_groups_and_those_of_its_person(database: Database) -> None:
    for name in ("Paris", "Rome"):
        groups.add_group(database, name, None, actor=ADMIN, now=NOW)
    ada = person(database, "ada", Role.ANALYST, "Paris", "Rome")
    made = key_of(database, ada, groups=["Paris"])
    assert api_keys.bearer_of(database, made.text, NOW).actor.groups == frozenset({"Paris"})
    with database.transaction() as tx:
        tx.people.give(ada.id, Role.ANALYST, frozenset({"Rome"}))
    assert api_keys.bearer_of(database, made.text, NOW).actor.groups == frozenset()
    with pytest.raises(InvalidInput, match="there is no device group 'Oslo'"):
        key_of(database, ada, groups=["Oslo"])


@pytest.mark.parametrize(
    "wrong",
    [
        "ind_",
        "ind_x",
        "ind_" + "a" * 12 + "_" + "A" * 43,
        "IND_" + "a" * 12 + "_" + "A" * 43,
        "ind_" + "a" * 12 + "_" + "A" * 43 + "\n",
        "ind_" + "ü" * 12 + "_" + "A" * 43,
        "ind_" + "\udc80" * 12,
        "x" * 100_000,
    ],
)
def test_what_is_no_key_is_refused(database: Database, wrong: str) -> None:
    with pytest.raises(Forbidden, match="the key is wrong"):
        api_keys.bearer_of(database, wrong, NOW)


def test_another_secret_under_the_same_id_is_refused(database: Database) -> None:
    made = key_of(database, person(database))
    last = "A" if made.text[-1] != "A" else "B"
    with pytest.raises(Forbidden, match="the key is wrong"):
        api_keys.bearer_of(database, made.text[:-1] + last, NOW)


def test_a_key_ends_at_its_time(database: Database) -> None:
    ada = person(database)
    made, endless = key_of(database, ada, days=7), key_of(database, ada, days=None)
    api_keys.bearer_of(database, made.text, NOW + 7 * DAY - timedelta(microseconds=1))
    with pytest.raises(Forbidden, match="the key has expired"):
        api_keys.bearer_of(database, made.text, NOW + 7 * DAY)
    api_keys.bearer_of(database, endless.text, NOW + 10_000 * DAY)
    assert key_of(database, ada).key.expires_at == NOW + 90 * DAY


def test_a_revoked_key_and_one_of_somebody_disabled_are_refused(database: Database) -> None:
    ada = person(database, "ada", Role.ANALYST)
    first, second = key_of(database, ada), key_of(database, ada)
    api_keys.revoke_key(database, first.key.id, actor=people.actor_of(ada), now=NOW)
    with pytest.raises(Forbidden, match="the key was revoked"):
        api_keys.bearer_of(database, first.text, NOW)
    with pytest.raises(Conflict, match="revoked already"):
        api_keys.revoke_key(database, first.key.id, actor=people.actor_of(ada), now=NOW)
    people.disable_person(database, "ada", actor=ADMIN, now=NOW)
    with pytest.raises(Forbidden, match="the person of this key is disabled"):
        api_keys.bearer_of(database, second.text, NOW)


def test_rotating_gives_a_new_secret_and_time_for_the_old_one(database: Database) -> None:
    ada = person(database)
    made = key_of(database, ada, days=30)
    later = NOW + 20 * DAY
    again = api_keys.rotate_key(database, made.key.id, actor=people.actor_of(ada), now=later)
    assert again.text != made.text
    assert again.key.expires_at == later + 30 * DAY
    for text in (made.text, again.text):
        api_keys.bearer_of(database, text, later + timedelta(hours=23, minutes=59))
    with pytest.raises(Forbidden, match="replaced by a newer one"):
        api_keys.bearer_of(database, made.text, later + DAY)
    api_keys.bearer_of(database, again.text, later + DAY)
    last = api_keys.rotate_key(database, made.key.id, actor=people.actor_of(ada), now=later + DAY, grace=timedelta(0))
    with pytest.raises(Forbidden):
        api_keys.bearer_of(database, again.text, later + DAY)
    assert last.key.expires_at == later + 31 * DAY
    with pytest.raises(InvalidInput):
        api_keys.rotate_key(database, made.key.id, actor=people.actor_of(ada), now=later, grace=timedelta(days=31))


def test_nobody_sees_or_rotates_the_keys_of_others_and_who_manages_them_revokes_them(database: Database) -> None:
    ada, bob = person(database, "ada"), person(database, "bob", Role.ANALYST)
    hers, his = key_of(database, ada), key_of(database, bob)
    with pytest.raises(NotFound):
        api_keys.show_key(database, hers.key.id, actor=people.actor_of(bob))
    with pytest.raises(NotFound):
        api_keys.revoke_key(database, hers.key.id, actor=people.actor_of(bob), now=NOW)
    with pytest.raises(Forbidden):
        api_keys.all_keys(database, actor=people.actor_of(bob))
    with pytest.raises(Forbidden, match="only bob can rotate"):
        api_keys.rotate_key(database, his.key.id, actor=people.actor_of(ada), now=NOW)
    seen = {each.key.id for each in api_keys.all_keys(database, actor=people.actor_of(ada))}
    assert seen == {hers.key.id, his.key.id}
    api_keys.revoke_key(database, his.key.id, actor=people.actor_of(ada), now=NOW)
    with pytest.raises(Forbidden):
        api_keys.bearer_of(database, his.text, NOW)


def test_nobody_makes_keys_for_others_but_by_the_command_line(database: Database) -> None:
    ada = person(database, "ada")
    person(database, "bob")
    with pytest.raises(Forbidden, match="ask them to make one"):
        api_keys.add_key(database, "x", actor=people.actor_of(ada), now=NOW, person="bob")
    made = api_keys.add_key(database, "x", actor=ADMIN, now=NOW, person="bob")
    assert api_keys.bearer_of(database, made.text, NOW).actor.name == "bob"
    with pytest.raises(Forbidden, match="keys belong to people"):
        api_keys.add_key(database, "x", actor=CLIENT, now=NOW)


def test_a_key_makes_none_that_can_do_more_than_itself(database: Database) -> None:
    groups.add_group(database, "Paris", None, actor=ADMIN, now=NOW)
    ada = person(database)
    full = key_of(database, ada)
    small = key_of(database, ada, permissions=["indicators.read"], groups=["Paris"], days=7)
    actor, key = api_keys.bearer_of(database, small.text, NOW)
    child = api_keys.add_key(database, "child", actor=actor, now=NOW, days=None, by=key)
    assert child.key.permissions == {Permission.INDICATORS_READ}
    assert child.key.groups == frozenset({"Paris"})
    assert child.key.expires_at == NOW + 7 * DAY
    with pytest.raises(InvalidInput, match="is no permission of yours"):
        api_keys.add_key(database, "child", actor=actor, now=NOW, permissions=["people.write"], by=key)
    for change in (api_keys.rotate_key, api_keys.revoke_key):
        with pytest.raises(Forbidden, match="only itself"):
            change(database, full.key.id, actor=actor, now=NOW, by=key)
    assert api_keys.rotate_key(database, small.key.id, actor=actor, now=NOW, by=key).text != small.text


def test_there_are_only_so_many_keys(database: Database) -> None:
    ada = person(database)
    for _ in range(MOST_KEYS):
        made = key_of(database, ada)
    with pytest.raises(Conflict, match="the most there may be"):
        key_of(database, ada)
    api_keys.revoke_key(database, made.key.id, actor=people.actor_of(ada), now=NOW)
    key_of(database, ada)


def test_that_a_key_is_used_is_written_once_a_minute(database: Database) -> None:
    ada = person(database)
    made = key_of(database, ada)
    for seconds in (0, 1, 59):
        api_keys.bearer_of(database, made.text, NOW + timedelta(seconds=seconds))
    (key,) = api_keys.own_keys(database, actor=people.actor_of(ada))
    assert key.last_used_at == NOW
    api_keys.bearer_of(database, made.text, NOW + timedelta(seconds=60))
    (key,) = api_keys.own_keys(database, actor=people.actor_of(ada))
    assert key.last_used_at == NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    "fields, column",
    [
        ({"name": ""}, "name"),
        ({"name": "a\x07b"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"days": 0}, "expires"),
        ({"days": 100_000}, "expires"),
        ({"permissions": []}, "permissions"),
        ({"permissions": ["everything"]}, "permissions"),
        ({"groups": []}, "groups"),
    ],
)
def test_a_key_that_cannot_be_names_the_field(database: Database, fields: dict[str, object], column: str) -> None:
    ada = person(database)
    name = str(fields.pop("name", "x"))
    with pytest.raises(InvalidInput) as error:
        api_keys.add_key(database, name, actor=people.actor_of(ada), now=NOW, **fields)  # type: ignore[arg-type] # on purpose
    assert [problem.column for problem in error.value.problems] == [column]


def test_what_becomes_of_keys_is_in_the_chain_without_their_secrets(database: Database) -> None:
    ada = person(database)
    actor: Actor = people.actor_of(ada)
    made = key_of(database, ada)
    again = api_keys.rotate_key(database, made.key.id, actor=actor, now=NOW)
    api_keys.revoke_key(database, made.key.id, actor=actor, now=NOW)
    with database.snapshot() as tx:
        head = tx.changesets.head()
        assert head is not None
        entries = [tx.changesets.get(number) for number in range(1, head.id + 1)]
    kinds = [each.kind for each in entries if each is not None]
    assert kinds[-3:] == ["key.add", "key.rotate", "key.revoke"]
    told = repr(entries)
    for text in (made.text, again.text):
        assert text.rsplit("_", 1)[1] not in told
