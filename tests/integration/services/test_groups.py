"""Device groups: names, ranks and rules, and what a change of them does to scopes, limits and devices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from indicia.domain.access import Permission
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from indicia.services import changesets, devices, groups, people
from indicia.services.group_preview import preview
from indicia.services.regrouping import Grouping
from indicia.store.database import Database
from indicia.store.schema import people as people_table
from tests.integration.stores import ADMIN, BLOCK, NOW, contents, domains, submit

SERVERS = [{"field": "name", "operator": "startsWith", "values": ["srv-"]}]


def add(database: Database, name: str, rank: int | None = None, **more: Any) -> None:
    groups.add_group(database, name, rank, actor=ADMIN, now=NOW, **more)


def change(database: Database, name: str, **more: Any) -> groups.Changed:
    return groups.change_group(database, name, actor=ADMIN, now=NOW, **more)


def order(database: Database) -> list[tuple[int, str]]:
    return [(group.rank, group.name) for group in groups.list_groups(database)]


def register(database: Database, *names: str) -> None:
    given = [{"name": name} for name in names]
    devices.register(database, given, actor=ADMIN, now=NOW, grouping=Grouping())


def test_at_a_rank_that_is_taken_the_others_move_down(database: Database) -> None:
    for name, rank in (("a", None), ("b", None), ("c", 7), ("d", 1), ("e", 7), ("f", None)):
        add(database, name, rank)
    assert order(database) == [(1, "d"), (2, "a"), (3, "b"), (7, "e"), (8, "c"), (9, "f")]


def test_moving_numbers_all_anew(database: Database) -> None:
    for name in "abcd":
        add(database, name, None)
    change(database, "d", rank=2)
    assert order(database) == [(1, "a"), (2, "d"), (3, "b"), (4, "c")]
    groups.move_group(database, "a", 1, actor=ADMIN, now=NOW)
    assert [name for _rank, name in order(database)] == ["d", "a", "b", "c"]
    assert groups.move_group(database, "d", -1, actor=ADMIN, now=NOW).changeset is None
    change(database, "d", rank=1_000)
    assert order(database)[-1] == (4, "d")


def test_another_name_is_in_every_scope_and_limit_by_one_changeset(database: Database) -> None:
    add(database, "Servers", rules=SERVERS)
    add(database, "Lab")
    submit(database, BLOCK._replace(rbac_group_names=["Lab", "Servers"]))
    submit(database, *domains(range(3), rbac_group_names=["Servers"]))
    submit(database, *domains(range(3, 5), rbac_group_names=["Lab"]))
    ada = people.add_person(database, "ada", actor=ADMIN, now=NOW).person
    with database.transaction() as tx:
        tx.connection.execute(update(people_table).values(rbac_group_names=frozenset({"Servers", "Lab"})))
    before = contents(database)
    changed = change(database, "Servers", to="Servers, EU".replace(",", " /"))
    assert changed.renamed == 4
    after = contents(database)
    assert next(iter(after.values())).rbac_group_names == ("Lab", "Servers / EU")
    for number, each in before.items():
        renamed = tuple("Servers / EU" if name == "Servers" else name for name in each.rbac_group_names)
        assert after[number] == each._replace(rbac_group_names=renamed)
    with database.snapshot() as tx:
        assert tx.people.get(ada.id).groups == frozenset({"Servers / EU", "Lab"})  # type: ignore[union-attr]  # added above
        head = tx.changesets.head()
    assert head is not None
    assert (head.kind, head.updated, head.id) == ("group.rename", 4, changed.changeset)
    assert not changesets.verify_chain(database)[1]
    with pytest.raises(Conflict, match="give it the old one back"):
        changesets.undo(database, head.id, actor=ADMIN, now=NOW)
    change(database, "Servers / EU", to="Servers")
    assert contents(database) == before


def test_what_comes_back_by_an_undo_has_groups_that_are_there(database: Database) -> None:
    add(database, "Servers")
    [written] = submit(database, BLOCK._replace(rbac_group_names=["Servers"]))
    submit(database, BLOCK._replace(rbac_group_names=[]))
    head = changesets.list_changesets(database, actor=ADMIN)[0]
    change(database, "Servers", to="Other")
    with pytest.raises(Conflict, match="not there any more: 'Servers'"):
        changesets.undo(database, head.id, actor=ADMIN, now=NOW)
    change(database, "Other", to="Servers")
    changesets.undo(database, head.id, actor=ADMIN, now=NOW)
    assert written.stored is not None
    assert contents(database)[written.stored.id].rbac_group_names == ("Servers",)


def test_a_group_that_is_needed_is_not_removed(database: Database) -> None:
    add(database, "Servers")
    people.add_person(database, "ada", actor=ADMIN, now=NOW)
    with database.transaction() as tx:
        tx.connection.execute(update(people_table).values(rbac_group_names=frozenset({"Servers"})))
    with pytest.raises(Conflict, match="1 person, API client or key is limited"):
        groups.remove_group(database, "Servers", actor=ADMIN, now=NOW)
    with database.transaction() as tx:
        tx.connection.execute(update(people_table).values(rbac_group_names=None))
    groups.remove_group(database, "Servers", actor=ADMIN, now=NOW)


def test_a_preview_says_what_saving_does(database: Database) -> None:
    add(database, "Old", rules=[{"field": "name", "operator": "contains", "values": ["1"]}])
    register(database, "srv-1", "srv-2", "pc-1", "pc-2")
    found = preview(database, SERVERS, actor=ADMIN)
    assert (found.matching, found.members, found.sample) == (2, 1, ("srv-2",))
    assert (found.joining, found.leaving) == (((None, 1),), ())
    found = preview(database, SERVERS, actor=ADMIN, rank=1)
    assert (found.members, found.joining) == (2, ((None, 1), ("Old", 1)))
    found = preview(database, SERVERS, actor=ADMIN, name="Old")
    assert (found.members, found.joining, found.leaving) == (2, ((None, 1),), ((None, 1),))
    assert groups.overview(database, actor=ADMIN, now=NOW).groups[0].members == 2, "nothing was changed"
    assert change(database, "Old", rules=SERVERS).moved == 2


def test_an_overview_counts_what_is_alive(database: Database) -> None:
    add(database, "Servers", rules=SERVERS, description="racks")
    add(database, "Lab")
    register(database, "srv-1", "srv-2", "pc-1")
    submit(database, *domains(range(3), rbac_group_names=["Servers"]))
    submit(database, *domains(range(3, 5), rbac_group_names=["Lab", "Servers"], expires="2030-06-16T00:00:00Z"))
    found = groups.overview(database, actor=ADMIN, now=NOW)
    assert [(row.group.name, row.members, row.indicators) for row in found.groups] == [("Servers", 2, 5), ("Lab", 0, 2)]
    assert (found.ungrouped, found.groups[0].group.description) == (1, "racks")
    later = groups.overview(database, actor=ADMIN, now=NOW.replace(day=17))
    assert [row.indicators for row in later.groups] == [3, 0]
    own = replace(ADMIN, groups=frozenset({"Lab"}))
    assert [row.group.name for row in groups.overview(database, actor=own, now=NOW).groups] == ["Lab"]
    assert [group.name for group in groups.list_groups(database, actor=own)] == ["Lab"]
    with pytest.raises(NotFound):
        groups.show_group(database, "Servers", actor=own, now=NOW)


@pytest.mark.parametrize(
    "wrong, code",
    [
        ({"to": "a,b"}, "invalid-name"),
        ({"to": " "}, "invalid-name"),
        ({"to": "x" * 201}, "invalid-name"),
        ({"rank": 0}, "invalid-rank"),
        ({"rank": 10**9}, "invalid-rank"),
        ({"rules": "x"}, "not-a-list"),
        ({"description": "x" * 1_001}, "invalid-description"),
    ],
)
def test_what_a_group_cannot_be(database: Database, wrong: dict[str, Any], code: str) -> None:
    add(database, "Servers")
    with pytest.raises(InvalidInput) as refused:
        change(database, "Servers", **wrong)
    assert [problem.code for problem in refused.value.problems] == [code]


def test_who_may_change_groups(database: Database) -> None:
    add(database, "Servers")
    add(database, "Lab")
    with pytest.raises(Conflict, match="'Lab' already"):
        change(database, "Servers", to="Lab")
    with pytest.raises(NotFound):
        change(database, "Nobody", rank=1)
    for actor in (
        replace(ADMIN, permissions=ADMIN.permissions - {Permission.GROUPS_WRITE}),
        replace(ADMIN, groups=frozenset({"Servers"})),
    ):
        for call in (
            lambda actor=actor: groups.add_group(database, "x", None, actor=actor, now=NOW),
            lambda actor=actor: groups.change_group(database, "Servers", rank=1, actor=actor, now=NOW),
            lambda actor=actor: groups.move_group(database, "Servers", 1, actor=actor, now=NOW),
            lambda actor=actor: groups.remove_group(database, "Lab", actor=actor, now=NOW),
            lambda actor=actor: preview(database, SERVERS, actor=actor),
        ):
            with pytest.raises(Forbidden):
                call()


def test_there_is_an_end_to_what_rules_hold(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MOST_VALUES_IN_ALL", 2)
    monkeypatch.setattr(groups, "MOST_GROUPS", 2)
    add(database, "a", rules=SERVERS)
    with pytest.raises(Conflict, match="3 values, at most 2"):
        change(database, "a", rules=[{"field": "tag", "operator": "in", "values": ["1", "2", "3"]}])
    add(database, "b", rules=SERVERS)
    with pytest.raises(Conflict, match="2 device groups already"):
        add(database, "c")
