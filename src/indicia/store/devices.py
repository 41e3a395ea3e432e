"""Devices, and which device group each is in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, or_, select, update

from indicia.domain.device import Device
from indicia.domain.grouping import folded
from indicia.store import engines
from indicia.store.dialects import among, by_code_point, contains, contains_in_any_case
from indicia.store.rows import join_list, split_list
from indicia.store.schema_devices import devices

_AT_ONCE: Final = 500
_STREAMED: Final = 20_000
_COLUMNS: Final = (
    devices.c.id,
    devices.c.machine_id,
    devices.c.name,
    devices.c.domain,
    devices.c.os_platform,
    devices.c.os_version,
    devices.c.tags,
    devices.c.addresses,
    devices.c.device_group,
    devices.c.first_seen,
    devices.c.last_seen,
    devices.c.registered_by,
)
Place = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class Devices:
    """Which devices somebody asks for: ``groups`` are numbers of groups, None among them for no group at all.

    ``within`` is a further condition, of the compat API's filter.
    """

    groups: frozenset[int | None] | None = None
    search: str | None = None
    tag: str | None = None
    seen_before: datetime | None = None
    seen_since: datetime | None = None
    within: ColumnElement[bool] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what holds of every device that is asked for."""
        found: list[ColumnElement[bool]] = []
        if self.groups is not None:
            numbers = [number for number in self.groups if number is not None]
            named = among(devices.c.device_group, numbers)
            found.append(or_(devices.c.device_group.is_(None), named) if None in self.groups else named)
        if self.search:
            key = folded(self.search)
            texts = (contains(devices.c.dns_name, key), contains_in_any_case(devices.c.tags, self.search.lower()))
            others = (contains(devices.c.addresses, key), contains(devices.c.machine_id, key))
            found.append(or_(*texts, *others))
        if self.tag:
            found.append(contains_in_any_case(devices.c.tags, (join_list([self.tag]) or "").lower()))
        if self.seen_before is not None:
            found.append(devices.c.last_seen < self.seen_before)
        if self.seen_since is not None:
            found.append(devices.c.last_seen >= self.seen_since)
        if self.within is not None:
            found.append(self.within)
        return found


class Fact(NamedTuple):
    """What a regroup reads of a device: the columns as they are stored."""

    id: int
    name: str
    domain: str
    tags: str
    os_platform: str
    group: int | None


class DeviceRecords:
    """Reads and writes devices."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, number: int) -> Device | None:
        """Return the device *number*."""
        return next(iter(self._those(devices.c.id == number)), None)

    def by_machine_ids(self, machine_ids: Sequence[str]) -> dict[str, Device]:
        """Return the devices with these machine ids, by them."""
        found: dict[str, Device] = {}
        for start in range(0, len(machine_ids), _AT_ONCE):
            some = devices.c.machine_id.in_(machine_ids[start : start + _AT_ONCE])
            found |= {device.machine_id: device for device in self._those(some)}
        return found

    def named(self, name: str, most: int = 10) -> list[Device]:
        """Return devices with that name, or with that full name, in any case."""
        key = folded(name)
        return self._those(or_(devices.c.name_key == key, devices.c.dns_name == key), most)

    def page(
        self, wanted: Devices, *, by_last_seen: bool, after: Place | None, limit: int, backwards: bool = False
    ) -> list[Device]:
        """Return up to *limit* devices past *after*: by name, or the one that was seen last first."""
        key = devices.c.last_seen if by_last_seen else by_code_point(devices.c.name_key)
        down = by_last_seen is not backwards
        query = select(*_COLUMNS).where(*wanted.conditions())
        if after is not None:
            value, number = after
            past = (key < value) if down else (key > value)
            further = devices.c.id < number if down else devices.c.id > number
            query = query.where(or_(past, and_(key == value, further)))
        order = (key.desc(), devices.c.id.desc()) if down else (key, devices.c.id)
        rows = [_device(row) for row in self._connection.execute(query.order_by(*order).limit(limit))]
        return rows[::-1] if backwards else rows

    def numbered(self, wanted: Devices, *, after: int, skip: int, limit: int) -> list[Device]:
        """Return up to *limit* devices by their number, past *after*."""
        query = select(*_COLUMNS).where(devices.c.id > after, *wanted.conditions()).order_by(devices.c.id)
        return [_device(row) for row in self._connection.execute(query.offset(skip).limit(limit))]

    def count(self, wanted: Devices, most: int | None = None) -> int:
        """Return how many devices there are, counting no further than *most*."""
        found = select(devices.c.id).where(*wanted.conditions()).limit(most).subquery()
        return int(self._connection.execute(select(func.count()).select_from(found)).scalar_one())

    def count_by_group(self) -> dict[int | None, int]:
        """Return how many devices each group has."""
        query = select(devices.c.device_group, func.count()).group_by(devices.c.device_group)
        return {group: int(number) for group, number in self._connection.execute(query)}

    def highest(self) -> int:
        """Return the highest number that a device has."""
        return int(self._connection.execute(select(func.max(devices.c.id))).scalar() or 0)

    def facts(self) -> Iterator[list[Fact]]:
        """Yield what rules look at of every device, in portions."""
        names = ("id", "name", "domain", "tags", "os_platform", "device_group")
        query = select(*(devices.c[name] for name in names))
        for part in engines.parts(self._connection, query, _STREAMED):
            yield [Fact._make(row) for row in part]

    # -- writing --------------------------------------------------------------------------------------------------

    def add(self, made: Sequence[Device]) -> None:
        """Add devices."""
        if made:
            self._connection.execute(insert(devices), [_row(device) for device in made])

    def change(self, changed: Sequence[Device]) -> None:
        """Keep what devices are now."""
        if changed:
            query = update(devices).where(devices.c.id == bindparam("of"))
            rows = [_row(device) for device in changed]
            values = [{("of" if name == "id" else name): value for name, value in row.items()} for row in rows]
            self._connection.execute(
                query.values({name: bindparam(name) for name in values[0] if name != "of"}), values
            )

    def touch(self, seen: Mapping[int, datetime]) -> None:
        """Keep when devices were heard of last, where that is all that is new."""
        if seen:
            query = update(devices).where(devices.c.id == bindparam("of")).values(last_seen=bindparam("at"))
            self._connection.execute(query, [{"of": number, "at": at} for number, at in seen.items()])

    def move(self, moved: Mapping[int | None, Sequence[int]]) -> None:
        """Put devices into other groups: numbers of devices by that of their group, None for none."""
        for group, numbers in moved.items():
            self._connection.execute(update(devices).where(among(devices.c.id, numbers)).values(device_group=group))

    def remove(self, numbers: Iterable[int]) -> int:
        """Forget devices; return how many there were."""
        return int(self._connection.execute(delete(devices).where(among(devices.c.id, numbers))).rowcount)

    def _those(self, condition: ColumnElement[bool], most: int | None = None) -> list[Device]:
        query = select(*_COLUMNS).where(condition).order_by(devices.c.id).limit(most)
        return [_device(row) for row in self._connection.execute(query)]


def _device(row: Sequence[Any]) -> Device:
    number, machine_id, name, domain, platform, version, tags, addresses, group, first, last, by = row
    found = tuple(orjson.loads(addresses))
    return Device(number, machine_id, name, domain, platform, version, split_list(tags), found, group, first, last, by)


def _row(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "machine_id": device.machine_id,
        "name": device.name,
        "name_key": folded(device.name),
        "domain": device.domain,
        "dns_name": device.dns_name,
        "os_platform": device.os_platform,
        "os_version": device.os_version,
        "tags": join_list(device.tags) or "",
        "addresses": orjson.dumps(device.addresses).decode(),
        "device_group": device.group,
        "first_seen": device.first_seen,
        "last_seen": device.last_seen,
        "registered_by": device.registered_by,
    }
