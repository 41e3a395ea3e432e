"""Preferences: small, each person's own, and never a reason for a page to fail."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from indicia.domain.access import Role
from indicia.domain.errors import InvalidInput
from indicia.services import people, preferences
from indicia.store.database import Database
from indicia.store.people import Person
from indicia.store.schema import preferences as table
from tests.integration.stores import ADMIN, NOW


@pytest.fixture
def ada(database: Database) -> Person:
    return people.add_person(database, "Ada", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR).person


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "ü", [], ["a", "b"], {"columns": ["type"], "dense": True}])
def test_what_is_put_is_what_is_got(database: Database, ada: Person, value: object) -> None:
    preferences.put(database, ada, "list.columns", "before")
    preferences.put(database, ada, "list.columns", value)
    assert preferences.get(database, ada, "list.columns", "default") == value


def test_each_person_has_their_own(database: Database, ada: Person) -> None:
    grace = people.add_person(database, "Grace", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR).person
    preferences.put(database, ada, "density", "compact")
    assert preferences.get(database, grace, "density", "default") == "default"
    assert preferences.get(database, ada, "density.other") is None


@pytest.mark.parametrize("key", ["", "A", "a b", "é", "a" * 65, "-a", "a\n", "'; DROP TABLE people; --"])
def test_a_key_is_a_short_word(database: Database, ada: Person, key: str) -> None:
    with pytest.raises(InvalidInput):
        preferences.put(database, ada, key, 1)


@pytest.mark.parametrize("value", ["x" * 5_000, list(range(5_000)), {1, 2}, object(), float, {"a": b"x"}])
def test_what_is_too_large_or_no_json_is_refused(database: Database, ada: Person, value: object) -> None:
    with pytest.raises(InvalidInput):
        preferences.put(database, ada, "columns", value)
    assert preferences.get(database, ada, "columns") is None


def test_nobody_keeps_keys_without_end(database: Database, ada: Person) -> None:
    for number in range(preferences.MOST_KEYS):
        preferences.put(database, ada, f"key-{number}", number)
    with pytest.raises(InvalidInput):
        preferences.put(database, ada, "one-more", 1)
    preferences.put(database, ada, "key-0", "changed")
    assert preferences.get(database, ada, "key-0") == "changed"


def test_what_somebody_broke_in_the_database_counts_as_nothing(database: Database, ada: Person) -> None:
    with database.transaction() as tx:
        tx.connection.execute(insert(table).values(person=ada.id, key="columns", value="{"))
    assert preferences.get(database, ada, "columns", "default") == "default"


@pytest.mark.parametrize("theme", ["", "pink", "DARK"])
def test_there_are_three_themes(database: Database, ada: Person, theme: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        preferences.set_appearance(database, ada, theme=theme, keys=True)
    assert caught.value.problems[0].allowed == ("system", "light", "dark")
