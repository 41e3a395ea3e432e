"""The device groups that a scope may name, their ranks and rules (SPEC 3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from indicia.domain.grouping import Condition, Field, Operator, Rule, Ruled, rule_as_list
from indicia.store.dialects import contains
from indicia.store.rows import join_list, split_list
from indicia.store.schema import applications, decisions, device_groups, indicators, people
from indicia.store.schema_keys import api_keys
from indicia.store.selection import live

#: The tables of whoever may be limited to device groups, each with its key.
_LIMITED: Final = ((people, people.c.id), (applications, applications.c.client_id), (api_keys, api_keys.c.id))


class DeviceGroup(NamedTuple):
    """A group of devices; rank 1 is the highest."""

    id: int
    name: str
    rank: int


class GroupRecord(NamedTuple):
    """A group of devices with all that is known of it."""

    id: int
    name: str
    rank: int
    rule: Rule
    description: str | None

    @property
    def ruled(self) -> Ruled:
        """The group, for finding its members."""
        return Ruled(self.id, self.rank, self.rule)


_ALL: Final = select(device_groups.c.id, device_groups.c.name, device_groups.c.rank).order_by(
    device_groups.c.rank, device_groups.c.id
)


class DeviceGroups:
    """Reads and writes device groups."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[DeviceGroup]:
        """Return every group, the highest ranked first."""
        return [DeviceGroup(*row) for row in self._connection.execute(_ALL)]

    def records(self) -> list[GroupRecord]:
        """Return every group with its rule, the highest ranked first."""
        columns = (device_groups.c[name] for name in ("id", "name", "rank", "rules", "description"))
        query = select(*columns).order_by(device_groups.c.rank, device_groups.c.id)
        return [
            GroupRecord(number, name, rank, _rule(rules), description)
            for number, name, rank, rules, description in self._connection.execute(query)
        ]

    def texts(self) -> list[tuple[int, int, str | None]]:
        """Return the number, the rank and the rule of every group as they are stored: equal for equal rules."""
        columns = (device_groups.c.id, device_groups.c.rank, device_groups.c.rules)
        return [(row[0], row[1], row[2]) for row in self._connection.execute(select(*columns).order_by(columns[0]))]

    def add(self, name: str, rank: int | None, rule: Rule = (), description: str | None = None) -> DeviceGroup:
        """Add a group; without a rank it is the lowest."""
        highest = self._connection.execute(select(func.max(device_groups.c.id), func.max(device_groups.c.rank))).one()
        group = DeviceGroup((highest[0] or 0) + 1, name, rank or (highest[1] or 0) + 1)
        values = group._asdict() | {"rules": _text(rule), "description": description}
        self._connection.execute(insert(device_groups).values(values))
        return group

    def change(self, number: int, *, name: str, rule: Rule, description: str | None) -> None:
        """Keep what a group is now, but for its rank."""
        values = {"name": name, "rules": _text(rule), "description": description}
        self._connection.execute(update(device_groups).where(device_groups.c.id == number).values(values))

    def set_ranks(self, ranks: Iterable[tuple[int, int]]) -> None:
        """Give groups, by their numbers, other ranks."""
        values = [{"of": number, "to": rank} for number, rank in ranks]
        if values:
            query = update(device_groups).where(device_groups.c.id == bindparam("of")).values(rank=bindparam("to"))
            self._connection.execute(query, values)

    def remove(self, name: str) -> bool:
        """Remove the group *name*; return whether there was one."""
        return self._connection.execute(delete(device_groups).where(device_groups.c.name == name)).rowcount > 0

    # -- what names a group ---------------------------------------------------------------------------------------

    def scoped_counts(self, now: datetime) -> dict[str, int]:
        """Return how many live indicators each group is in the scope of, by its name."""
        query = (
            select(decisions.c.rbac_group_names, func.count())
            .select_from(indicators.join(decisions, indicators.c.decision == decisions.c.id))
            .where(decisions.c.rbac_group_names.is_not(None), live(indicators, now))
            .group_by(decisions.c.rbac_group_names)
        )
        counts: dict[str, int] = {}
        for names, number in self._connection.execute(query):
            for name in split_list(names):
                counts[name] = counts.get(name, 0) + int(number)
        return counts

    def scoped_ids(self, name: str, now: datetime) -> list[int]:
        """Return the numbers of the live indicators that have the group *name* in their scope."""
        named = select(decisions.c.id).where(contains(decisions.c.rbac_group_names, join_list([name]) or ""))
        query = select(indicators.c.id).where(indicators.c.decision.in_(named), live(indicators, now))
        return [row[0] for row in self._connection.execute(query.order_by(indicators.c.id))]

    def named_by(self, changeset: int) -> set[str]:
        """Return every group that an indicator which *changeset* changed has in its scope."""
        changed = select(indicators.c.decision).where(
            indicators.c.began == changeset, indicators.c.began != indicators.c.created
        )
        query = select(decisions.c.rbac_group_names).where(
            decisions.c.id.in_(changed), decisions.c.rbac_group_names.is_not(None)
        )
        return {name for (names,) in self._connection.execute(query) for name in split_list(names)}

    def limited_to(self, name: str) -> int:
        """Return how many people, API clients and keys are limited to the group *name*, among others or alone."""
        return sum(len(self._limited(name, place)) for place in range(len(_LIMITED)))

    def rename_limits(self, name: str, to: str) -> int:
        """Let whoever is limited to the group *name* be limited to *to* in its place; return how many those are."""
        changed = 0
        for place, (table, key) in enumerate(_LIMITED):
            for number, names in self._limited(name, place):
                values = {"rbac_group_names": (names - {name}) | {to}}
                self._connection.execute(update(table).where(key == number).values(values))
                changed += 1
        return changed

    def _limited(self, name: str, place: int) -> list[tuple[str, frozenset[str]]]:
        table, key = _LIMITED[place]
        query = select(key, table.c.rbac_group_names).where(table.c.rbac_group_names.is_not(None))
        return [(number, names) for number, names in self._connection.execute(query) if name in names]


def rule_from_text(text: str | None) -> Rule:
    """Return the rule that a row holds."""
    return _rule(text)


def _rule(text: str | None) -> Rule:
    rows = orjson.loads(text) if text else []
    return tuple(Condition(Field(row["field"]), Operator(row["operator"]), tuple(row["values"])) for row in rows)


def _text(rule: Rule) -> str | None:
    return orjson.dumps(rule_as_list(rule)).decode() if rule else None
