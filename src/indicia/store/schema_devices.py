"""The table of devices."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from indicia.store.schema import BigNumber, UtcDateTime, metadata

# ``machine_id`` is the name of a device for Defender's clients: 40 hexadecimal digits. ``tags`` is a list with U+001F
# before, between and after the items, ``addresses`` a JSON list. ``device_group`` is the one group that the device is
# in, null for none; ``name_key`` is the name as it is compared, ``dns_name`` the same with the domain.
devices = Table(
    "devices",
    metadata,
    Column("id", BigNumber, primary_key=True, autoincrement=False),
    Column("machine_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("dns_name", Text, nullable=False),
    Column("os_platform", Text, nullable=False),
    Column("os_version", Text),
    Column("tags", Text, nullable=False),
    Column("addresses", Text, nullable=False),
    Column("device_group", BigInteger),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("registered_by", Text, nullable=False),
)
Index(None, devices.c.name_key, devices.c.id)
Index(None, devices.c.dns_name)
Index(None, devices.c.device_group, devices.c.id)
Index(None, devices.c.last_seen, devices.c.id)
