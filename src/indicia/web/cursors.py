"""Cursors of lists: opaque, and signed, so that they lead on in the list that they were made for and nowhere else."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

_POSITION_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 16
_LENGTH: Final = 32  # characters of base64 for both


class InvalidCursor(ValueError):
    """A text that is no cursor of ours, or one of another list."""


class Cursors:
    """Writes and reads cursors under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, position: int, bound: Sequence[str]) -> str:
        """Return the cursor that leads on from *position* in the list that *bound* names.

        >>> cursors = Cursors(b"secret")
        >>> cursors.read(cursors.write(41, ["indicators", "severity eq 'High'"]), ["indicators", "severity eq 'High'"])
        41
        """
        packed = position.to_bytes(_POSITION_BYTES, "big")
        return base64.urlsafe_b64encode(packed + self._signature(packed, bound)).decode().rstrip("=")

    def read(self, cursor: str, bound: Sequence[str]) -> int:
        """Return the position of *cursor*; raises `InvalidCursor` where `write` did not make it for *bound*."""
        if len(cursor) != _LENGTH or not cursor.isascii():
            raise InvalidCursor(cursor[:_LENGTH])
        try:
            data = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except binascii.Error:
            raise InvalidCursor(cursor) from None
        packed, signature = data[:_POSITION_BYTES], data[_POSITION_BYTES:]
        if not hmac.compare_digest(signature, self._signature(packed, bound)):
            raise InvalidCursor(cursor)
        return int.from_bytes(packed, "big")

    def _signature(self, packed: bytes, bound: Sequence[str]) -> bytes:
        # Lengths before the texts: no two lists of texts sign alike.
        parts = [f"{len(text)}:{text}".encode("utf-8", "surrogatepass") for text in bound]
        return hmac.digest(self._secret, packed + b"".join(parts), "sha256")[:_SIGNATURE_BYTES]
