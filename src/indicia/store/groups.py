"""The device groups that a scope may name (SPEC 3.4)."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from indicia.store.schema import device_groups


class DeviceGroup(NamedTuple):
    """A group of devices; rank 1 is the highest."""

    id: int
    name: str
    rank: int


class DeviceGroups:
    """Reads and writes device groups."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[DeviceGroup]:
        """Return every group, the highest ranked first."""
        query = select(device_groups).order_by(device_groups.c.rank, device_groups.c.id)
        return [DeviceGroup(*row) for row in self._connection.execute(query)]

    def add(self, name: str, rank: int | None) -> DeviceGroup:
        """Add a group; without a rank it is the lowest."""
        highest = self._connection.execute(select(func.max(device_groups.c.id), func.max(device_groups.c.rank))).one()
        group = DeviceGroup((highest[0] or 0) + 1, name, rank or (highest[1] or 0) + 1)
        self._connection.execute(insert(device_groups).values(group._asdict()))
        return group

    def remove(self, name: str) -> bool:
        """Remove the group *name*; return whether there was one."""
        return self._connection.execute(delete(device_groups).where(device_groups.c.name == name)).rowcount > 0
