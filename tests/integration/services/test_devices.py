"""Devices: registering, finding and tagging them, and the one device group that each is in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from indicia.domain.access import Actor, Permission, Role, Source
from indicia.domain.device_filter import holds, parse_machines
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from indicia.domain.grouping import Ruled, group_by_definition
from indicia.services import devices, groups
from indicia.services.devices import Outcome
from indicia.services.regrouping import Grouping, regroup
from indicia.services.verdicts import explain
from indicia.store.database import Database
from indicia.store.devices import Devices
from tests.integration.stores import ADMIN, BLOCK, NOW, guard, submit

SERVERS = [{"field": "name", "operator": "startsWith", "values": ["srv-"]}]
LAB = [{"field": "tag", "operator": "equals", "values": ["lab"]}]


def register(database: Database, *given: Any, actor: Actor = ADMIN, later: timedelta = timedelta()) -> list[Outcome]:
    return devices.register(database, given, actor=actor, now=NOW + later, grouping=Grouping())


def add_group(database: Database, name: str, rules: Sequence[Any] = (), rank: int | None = None) -> None:
    groups.add_group(database, name, rank, rules=list(rules), actor=ADMIN, now=NOW)


def named(database: Database, *, actor: Actor = ADMIN, group: str | None = None, **wanted: Any) -> list[str]:
    found = devices.list_devices(database, Devices(**wanted), actor=actor, group=group, limit=1_000)
    return [each.device.name for each in found.items]


def group_of(database: Database, name: str) -> str | None:
    return devices.show_device(database, name, actor=ADMIN).group


def limited(*names: str, role: Role = Role.RESPONDER) -> Actor:
    return Actor("ada", "Ada", Source.PORTAL, role.permissions, frozenset(names))


def kinds(database: Database) -> list[str]:
    with database.snapshot() as tx:
        return [record.kind for record in reversed(tx.changesets.page(before=None, limit=100))]


def test_a_device_is_made_and_then_kept(database: Database) -> None:
    add_group(database, "Servers", SERVERS)
    [made] = register(database, {"name": "srv-1.corp.example", "osPlatform": "Linux", "tags": ["web"]})
    assert made.outcome == "created"
    assert group_of(database, "SRV-1") == group_of(database, "srv-1.Corp.example") == "Servers"
    [same] = register(database, {"name": "srv-1.corp.example"}, later=timedelta(hours=1))
    assert same.outcome == "unchanged"
    shown = devices.show_device(database, made.device.machine_id if made.device else "", actor=ADMIN).device
    assert (shown.tags, shown.os_platform, shown.first_seen) == (("web",), "Linux", NOW)
    assert shown.last_seen == NOW + timedelta(hours=1)
    [other] = register(database, {"name": "srv-1.corp.example", "tags": [], "osVersion": "9"})
    assert other.outcome == "updated"
    assert other.device is not None
    assert (other.device.tags, other.device.last_seen) == ((), NOW + timedelta(hours=1))
    assert kinds(database) == ["group.add", "device.register", "device.register"], "a sign of life is no event"


def test_a_bad_report_fails_alone_and_a_repeated_one_counts_once(database: Database) -> None:
    found = register(database, {"name": "a"}, {"nmae": "b"}, {"name": "A", "tags": ["x"]}, {"name": "c"})
    assert [each.outcome for each in found] == ["created", "refused", "updated", "created"]
    assert [problem.line for problem in found[1].problems] == [2, 2]
    assert named(database) == ["A", "c"]
    for given in ([], [{}] * (devices.MOST_AT_ONCE + 1)):
        with pytest.raises(InvalidInput, match="devices are given"):
            register(database, *given)


def test_a_device_that_has_another_name_has_another_group(database: Database) -> None:
    add_group(database, "Servers", SERVERS)
    number = "ab" * 20
    register(database, {"name": "srv-1", "machineId": number.upper()})
    register(database, {"name": "pc-1", "machineId": number})
    assert group_of(database, number) is None
    assert named(database) == ["pc-1"]


def test_two_of_one_name_are_told_apart(database: Database) -> None:
    register(database, {"name": "pc.a.example"}, {"name": "pc.b.example"})
    with pytest.raises(InvalidInput, match="2 devices are called 'pc'"):
        devices.show_device(database, "pc", actor=ADMIN)
    assert devices.show_device(database, "PC.b.example", actor=ADMIN).device.domain == "b.example"
    for name in ("nobody", "", " ", "9" * 30, "f" * 40, "77"):
        with pytest.raises(NotFound):
            devices.show_device(database, name, actor=ADMIN)


def test_rules_ranks_and_groups_take_effect_at_once(database: Database) -> None:
    register(database, {"name": "srv-1", "tags": ["lab"]}, {"name": "srv-2"}, {"name": "pc-1", "tags": ["Lab"]})
    add_group(database, "Servers", SERVERS)
    assert named(database, group="Servers") == ["srv-1", "srv-2"]
    add_group(database, "Lab", LAB)
    assert named(database, group="Lab") == ["pc-1"]
    changed = groups.move_group(database, "Lab", -1, actor=ADMIN, now=NOW)
    assert (changed.moved, named(database, group="Lab")) == (1, ["pc-1", "srv-1"])
    changed = groups.change_group(database, "Lab", rules=[], actor=ADMIN, now=NOW)
    assert (changed.moved, named(database, group="")) == (2, ["pc-1"])
    assert groups.remove_group(database, "Servers", actor=ADMIN, now=NOW) == 2
    assert named(database, group="") == ["pc-1", "srv-1", "srv-2"]
    with pytest.raises(InvalidInput, match="no device group named 'Servers'"):
        named(database, group="Servers")


def test_tags_move_a_device(database: Database) -> None:
    add_group(database, "Lab", LAB)
    register(database, {"name": "pc-1"})
    more: dict[str, Any] = {"actor": ADMIN, "now": NOW, "grouping": Grouping()}
    assert devices.tag_device(database, "pc-1", add=["LAB", "x"], **more).group == "Lab"
    assert devices.tag_device(database, "pc-1", add=["x"], **more).device.tags == ("LAB", "x")
    assert devices.tag_device(database, "pc-1", remove=["lab"], **more).group is None
    with pytest.raises(InvalidInput):
        devices.tag_device(database, "pc-1", add=["a\x02"], **more)
    assert kinds(database)[-2:] == ["device.tag", "device.tag"]


def test_removing_is_all_or_nothing(database: Database) -> None:
    register(database, {"name": "a"}, {"name": "b"})
    with pytest.raises(NotFound, match="'c'"):
        devices.remove_devices(database, ["a", "c"], actor=ADMIN, now=NOW)
    assert named(database) == ["a", "b"]
    assert len(devices.remove_devices(database, ["a", "A", "b"], actor=ADMIN, now=NOW)) == 2
    assert named(database) == []


def test_a_regroup_finds_what_the_definition_says(database: Database) -> None:
    chance = random.Random(7)
    sites = [f"s{number}" for number in range(6)]
    for number in range(40):
        field, operator = chance.choice(["name", "tag", "domain", "osPlatform"]), chance.choice(["equals", "contains"])
        values = [chance.choice([*sites, "lab", "corp", "Linux"])]
        add_group(database, f"g{number}", [{"field": field, "operator": operator, "values": values}], rank=number + 1)
    given = [
        {
            "name": f"{chance.choice(sites)}-{number}",
            "domain": chance.choice(["corp.example", "lab.example"]),
            "osPlatform": chance.choice(["Linux", "Windows11"]),
            "tags": chance.sample(["lab", "corp", *sites], chance.randrange(3)),
        }
        for number in range(300)
    ]
    register(database, *given)
    with database.transaction() as tx:
        ruled: list[Ruled] = [record.ruled for record in tx.groups.records()]
        every = tx.devices.numbered(Devices(), after=0, skip=0, limit=1_000)
        assert {each.id: each.group for each in every} == {
            each.id: group_by_definition(ruled, each.facts) for each in every
        }
        assert regroup(tx, Grouping()) == 0
        tx.devices.move({None: [each.id for each in every]})
        assert regroup(tx, Grouping()) == sum(each.group is not None for each in every)
        assert tx.devices.numbered(Devices(), after=0, skip=0, limit=1_000) == every


@pytest.mark.parametrize("by_last_seen", [False, True])
def test_pages_go_forward_and_back_and_miss_nothing(database: Database, by_last_seen: bool) -> None:
    given = [{"name": f"d{number % 7}", "domain": f"x{number}.example"} for number in range(23)]
    for number, each in enumerate(given):
        register(database, each, later=timedelta(minutes=number % 5))

    def page(after: Any = None, *, backwards: bool = False) -> devices.Page:
        return devices.list_devices(
            database, Devices(), actor=ADMIN, by_last_seen=by_last_seen, after=after, backwards=backwards, limit=5
        )

    pages = [page()]
    assert pages[0].before is None
    while pages[-1].after is not None:
        pages.append(page(pages[-1].after))
    numbers = [each.device.id for one in pages for each in one.items]
    assert len(numbers) == len(set(numbers)) == 23
    key = [(each.device.last_seen, each.device.id) for one in pages for each in one.items]
    names = [(each.device.name, each.device.id) for one in pages for each in one.items]
    assert (key == sorted(key, reverse=True)) if by_last_seen else (names == sorted(names))
    place = pages[-1].before
    for one in reversed(pages[:-1]):
        back = page(place, backwards=True)
        assert back.items == one.items
        place = back.before
    assert place is None


def test_searching(database: Database) -> None:
    register(
        database,
        {"name": "srv-1.corp.example", "tags": ["Web_1"], "addresses": ["10.0.0.7", "2001:DB8::7"]},
        {"name": "pc-1", "tags": ["web"]},
    )
    assert named(database, search="CORP") == ["srv-1"]
    assert named(database, search="web_") == named(database, search="2001:db8::7") == ["srv-1"]
    assert named(database, search="-1") == ["pc-1", "srv-1"]
    assert named(database, tag="WEB") == ["pc-1"]
    assert named(database, search="%") == []
    assert named(database, seen_before=NOW) == []


def test_whoever_is_limited_knows_and_changes_devices_of_their_groups_alone(database: Database) -> None:
    add_group(database, "Servers", SERVERS)
    add_group(database, "Lab", LAB)
    register(database, {"name": "srv-1"}, {"name": "pc-1", "tags": ["lab"]}, {"name": "pc-2"})
    ada = limited("Lab")
    assert named(database, actor=ada) == ["pc-1"]
    assert devices.count_devices(database, Devices(), actor=ada) == 1
    for name in ("srv-1", "pc-2", "1"):
        with pytest.raises(NotFound):
            devices.show_device(database, name, actor=ada)
    with pytest.raises(InvalidInput) as refused:
        named(database, actor=ada, group="Servers")
    assert refused.value.problems[0].allowed == ("Lab",)
    assert named(database, actor=ada, group="") == []
    outcomes = register(
        database, {"name": "srv-1", "tags": ["lab"]}, {"name": "pc-9"}, {"name": "pc-8", "tags": ["lab"]}, actor=ada
    )
    assert [each.outcome for each in outcomes] == ["refused", "refused", "created"]
    assert "Servers" not in str(outcomes)
    more: dict[str, Any] = {"actor": ada, "now": NOW, "grouping": Grouping()}
    with pytest.raises(Forbidden):
        devices.tag_device(database, "pc-1", remove=["lab"], **more)
    with pytest.raises(NotFound):
        devices.tag_device(database, "srv-1", add=["lab"], **more)
    with pytest.raises(NotFound):
        devices.remove_devices(database, ["srv-1"], actor=ada, now=NOW)
    why = devices.why_grouped(database, devices.show_device(database, "pc-1", actor=ada).device, actor=ada)
    assert why.passed == ()


@pytest.mark.parametrize("permission", [Permission.DEVICES_READ, Permission.DEVICES_WRITE])
def test_permissions(database: Database, permission: Permission) -> None:
    register(database, {"name": "a"})
    less = replace(ADMIN, permissions=ADMIN.permissions - {permission})
    reads = permission is Permission.DEVICES_READ
    calls = [
        lambda: named(database, actor=less),
        lambda: devices.show_device(database, "a", actor=less),
        lambda: explain(database, ["a.example"], actor=less, now=NOW, guard=guard(), device="a"),
    ]
    writes = [
        lambda: register(database, {"name": "b"}, actor=less),
        lambda: devices.tag_device(database, "a", add=["x"], actor=less, now=NOW, grouping=Grouping()),
        lambda: devices.remove_devices(database, ["a"], actor=less, now=NOW),
    ]
    for call in calls if reads else writes:
        with pytest.raises(Forbidden):
            call()


def test_a_verdict_for_a_device_is_that_of_its_group(database: Database) -> None:
    add_group(database, "Servers", SERVERS)
    register(database, {"name": "srv-1"}, {"name": "pc-1"})
    submit(database, BLOCK._replace(rbac_group_names=["Servers"]))

    def action(device: str, actor: Actor = ADMIN, **more: Any) -> str | None:
        found = explain(database, [str(BLOCK.value)], actor=actor, now=NOW, guard=guard(), device=device, **more)
        return found.verdicts[0].verdict.action

    assert (action("srv-1"), action("pc-1")) == ("Block", None)
    assert action("srv-1", limited("Servers")) == "Block"
    for device, more, code in (
        ("nobody", {}, "unknown-device"),
        ("srv-1", {"group": "Servers"}, "contradicting-question"),
        ("pc-1", {"actor": limited("Servers")}, "unknown-device"),
    ):
        with pytest.raises(InvalidInput) as refused:
            action(device, **more)
        assert [problem.code for problem in refused.value.problems] == [code]


def test_there_is_an_end_to_how_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "MOST_DEVICES", 2)
    register(database, {"name": "a"}, {"name": "b"})
    with pytest.raises(Conflict, match="2 devices are kept at most"):
        register(database, {"name": "c"})
    assert register(database, {"name": "a", "tags": ["x"]})[0].outcome == "updated"


FILTERS = [
    "healthStatus eq 'Active'",
    "healthstatus ne 'active'",
    "computerDnsName eq 'SRV-1.corp.example'",
    "startswith(computerDnsName,'srv') and not endswith(computerDnsName,'example')",
    "contains(osPlatform, 'WIN') or version eq null",
    "version ne '9' and version gt '1'",
    "rbacGroupName eq 'servers' or rbacGroupId eq 0",
    "rbacGroupName ne 'Servers'",
    "rbacGroupName eq null",
    "rbacGroupId gt 0",
    "lastSeen lt 2030-06-15T12:00:00Z",
    "firstSeen ge 2030-06-01Z",
    "machineTags/any(t: t eq 'WEB')",
    "riskScore eq 'None' and exposureLevel ne 'High' and aadDeviceId eq null",
    "osPlatform in ('Linux', 'macOS')",
    "not (osPlatform in ('Linux') or healthStatus in ['Inactive'])",
    "id eq 'ABAB'",
    "deviceValue eq 'High'",
    "startswith(version, '') or contains(rbacGroupName, 'erv')",
]


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_over_machines_means_the_same_in_sql(database: Database, text: str) -> None:
    add_group(database, "Servers", SERVERS)
    chance = random.Random(3)
    for number in range(24):
        given = {
            "name": f"{chance.choice(['srv', 'SRV', 'pc'])}-{number}",
            "domain": chance.choice([None, "corp.example", "corp.test"]),
            "osPlatform": chance.choice([None, "Linux", "Windows11", "macOS"]),
            "osVersion": chance.choice([None, "9", "24H2"]),
            "tags": chance.sample(["web", "Web 2", "x"], chance.randrange(3)),
        }
        register(database, given, later=-timedelta(days=chance.randrange(20)))
    condition = parse_machines(text)
    with database.snapshot() as tx:
        names = {group.id: group.name for group in tx.groups.all()}
    wanted = devices.filtered(database, condition, now=NOW)
    every, _more = devices.numbered(database, Devices(), actor=ADMIN)
    found, _more = devices.numbered(database, wanted, actor=ADMIN)
    assert found == [each for each in every if holds(condition, each.device, names.get(each.device.group or 0), NOW)]
