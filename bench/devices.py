"""How fast all devices find their groups: 200,000 by 2,000 groups, against asking each group's rule in its order."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.report import clock, spread
from indicia.domain.access import Actor, Role, Source
from indicia.domain.device import Device, machine_id_of
from indicia.domain.grouping import Condition, Facts, Field, Grouper, Operator, Ruled, folded
from indicia.services import devices, groups
from indicia.services.group_preview import preview
from indicia.services.regrouping import Grouping, regroup
from indicia.store.database import Database

MOST_SECONDS: Final = 5.0
_NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
_ACTOR: Final = Actor("bench", "bench", Source.CLI, Role.ADMINISTRATOR.permissions)
#: Devices that are asked the naive way, from which the time for all is reckoned.
_ASKED: Final = 1_000


def measure(folder: Path, devices_wanted: int, groups_wanted: int, runs: int) -> list[str]:
    """Return the lines of the report."""
    dice = random.Random(5)
    made, ruled = _devices(dice, devices_wanted), _groups(dice, groups_wanted)
    database = _filled(folder, made, ruled)
    try:
        rows = [
            ("compile the rules", _times(lambda: _compile(ruled), runs), None),
            ("find all groups", _times(lambda: _find(made, ruled), runs), None),
            ("regroup, none moves", _times(lambda: _regroup(database), runs), MOST_SECONDS),
            ("regroup, all move", _times(lambda: _regroup_all(database), runs), MOST_SECONDS),
            ("change a rule, as the API does", _times(lambda: _change(database, dice), runs), MOST_SECONDS),
            ("preview a rule", _times(lambda: _preview(database), runs), MOST_SECONDS),
            ("register 5,000 that are there", _times(lambda: _register(database, made, _NOW), runs), None),
        ]
    finally:
        database.close()
    naive = _naive(made, ruled)
    found = min(rows[1][1])
    compared = (
        f"- one rule after the other, values folded before: {naive:,.0f} s, reckoned from {_ASKED:,} devices; "
        f"all rules at once: {found:.2f} s, {naive / found:,.0f} times as fast"
    )
    return [
        f"### {devices_wanted:,} devices by {groups_wanted:,} groups, seconds",
        "",
        compared,
        "",
        "| work | s | at most | met |",
        "|---|---|---|---|",
        *(_row(name, times, most) for name, times, most in rows),
        "",
    ]


def _row(name: str, times: list[float], most: float | None) -> str:
    met = "" if most is None else "yes" if sorted(times)[len(times) // 2] <= most else "**no**"
    return f"| {name} | {spread(times, digits=2)} | {'' if most is None else most} | {met} |"


def _times(work: Callable[[], Any], runs: int) -> list[float]:
    found = []
    for _run in range(runs):
        start = clock()
        work()
        found.append(clock() - start)
    return found


def _devices(dice: random.Random, wanted: int) -> list[Device]:
    domains = ("eu.corp.example", "us.corp.example", "lab.example", "")
    systems = ("Windows11", "WindowsServer2022", "Linux", "macOS")
    made = []
    for number in range(1, wanted + 1):
        name = f"{dice.choice(_SITES)}-{dice.choice('swl')}{number:06}"
        domain = dice.choice(domains)
        tags = tuple(sorted({f"team-{dice.randrange(3_000)}" for _ in range(dice.randrange(3))}))
        identity, system = machine_id_of(name, domain), dice.choice(systems)
        made.append(Device(number, identity, name, domain, system, None, tags, (), None, _NOW, _NOW, "bench"))
    return made


_SITES: Final = [f"{first}{second}{number:02}" for first in "abcdefghij" for second in "kl" for number in range(3)]


def _groups(dice: random.Random, wanted: int) -> list[Ruled]:
    made = []
    for number in range(1, wanted + 1):
        site, chance = dice.choice(_SITES), dice.random()
        rows = [Condition(Field.NAME, Operator.STARTS_WITH, (f"{site}-{dice.choice('swl')}{number % 100:02}",))]
        if chance > 0.8:
            names = tuple(f"{site}-s{dice.randrange(wanted * 100):06}" for _ in range(10))
            rows = [Condition(Field.NAME, Operator.IN, names)]
        elif chance > 0.6:
            rows = [Condition(Field.TAG, Operator.EQUALS, (f"team-{number}",))]
        elif chance > 0.4:
            rows = [Condition(Field.NAME, Operator.CONTAINS, (f"{site[1:]}-w{number % 1_000:03}",))]
        if dice.random() < 0.4:
            rows.append(Condition(Field.OS_PLATFORM, Operator.CONTAINS, (dice.choice(["windows", "linux", "macos"]),)))
        if dice.random() < 0.3:
            rows.append(Condition(Field.DOMAIN, Operator.ENDS_WITH, (dice.choice(["corp.example", "lab.example"]),)))
        made.append(Ruled(number, number, tuple(rows)))
    return made


def _filled(folder: Path, made: list[Device], ruled: list[Ruled]) -> Database:
    database = Database.open(f"sqlite:///{folder / 'devices.db'}")
    database.upgrade()
    with database.transaction() as tx:
        for group in ruled:
            tx.groups.add(f"group {group.id}", group.rank, group.rule)
        tx.devices.add(made)
        regroup(tx, Grouping())
    return database


def _compile(ruled: list[Ruled]) -> None:
    Grouper(ruled).group_of(Facts("a", "b", (), "c"))


def _find(made: list[Device], ruled: list[Ruled]) -> None:
    group_of = Grouper(ruled).group_of
    for device in made:
        group_of(device.facts)


def _naive(made: list[Device], ruled: list[Ruled]) -> float:
    """Return the seconds that all devices would take, one group after the other in the order of ranks."""
    rules = [[(row.field, row.operator, frozenset(row.values)) for row in group.rule] for group in ruled]
    start = clock()
    for device in made[:_ASKED]:
        texts = {
            Field.NAME: (folded(device.name),),
            Field.DOMAIN: (folded(device.domain),),
            Field.TAG: tuple(map(folded, device.tags)),
            Field.OS_PLATFORM: (folded(device.os_platform),),
        }
        next((place for place, rule in enumerate(rules) if all(_meets(row, texts) for row in rule)), None)
    return (clock() - start) / min(_ASKED, len(made)) * len(made)


def _meets(row: tuple[Field, Operator, frozenset[str]], texts: dict[Field, tuple[str, ...]]) -> bool:
    field, operator, values = row
    for text in texts[field]:
        for value in values:
            if operator is Operator.STARTS_WITH:
                met = text.startswith(value)
            elif operator is Operator.ENDS_WITH:
                met = text.endswith(value)
            elif operator is Operator.CONTAINS:
                met = value in text
            else:
                met = text == value
            if met:
                return True
    return False


def _regroup(database: Database) -> None:
    with database.transaction() as tx:
        regroup(tx, Grouping())


def _regroup_all(database: Database) -> None:
    with database.transaction() as tx:
        tx.groups.set_ranks([(group.id, 1_000_000 - group.rank) for group in tx.groups.all()])
        grouper = Grouping().of(tx)
        numbers = {fact.id: fact for part in tx.devices.facts() for fact in part}
        assert grouper is not None
        tx.devices.move({None: [each for each in numbers if numbers[each].group is not None]})
        regroup(tx, Grouping())


def _change(database: Database, dice: random.Random) -> None:
    rules = [{"field": "name", "operator": "contains", "values": [f"{dice.choice(_SITES)}-"]}]
    groups.change_group(database, "group 1", rules=rules, actor=_ACTOR, now=_NOW)


def _preview(database: Database) -> None:
    rules = [{"field": "name", "operator": "contains", "values": ["-s00"]}]
    preview(database, rules, actor=_ACTOR, rank=1)


def _register(database: Database, made: list[Device], now: datetime) -> None:
    given = [{"name": device.name, "domain": device.domain or None} for device in made[:5_000]]
    devices.register(database, given, actor=_ACTOR, now=now, grouping=Grouping())
