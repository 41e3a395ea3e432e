"""Roles and device groups of people: who may give them, what holds at once, and what nobody can do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from indicia.domain.access import Actor, Permission, Role, Source
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from indicia.services import groups, people, sessions
from indicia.services.standings import MOST_GROUPS, change_person
from indicia.store.database import Database
from indicia.store.people import Person
from tests.integration.stores import ADMIN, CLIENT, NOW


@pytest.fixture(autouse=True)
def _grouped(database: Database) -> None:
    for name in ("Servers", "Kiosks"):
        groups.add_group(database, name, None, actor=ADMIN, now=NOW)


def add(database: Database, name: str, role: Role = Role.VIEWER, among: list[str] | None = None, **more: Any) -> Person:
    how = {"actor": ADMIN, "now": NOW} | more
    return people.add_person(database, name, role=role, groups=among, **how).person


def change(database: Database, person: Person, **changed: Any) -> Person:
    return change_person(database, person.id, **{"actor": ADMIN, "now": NOW} | changed)


def last_event(database: Database) -> tuple[str, dict[str, Any]]:
    with database.snapshot() as tx:
        record = tx.changesets.head()
    assert record is not None
    return record.kind, dict(record.details)


def test_whoever_is_added_only_looks_unless_somebody_says_otherwise(database: Database) -> None:
    person = add(database, "Ada")
    assert (person.role, person.groups) == (Role.VIEWER, None)
    assert people.actor_of(person).permissions == Role.VIEWER.permissions


def test_the_first_person_is_an_administrator(database: Database) -> None:
    token = people.one_time_link(database, NOW)
    assert token is not None
    person = people.accept(database, token, "Ada", "correct horse battery", passwords=people.Passwords(), now=NOW)
    assert (person.role, person.groups) == (Role.ADMINISTRATOR, None)


@pytest.mark.parametrize("role", Role)
def test_a_role_and_groups_are_given_and_recorded(database: Database, role: Role) -> None:
    person = add(database, "Ada", among=["Kiosks"])
    after = change(database, person, role=role, groups=["Servers", " Kiosks "])
    assert (after.role, after.groups) == (role, frozenset({"Servers", "Kiosks"}))
    [stored] = people.list_people(database, actor=ADMIN)
    assert stored == after
    kind, details = last_event(database)
    assert kind == "user.change"
    assert details["role"] == role.value
    assert details["groups"] == ["Kiosks", "Servers"]
    assert details["was"] == {"role": "viewer", "groups": ["Kiosks"]}


def test_what_is_not_said_stays_as_it_is(database: Database) -> None:
    person = add(database, "Ada", Role.ANALYST, ["Servers"])
    assert change(database, person, role=Role.RESPONDER).groups == frozenset({"Servers"})
    assert change(database, person, groups=["Kiosks"]).role is Role.RESPONDER
    assert change(database, person, everywhere=True).groups is None


def test_nothing_is_recorded_where_nothing_changes(database: Database) -> None:
    person = add(database, "Ada", Role.ANALYST)
    before = last_event(database)
    assert change(database, person, role=Role.ANALYST) == person
    assert last_event(database) == before


def test_it_holds_from_the_next_request_on(database: Database) -> None:
    person = add(database, "Ada", Role.ADMINISTRATOR)
    token = sessions.open_session(database, person, now=NOW, limits=sessions.Limits())
    add(database, "Grace", Role.ADMINISTRATOR)
    change(database, person, role=Role.ANALYST, groups=["Servers"])
    session = sessions.find(database, token, NOW, sessions.Limits())
    assert session is not None, "they stay signed in"
    who = people.actor_of(session.person)
    assert (who.permissions, who.groups) == (Role.ANALYST.permissions, frozenset({"Servers"}))


def test_nobody_changes_their_own(database: Database) -> None:
    person = add(database, "Ada", Role.ADMINISTRATOR)
    add(database, "Grace", Role.ADMINISTRATOR)
    for changed in ({"role": Role.VIEWER}, {"groups": ["Servers"]}, {"role": Role.ADMINISTRATOR}):
        with pytest.raises(Conflict, match="their own"):
            change(database, person, actor=people.actor_of(person), **changed)


def test_the_last_administrator_stays_one(database: Database) -> None:
    person = add(database, "Ada", Role.ADMINISTRATOR)
    limited = add(database, "Grace", Role.ADMINISTRATOR, ["Servers"])
    for changed in ({"role": Role.RESPONDER}, {"groups": ["Servers"]}):
        with pytest.raises(Conflict, match="last administrator"):
            change(database, person, **changed)
    with pytest.raises(Conflict, match="last administrator"):
        people.disable_person(database, "Ada", actor=ADMIN, now=NOW)
    change(database, limited, everywhere=True)
    assert change(database, person, role=Role.VIEWER).role is Role.VIEWER
    with pytest.raises(Conflict, match="last administrator"):
        people.disable_person(database, "Grace", actor=ADMIN, now=NOW)


@pytest.mark.parametrize(
    "named, code", [(["Servers", "nothing"], "unknown-group"), ([f"g{n}" for n in range(MOST_GROUPS + 1)], "too-many")]
)
def test_groups_that_cannot_be_are_named(database: Database, named: list[str], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(database, "Ada", among=named)
    assert code in {problem.code for problem in refused.value.problems}
    assert people.list_people(database, actor=ADMIN) == []


def test_only_who_manages_people_does_any_of_it(database: Database) -> None:
    person = add(database, "Ada")
    responder = Actor("r", "R", Source.PORTAL, Role.RESPONDER.permissions)
    for who in (CLIENT, responder):
        with pytest.raises(Forbidden, match=Permission.PEOPLE_WRITE):
            change(database, person, role=Role.ADMINISTRATOR, actor=who)
        with pytest.raises(Forbidden, match=Permission.PEOPLE_WRITE):
            add(database, "Eve", Role.ADMINISTRATOR, actor=who)
    with pytest.raises(NotFound):
        change_person(database, "nobody", role=Role.VIEWER, actor=ADMIN, now=NOW)


def test_nobody_gives_what_they_lack(database: Database) -> None:
    person, boss = add(database, "Ada"), add(database, "Boss", Role.ADMINISTRATOR)
    key = replace(ADMIN, id="k", permissions=frozenset({Permission.PEOPLE_WRITE}))
    with pytest.raises(Forbidden, match="more than"):
        change(database, person, role=Role.ANALYST, actor=key)
    with pytest.raises(Forbidden, match="more than"):
        add(database, "Eve", Role.ADMINISTRATOR, actor=key)
    for work in (people.reset_link, people.disable_person):
        with pytest.raises(Forbidden, match="more than"):
            work(database, boss.name, actor=key, now=NOW)


def test_an_administrator_of_some_groups_manages_the_people_of_these(database: Database) -> None:
    boss = add(database, "Boss", Role.ADMINISTRATOR)
    mine, theirs = add(database, "Mine", among=["Servers"]), add(database, "Theirs", among=["Kiosks"])
    limited = people.actor_of(add(database, "Grace", Role.ADMINISTRATOR, ["Servers"]))
    assert {each.name for each in people.list_people(database, actor=limited)} == {"Mine", "Grace"}
    assert change(database, mine, role=Role.ANALYST, actor=limited).role is Role.ANALYST
    for person in (boss, theirs):
        with pytest.raises(NotFound):
            change(database, person, role=Role.VIEWER, actor=limited)
        with pytest.raises(NotFound):
            people.reset_link(database, person.name, actor=limited, now=NOW)
    with pytest.raises(Forbidden, match="limited to device groups"):
        change(database, mine, everywhere=True, actor=limited)
    with pytest.raises(Forbidden, match="limited to device groups"):
        add(database, "Eve", actor=limited)
    with pytest.raises(InvalidInput, match="no device group"):
        change(database, mine, groups=["Kiosks"], actor=limited)
