"""Public telemetry as its publishers wrote it: each file is recognised, each record is read, and things are found."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indicia.domain.observable import ObservableType
from indicia.sensors import SENSORS, recognise

pytestmark = pytest.mark.slow
MOST_LINES = 2_000


@pytest.fixture(scope="session")
def telemetry(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from the name of an archive to the folder of its files; skips where the archive is not here."""
    folder = tmp_path_factory.mktemp("telemetry")

    def folder_of(name: str) -> Path:
        archive = shared_data / "telemetry" / f"{name}.tar.xz"
        if not archive.is_file():
            pytest.skip(f"no real telemetry: {archive} is not there")
        if not (folder / name).is_dir():
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
        return folder / name

    return folder_of


def lines_of(source: io.BufferedIOBase | Any) -> list[bytes]:
    return [line for line, _ in zip(source, range(MOST_LINES), strict=False)]


def counted(lines: list[bytes], name: str) -> tuple[Counter[str], int]:
    """Return how many observables of each type *lines* hold and how many events have no time; all lines can be read."""
    sensor = recognise(b"".join(lines[:50])[: 64 * 1024])
    assert sensor.name == name
    events = [event for event in map(sensor.event, lines) if event]
    found = Counter(seen.observable.type.value for event in events for subject in event.subjects for seen in subject)
    assert len(events) >= sum(not line.startswith(b"#") for line in lines)
    return found, sum(event.time is None for event in events)


def zeek(root: Path, folder: str) -> Iterator[tuple[str, list[bytes]]]:
    for path in sorted((root / folder).glob("*.gz")):
        with gzip.open(path) as source:
            yield path.name.partition(".")[0], lines_of(source)


def test_zeek_says_the_same_in_both_ways(telemetry: Callable[[str], Path]) -> None:
    root, total = telemetry("zed-sample-data"), Counter[str]()
    tabs, objects = dict(zeek(root, "zeek-default")), dict(zeek(root, "zeek-json"))
    assert tabs.keys() == objects.keys()
    assert len(tabs) > 25
    for log, lines in tabs.items():
        count = min(MOST_LINES - 20, len(objects[log]))
        tsv, plain = SENSORS["zeek-tsv"](), SENSORS["zeek-json"]()
        assert recognise(b"".join(lines[:10])).name == "zeek-tsv"
        assert recognise(b"".join(objects[log][:10])).name == "zeek-json"
        one = [event for event in map(tsv.event, lines) if event][:count]
        other = [plain.event(line) for line in objects[log][:count]]
        for left, right in zip(one, other, strict=True):
            assert right is not None
            assert told(left.subjects) == told(right.subjects), log
            assert left.time == right.time or log == "loaded_scripts"
            assert left.device == right.device
        total += Counter(seen.observable.type.value for event in one for subject in event.subjects for seen in subject)
    assert total.keys() >= {"IpAddress", "DomainName", "Url", "FileSha1"}


def told(subjects: Any) -> set[frozenset[Any]]:
    return {frozenset(seen.observable for seen in subject) for subject in subjects}


def test_zeek_of_an_emulated_attack(telemetry: Callable[[str], Path]) -> None:
    root, total = telemetry("otrf-security-datasets"), Counter[str]()
    files = sorted(root.rglob("*.log"))
    assert len(files) > 20
    for path in files:
        with path.open("rb") as source:
            found, timeless = counted(lines_of(source), "zeek-json")
        assert timeless == 0
        total += found
    assert total.keys() == {"IpAddress", "DomainName", "Url", "FileSha1", "FileMd5", "CertificateThumbprint"}


def test_windows_and_sysmon(telemetry: Callable[[str], Path]) -> None:
    root, total = telemetry("otrf-security-datasets"), Counter[str]()
    archives = sorted(root.rglob("*.zip"))
    assert len(archives) > 20
    for archive in archives:
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                if name.endswith(".json") and not name.startswith("__MACOSX"):
                    with packed.open(name) as source:
                        found, timeless = counted(lines_of(source), "windows")
                    assert timeless == 0
                    total += found
    assert total.keys() >= {"IpAddress", "DomainName", "Url", "FileSha1", "FileMd5", "FileSha256"}


def test_suricata(telemetry: Callable[[str], Path]) -> None:
    root, total = telemetry("suricata-sample-data"), Counter[str]()
    files = sorted(root.rglob("alerts-only.json"))
    assert len(files) == 4
    for path in files:
        data = path.read_bytes()
        assert recognise(data[: 64 * 1024]).name == "eve"
        lines = [json.dumps(record).encode() + b"\n" for record in json.loads(data)]
        found, timeless = counted(lines, "eve")
        assert timeless == 0
        total += found
    assert total.keys() >= {"IpAddress", "DomainName", "Url", ObservableType.CERTIFICATE_THUMBPRINT.value}
