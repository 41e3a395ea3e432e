"""What is packed comes out whole, in small chunks, and what is cut short or broken comes out as far as it goes."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.services.unpacking import CHUNK_BYTES, Damaged, unpacked

zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")

TEXT = b"".join(b"%d evil-%d.example\n" % (number, number * 7919) for number in range(5_000))
CONTENTS = st.one_of(st.binary(max_size=300), st.just(TEXT))


def zstd(data: bytes, level: int = 3) -> bytes:
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(data)


def chunked(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes, size: int = 1_000) -> tuple[bytes, str | None]:
    """Return what comes out, and what was found to be wrong."""
    out = b""
    try:
        for chunk in unpacked(chunked(data, size)):
            assert len(chunk) <= max(CHUNK_BYTES, size)
            out += chunk
    except Damaged as error:
        return out, str(error)
    return out, None


PACKERS = pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])


@PACKERS
@given(parts=st.lists(CONTENTS, min_size=1, max_size=4), size=st.sampled_from([1, 7, 1_000, 1 << 20]))
def test_members_and_frames_follow_each_other(pack, parts: list[bytes], size: int) -> None:
    whole = b"".join(parts)
    if whole.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    assert read(b"".join(map(pack, parts)), size) == (whole, None)


@PACKERS
@given(data=st.data())
def test_a_file_cut_short_is_read_as_far_as_it_goes(pack, data: st.DataObject) -> None:
    packed = pack(TEXT)
    cut = data.draw(st.integers(5, len(packed) - 1))
    out, fault = read(packed[:cut])
    assert fault is not None
    assert "ends in the middle" in fault
    assert TEXT.startswith(out)


@PACKERS
def test_most_of_a_file_cut_short_is_read(pack) -> None:
    out, _fault = read(pack(TEXT * 20)[:-20], 1 << 20)
    assert len(out) > 15 * len(TEXT)


@PACKERS
@given(data=st.data())
def test_broken_bytes_are_told_and_nothing_else_happens(pack, data: st.DataObject) -> None:
    packed = bytearray(pack(TEXT))
    at = data.draw(st.integers(4, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    out, fault = read(bytes(packed))
    assert fault or len(out) >= 0
    if fault:
        assert fault.startswith("what is packed with")


@given(
    st.binary(max_size=200),
    st.sampled_from([b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18", b"\xff\xfe", b""]),
)
def test_no_bytes_do_anything_worse_than_damaged(data: bytes, mark: bytes) -> None:
    read(mark + data, 3)


def test_zeros_after_a_member_are_padding_and_other_bytes_are_told() -> None:
    assert read(gzip.compress(TEXT) + bytes(512)) == (TEXT, None)
    out, fault = read(gzip.compress(TEXT) + b"junk")
    assert out == TEXT
    assert fault


def test_a_bomb_comes_out_in_small_chunks() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    sizes = [len(chunk) for chunk in unpacked(iter([bomb]))]
    assert sum(sizes) == 100 << 20
    assert max(sizes) <= CHUNK_BYTES
    sizes = [len(chunk) for chunk in unpacked(iter([zstd(bytes(100 << 20))]))]
    assert sum(sizes) == 100 << 20
    assert max(sizes) <= CHUNK_BYTES


@pytest.mark.parametrize("frame", [b"\x50\x2a\x4d\x18\x03\0\0\0abc", b"\x5f\x2a\x4d\x18\0\0\0\0"])
def test_frames_of_zstd_that_hold_nothing_are_skipped(frame: bytes) -> None:
    assert read(frame + zstd(TEXT) + frame, 5) == (TEXT, None)


@given(st.text(max_size=200), st.sampled_from(["utf-16-le", "utf-16-be"]), st.integers(1, 9))
def test_utf_16_with_a_mark_becomes_utf_8(text: str, encoding: str, size: int) -> None:
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
    if not text.startswith("\0"):
        assert read(mark + text.encode(encoding), size) == (text.encode(), None)


def test_marks_are_left_out_and_packing_may_be_around_them() -> None:
    assert read(codecs.BOM_UTF8 + b"evil", 2) == (b"evil", None)
    assert read(gzip.compress("\ufeffevil".encode("utf-16-le"))) == (b"evil", None)
    assert read(b"\xff") == (b"\xff", None)
    assert read(b"") == (b"", None)
    _out, fault = read(codecs.BOM_UTF32_LE + "evil".encode("utf-32-le"))
    assert "UTF-32" in (fault or "")


def test_a_pipe_that_waits_is_heard_of() -> None:
    assert list(unpacked(iter([b"some text", b"", b"more"]))) == [b"some text", b"", b"more"]
