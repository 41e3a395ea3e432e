"""Chunks become whole records, whatever the sizes; one that is too long never takes others with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.matcher.scan import Prefilter
from indicia.services.pieces import Lines, Piece, QuotedLines, Splitter, TooLong

LOGS = st.lists(st.binary(max_size=12), max_size=12).map(b"\n".join)
SIZES = st.integers(1, 30)


def quoted(longest: int) -> QuotedLines:
    return QuotedLines(Prefilter(None, csv=True).whole, longest)


def read(splitter: Splitter, data: bytes, size: int) -> list[bytes | None]:
    """Return the bytes of the pieces, with None where a record was passed over."""
    found: list[bytes | None] = []

    def take(pieces: Any) -> None:
        for piece in pieces:
            if isinstance(piece, TooLong):
                found.append(None)
            else:
                assert isinstance(piece, Piece)
                assert piece.data
                found.append(piece.data)

    for at in range(0, len(data), size):
        take(splitter.feed(data[at : at + size]))
    take(splitter.end())
    return found


@pytest.mark.parametrize("new", [Lines, quoted])
@given(data=LOGS, size=SIZES)
def test_pieces_are_all_of_the_log_and_end_with_records(new: Any, data: bytes, size: int) -> None:
    found = read(new(1 << 20), data, size)
    assert b"".join(piece or b"" for piece in found) == data
    assert all(piece and piece.endswith(b"\n") for piece in found[:-1])


@given(lines=st.lists(st.integers(0, 20), max_size=10), size=st.integers(1, 10), ends=st.booleans())
def test_lines_that_are_too_long_are_passed_over_and_no_others(lines: list[int], size: int, ends: bool) -> None:
    written = [b"x" * length for length in lines]
    data = b"\n".join(written) + (b"\n" if ends and lines else b"")
    found: list[bytes | None] = []
    for piece in read(Lines(10), data, size):
        found += [None] if piece is None else piece.removesuffix(b"\n").split(b"\n")
    wanted = [None if len(line) > 10 else line for line in written]
    if not ends and wanted and wanted[-1] == b"":
        wanted.pop()
    assert found == wanted


@given(size=SIZES)
def test_a_record_of_csv_may_hold_line_breaks(size: int) -> None:
    data = b'a,"b\nc"\nd\n"e\n""\n",f\n'
    for piece in read(quoted(1 << 20), data, size):
        assert (piece or b"").count(b'"') % 2 == 0


@given(size=SIZES, after=st.integers(0, 40))
def test_a_quote_that_never_closes_hides_its_line_alone(size: int, after: int) -> None:
    data = b'a,b\n5" disk\n' + b"c,d\n" * after
    found = read(quoted(40), data, size)
    assert b"".join(piece or b"" for piece in found) == data
    assert any(piece and piece.endswith(b'5" disk\n') for piece in found) or not after


@given(size=SIZES)
def test_a_line_of_csv_that_is_too_long_is_passed_over(size: int) -> None:
    found = read(quoted(20), b"a,b\n" + b"x" * 100 + b"\nc,d\n", size)
    assert b"".join(piece or b"" for piece in found) == b"a,b\nc,d\n"
    assert found.count(None) == 1
