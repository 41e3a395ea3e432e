"""JSON that is not one record a line becomes one, each element with the line on which it begins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.services.documents import Documents, is_document
from indicia.services.pieces import Piece, TooLong

SIZES = st.sampled_from([1, 2, 7, 64, 1 << 20])
TEXTS = st.text(st.sampled_from('ab "\\[]{}:,\né😀'), max_size=6)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
INDENTS = st.sampled_from([None, 0, 2])


def read(data: bytes, size: int = 1 << 20, longest: int = 1 << 20) -> tuple[list[tuple[int, bytes | None]], bool]:
    """Return line and bytes of every record, None for one that is too long, and whether the end is torn."""
    documents = Documents(longest)
    found: list[tuple[int, bytes | None]] = []

    def take(pieces: Any) -> None:
        for piece in pieces:
            if isinstance(piece, TooLong):
                assert piece.line is not None
                found.append((piece.line, None))
                continue
            assert isinstance(piece, Piece)
            records = piece.data.split(b"\n")
            assert records.pop() == b""
            assert piece.lines is not None
            found.extend(zip(piece.lines, records, strict=True))

    for at in range(0, len(data), size):
        take(documents.feed(data[at : at + size]))
    take(documents.end())
    return found, documents.torn


def values(data: bytes, size: int = 1 << 20) -> list[Any]:
    records, torn = read(data, size)
    assert not torn
    return [json.loads(record or b"") for _line, record in records]


@given(elements=st.lists(OBJECTS, min_size=1, max_size=5), indent=INDENTS, size=SIZES)
def test_elements_of_an_array_are_records(elements: list[Any], indent: int | None, size: int) -> None:
    data = json.dumps(elements, indent=indent).encode()
    assert is_document(data)
    assert values(data, size) == elements


@given(elements=st.lists(OBJECTS, min_size=1, max_size=5), indent=INDENTS, size=SIZES)
def test_values_one_after_the_other_are_records(elements: list[Any], indent: int | None, size: int) -> None:
    data = b"\n".join(json.dumps(each, indent=indent).encode() for each in elements)
    assert values(data, size) == elements


@given(elements=st.lists(OBJECTS, min_size=1, max_size=4), more=OBJECTS, indent=INDENTS, size=SIZES)
def test_an_export_is_its_records_and_the_rest_of_it(
    elements: list[Any], more: dict[str, Any], indent: int | None, size: int
) -> None:
    export = {"Stats": more, "Results": elements, "Schema": [{"Name": "Timestamp"}]}
    data = json.dumps(export, indent=indent).encode()
    assert is_document(data)
    assert values(data, size) == [*elements, {**export, "Results": []}]


def test_hits_inside_hits() -> None:
    inner = [{"_id": "1", "_source": {"hits": [{"a": 1}]}}, {"_id": "2"}]
    export = {"took": 3, "hits": {"total": {"value": 2}, "hits": inner}, "x": {"hits": [{"not": "a record"}]}}
    for indent in (None, 2):
        data = json.dumps(export, indent=indent).encode()
        assert is_document(data)
        assert values(data) == [*inner, {**export, "hits": {"total": {"value": 2}, "hits": []}}]


@given(elements=st.lists(OBJECTS, min_size=1, max_size=5))
def test_a_record_has_the_line_on_which_it_begins(elements: list[Any]) -> None:
    data = json.dumps([{"n": number, "of": each} for number, each in enumerate(elements)], indent=1).encode()
    lines = data.split(b"\n")
    records, _torn = read(data)
    for number, (line, _record) in enumerate(records):
        assert lines[line - 1].strip() == b"{"
        assert lines[line].strip().startswith(b'"n": %d' % number)


@given(st.binary(max_size=120), SIZES)
def test_whatever_the_bytes_nothing_is_lost_and_chunks_mean_nothing(data: bytes, size: int) -> None:
    records, torn = read(data)
    assert read(data, size) == (records, torn)
    joined = b"".join(record or b"" for _line, record in records)
    kept = bytes(byte for byte in data if byte not in b" \t\r\n,[]{}")
    assert bytes(byte for byte in joined if byte not in b" \t\r\n,[]{}") == kept


@given(st.text(st.sampled_from('a"\\[]{}:,\n '), max_size=80), SIZES)
def test_nor_with_bytes_that_look_like_json(text: str, size: int) -> None:
    assert read(text.encode(), size) == read(text.encode())


@given(size=SIZES, text=st.sampled_from(["x", '\\"', "[", "\\\\"]))
def test_a_record_that_is_too_long_is_passed_over(size: int, text: str) -> None:
    long = '{"a": "%s", "b": [{"c": 1}]}' % (text * 100)
    data = f'[\n{{"a": 1}},\n{long},\n{{"b": 2}}\n]'.encode()
    records, torn = read(data, size, 60)
    assert (sorted(records, key=lambda each: each[0]), torn) == ([(2, b'{"a": 1}'), (3, None), (4, b'{"b": 2}')], False)


def test_what_is_torn_is_said_and_given() -> None:
    assert read(b'[{"a": 1}, {"b": "evil') == ([(1, b'{"a": 1}'), (1, b'{"b": "evil')], True)
    assert read(b'[{"a": 1},') == ([(1, b'{"a": 1}')], True)
    assert read(b'{"Results": [{"a": 1}')[1]


def test_a_torn_string_does_not_turn_inside_and_outside_round() -> None:
    records, _torn = read(b'[{"a": "x\n},\n{"b": "y"}]')
    assert (3, b'{"b": "y"}') in records


@pytest.mark.parametrize(
    "head, document",
    [
        (b'{"a": 1}\n{"b": 2}\n', False),
        (b'{"a": 1}\n', False),
        (b'{"a": "torn\n{"b": 2}\n', False),
        (b'{"a": [{"results": [{"b": 1}]}]}\n{"c": 1}\n', False),
        (b'{"results": [{"a": 1}]}\n{"results": [{"b": 1}]}\n', False),
        (b'{"results": [{"a": 1}]}\n', True),
        (b'{\n  "a": 1', True),
        (b'{"@odata.context": "x", "value": [{"a": 1}]}\n{"b": 1}', True),
        (b'[{"a": 1}', True),
        (b"[2024-01-01 00:00:00] started\n", False),
        (b"[INFO] started", False),
        (b"[ ]", True),
        (b"text {", False),
        (b"", False),
    ],
)
def test_what_is_one_record_a_line_is_left_alone(head: bytes, document: bool) -> None:
    assert is_document(head) is document
