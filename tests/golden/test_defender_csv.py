"""Defender's CSV by example: each folder has a file as it comes in, what is read of it, and how that goes out again.

`python -m tests.golden.test_defender_csv` writes the expected files anew; look at the difference before you keep it.
A folder whose name begins with `strict` is read as `--strict` does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indicia.domain.errors import Problem
from indicia.domain.indicator import NO_EXTRAS, Indicator
from indicia.exporters.defender_csv import CsvWriter
from tests.unit.importers.reading import Everything, read

ROOT = Path(__file__).parent / "defender_csv"
FOLDERS = sorted(folder for folder in ROOT.iterdir() if folder.is_dir())
EVERY_FOLDER = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
_LONGEST = 120


def read_folder(folder: Path) -> Everything:
    with (folder / "input.csv").open("rb") as source:
        return read("csv", source, strict=folder.name.startswith("strict"))


def outcome(found: Everything) -> dict[str, Any]:
    """Return what a reader of these files wants to see, in the order of the file."""
    return {
        "fatal": [_problem(each) for each in found.fatal],
        "read": {str(each.line): _indicator(each.indicator) for each in found.read},
        "refused": {str(each.line): [_problem(problem) for problem in each.problems] for each in found.refused},
        "notes": [{"line": each.line} | _problem(each) for each in found.notes],
    }


def _indicator(indicator: Indicator) -> dict[str, Any]:
    fields = indicator._asdict() | {"expires_at": indicator.expires_at and indicator.expires_at.isoformat()}
    fields["extras"] = {name: value for name, value in indicator.extras._asdict().items() if value}
    if indicator.value == indicator.canonical:
        del fields["value"]
    return {name: _cut(value) for name, value in fields.items() if value not in (None, (), {}, False)}


def _problem(problem: Problem) -> dict[str, Any]:
    fields = problem.as_dict()
    del fields["file"], fields["line"]
    if not problem.warning:
        del fields["severity"]
    return {name: _cut(value) for name, value in fields.items() if value not in (None, [])}


def _cut(value: Any) -> Any:
    return f"{value[:_LONGEST]}… ({len(value)})" if isinstance(value, str) and len(value) > 2 * _LONGEST else value


def exported(found: Everything) -> str:
    full = any(
        each.indicator.extras != NO_EXTRAS or each.indicator.external_id or each.indicator.application
        for each in found.read
    )
    writer = CsvWriter(full=full)
    return writer.header() + "".join(writer.lines(each.indicator for each in found.read))


def as_json(found: Everything) -> str:
    return json.dumps(outcome(found), indent=1, ensure_ascii=False) + "\n"


def test_there_are_examples() -> None:
    assert len(FOLDERS) >= 15


@EVERY_FOLDER
def test_what_is_read(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert json.loads(as_json(read_folder(folder))) == expected


@EVERY_FOLDER
def test_what_goes_out(folder: Path) -> None:
    assert exported(read_folder(folder)).encode() == (folder / "expected.csv").read_bytes()


@EVERY_FOLDER
def test_what_went_out_comes_in_as_the_same(folder: Path) -> None:
    again = read("csv", (folder / "expected.csv").read_bytes())
    assert [each.indicator for each in again.read] == [each.indicator for each in read_folder(folder).read]
    assert again.refused == []


def test_what_went_out_of_the_sample_is_the_sample() -> None:
    assert (ROOT / "sample" / "expected.csv").read_bytes() == (ROOT / "sample" / "input.csv").read_bytes()


if __name__ == "__main__":
    for each in FOLDERS:
        result = read_folder(each)
        (each / "expected.json").write_text(as_json(result), encoding="utf-8")
        (each / "expected.csv").write_bytes(exported(result).encode())
