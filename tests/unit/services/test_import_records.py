"""A kept file is cut into records where the importer cuts it, and what nobody changed comes out as it went in."""

from __future__ import annotations

import io

from hypothesis import example, given
from hypothesis import strategies as st

from indicia.importers.lines import blocks
from indicia.importers.records import Fault, RecordReader
from indicia.services.import_records import Edit, KeptFile, Record
from indicia.services.imports import Format

HEADER = "IndicatorType,IndicatorValue,Action,Title,Description\n"
PIECES = ["a", "b", ",", '"', "\n", "\r\n", " ", "'", "=", "é", "#", ";", "\t"]
CELLS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
TEXTS = st.lists(CELLS, max_size=12).map("".join)
LINES = st.sets(st.integers(1, 30)).map(sorted)


def body_of(file: KeptFile, lines: list[int]) -> tuple[bytes, list[Record]]:
    parts = list(file.parts(iter(lines)))
    whole = b"".join(part.raw if isinstance(part, Record) else part for part in parts)
    return whole, [part for part in parts if isinstance(part, Record)]


@given(TEXTS, LINES, st.sampled_from(Format))
@example('x,"y\nz', [2, 3, 4], Format.CSV)
def test_what_is_not_changed_comes_out_as_it_went_in(text: str, lines: list[int], format: Format) -> None:
    data = (HEADER + text).encode()
    file = KeptFile(io.BytesIO(data), format)
    assert body_of(file, lines)[0] == data


@given(st.binary(max_size=300), LINES)
def test_so_do_bytes_that_are_no_text(data: bytes, lines: list[int]) -> None:
    data = b"x" + data  # no mark of UTF-16
    assert body_of(KeptFile(io.BytesIO(data), Format.TEXT), lines)[0] == data


@given(TEXTS)
@example('"\na\n"')
def test_records_are_those_of_the_importer(text: str) -> None:
    data = (HEADER + text).encode()
    reader = RecordReader(",")
    rows: list[tuple[int, list[str] | Fault]] = []
    for block in blocks(io.BytesIO(data)):
        # The header is in the first block alone; a last line without an end comes in a block of its own.
        rest = block._replace(first=2, lines=block.lines[1:]) if block.first == 1 else block
        if rest.lines:
            found = reader.read(rest)
            rows += zip(found.lines, found.rows, strict=True)
    found = reader.finish(0)
    rows += zip(found.lines, found.rows, strict=True)
    wanted = [(line, row) for line, row in rows if row]
    _whole, records = body_of(KeptFile(io.BytesIO(data), Format.CSV), [line for line, _row in wanted])
    for (line, row), record in zip(wanted, records, strict=True):
        assert record.line == line
        if not isinstance(row, Fault):
            assert [cell.rstrip("\r\n") for cell in record.cells or []] == [cell.rstrip("\r\n") for cell in row]


@given(CELLS.map(lambda text: text.replace("\r\n", "\n")), st.sampled_from([",", ";", "\t"]))
def test_a_cell_that_is_changed_is_read_back_as_it_was_typed(text: str, delimiter: str) -> None:
    data = f"{HEADER}DomainName,a.example,Block,t,d\r\nDomainName,b.example,Block,t,d\r\n".replace(",", delimiter)
    file = KeptFile(io.BytesIO(data.encode()), Format.CSV)
    out = []
    for part in file.parts([2]):
        out.append(file.changed(part, [Edit("Title", text)]) if isinstance(part, Record) else part)
    again = KeptFile(io.BytesIO(b"".join(out)), Format.CSV)
    [record] = [part for part in again.parts([2]) if isinstance(part, Record)]
    assert record.cells is not None
    assert record.cells[3] == text
    assert b"".join(out).endswith("DomainName,b.example,Block,t,d\r\n".replace(",", delimiter).encode())


def test_the_header_can_be_changed_too() -> None:
    data = b"\xef\xbb\xbf\r\n" + HEADER.encode() + b"DomainName,a.example,Block,t,d\n"
    file = KeptFile(io.BytesIO(data), Format.CSV)
    parts = list(file.parts([2]))
    out = [file.changed(part, [Edit(None, "A,B")]) if isinstance(part, Record) else part for part in parts]
    assert b"".join(out) == data.replace(HEADER.strip().encode(), b"A,B")


def test_a_line_that_is_too_long_is_no_burden_and_is_not_lost() -> None:
    data = (HEADER + "x" * 3_000_000 + "\nDomainName,b.example,Blok,t,d\n").encode()
    file = KeptFile(io.BytesIO(data), Format.CSV)
    whole, records = body_of(file, [2, 3])
    assert whole == data
    assert records[-1].line == 3
