"""Bytes to lines: every encoding and line end, and a bound on what one line may hold."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.importers import lines
from indicia.importers.lines import MAX_LINE_CHARACTERS, TOO_LONG, blocks

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"]


def encoded(text: str, encoding: str) -> bytes:
    return (("\ufeff" if encoding.startswith("utf-16") else "") + text).encode(encoding)


def lines_of(data: bytes, block: int = 1 << 20) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        found = list(blocks(io.BytesIO(data)))
    number = 1
    for each in found:
        assert each.first == number
        number += len(each.lines)
    assert all(one.position <= other.position for one, other in pairwise(found))
    return [line for each in found for line in each.lines]


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"))


@given(
    st.lists(_text.map(lambda text: text.replace("\n", "")), min_size=1), st.sampled_from(ENCODINGS), st.integers(4, 40)
)
def test_joining_and_splitting_is_the_identity(rows: list[str], encoding: str, block: int) -> None:
    expected = rows[:-1] if rows[-1] == "" else rows
    assert lines_of(encoded("\n".join(rows), encoding), block) == expected


@given(st.binary(), st.integers(4, 40))
def test_bytes_that_are_no_text_are_kept_apart_from_those_that_are(data: bytes, block: int) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return
    found = "\n".join(lines_of(data, block)).encode("utf-8", "surrogateescape")
    assert found == data.removesuffix(b"\n")


@pytest.mark.parametrize("rest", [b"\xe2", b"\xe2\x82", b"\xf0\x9f\xa6"])
def test_half_a_character_at_the_end_is_a_line(rest: bytes) -> None:
    assert len(lines_of(b"a\n" + rest)) == 2


@pytest.mark.parametrize("extra", [-1, 0, 1, 70_000, 3_000_000])
@pytest.mark.parametrize("ending", ["", "\n", "\nlast", "\nlast\n"])
@pytest.mark.parametrize("block", [1 << 20, 1_000])
def test_a_line_is_kept_whole_or_not_at_all(extra: int, ending: str, block: int) -> None:
    long = "x" * (MAX_LINE_CHARACTERS + extra)
    found = lines_of(f"first\n{long}{ending}".encode(), block)
    kept = long if extra <= 0 else TOO_LONG
    assert found == ["first", kept, *(["last"] if "last" in ending else [])]


def test_no_text_is_mistaken_for_a_line_that_was_too_long() -> None:
    for encoding in ENCODINGS:
        for data in (TOO_LONG.encode("utf-8", "surrogatepass"), encoded("", encoding) + b"\x00\xd8" * 4):
            assert TOO_LONG not in lines_of(data)
