"""Telemetry bytes to events; one file per format, and none of them knows that indicators exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from indicia.sensors.defender import DefenderCsv, DefenderJson
from indicia.sensors.ecs import Ecs
from indicia.sensors.eve import Eve
from indicia.sensors.plain import Csv, Json, Text
from indicia.sensors.recognising import recognise_name
from indicia.sensors.sensor import Layout, Sensor, Unreadable
from indicia.sensors.windows import Windows
from indicia.sensors.zeek import ZeekJson, ZeekTsv

__all__ = ["SENSORS", "Layout", "Sensor", "Unreadable", "recognise"]

#: By the name under which a user may ask for it.
SENSORS: Final[Mapping[str, type[Sensor]]] = {
    "zeek-tsv": ZeekTsv,
    "zeek-json": ZeekJson,
    "eve": Eve,
    "windows": Windows,
    "defender-csv": DefenderCsv,
    "defender-json": DefenderJson,
    "ecs": Ecs,
    "csv": Csv,
    "json": Json,
    "text": Text,
}


def recognise(head: bytes) -> Sensor:
    """Return a new sensor for a file that begins with *head*, its first whole lines (up to 64 KiB); text at worst."""
    return SENSORS[recognise_name(head)]()
