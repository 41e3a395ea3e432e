"""What a file is under its packing: gzip, zstd and UTF-16 taken off, chunk by chunk, in bounded memory."""

from __future__ import annotations

import codecs
import importlib
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

#: A chunk that comes out is no longer than this, whatever a bomb would like.
CHUNK_BYTES: Final = 1 << 20
GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UTF32: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_LONGEST_MARK: Final = 4
#: A frame of zstd may want this much memory for looking back; `zstd -19` wants 8 MiB, `--ultra -22` all of it.
_ZSTD_WINDOW: Final = 1 << 27
_ZSTD_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)
_GUNZIP: Final = 16 + zlib.MAX_WBITS
#: What else is seen in folders of logs, and what unpacks it.
FOREIGN: Final = {
    b"BZh": "bzip2 -dc",
    b"\xfd7zXZ\0": "xz -dc",
    b"PK\x03\x04": "unzip -p",
    b"7z\xbc\xaf\x27\x1c": "7z x -so",
}

Chunks = Iterator[bytes]


class Damaged(ValueError):
    """The file ends or breaks in its middle: a sentence; what could be read was given before."""


def unpacked(chunks: Iterable[bytes]) -> Chunks:
    """Yield what *chunks* hold under gzip or zstd and under UTF-16, without a byte order mark.

    An empty chunk says that there is nothing more for now; it is handed on. Raises `Damaged` at the end of what can be
    read.
    """
    head, rest = _begun(iter(chunks))
    if head.startswith(GZIP):
        rest = _gunzipped(rest)
    elif head.startswith(ZSTD) or _is_skippable(head):
        rest = _unzstd(rest)
    yield from _as_utf8(rest)


def _begun(chunks: Chunks) -> tuple[bytes, Chunks]:
    """Return the first bytes, enough to tell by them what it is, and all the bytes."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _LONGEST_MARK:
            break
    return head, chain((head,), chunks)


# -- gzip -------------------------------------------------------------------------------------------------------------


def _gunzipped(chunks: Chunks) -> Chunks:
    """Yield what the members of a gzip file hold, one after the other; zeros after the last are padding."""
    member = zlib.decompressobj(_GUNZIP)
    begun = False
    for data in chunks:
        if not data:
            yield b""
        while data:
            if not begun:
                data = data.lstrip(b"\0")
                if not data:
                    break
                member, begun = zlib.decompressobj(_GUNZIP), True
            try:
                out = member.decompress(data, CHUNK_BYTES)
            except zlib.error as error:
                raise Damaged(f"what is packed with gzip is damaged: {_reason(error)}") from None
            if out:
                yield out
            data = member.unconsumed_tail
            if member.eof:
                data, begun = member.unused_data, False
    if begun:
        yield from filter(None, (member.flush(),))
        raise Damaged("what is packed with gzip ends in the middle")


def _reason(error: zlib.error) -> str:
    """Return what zlib found, without its numbers: ``Error -3 while decompressing data: invalid block type``."""
    return str(error).rpartition(": ")[2]


# -- zstd -------------------------------------------------------------------------------------------------------------


def _unzstd(chunks: Chunks) -> Chunks:
    """Yield what the frames of a zstd file hold, one after the other."""
    # Only those who scan such files need the library.
    zstandard: Any = importlib.import_module("zstandard")
    walked = _Walked(chunks)
    unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    reader = unpacker.stream_reader(walked, read_size=CHUNK_BYTES, read_across_frames=True)
    try:
        while out := reader.read1(CHUNK_BYTES):
            yield out
    except zstandard.ZstdError as error:
        raise Damaged(f"what is packed with zstd is damaged: {str(error).rpartition(': ')[2].lower()}") from None
    if not walked.whole:
        raise Damaged("what is packed with zstd ends in the middle")


class _Walked:
    """The bytes of a zstd file for the library, which does not tell one that is cut short from a whole one."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._rest = b""
        self._parts = self._walk()
        self._wanted = next(self._parts)
        self._seen = bytearray()
        self._skip = 0
        self.whole = True

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, none at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = chunk
        data = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(data) :]
        self._follow(data)
        return data

    def _follow(self, data: bytes) -> None:
        """Walk along the headers in *data*: each says how long what follows it is."""
        at = 0
        while at < len(data):
            step = min(self._skip, len(data) - at)
            self._skip -= step
            at += step
            if self._skip or at == len(data):
                break
            missing = self._wanted - len(self._seen)
            self._seen += data[at : at + missing]
            at += missing
            if len(self._seen) >= self._wanted:
                header = bytes(self._seen)
                self._seen.clear()
                self._wanted = self._parts.send(header)
        self.whole = self._skip == 0 and not self._seen and self._between

    def _walk(self) -> Any:
        """Take the headers that were asked for, one by one, and say how long the next one is (RFC 8878)."""
        while True:
            self._between = True
            magic = yield 4
            self._between = False
            if _is_skippable(magic):
                self._skip = int.from_bytes((yield 4), "little")
                continue
            (descriptor,) = yield 1
            single = bool(descriptor & 0x20)
            size = (1 if single else 0, 2, 4, 8)[descriptor >> 6] + (0, 1, 2, 4)[descriptor & 3] + (not single)
            if size:
                yield size
            last = False
            while not last:
                block = int.from_bytes((yield 3), "little")
                last = bool(block & 1)
                self._skip = 1 if block >> 1 & 3 == 1 else block >> 3
            if descriptor & 4:
                yield 4


def _is_skippable(head: bytes) -> bool:
    return len(head) >= _LONGEST_MARK and int.from_bytes(head[:4], "little") in _ZSTD_SKIPPABLE


# -- UTF-16 -----------------------------------------------------------------------------------------------------------


def _as_utf8(chunks: Chunks) -> Chunks:
    """Yield UTF-8 for UTF-16 with a byte order mark, anything else as it is; marks are left out."""
    head, rest = _begun(chunks)
    encoding = next((name for mark, name in _UTF16.items() if head.startswith(mark)), None)
    if head.startswith(_UTF32):
        raise Damaged("the file is UTF-32; write it as UTF-8: iconv -f UTF-32 -t UTF-8")
    skip = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0 if encoding is None else 2
    first = next(rest)[skip:]
    if encoding is None:
        return chain((first,), rest)
    return _decoded(chain((first,), rest), encoding)


def _decoded(chunks: Chunks, encoding: str) -> Chunks:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")
    if rest := decoder.decode(b"", final=True):
        yield rest.encode("utf-8", "replace")
