"""The key that signs checkpoints: an Ed25519 key in a file of its own, and the public keys that check them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from indicia.domain.errors import InvalidInput, Problem, Unavailable

_END: Final = "-----END PUBLIC KEY-----"
MOST_KEY_BYTES: Final = 64 << 10


class PublicKey:
    """A key that checks signatures; its id is the first 16 hexadecimal digits of its SHA-256."""

    def __init__(self, raw: bytes) -> None:
        """Raise `ValueError` where *raw* is no key."""
        self._key = Ed25519PublicKey.from_public_bytes(raw)
        self.raw = raw
        self.id = hashlib.sha256(raw).hexdigest()[:16]

    @property
    def text(self) -> str:
        """The key in one line of base64."""
        return base64.b64encode(self.raw).decode()

    @property
    def pem(self) -> str:
        """The key as PEM, which every tool reads."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signed(self, signature: object, text: bytes) -> bool:
        """Return whether this key made *signature* of *text*."""
        if not isinstance(signature, bytes):
            return False
        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The key of this installation that signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def open(cls, file: Path) -> SigningKey:
        """Return the key in *file*, which is made, for this user alone, where there is none.

        However many processes start at once, they end up with one key. Raises `Unavailable` where the file cannot be
        used.
        """
        try:
            if not file.exists():
                _make(file)
            key = load_pem_private_key(file.read_bytes(), password=None)
        except OSError as error:
            raise Unavailable(f"the key that signs checkpoints, {file}, cannot be used: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise Unavailable(f"{file} holds no key that can be read; restore it from a backup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Unavailable(f"{file} holds a key of another kind; an Ed25519 key is wanted")
        return cls(key)

    def sign(self, text: bytes) -> bytes:
        """Return the signature of *text*."""
        return self._key.sign(text)


def public_keys(text: str) -> dict[str, PublicKey]:
    """Return the keys in *text* by their ids: PEM, one after the other, or one in base64 a line.

    Raises `InvalidInput` where it holds none, or something else.
    """
    found = []
    try:
        if _END in text:
            for part in text.split(_END)[:-1]:
                key = load_pem_public_key((part[part.index("-----BEGIN") :] + _END + "\n").encode())
                if not isinstance(key, Ed25519PublicKey):
                    raise _no_key("it is of another kind")
                found.append(PublicKey(key.public_bytes(Encoding.Raw, PublicFormat.Raw)))
        else:
            lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
            found = [PublicKey(base64.b64decode(line, validate=True)) for line in lines]
    except (ValueError, binascii.Error) as error:
        raise _no_key(str(error)) from None
    if not found:
        raise _no_key("it is empty")
    return keyed(found)


def keyed(keys: Iterable[PublicKey]) -> dict[str, PublicKey]:
    """Return *keys* by their ids."""
    return {key.id: key for key in keys}


def known_keys(*several: Mapping[str, PublicKey]) -> dict[str, PublicKey]:
    """Return all of *several* together."""
    return {name: key for keys in several for name, key in keys.items()}


def _no_key(why: str) -> InvalidInput:
    message = f"this is no public key of Ed25519 ({why}); `indicia audit key` prints it"
    return InvalidInput([Problem("not-a-public-key", message)])


def _make(file: Path) -> None:
    """Make a key in *file*, whole or not at all; where another process is faster, its key stays."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # readable for this user only
    try:
        with os.fdopen(handle, "wb") as made:
            made.write(pem)
            made.flush()
            os.fsync(made.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, file)
    finally:
        Path(name).unlink()
