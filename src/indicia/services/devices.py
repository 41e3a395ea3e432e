"""Devices: what they report, which device group each is in and why, and who may see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from indicia.domain.access import Actor, Permission, require
from indicia.domain.device import Device, Report, report_of, tags_of
from indicia.domain.device_filter import Condition
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from indicia.domain.grouping import Field, Grouper, folded, matches, unmet
from indicia.services.regrouping import Grouping
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.device_filters import where
from indicia.store.devices import Devices, Place
from indicia.store.groups import GroupRecord

#: Devices that one installation keeps: a regroup of all has to stay a matter of seconds.
MOST_DEVICES: Final = 500_000
#: Devices of one report.
MOST_AT_ONCE: Final = 5_000
#: A device that says the same as before is written down again after so long.
_TOUCHED_AFTER: Final = timedelta(minutes=1)
_NAMED_IN_EVENT: Final = 50
_HIGHER_SHOWN: Final = 50


class Outcome(NamedTuple):
    """What became of one report: ``created``, ``updated``, ``unchanged`` or ``refused``, and the device as it is."""

    outcome: str
    device: Device | None
    problems: tuple[Problem, ...] = ()


class Shown(NamedTuple):
    """A device with the name of its group, None for none."""

    device: Device
    group: str | None


class Passed(NamedTuple):
    """A group that ranks higher than that of a device, and what of its rule the device does not meet."""

    group: GroupRecord
    unmet: Field | None


class Why(NamedTuple):
    """Why a device is in its group: the group, the higher ones that are not it, and how many more of those."""

    group: GroupRecord | None
    passed: tuple[Passed, ...]
    more: int


class Page(NamedTuple):
    """Some devices in order, and whether there are more past either end."""

    items: list[Shown]
    before: Place | None
    after: Place | None


# -- reading ----------------------------------------------------------------------------------------------------------


def are_read_by(actor: Actor) -> bool:
    """Return whether *actor* reads devices; who reads indicators alone may ask, and is told of none."""
    require(actor, Permission.DEVICES_READ, Permission.INDICATORS_READ)
    return actor.may(Permission.DEVICES_READ)


def list_devices(
    database: Database,
    wanted: Devices,
    *,
    actor: Actor,
    group: str | None = None,
    by_last_seen: bool = False,
    after: Place | None = None,
    backwards: bool = False,
    limit: int = 100,
) -> Page:
    """Return a page of the devices that *wanted* asks for; *group* is the name of one group, empty for none.

    An actor limited to device groups sees the devices of those alone. Raises `InvalidInput` where no such group is.
    """
    require(actor, Permission.DEVICES_READ)
    with database.snapshot() as tx:
        names = {each.id: each.name for each in tx.groups.all()}
        asked = narrowed(wanted, names, actor, group)
        found = tx.devices.page(asked, by_last_seen=by_last_seen, after=after, limit=limit + 1, backwards=backwards)
    more = len(found) > limit
    if more:
        found = found[1:] if backwards else found[:limit]
    places = [(device.last_seen if by_last_seen else folded(device.name), device.id) for device in found]
    first = places[0] if places and (more if backwards else after is not None) else None
    last = places[-1] if places and (backwards or more) else None
    return Page([Shown(device, _name(names, device)) for device in found], first, last)


def count_devices(
    database: Database, wanted: Devices, *, actor: Actor, group: str | None = None, most: int | None = None
) -> int:
    """Return how many devices *wanted* asks for, counting no further than *most*."""
    require(actor, Permission.DEVICES_READ)
    with database.snapshot() as tx:
        names = {each.id: each.name for each in tx.groups.all()}
        return tx.devices.count(narrowed(wanted, names, actor, group), most)


def numbered(
    database: Database,
    wanted: Devices,
    *,
    actor: Actor,
    group: str | None = None,
    after: int = 0,
    skip: int = 0,
    limit: int = 10_000,
) -> tuple[list[Shown], bool]:
    """Return devices by their number, and whether there are more."""
    require(actor, Permission.DEVICES_READ)
    with database.snapshot() as tx:
        names = {each.id: each.name for each in tx.groups.all()}
        asked = narrowed(wanted, names, actor, group)
        found = tx.devices.numbered(asked, after=after, skip=skip, limit=limit + 1)
    return [Shown(device, _name(names, device)) for device in found[:limit]], len(found) > limit


def filtered(database: Database, condition: Condition, *, now: datetime) -> Devices:
    """Return what asks for the devices that *condition* of the compat API holds of."""
    with database.snapshot() as tx:
        names = {each.id: each.name for each in tx.groups.all()}
    return Devices(within=where(condition, groups=names, now=now))


def show_device(database: Database, named: str, *, actor: Actor) -> Shown:
    """Return the device with that machine id, name or number; `NotFound` where there is none that *actor* sees."""
    require(actor, Permission.DEVICES_READ)
    with database.snapshot() as tx:
        return find(tx, named, actor)


def why_grouped(database: Database, device: Device, *, actor: Actor) -> Why:
    """Return why *device* is in its group; an actor limited to some groups is told of those alone."""
    require(actor, Permission.DEVICES_READ)
    with database.snapshot() as tx:
        records = tx.groups.records()
    passed: list[Passed] = []
    found = None
    for record in records:
        if matches(record.rule, device.facts):
            found = record
            break
        if actor.groups is None or record.name in actor.groups:
            passed.append(Passed(record, unmet(record.rule, device.facts)))
    return Why(found, tuple(passed[:_HIGHER_SHOWN]), max(0, len(passed) - _HIGHER_SHOWN))


def find(tx: Transaction, named: str, actor: Actor) -> Shown:
    """Return the device with that machine id, name or number.

    Raises `NotFound` where there is none that *actor* sees, `InvalidInput` where several have that name.
    """
    names = {each.id: each.name for each in tx.groups.all()}
    seen = [device for device in _called(tx, named) if _sees(actor, _name(names, device))]
    if not seen:
        raise NotFound(f"there is no device {named[:100]!r}")
    if len(seen) > 1:
        allowed = tuple(f"{device.dns_name} ({device.machine_id})" for device in seen)
        message = f"{len(seen)} devices are called {named[:100]!r}; name one by its full name or its machine id"
        raise InvalidInput([Problem("ambiguous-device", message, "device", named[:100], allowed)])
    return Shown(seen[0], _name(names, seen[0]))


def group_of(tx: Transaction, named: str, actor: Actor) -> str | None:
    """Return the name of the group that a device is in, None for none.

    Raises `InvalidInput` where there is no such device that *actor* sees, or where several have that name.
    """
    try:
        return find(tx, named, actor).group
    except NotFound as error:
        message = f"{error}; it registers by `PUT /v1/devices` or `indicia device add`"
        raise InvalidInput([Problem("unknown-device", message, "device", named[:100])]) from None


def narrowed(wanted: Devices, names: dict[int, str], actor: Actor, group: str | None) -> Devices:
    """Return *wanted* kept to what *actor* sees, and to one *group* where that is given; an empty one is none."""
    seen: frozenset[int | None] | None = None
    if actor.groups is not None:
        seen = frozenset(number for number, name in names.items() if name in actor.groups)
    if group is not None:
        asked = frozenset(number for number, name in names.items() if name == group) if group else frozenset({None})
        if not asked or (seen is not None and group and not asked <= seen):
            known = sorted(name for number, name in names.items() if seen is None or number in seen)[:50]
            message = f"there is no device group named {group[:100]!r}"
            raise InvalidInput([Problem("unknown-group", message, "group", group[:100], tuple(known))])
        seen = asked if seen is None else asked & seen
    return wanted if seen is None else replace(wanted, groups=seen)


def _called(tx: Transaction, named: str) -> list[Device]:
    text = named.strip()[:300]
    if len(text) == 40 and (found := tx.devices.by_machine_ids([text.lower()])):
        return list(found.values())
    if text.isascii() and text.isdecimal() and len(text) < 19 and (device := tx.devices.get(int(text))):
        return [device]
    return tx.devices.named(text) if text else []


def _name(names: dict[int, str], device: Device) -> str | None:
    return None if device.group is None else names.get(device.group)


def _sees(actor: Actor, group: str | None) -> bool:
    return actor.groups is None or group in actor.groups


# -- writing ----------------------------------------------------------------------------------------------------------


def register(
    database: Database, given: Sequence[Any], *, actor: Actor, now: datetime, grouping: Grouping
) -> list[Outcome]:
    """Keep what devices report, each found by its machine id, and put each into its group; a bad one fails alone.

    What a report does not say stays as it is known. An actor limited to device groups keeps devices of those alone,
    before and after. Raises `InvalidInput` where nothing or too much is given, `Conflict` past `MOST_DEVICES`.
    """
    require(actor, Permission.DEVICES_WRITE)
    if not 1 <= len(given) <= MOST_AT_ONCE:
        message = f"{len(given):,} devices are given; allowed: 1 to {MOST_AT_ONCE:,} at a time"
        raise InvalidInput([Problem("wrong-number-of-devices", message, "devices")])
    read = []
    for place, each in enumerate(given):
        problems: list[Problem] = []
        report = report_of(each, now, problems)
        read.append((report, tuple(problem.at(line=place + 1) for problem in problems)))
    with database.transaction() as tx:
        registering = _Registering(tx, actor, now, grouping)
        registering.know([report.machine_id for report, _ in read if report is not None])
        outcomes = [
            Outcome("refused", None, problems) if report is None else registering.take(report)
            for report, problems in read
        ]
        registering.write()
    return outcomes


class _Registering:
    """One batch of reports in the making."""

    def __init__(self, tx: Transaction, actor: Actor, now: datetime, grouping: Grouping) -> None:
        self._tx, self._actor, self._now, self._grouping = tx, actor, now, grouping
        self._names = {each.id: each.name for each in tx.groups.all()}
        self._grouper: Grouper | None = None
        self._known: dict[str, Device] = {}
        self._stored: dict[str, Device] = {}
        self._next = tx.devices.highest() + 1

    def know(self, machine_ids: Sequence[str]) -> None:
        """Read what is stored of these devices."""
        self._stored = self._tx.devices.by_machine_ids(list(dict.fromkeys(machine_ids)))
        self._known = dict(self._stored)

    def take(self, report: Report) -> Outcome:
        """Return what becomes of *report*."""
        known = self._known.get(report.machine_id)
        at = report.last_seen or self._now
        device = _new(report, at, self._actor, self._next) if known is None else _merged(known, report, at)
        if known is None or device.facts != known.facts:
            device = replace(device, group=self._group_of(device))
        if not self._may(known) or not self._may(device):
            message = "the device is in no device group that you are limited to, or would be in another one after this"
            return Outcome("refused", None, (Problem("outside-your-groups", message, "name", report.name),))
        self._known[report.machine_id] = device
        if known is None:
            self._next += 1
            return Outcome("created", device)
        changed = replace(device, last_seen=known.last_seen) != known
        return Outcome("updated" if changed else "unchanged", device)

    def write(self) -> None:
        """Write what was taken, and an event of what is more than a sign of life."""
        made = [device for key, device in self._known.items() if key not in self._stored]
        changed, touched = [], {}
        for key, before in self._stored.items():
            device = self._known[key]
            if replace(device, last_seen=before.last_seen) != before:
                changed.append(device)
            elif device.last_seen - before.last_seen >= _TOUCHED_AFTER:
                touched[device.id] = device.last_seen
        if made and self._tx.devices.count(Devices()) + len(made) > MOST_DEVICES:
            raise Conflict(f"{MOST_DEVICES:,} devices are kept at most; remove those that are gone first")
        self._tx.devices.add(made)
        self._tx.devices.change(changed)
        self._tx.devices.touch(touched)
        if made or changed:
            details = {"created": len(made), "updated": len(changed), "devices": _some_names([*made, *changed])}
            record_event(self._tx, Header(self._actor, "device.register", self._now), details)

    def _group_of(self, device: Device) -> int | None:
        if self._grouper is None:
            self._grouper = self._grouping.of(self._tx)
        return self._grouper.group_of(device.facts)

    def _may(self, device: Device | None) -> bool:
        return device is None or _sees(self._actor, _name(self._names, device))


def tag_device(
    database: Database,
    named: str,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    actor: Actor,
    now: datetime,
    grouping: Grouping,
) -> Shown:
    """Give a device tags and take some away, in any case; its group may be another one after that."""
    require(actor, Permission.DEVICES_WRITE)
    with database.transaction() as tx:
        before, group = find(tx, named, actor)
        gone = {tag.strip().lower() for tag in remove}
        problems: list[Problem] = []
        tags = tags_of([*(tag for tag in before.tags if tag.lower() not in gone), *add], problems)
        if problems:
            raise InvalidInput(problems)
        if tags == before.tags:
            return Shown(before, group)
        device = replace(before, tags=tags)
        device = replace(device, group=grouping.of(tx).group_of(device.facts))
        names = {each.id: each.name for each in tx.groups.all()}
        if not _sees(actor, _name(names, device)):
            raise Forbidden("with these tags the device would leave the device groups that you are limited to")
        tx.devices.change([device])
        details = {"device": device.dns_name, "machineId": device.machine_id, "tags": list(tags)}
        record_event(tx, Header(actor, "device.tag", now), details | {"before": list(before.tags)})
        return Shown(device, _name(names, device))


def remove_devices(database: Database, named: Sequence[str], *, actor: Actor, now: datetime) -> list[Device]:
    """Forget devices, all or none; one that reports again is a new one. Raises `NotFound` naming what there is not."""
    require(actor, Permission.DEVICES_WRITE)
    if not 1 <= len(named) <= MOST_AT_ONCE:
        message = f"{len(named):,} devices are named; allowed: 1 to {MOST_AT_ONCE:,} at a time"
        raise InvalidInput([Problem("wrong-number-of-devices", message, "devices")])
    with database.transaction() as tx:
        gone = list({shown.device.id: shown.device for shown in (find(tx, each, actor) for each in named)}.values())
        tx.devices.remove([device.id for device in gone])
        details = {"removed": len(gone), "devices": _some_names(gone)}
        record_event(tx, Header(actor, "device.remove", now), details)
    return gone


def _new(report: Report, at: datetime, actor: Actor, number: int) -> Device:
    return Device(
        id=number,
        machine_id=report.machine_id,
        name=report.name,
        domain=report.domain,
        os_platform=report.os_platform or "",
        os_version=report.os_version,
        tags=report.tags or (),
        addresses=report.addresses or (),
        group=None,
        first_seen=at,
        last_seen=at,
        registered_by=actor.id,
    )


def _merged(known: Device, report: Report, at: datetime) -> Device:
    return replace(
        known,
        name=report.name,
        domain=report.domain,
        os_platform=known.os_platform if report.os_platform is None else report.os_platform,
        os_version=known.os_version if report.os_version is None else report.os_version,
        tags=known.tags if report.tags is None else report.tags,
        addresses=known.addresses if report.addresses is None else report.addresses,
        last_seen=max(known.last_seen, at),
    )


def _some_names(devices: Iterable[Device]) -> list[str]:
    return [device.dns_name for device in devices][:_NAMED_IN_EVENT]
