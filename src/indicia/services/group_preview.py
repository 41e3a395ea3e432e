"""What the rule of a device group would do, before anybody saves it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from indicia.domain.access import Actor
from indicia.domain.grouping import Facts, Grouper, Rule, Ruled
from indicia.services.groups import HIGHEST_RANK, found_group, require_whole, rule_from
from indicia.services.regrouping import moves
from indicia.store.database import Database, Transaction
from indicia.store.groups import GroupRecord
from indicia.store.rows import split_list

#: Devices that a preview names.
_SAMPLE: Final = 20


class Preview(NamedTuple):
    """What a rule would do: who matches, who would be a member, and where devices would come from and go to.

    ``matching`` devices that are no members are taken by higher ranked groups. ``joining`` and ``leaving`` count
    devices by the name of the other group, None for no group.
    """

    matching: int
    members: int
    sample: tuple[str, ...]
    joining: tuple[tuple[str | None, int], ...]
    leaving: tuple[tuple[str | None, int], ...]


def preview(
    database: Database, rows: Any, *, actor: Actor, name: str | None = None, rank: int | None = None
) -> Preview:
    """Return what the rule *rows* would do as that of the group *name*, or of a new one at *rank*, the lowest."""
    require_whole(actor)
    rule = rule_from(rows)
    with database.snapshot() as tx:
        records = tx.groups.records()
        names: dict[int | None, str | None] = {record.id: record.name for record in records}
        if name is None:
            number, ruled = 0, _inserted(records, Ruled(0, rank or HIGHEST_RANK + 1, rule))
        else:
            number = found_group(tx, name).id
            ruled = [_with_rule(each, rule) if each.id == number else each.ruled for each in records]
        joining: dict[str | None, int] = {}
        leaving: dict[str | None, int] = {}
        for fact, group in moves(tx, Grouper(ruled)):
            if group == number:
                joining[names.get(fact.group)] = joining.get(names.get(fact.group), 0) + 1
            elif fact.group == number:
                leaving[names.get(group)] = leaving.get(names.get(group), 0) + 1
        members = tx.devices.count_by_group().get(number, 0) + sum(joining.values()) - sum(leaving.values())
        matching, sample = _members(tx, Grouper(ruled), Grouper([Ruled(number, 1, rule)]), number)
    return Preview(matching, members, sample, _most_first(joining), _most_first(leaving))


def _with_rule(record: GroupRecord, rule: Rule) -> Ruled:
    return record._replace(rule=rule).ruled


def _inserted(records: Sequence[GroupRecord], new: Ruled) -> list[Ruled]:
    """Return what the groups would be with *new* among them: before the one that has its rank."""
    return [*(record.ruled._replace(rank=2 * record.rank + 1) for record in records), new._replace(rank=2 * new.rank)]


def _members(tx: Transaction, grouper: Grouper, alone: Grouper, number: int) -> tuple[int, tuple[str, ...]]:
    """Return how many devices the rule matches by itself, and some that would be in the group."""
    matching = 0
    sample: list[str] = []
    tags_of: dict[str, tuple[str, ...]] = {}
    for part in tx.devices.facts():
        for fact in part:
            if (tags := tags_of.get(fact.tags)) is None:
                tags = tags_of[fact.tags] = split_list(fact.tags)
            facts = Facts(fact.name, fact.domain, tags, fact.os_platform)
            if alone.group_of(facts) is None:
                continue
            matching += 1
            if len(sample) < _SAMPLE and grouper.group_of(facts) == number:
                sample.append(f"{fact.name}.{fact.domain}" if fact.domain else fact.name)
    return matching, tuple(sample)


def _most_first(counts: dict[str | None, int]) -> tuple[tuple[str | None, int], ...]:
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0] or ""))
    return tuple(islice(ordered, 50))
