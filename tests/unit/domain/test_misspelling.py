"""What spells no value is refused with a reason, and with what was probably meant."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given

from indicia.domain.observable import Observable, canonical
from indicia.domain.spelling import ObservableType
from tests.unit.spellings import (
    ANYTHING,
    DOMAIN,
    IP,
    KINDS,
    MD5,
    RANGE,
    SHA1,
    SHA256,
    THUMBPRINT,
    URL_TYPE,
    fault_of,
    refusal,
)


class TestLaws:
    @given(KINDS, ANYTHING)
    def test_a_refusal_is_a_sentence_that_can_be_printed(self, kind: ObservableType, text: str) -> None:
        fault = fault_of(kind, text)
        if fault is not None:
            assert str(fault) == fault.message
            fault.message.encode()  # no lone surrogate gets into a report
            assert "\n" not in fault.message
            assert len(fault.message) < 400
            assert fault.code == "empty-value" or fault.code.startswith("invalid-")

    @given(KINDS, ANYTHING)
    def test_a_suggestion_is_a_type_or_a_canonical_spelling(self, kind: ObservableType, text: str) -> None:
        fault = fault_of(kind, text)
        if fault is not None and fault.suggestion is not None and fault.suggestion not in list(ObservableType):
            assert canonical(kind, fault.suggestion) == fault.suggestion


class TestRefusals:
    @pytest.mark.parametrize("kind", list(ObservableType))
    @pytest.mark.parametrize("text", ["", " ", "\r\n\t"])
    def test_an_empty_value_has_its_own_code(self, kind: ObservableType, text: str) -> None:
        assert refusal(kind, text).code == "empty-value"

    @pytest.mark.parametrize("kind", list(ObservableType))
    @pytest.mark.parametrize(
        "piece", ["a", "a.", "1.", "[", "[.]", "\\.", "é", "http://", "1-", "::", "ab ", "\ud800", "%"]
    )
    def test_a_huge_text_is_refused_by_its_length(self, kind: ObservableType, piece: str) -> None:
        fault = refusal(kind, piece * 300_000)
        assert "more than any value may have" in fault.message
        assert len(fault.message) < 400

    @pytest.mark.parametrize("kind", list(ObservableType))
    def test_nested_defanging_does_not_nest_calls(self, kind: ObservableType) -> None:
        assert refusal(kind, "[" * 1000 + "." + "]" * 1000).code == refusal(kind, "[" * 3 + "." + "]" * 3).code

    def test_it_survives_the_way_between_processes(self) -> None:
        fault = refusal(DOMAIN, "*.evil.example")
        copy = pickle.loads(pickle.dumps(fault))
        assert (copy.code, copy.message, copy.suggestion) == (fault.code, fault.message, fault.suggestion)

    def test_it_is_a_value_error(self) -> None:
        with pytest.raises(ValueError, match="not a domain name"):
            Observable.parse(DOMAIN, "..")


class TestHashes:
    @pytest.mark.parametrize("kind", [SHA256, SHA1, MD5, THUMBPRINT])
    @pytest.mark.parametrize(
        "text", ["a" * 31, "g" * 32, "a" * 41, "g" * 64, "0x" + "a" * 30, "a" * 128, "а" * 32, "١" * 40]
    )
    def test_other_lengths_and_digits_are_refused(self, kind: ObservableType, text: str) -> None:
        assert refusal(kind, text).code == ("invalid-thumbprint" if kind is THUMBPRINT else "invalid-hash")

    @pytest.mark.parametrize("length,kind", [(64, SHA256), (40, SHA1), (32, MD5)])
    def test_a_hash_of_another_kind_is_named(self, length: int, kind: ObservableType) -> None:
        for other in {SHA256, SHA1, MD5} - {kind}:
            assert refusal(other, "a" * length).suggestion == kind.value

    def test_the_digits_are_counted(self) -> None:
        assert "it has 63" in refusal(SHA256, "a" * 63).message

    @pytest.mark.parametrize("text", ["a b" * 14, "ab  " * 19 + "ab", "ab-" * 19 + "ab", "ab:" * 20])
    def test_other_separators_are_refused(self, text: str) -> None:
        assert refusal(THUMBPRINT, text).code == "invalid-thumbprint"


class TestAddresses:
    @pytest.mark.parametrize(
        "text,says,suggestion",
        [
            ("10.0.0.0/8", "CIDR", "IpRange"),
            ("2001:db8::/32", "CIDR", "IpRange"),
            ("1.2.3.4/32", "CIDR", "IpRange"),
            ("1.2.3.0-1.2.3.255", "CIDR", "IpRange"),
            ("1.2.3.1-1.2.3.9", "CIDR", "IpRange"),
            ("10.0.*.*", "CIDR", "IpRange"),
            ("010.1.1.1", "leading zero", None),
            ("1.2.3.256", "255", None),
            ("fe80::1%eth0", "scope id", "fe80::1"),
            ("[2001:db8::1]", "brackets", "2001:db8::1"),
            ("1.2.3.4:8080", "port", "1.2.3.4"),
            ("[2001:db8::1]:8080", "port", "2001:db8::1"),
            ("1[.]2[.]3[.]4", "defanged", "1.2.3.4"),
            ("evil.example", "DomainName", "DomainName"),
            ("http://evil.example/", "Url", "Url"),
            ("a" * 64, "FileSha256", "FileSha256"),
            ("0x7f000001", "", None),
            ("2130706433", "", None),
            ("１.2.3.4", "", None),
        ],
    )
    def test_anything_else_is_refused_with_its_reason(self, text: str, says: str, suggestion: str | None) -> None:
        fault = refusal(IP, text)
        assert fault.code == "invalid-ip-address"
        assert says in fault.message
        assert fault.suggestion == suggestion


class TestRanges:
    @pytest.mark.parametrize(
        "text,says,suggestion",
        [
            ("1.2.3.4", "one address", "IpAddress"),
            ("1.2.3.1-1.2.3.6", "it takes 4: 1.2.3.1/32, 1.2.3.2/31, 1.2.3.4/31, 1.2.3.6/32", None),
            ("0.0.0.1-255.255.255.254", "and 58 more", None),
            ("1.2.3.9-1.2.3.1", "", None),
            ("1.2.3.4-2001:db8::1", "", None),
            ("1.2.3.0/33", "at most 32", None),
            ("2001:db8::/129", "at most 128", None),
            ("1.2.3.0/255.255.255.0", "number of fixed bits", None),
            ("1.2.3.0/", "number of fixed bits", None),
            ("1.2.3.*", "wildcards", None),
            ("fe80::%eth0/64", "", None),
            ("1[.]2.3.0/24", "defanged", "1.2.3.0/24"),
            ("evil.example", "DomainName", "DomainName"),
            ("1.2.3.0/２４", "", None),
        ],
    )
    def test_anything_else_is_refused_with_its_reason(self, text: str, says: str, suggestion: str | None) -> None:
        fault = refusal(RANGE, text)
        assert fault.code == "invalid-ip-range"
        assert says in fault.message
        assert fault.suggestion == suggestion


class TestNames:
    @pytest.mark.parametrize(
        "text,says,suggestion",
        [
            ("*.evil.example", "sub-domains", "evil.example"),
            ("1.2.3.4", "IP address", "IpAddress"),
            ("1.2.3.4.", "IP address", "IpAddress"),
            ("2001:db8::1", "IP address", "IpAddress"),
            ("10.0.0.0/8", "CIDR", "IpRange"),
            ("https://evil.example/", "Url", "Url"),
            ("evil.example/a", "Url", "Url"),
            ("evil.example:8080", "port", "evil.example"),
            ("user@evil.example", "user name", "evil.example"),
            ("evil[.]example", "defanged", "evil.example"),
            ("evil..example", "empty label", None),
            (".evil.example", "empty label", None),
            ("evil.example..", "empty label", None),
            ("evil .example", "' '", None),
            ("evil,example", "','", None),
            ("evil%2eexample", "'%'", None),
            ("a" * 64 + ".com", "63", None),
            ("a." * 127 + "a", "253", None),
            ("evil.123", "number", None),
            ("evil.0x7f", "number", None),
            ("0x7f.1", "number", None),
            ("évil.xn--a", "IDNA", None),
            ("evil\u200f\u0627.example", "", None),
            ("evil\0.example", "", None),
            ("évil\0.example", "IDNA", None),
            ("\ud800.example", "IDNA", None),
            ("é" * 2000, "IDNA", None),
            (".", "IDNA", None),
            ("a" * 64, "FileSha256", "FileSha256"),
        ],
    )
    def test_anything_else_is_refused_with_its_reason(self, text: str, says: str, suggestion: str | None) -> None:
        fault = refusal(DOMAIN, text)
        assert fault.code == "invalid-domain-name"
        assert says in fault.message
        assert fault.suggestion == suggestion


class TestUrls:
    @pytest.mark.parametrize(
        "text,says,suggestion",
        [
            ("hxxp://evil[.]example/a", "defanged", "http://evil.example/a"),
            ("evil.example/a", "scheme is missing", "http://evil.example/a"),
            ("evil.example:8080/a", "scheme is missing", "http://evil.example:8080/a"),
            ("ftp://evil.example/", "only http and https", None),
            ("mailto:a@evil.example", "only http and https", None),
            ("http://user:secret@evil.example/a", "password", "http://evil.example/a"),
            ("http://user@evil.example/a", "user name", "http://evil.example/a"),
            ("http://evil.example/a\tb", "tab", None),
            ("http://evil.example/a\nb", "line break", None),
            ("http://evil.example/a\x7fb", "control", None),
            ("http://evil.example/a\u200b", "invisible", "http://evil.example/a"),
            ("\ufeffhttp://evil.example/a", "invisible", "http://evil.example/a"),
            ("http://evil.example/a\u00a0", "invisible", "http://evil.example/a"),
            ("http://*.evil.example/", "wildcards", None),
            ("http://evil..example/", "empty label", None),
            ("http://" + "a" * 64 + ".com/", "63", None),
            ("http://ev!l.example/", "'!'", None),
            ("http:///", "parsed", None),
            ("http://evil.example:65536/", "parsed", None),
            ("http://1.2.3.4.5/", "parsed", None),
            ("http://evil.example/\ud800", "parsed", None),
            ("http://evil.example/" + "é" * 500, "2,048", None),
            ("http://evil.example/" + "a" * 2029, "2,049 characters", None),
            ("d41d8cd98f00b204e9800998ecf8427e", "FileMd5", "FileMd5"),
            ("1.2.3.0/24", "IpRange", "IpRange"),
        ],
    )
    def test_anything_else_is_refused_with_its_reason(self, text: str, says: str, suggestion: str | None) -> None:
        fault = refusal(URL_TYPE, text)
        assert fault.code == "invalid-url"
        assert says in fault.message
        assert fault.suggestion == suggestion
