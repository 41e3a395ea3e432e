"""Telemetry by example: each folder has a few records of one format, and the events that are read of them.

`python -m tests.golden.test_sensors` writes the expected files anew; look at the difference before you keep it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indicia.domain.event import Event
from indicia.sensors import SENSORS, recognise

ROOT = Path(__file__).parent / "sensors"
FOLDERS = sorted(folder for folder in ROOT.iterdir() if folder.is_dir())
#: Folders that are not called what their format is.
FORMATS = {"defender-timeline": "defender-csv"}


def records_of(folder: Path) -> list[bytes]:
    """Return the records of the input; in CSV one goes on while a quote is open."""
    (path,) = folder.glob("input.*")
    records: list[bytes] = []
    for line in path.read_bytes().splitlines(keepends=True):
        if path.suffix == ".csv" and records and records[-1].count(b'"') % 2:
            records[-1] += line
        else:
            records.append(line)
    return records


def outcome(folder: Path) -> list[dict[str, Any]]:
    records = records_of(folder)
    sensor = recognise(b"".join(records))
    assert sensor.name == FORMATS.get(folder.name, folder.name)
    if sensor.layout.csv:
        sensor.header(records[0])
    events = enumerate(map(sensor.event, records), 1)
    return [{"record": number, **_event(event)} for number, event in events if event]


def _event(event: Event) -> dict[str, Any]:
    subjects = [[f"{s.field}: {s.observable.type} {s.observable.value}" for s in subject] for subject in event.subjects]
    return {"time": event.time and event.time.isoformat(), "device": event.device, "subjects": subjects}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_events(folder: Path) -> None:
    assert outcome(folder) == json.loads((folder / "expected.json").read_text(encoding="utf-8"))


def test_every_sensor_has_an_example() -> None:
    assert {FORMATS.get(folder.name, folder.name) for folder in FOLDERS} == set(SENSORS)


if __name__ == "__main__":
    for each in FOLDERS:
        text = json.dumps(outcome(each), indent=2, ensure_ascii=False)
        (each / "expected.json").write_text(text + "\n", encoding="utf-8")
