"""Reading a certificate that somebody chose: what it is called in an indicator, and whose it is."""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from indicia.domain.errors import InvalidInput, Problem

#: A certificate has one or two kilobytes; nothing larger is looked at.
MOST_BYTES: Final = 64 << 10
_SHOWN: Final = 300
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_OTHER_PEM: Final = b"-----BEGIN "
_COLUMN: Final = "certificate"


class Certificate(NamedTuple):
    """What of a certificate an indicator and its page need; the certificate itself is not kept."""

    thumbprint: str
    sha256: str
    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime

    def is_valid(self, now: datetime) -> bool:
        """Return whether *now* is within the validity."""
        return self.not_before <= now <= self.not_after

    def as_text(self) -> str:
        """Return one line that says whose it is: short enough to be kept with an indicator."""
        return f"{self.subject}; issued by {self.issuer}; valid {self.not_before:%Y-%m-%d} to {self.not_after:%Y-%m-%d}"


def read_certificate(content: bytes) -> Certificate:
    """Return what the certificate in *content* says, DER or PEM (the first of several); raises `InvalidInput`.

    The signature is not looked at: an indicator is about the very bytes, whoever signed them.
    """
    if not content:
        raise _unreadable("the file is empty; choose a .CER or .PEM file")
    if len(content) > MOST_BYTES:
        raise _unreadable(
            f"the file has {len(content):,} bytes, and a certificate has fewer than {MOST_BYTES:,}; "
            "choose the certificate alone"
        )
    found = _parsed(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names and numbers that no standard allows: they are shown as they are
            return Certificate(
                found.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 what a thumbprint is, and no proof of anything
                found.fingerprint(hashes.SHA256()).hex(),
                _name(found.subject),
                _name(found.issuer),
                format(found.serial_number, "x"),
                found.not_valid_before_utc,
                found.not_valid_after_utc,
            )
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm) as error:
        raise _unreadable(f"the certificate is damaged, its fields cannot be read ({_short(error)})") from None


def _parsed(content: bytes) -> x509.Certificate:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if _BEGIN in content:
                return x509.load_pem_x509_certificate(content[content.index(_BEGIN) :])
            if _OTHER_PEM in content:
                raise _unreadable(f"the file holds {_kind(content)}, and no certificate; choose a .CER or .PEM file")
            found = x509.load_der_x509_certificate(content)
            if (
                found.public_bytes(Encoding.DER) != content.rstrip(b"\0")
                and found.public_bytes(Encoding.DER) != content
            ):
                raise _unreadable("there is something else after the certificate; choose the certificate alone")
            return found
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        raise _unreadable(
            "this is no certificate that can be read; choose a .CER or .PEM file with one X.509 certificate"
        ) from None


def _name(name: x509.Name) -> str:
    text = name.rfc4514_string()
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:_SHOWN])
    return (shown + " …" if len(text) > _SHOWN else shown) or "no name"


def _kind(content: bytes) -> str:
    start = content.index(_OTHER_PEM) + len(_OTHER_PEM)
    name = content[start : start + 40].partition(b"-----")[0].decode("ascii", "replace").lower()
    return f"a {name}" if name.isprintable() and name else "something else"


def _short(error: Exception) -> str:
    text = str(error).partition("\n")[0]
    return "".join(each for each in text if each.isprintable())[:100]


def _unreadable(message: str) -> InvalidInput:
    return InvalidInput([Problem("unreadable-certificate", message, _COLUMN)])
