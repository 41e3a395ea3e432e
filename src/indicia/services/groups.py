"""The device groups that a scope may name: their ranks, their rules, and what a change of them does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from indicia.domain.access import Actor, Permission, require
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from indicia.domain.grouping import MOST_VALUES_IN_ALL, Rule, rule_as_list, rule_of
from indicia.services.regrouping import Grouping, regroup
from indicia.services.writing import Writing, record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.devices import Devices
from indicia.store.groups import DeviceGroup, GroupRecord

MOST_GROUPS = 2_000
NAME_CHARACTERS = 200
DESCRIPTION_CHARACTERS = 1_000
HIGHEST_RANK: Final = 1_000_000
_RENAMED_AT_ONCE: Final = 2_000


class GroupRow(NamedTuple):
    """A group, and how many devices are in it and how many indicators are for it."""

    group: GroupRecord
    members: int
    indicators: int


class Overview(NamedTuple):
    """Every group, the highest ranked first, and how many devices are in none."""

    groups: tuple[GroupRow, ...]
    ungrouped: int


class Changed(NamedTuple):
    """A group after a change, how many devices are in another group now, and indicators that name it anew."""

    group: GroupRecord
    moved: int
    renamed: int = 0
    changeset: int | None = None


# -- reading ----------------------------------------------------------------------------------------------------------


def list_groups(database: Database, *, actor: Actor | None = None) -> list[DeviceGroup]:
    """Return every device group, the highest ranked first; with *actor* those that exist for it."""
    with database.snapshot() as tx:
        found = tx.groups.all()
    if actor is None or actor.groups is None:
        return found
    return [group for group in found if group.name in actor.groups]


def scores(database: Database, *, actor: Actor) -> tuple[int, list[tuple[DeviceGroup, int]]]:
    """Return the exposure score of all devices, and that of each group that exists for *actor*: 0, as none is kept."""
    require(actor, Permission.DEVICES_READ, Permission.INDICATORS_READ)
    return 0, [(group, 0) for group in list_groups(database, actor=actor)]


def overview(database: Database, *, actor: Actor, now: datetime) -> Overview:
    """Return every group that exists for *actor*, with what is in it and for it."""
    require(actor, Permission.DEVICES_READ)
    with database.snapshot() as tx:
        members, scoped = tx.devices.count_by_group(), tx.groups.scoped_counts(now)
        rows = [
            GroupRow(record, members.get(record.id, 0), scoped.get(record.name, 0))
            for record in tx.groups.records()
            if actor.groups is None or record.name in actor.groups
        ]
    return Overview(tuple(rows), members.get(None, 0) if actor.groups is None else 0)


def show_group(database: Database, name: str, *, actor: Actor, now: datetime) -> GroupRow:
    """Return the group *name* with what is in it and for it; `NotFound` where there is none for *actor*."""
    require(actor, Permission.DEVICES_READ)
    if actor.groups is not None and name not in actor.groups:
        raise _no_group(name)
    with database.snapshot() as tx:
        record = found_group(tx, name)
        members = tx.devices.count(Devices(groups=frozenset({record.id})))
        return GroupRow(record, members, len(tx.groups.scoped_ids(name, now)))


def scoped_to(database: Database, name: str, *, actor: Actor) -> int:
    """Return how many indicators are scoped to the device group *name*: they are in the way of removing it."""
    require_whole(actor)
    with database.snapshot() as tx:
        found_group(tx, name)
        return tx.indicators.scoped_to(name)


# -- writing ----------------------------------------------------------------------------------------------------------


def add_group(
    database: Database,
    name: str,
    rank: int | None,
    *,
    actor: Actor,
    now: datetime,
    rules: Any = (),
    description: str | None = None,
    grouping: Grouping | None = None,
) -> DeviceGroup:
    """Add a device group; without a rank it is the lowest, at a rank that is taken those from there on move down.

    Devices that its rule matches, and that no higher ranked group has, are in it at once. `Conflict` where the name
    is taken or there are `MOST_GROUPS`.
    """
    require_whole(actor)
    name = name.strip()
    problems = [*_faults_of_name(name), *_faults_of_rank(rank)]
    rule = rule_from(list(rules) if isinstance(rules, tuple) else rules, problems)
    about = _description(description, problems)
    if problems:
        raise InvalidInput(problems)
    with database.transaction() as tx:
        records = tx.groups.records()
        if len(records) >= MOST_GROUPS:
            raise Conflict(f"there are {MOST_GROUPS} device groups already, the most there may be")
        _refuse_taken(records, name)
        _refuse_too_many_values(records, None, rule)
        tx.groups.set_ranks(_made_way(records, rank))
        made = tx.groups.add(name, rank, rule, about)
        moved = regroup(tx, grouping or Grouping()) if rule else 0
        details = {"name": made.name, "rank": made.rank, "rules": rule_as_list(rule), "moved": moved}
        record_event(tx, Header(actor, "group.add", now), details)
        return made


def change_group(
    database: Database,
    name: str,
    *,
    actor: Actor,
    now: datetime,
    rules: Any = None,
    description: str | None = None,
    to: str | None = None,
    rank: int | None = None,
    grouping: Grouping | None = None,
) -> Changed:
    """Give a group another rule, description, name, or place in the order of ranks; what is None stays.

    With another name the scope of every live indicator that names the group is rewritten by the same changeset, and
    so are the limits of people, API clients and keys.
    """
    require_whole(actor)
    problems = _faults_of_rank(rank)
    rule = None if rules is None else rule_from(rules, problems)
    about = _description(description, problems)
    to = name if to is None else to.strip()
    problems += _faults_of_name(to) if to != name else []
    if problems:
        raise InvalidInput(problems)
    with database.transaction() as tx:
        before = found_group(tx, name)
        after = before._replace(
            name=to,
            rule=before.rule if rule is None else rule,
            description=before.description if description is None else about,
        )
        records = tx.groups.records()
        if to != name:
            _refuse_taken(records, to)
        _refuse_too_many_values(records, before.id, after.rule)
        tx.groups.change(before.id, name=to, rule=after.rule, description=after.description)
        if rank is not None:
            tx.groups.set_ranks(_numbered_anew(records, before, rank))
            after = found_group(tx, to)
        if after == before:
            return Changed(before, 0)
        regroups = after.rule != before.rule or after.rank != before.rank
        moved = regroup(tx, grouping or Grouping()) if regroups else 0
        details = _difference(before, after) | {"moved": moved}
        if to == name:
            kind = "group.rank" if after == before._replace(rank=after.rank) else "group.change"
            return Changed(after, moved, 0, record_event(tx, Header(actor, kind, now), details).id)
        details["limits"] = tx.groups.rename_limits(name, to)
        renamed, number = _rename_scopes(tx, name, to, details, actor=actor, now=now)
        return Changed(after, moved, renamed, number)


def move_group(
    database: Database, name: str, by: int, *, actor: Actor, now: datetime, grouping: Grouping | None = None
) -> Changed:
    """Move a group up in rank, *by* -1, or down, by 1."""
    require_whole(actor)
    order = [group.name for group in list_groups(database)]
    if name not in order:
        raise _no_group(name)
    place = min(max(order.index(name) + by, 0), len(order) - 1) + 1
    return change_group(database, name, rank=place, actor=actor, now=now, grouping=grouping)


def remove_group(
    database: Database, name: str, *, actor: Actor, now: datetime, grouping: Grouping | None = None
) -> int:
    """Remove a device group; return how many devices are in another one, or in none, after that.

    `Conflict` where indicators are scoped to it, which would reach other devices then, or where somebody is limited
    to it.
    """
    require_whole(actor)
    with database.transaction() as tx:
        found_group(tx, name)
        if scoped := tx.indicators.scoped_to(name):
            raise Conflict(f"{scoped} indicators are scoped to the device group {name!r}; change or delete them first")
        if limited := tx.groups.limited_to(name):
            what = "person, API client or key is" if limited == 1 else "people, API clients or keys are"
            raise Conflict(f"{limited} {what} limited to the device group {name!r}; change that first")
        tx.groups.remove(name)
        moved = regroup(tx, grouping or Grouping())
        record_event(tx, Header(actor, "group.remove", now), {"name": name, "moved": moved})
        return moved


def _rename_scopes(
    tx: Transaction, name: str, to: str, details: dict[str, Any], *, actor: Actor, now: datetime
) -> tuple[int, int]:
    """Let every live indicator for the group *name* be for *to*, by one changeset; return how many, and its number."""
    writing = Writing(tx, actor, now)
    numbers = tx.groups.scoped_ids(name, now)
    for start in range(0, len(numbers), _RENAMED_AT_ONCE):
        stored = tx.indicators.get(numbers[start : start + _RENAMED_AT_ONCE])
        batch = []
        for each in stored.values():
            names = tuple(to if group == name else group for group in each.indicator.rbac_group_names)
            batch.append((each, each.indicator._replace(rbac_group_names=names)))
        writing.apply_edits(writing.plan_edits(batch))
    header = Header(actor, "group.rename", now, f"the device group {name!r} is called {to!r} now")
    record = writing.finish(header, details) or record_event(tx, header, details)
    return len(numbers), record.id


def _numbered_anew(records: Sequence[GroupRecord], moved: GroupRecord, place: int) -> list[tuple[int, int]]:
    """Return the ranks that change, all counted from 1, where *moved* comes to *place*."""
    order = [record for record in records if record.id != moved.id]
    order.insert(place - 1, moved)
    return [(record.id, rank) for rank, record in enumerate(order, 1) if record.rank != rank]


def _difference(before: GroupRecord, after: GroupRecord) -> dict[str, Any]:
    """Return what the chain keeps of a change."""
    found: dict[str, Any] = {"name": before.name}
    if after.name != before.name:
        found["to"] = after.name
    if after.rule != before.rule:
        found |= {"rules": rule_as_list(after.rule), "rulesBefore": rule_as_list(before.rule)}
    if after.description != before.description:
        found["description"] = after.description
    if after.rank != before.rank:
        found |= {"rank": after.rank, "rankBefore": before.rank}
    return found


def require_whole(actor: Actor) -> None:
    """Raise `Forbidden` unless *actor* may change groups, and is limited to none."""
    require(actor, Permission.GROUPS_WRITE)
    if actor.groups is not None:
        raise Forbidden(f"{actor.name} is limited to device groups, and may not change what they are")


def found_group(tx: Transaction, name: str) -> GroupRecord:
    """Return the group *name*; `NotFound` where there is none."""
    for record in tx.groups.records():
        if record.name == name:
            return record
    raise _no_group(name)


def _no_group(name: str) -> NotFound:
    return NotFound(f"there is no device group {name[:100]!r}")


def _made_way(records: Sequence[GroupRecord], rank: int | None) -> list[tuple[int, int]]:
    """Return the ranks of the groups that move down so that *rank* is free: the unbroken row from there on."""
    moved = []
    for record in records:
        if rank is not None and record.rank == rank:
            rank += 1
            moved.append((record.id, rank))
    return moved


def rule_from(rows: Any, problems: list[Problem] | None = None) -> Rule:
    """Return the rule that *rows* spell; faults go to *problems*, or are raised where there is no such list."""
    found: list[Problem] = []
    rule = rule_of(rows, found)
    if problems is None and found:
        raise InvalidInput(found)
    if problems is not None:
        problems += found
    return rule


def _description(text: str | None, problems: list[Problem]) -> str | None:
    text = (text or "").strip()
    if len(text) > DESCRIPTION_CHARACTERS or not text.replace("\n", "").isprintable():
        message = f"a description has at most {DESCRIPTION_CHARACTERS} characters, without control characters"
        problems.append(Problem("invalid-description", message, "description", text[:200]))
    return text or None


def _faults_of_name(name: str) -> list[Problem]:
    if name and len(name) <= NAME_CHARACTERS and name.isprintable() and "," not in name:
        return []
    message = f"a name has 1 to {NAME_CHARACTERS} characters that can be printed, and no comma"
    return [Problem("invalid-name", message, "name", name[:200])]


def _faults_of_rank(rank: int | None) -> list[Problem]:
    if rank is None or 1 <= rank <= HIGHEST_RANK:
        return []
    message = f"a rank is a number from 1, the highest, to {HIGHEST_RANK}"
    return [Problem("invalid-rank", message, "rank", str(rank))]


def _refuse_taken(records: Sequence[GroupRecord], name: str) -> None:
    if any(record.name == name for record in records):
        message = f"there is a device group {name!r} already"
        raise Conflict(message, [Problem("conflict", message, "name", name)])


def _refuse_too_many_values(records: Sequence[GroupRecord], number: int | None, rule: Rule) -> None:
    others = sum(len(row.values) for record in records if record.id != number for row in record.rule)
    total = others + sum(len(row.values) for row in rule)
    if total > MOST_VALUES_IN_ALL:
        message = f"the rules of all device groups would have {total:,} values, at most {MOST_VALUES_IN_ALL:,} may be"
        raise Conflict(message, [Problem("too-many-values", message, "rules")])
