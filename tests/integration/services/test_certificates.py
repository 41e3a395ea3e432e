"""Certificates: what `openssl` says of them is what is shown; hostile bytes give a sentence and nothing else."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.errors import InvalidInput
from indicia.services.certificates import MOST_BYTES, read_certificate

BEGINS, ENDS = datetime(2029, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)


def certificate(name: str = "Evil Software Ltd", issuer: str = "An authority") -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer))
    builder = builder.public_key(key.public_key()).serial_number(0xBEEF).not_valid_before(BEGINS).not_valid_after(ENDS)
    return builder.sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def der() -> bytes:
    return certificate().public_bytes(Encoding.DER)


def test_der_and_pem_say_the_same(der: bytes) -> None:
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    found = read_certificate(der)
    assert read_certificate(pem) == found
    assert read_certificate(b"Bag Attributes\r\n" + pem.replace(b"\n", b"\r\n")) == found
    assert found.thumbprint == hashlib.sha1(der).hexdigest()
    assert found.sha256 == hashlib.sha256(der).hexdigest()
    assert (found.subject, found.issuer) == ("CN=Evil Software Ltd", "CN=An authority")
    assert (found.not_before, found.not_after, found.serial) == (BEGINS, ENDS, "beef")
    assert found.is_valid(datetime(2030, 1, 1, tzinfo=UTC))
    assert not found.is_valid(datetime(2032, 1, 1, tzinfo=UTC))
    assert found.as_text() == "CN=Evil Software Ltd; issued by CN=An authority; valid 2029-01-01 to 2031-01-01"


def test_of_several_the_first(der: bytes) -> None:
    one, other = (x509.load_der_x509_certificate(der), certificate("The authority itself"))
    found = read_certificate(one.public_bytes(Encoding.PEM) + other.public_bytes(Encoding.PEM))
    assert found.thumbprint == hashlib.sha1(der).hexdigest()


def test_a_name_cannot_play_tricks() -> None:
    found = read_certificate(certificate("a\u202eb\nc" + "x" * 40).public_bytes(Encoding.DER))
    assert found.subject.isprintable()
    assert len(found.as_text()) < 1_000


@given(st.data())
def test_whatever_it_is_there_is_a_sentence(der: bytes, data: st.DataObject) -> None:
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    good = bytearray(data.draw(st.sampled_from([der, pem])))
    for _ in range(data.draw(st.integers(1, 8))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    for content in (bytes(good), bytes(good)[: data.draw(st.integers(0, len(good)))], data.draw(st.binary())):
        try:
            found = read_certificate(content)
        except InvalidInput as fault:
            [problem] = fault.problems
            assert problem.code == "unreadable-certificate"
            assert problem.message.isprintable()
        else:
            assert len(found.thumbprint) == 40
            assert found.as_text().isprintable()


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "empty"),
        (b"\0" * (MOST_BYTES + 1), "65,537 bytes"),
        (b"-----BEGIN PRIVATE KEY-----\nMIIE\n", "a private key"),
        (b"-----BEGIN \xff\xfe", "no certificate"),
        (b"MZ\x90\0", "no certificate that can be read"),
        (b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "no certificate that can be read"),
    ],
)
def test_what_it_is_instead_is_said(content: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_certificate(content)


def test_nothing_may_follow(der: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_certificate(der + b"PK\x03\x04")
