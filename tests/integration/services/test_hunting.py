"""A table gives the same hits as its rows written as JSON lines, however its columns are typed, packed and nested."""

from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicia.domain.observable import Observable, ObservableType
from indicia.services.reading import Source
from tests.integration.scans import Views, drawn, parse_everything, scanned, told
from tests.unit.sensors.writing import single

arrow = pytest.importorskip("pyarrow", reason="pyarrow, of the extra hunt, is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow, of the extra hunt, is not installed")

T = ObservableType
VIEWS = Views(
    [
        Observable(T.DOMAIN_NAME, "evil.example"),
        Observable(T.IP_ADDRESS, "192.0.2.1"),
        Observable(T.FILE_SHA256, "ab" * 32),
    ]
)
COMPILED = pytest.mark.parametrize("compiled", [True, False], ids=["kernel", "python"])

#: As tables mostly have them: without a zone, and UTC is meant.
BEGIN, END, THEN = (dt.datetime.fromisoformat(text) for text in ("2001-01-01", "2040-01-01", "2024-05-06T07:08:09"))


def write_parquet(table: Any, path: Path, **options: Any) -> Path:
    parquet.write_table(table, path, **options)
    return path


def write_arrow(table: Any, path: Path, **options: Any) -> Path:
    with arrow.ipc.new_file(path, table.schema, **options) as file:
        file.write_table(table, max_chunksize=3)
    return path


def write_json(rows: list[dict[str, Any]], path: Path) -> Path:
    path.write_bytes(
        b"".join(orjson.dumps(row, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z) + b"\n" for row in rows)
    )
    return path


def lines_of(path: Path, views: Views = VIEWS) -> list[int]:
    found = scanned(path, views)
    lines = [hit.line for hit in found]
    assert found.summary.problems == []
    return lines


def same(rows: list[dict[str, Any]], folder: Path, views: Views, **options: Any) -> int:
    """Assert that all ways to write *rows* lead to the same hits; return how many."""
    wanted = sorted((hit[1:] for hit in told(scanned(write_json(rows, folder / "rows.json"), views))), key=str)
    table = arrow.Table.from_pylist(rows)
    for path in (
        write_parquet(table, folder / "rows.parquet", row_group_size=4, **options),
        write_parquet(table, folder / "plain.parquet", use_dictionary=False, compression="zstd"),
        write_arrow(table, folder / "rows.arrow"),
        write_arrow(_dictionaries(table), folder / "dictionaries.arrow"),
    ):
        found = scanned(path, views)
        assert sorted((hit[1:] for hit in told(found)), key=str) == wanted, path.name
        assert found.summary.records == len(rows)
        assert found.summary.problems == []
    return len(wanted)


def _dictionaries(table: Any) -> Any:
    for place, field in enumerate(table.schema):
        if arrow.types.is_string(field.type):
            table = table.set_column(place, field.name, table.column(place).dictionary_encode())
    return table


_cells = st.none() | single.map(lambda text: text.encode("utf-8", "replace").decode())
_rows = st.lists(
    st.fixed_dictionaries(
        {
            "Timestamp": st.datetimes(BEGIN, END),
            "DeviceName": _cells,
            "DeviceId": st.just("d"),
            "RemoteUrl": _cells,
            "RemoteIP": st.sampled_from(["192.0.2.1", "::ffff:192.0.2.1", "10.0.0.1", None]),
            "SHA256": st.sampled_from(["ab" * 32, "AB" * 32, "cd" * 32, "", None]),
            "RemotePort": st.integers(0, 65535),
            "AdditionalFields": _cells,
            "nested": st.none()
            | st.fixed_dictionaries({"deep": st.fixed_dictionaries({"name": _cells, "n": st.integers(0, 9)})}),
            "list": st.none() | st.lists(_cells, max_size=3),
            "list of struct": st.none() | st.lists(st.fixed_dictionaries({"host": _cells}), max_size=2),
        }
    ),
    min_size=1,
    max_size=9,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@settings(max_examples=60)
@given(rows=_rows, seed=st.integers(0, 100))
def test_rows_at_random(rows: list[dict[str, Any]], seed: int, folder: Path) -> None:
    chance = random.Random(seed)
    known = drawn(parse_everything(write_json(rows, folder / "rows.json")), chance, 0.6)
    same(rows, folder, Views([*known, Observable(T.DOMAIN_NAME, "example")]))


def test_what_is_known_about_a_hit(tmp_path: Path) -> None:
    rows = [{"Timestamp": THEN, "DeviceName": "pc-1", "DeviceId": "1", "RemoteUrl": name}
            for name in ("good.example", "www.evil.example")]  # fmt: skip
    [hit] = scanned(write_parquet(arrow.Table.from_pylist(rows), tmp_path / "t.parquet"), VIEWS)
    assert hit.as_dict() == {
        "file": str(tmp_path / "t.parquet"),
        "line": 2,
        "time": "2024-05-06T07:08:09Z",
        "device": "pc-1",
        "observable": "www.evil.example",
        "type": "DomainName",
        "action": "Block",
        "indicator": {"id": 1, "type": "DomainName", "value": "evil.example"},
    }


@COMPILED
def test_zeek_names_with_dots_and_nested_ones(tmp_path: Path, compiled: bool) -> None:
    views = Views([Observable(T.IP_ADDRESS, "192.0.2.1")], compiled=compiled)
    flat = [{"ts": 1.5, "uid": "C", "id.orig_h": "10.0.0.1", "id.resp_h": ip} for ip in ("10.0.0.2", "192.0.2.1")]
    nested = [{"ts": 1.5, "uid": "C", "id": {"orig_h": "10.0.0.1", "resp_h": ip}} for ip in ("10.0.0.2", "192.0.2.1")]
    for rows in (flat, nested):
        assert same(rows, tmp_path, views) == 1


def test_columns_of_every_text_and_binary_type(tmp_path: Path) -> None:
    texts = ["good.example", "evil.example", None]
    for kind in (arrow.string(), arrow.large_string(), arrow.string_view(), arrow.binary(), arrow.large_binary()):
        table = arrow.table({"name": arrow.array(texts, kind)})
        assert lines_of(write_arrow(table, tmp_path / "t.arrow")) == [2], kind
    digests = [bytes.fromhex("cd" * 32), bytes.fromhex("ab" * 32), None]
    for kind in (arrow.binary(), arrow.binary(32)):
        table = arrow.table({"sha256": arrow.array(digests, kind)})
        assert lines_of(write_parquet(table, tmp_path / "t.parquet")) == [2], kind


@given(
    cells=st.lists(st.sampled_from(["ab" * 32, "AB" * 32, "cd" * 32, None]), min_size=1, max_size=9),
    odd=st.sampled_from([[], ["a." * 26 + "evil.example"], [" " * 24 + "ab" * 20], ["x" * 64], ["ab" * 20]]),
    cut=st.integers(0, 3),
)
def test_columns_of_hashes(cells: list[str | None], odd: list[str], cut: int, folder: Path) -> None:
    same([{"SHA256": cell, "n": number} for number, cell in enumerate([*cells, *odd])], folder, VIEWS)
    table = arrow.table({"SHA256": cells}).slice(cut)
    wanted = [place + 1 for place, cell in enumerate(cells[cut:]) if cell and cell.lower() == "ab" * 32]
    assert lines_of(write_arrow(table, folder / "cut.arrow")) == wanted


def test_dictionaries_that_change_from_batch_to_batch(tmp_path: Path) -> None:
    chunks = [
        arrow.array(values).dictionary_encode() for values in (["evil.example", "a"], ["b", "evil.example", None])
    ]
    table = arrow.table({"name": arrow.chunked_array(chunks)})
    assert lines_of(
        write_arrow(table, tmp_path / "t.arrow", options=arrow.ipc.IpcWriteOptions(unify_dictionaries=True))
    ) == [1, 4]


def test_maps_and_line_breaks_in_cells(tmp_path: Path) -> None:
    kind = arrow.map_(arrow.string(), arrow.string())
    table = arrow.table({"m": arrow.array([[("a", "b")], [("host", "evil.example")]], kind)})
    scanned(write_arrow(table, tmp_path / "t.arrow"), VIEWS)
    rows = [{"message": "a\nb evil.example\n"}, {"message": ""}, {"message": "\n"}, {"message": "x\nevil.example"}]
    assert same(rows, tmp_path, VIEWS) == 2


def test_times_that_python_cannot_hold(tmp_path: Path) -> None:
    times = arrow.array([1, 2**62, None], arrow.timestamp("ns"))
    far = arrow.array([1, 2**60, None], arrow.timestamp("s"))
    table = arrow.table({"ns": times, "far": far, "name": ["evil.example"] * 3})
    assert lines_of(write_arrow(table, tmp_path / "t.arrow")) == [1, 2, 3]


def test_rows_are_counted_through_groups_and_batches(tmp_path: Path) -> None:
    names = ["evil.example" if number % 70_001 == 0 else f"n{number}.example" for number in range(300_000)]
    table = arrow.table({"n": range(300_000), "name": names})
    wanted = [number + 1 for number in range(0, 300_000, 70_001)]
    assert lines_of(write_parquet(table, tmp_path / "t.parquet", row_group_size=123_456)) == wanted


@pytest.mark.parametrize("write", [write_parquet, write_arrow])
def test_damaged_tables_are_told(tmp_path: Path, write: Any) -> None:
    table = arrow.table({"name": ["evil.example"] * 1_000, "more": [str(number) for number in range(1_000)]})
    whole = write(table, tmp_path / "t").read_bytes()
    chance = random.Random(1)
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(chance.choice([1, 8])):
            broken[chance.randrange(8, len(whole))] ^= chance.randrange(1, 256)
        (tmp_path / "broken").write_bytes(broken[: chance.choice([len(whole), len(whole) // 2, 12])])
        found = scanned(tmp_path / "broken", VIEWS)
        list(found)
        assert all(problem.code in ("damaged-file", "unreadable-record") for problem in found.summary.problems)


def test_a_table_by_a_pipe_is_refused(tmp_path: Path) -> None:
    path = write_parquet(arrow.table({"name": ["evil.example"]}), tmp_path / "t.parquet")
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        found = scanned(Source("stdin", None, cat.stdout), VIEWS)  # type: ignore[arg-type]  # a buffered reader is one
        assert list(found) == []
    [problem] = found.summary.problems
    assert "plain file" in problem.message


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(arrow.table({"name": ["evil.example"]}), tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = scanned(path, VIEWS)
    assert list(found) == []
    [problem] = found.summary.problems
    assert "indicia[hunt]" in problem.message
