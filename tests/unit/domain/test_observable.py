"""Spelling: every spelling of a value has one canonical form, and what has none is refused with a reason."""

from __future__ import annotations

import pickle
import string
from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import urlsplit

import pytest
from ada_url import URL
from hypothesis import assume, example, given
from hypothesis import strategies as st

from indicia.domain.observable import (
    Observable,
    ObservableType,
    Unspellable,
    canonical,
    detect,
    host_of,
    parents,
    refang,
    split_url,
)

SHA256, SHA1, MD5 = ObservableType.FILE_SHA256, ObservableType.FILE_SHA1, ObservableType.FILE_MD5
THUMBPRINT = ObservableType.CERTIFICATE_THUMBPRINT
IP, RANGE = ObservableType.IP_ADDRESS, ObservableType.IP_RANGE
DOMAIN, URL_TYPE = ObservableType.DOMAIN_NAME, ObservableType.URL
LOWER_HEX = "0123456789abcdef"
KINDS = st.sampled_from(list(ObservableType))


def spelled(kind: ObservableType, text: str) -> str | None:
    """Return the canonical spelling, None when there is none; any other exception fails the test."""
    try:
        return canonical(kind, text)
    except Unspellable:
        return None


def fault_of(kind: ObservableType, text: str) -> Unspellable | None:
    try:
        canonical(kind, text)
    except Unspellable as fault:
        return fault
    return None


def refusal(kind: ObservableType, text: str) -> Unspellable:
    with pytest.raises(Unspellable) as caught:
        canonical(kind, text)
    return caught.value


# What people write, half right: the pieces of which values are made, put together anyhow.
PIECES = st.sampled_from(
    [
        *"aZ09.-_:/@%?#[]*\\ \t",
        *(
            "http://",
            "HTTPS://",
            "hxxp://",
            "ftp://",
            "www.",
            "evil",
            "example",
            ".com",
            "xn--",
            "xn--zca",
            "0x7f",
            "::",
        ),
        *(
            "1.2.3.4",
            "10.0.0.0/8",
            "2001:db8::1",
            "::ffff:1.2.3.4",
            "255",
            "[.]",
            "[::1]",
            ":80",
            ":443",
            ":8080",
            "%41",
        ),
        *(
            "/../",
            "/./",
            "%2e",
            "/a",
            "?q=1",
            "#f",
            "ß",
            "é",
            "İ",
            "ſ",
            "。",
            "．",
            "１",
            "／",
            "\u00ad",
            "\u200b",
            "\u200d",
        ),
        *(
            "\u200e",
            "\ufeff",
            "\u00a0",
            "℀",
            "💩",
            "\0",
            "\n",
            "\ud800",
            "\udfff",
            "中",
            "ا",
            "\u0301",
            "d41d8cd9" * 4,
            "'",
        ),
    ]
)
PIECED = st.lists(PIECES, max_size=8).map("".join)
ANYTHING = st.one_of(PIECED, st.text(max_size=40), st.text(st.characters(), max_size=20).map("http://".__add__))

LABELS = st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=63)
LAST_LABELS = st.builds(str.__add__, st.sampled_from(string.ascii_lowercase), LABELS.map(lambda label: label[:62]))
NAMES = st.builds(lambda labels, last: ".".join([*labels, last]), st.lists(LABELS, max_size=4), LAST_LABELS).filter(
    lambda name: len(name) <= 253
)
QUADS = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
SIXES = st.integers(0, 2**128 - 1).map(IPv6Address)
PATHS = st.text(string.ascii_letters + string.digits + "!$&'()*+,;=:@._~%/?-#\"<>^`{|} \\é", max_size=40)
URLS = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https", "HTTP", "hTTps"]),
    st.one_of(NAMES, QUADS, SIXES.map("[{}]".format)),
    st.sampled_from(["", ":", ":80", ":443", ":8080", ":65535", ":65536", ":0", ":080", ":99999", ":9"]),
    PATHS,
)


class TestLaws:
    @given(KINDS, ANYTHING)
    @example(DOMAIN, "a.com\u3002\u3002")
    @example(URL_TYPE, "http://1.2.3.4../")
    @example(URL_TYPE, "http://a.b./?#")
    @example(URL_TYPE, "http://[::ffff:1.2.3.4]:80")
    def test_a_canonical_spelling_is_its_own(self, kind: ObservableType, text: str) -> None:
        value = spelled(kind, text)
        if value is not None:
            assert canonical(kind, value) == value
            assert value.isascii()
            assert value.isprintable()

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

    @given(KINDS, ANYTHING, st.text(" \t\n\r\f\v", max_size=3), st.text(" \t\n\r\f\v", max_size=3))
    def test_blanks_around_do_not_matter(self, kind: ObservableType, text: str, before: str, after: str) -> None:
        assert spelled(kind, before + text + after) == spelled(kind, text)

    @given(URLS)
    def test_the_host_of_a_url_is_spelled_as_the_observable_that_it_is(self, text: str) -> None:
        value = spelled(URL_TYPE, text)
        assume(value is not None)
        host = host_of(str(value))
        assert host in (spelled(DOMAIN, host), spelled(IP, host))

    @given(st.one_of(NAMES, st.text(max_size=12), PIECED))
    @example("faß.de")
    @example("xn--a.com")
    @example("É.xn--zca")
    @example("a。b")
    def test_a_name_is_spelled_the_same_alone_and_in_a_url(self, name: str) -> None:
        alone = spelled(DOMAIN, name)
        if alone is not None:
            assert canonical(URL_TYPE, f"http://{name.strip()}/") == f"http://{alone}/"

    @given(ANYTHING)
    def test_what_is_detected_can_be_spelled(self, text: str) -> None:
        seen = detect(text)
        if seen is not None:
            assert canonical(seen.type, seen.value) == seen.value

    @given(ANYTHING)
    def test_refanging_says_so_exactly_when_it_changes_something(self, text: str) -> None:
        live = refang(text)
        assert bool(live.changes) == (live.text != text)


class TestFastPath:
    """The patterns that recognise canonical spellings agree with the parsers; upper case and mapping reach those."""

    @given(NAMES)
    def test_names(self, name: str) -> None:
        assert canonical(DOMAIN, name) is name
        assert canonical(DOMAIN, name.upper() + ".") == name

    @given(URLS)
    @example("http://a.b/%2e%2E/c")
    @example("http://a.b/.%2e")
    @example("http://a.b/c/.?d")
    @example("http://a.b:080/")
    @example("https://a.b:80/")
    @example("http://a.b/'?'")
    @example("http://" + "a." * 126 + "ab/")
    @example("http://a.b/" + "c" * 2037)
    @example("http://a.b/" + "c" * 2038)
    def test_urls(self, url: str) -> None:
        """Written with a scheme in upper case, a URL never takes the fast path."""
        scheme, _, rest = url.partition(":")
        assert spelled(URL_TYPE, f"{scheme.lower()}:{rest}") == spelled(URL_TYPE, f"{scheme.upper()}:{rest}")

    @given(URLS)
    def test_urls_are_spelled_as_the_standard_says(self, url: str) -> None:
        value = spelled(URL_TYPE, url)
        assume(value is not None and "[" not in url)
        assert value == URL(url).href.partition("#")[0]

    @given(QUADS)
    def test_addresses(self, quad: str) -> None:
        assert canonical(IP, quad) is quad
        assert canonical(IP, f"::ffff:{quad}") == quad

    @given(st.text("0123456789.", max_size=16))
    def test_what_is_no_address_is_none(self, text: str) -> None:
        try:
            expected = str(IPv4Address(text))
        except ValueError:
            expected = None
        assert spelled(IP, text) == expected

    @given(st.sampled_from([(SHA256, 64), (SHA1, 40), (MD5, 32), (THUMBPRINT, 40)]), st.data())
    def test_hashes(self, kind: tuple[ObservableType, int], data: st.DataObject) -> None:
        digest = data.draw(st.text(LOWER_HEX, min_size=kind[1], max_size=kind[1]))
        assert canonical(kind[0], digest) is digest
        assert canonical(kind[0], digest.upper()) == digest


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

    @pytest.mark.parametrize(
        "text",
        [
            "\u200e" + "ab " * 19 + "ab",
            ":".join(["AB"] * 20),
            " \u200e \t" + "ab" * 20 + "\u200e",
            "AB" * 20,
        ],
    )
    def test_a_thumbprint_as_windows_prints_it(self, text: str) -> None:
        assert canonical(THUMBPRINT, text) == "ab" * 20

    @pytest.mark.parametrize("text", ["a b" * 14, "ab  " * 19 + "ab", "ab-" * 19 + "ab", "ab:" * 20])
    def test_other_separators_are_refused(self, text: str) -> None:
        assert refusal(THUMBPRINT, text).code == "invalid-thumbprint"


class TestAddresses:
    @pytest.mark.parametrize(
        "text,value",
        [
            ("2001:4860:4860:0:0:0:0:8888", "2001:4860:4860::8888"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"),
            ("::FFFF:102:304", "1.2.3.4"),
            ("::", "::"),
            ("0.0.0.0", "0.0.0.0"),
        ],
    )
    def test_every_spelling_has_one_form(self, text: str, value: str) -> None:
        assert canonical(IP, text) == value

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
        "text,value",
        [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("1.2.3.4/32", "1.2.3.4/32"),
            ("1.2.3.4/0", "0.0.0.0/0"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::ffff:1.2.3.4/120", "1.2.3.0/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
            ("1.2.3.0-1.2.3.255", "1.2.3.0/24"),
            ("1.2.3.0 - 1.2.3.0", "1.2.3.0/32"),
            ("0.0.0.0-255.255.255.255", "0.0.0.0/0"),
            ("2001:db8::-2001:db8::ffff", "2001:db8::/112"),
            ("::ffff:1.2.3.0-::ffff:1.2.3.255", "1.2.3.0/24"),
            ("::-::ffff:ffff:ffff", "::/80"),  # ends in the mapped block, and does not begin there
        ],
    )
    def test_a_range_is_its_network(self, text: str, value: str) -> None:
        assert canonical(RANGE, text) == value

    @given(st.one_of(st.tuples(QUADS, st.integers(0, 32)), st.tuples(SIXES.map(str), st.integers(0, 128))))
    def test_host_bits_are_cleared_and_first_to_last_is_the_same_range(self, block: tuple[str, int]) -> None:
        value = canonical(RANGE, f"{block[0]}/{block[1]}")
        network = ip_network(value)
        assert canonical(RANGE, f"{network.network_address}-{network.broadcast_address}") == value

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
        "text,value",
        [
            ("Evil.Example.", "evil.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("faß.de", "xn--fa-hia.de"),  # non-transitional: not fass.de
            ("XN--FA-HIA.de", "xn--fa-hia.de"),
            ("ＥＶＩＬ．example", "evil.example"),
            ("evil。example。", "evil.example"),
            ("a\u00adb.example", "ab.example"),
            ("_dmarc.evil.example", "_dmarc.evil.example"),
            ("-a-.evil--x.example", "-a-.evil--x.example"),
            ("xn--a.com", "xn--a.com"),  # no valid punycode, and yet in real lists
            ("xn--.com", "xn--.com"),
            ("1.2.3.4.com", "1.2.3.4.com"),
            ("💩.la", "xn--ls8h.la"),
            ("localhost", "localhost"),
            ("a" * 63 + ".com", "a" * 63 + ".com"),
            ("a." * 126 + "a", "a." * 126 + "a"),
        ],
    )
    def test_every_spelling_has_one_form(self, text: str, value: str) -> None:
        assert canonical(DOMAIN, text) == value

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
        "text,value",
        [
            ("http://evil.example", "http://evil.example/"),
            ("HTTPS://Evil.Example:443/A?B#c", "https://evil.example/A?B"),
            ("http://evil.example:443/", "http://evil.example:443/"),
            ("http://evil.example.:8080/", "http://evil.example:8080/"),
            ("http://evil.example/a/../b/./c", "http://evil.example/b/c"),
            ("http://evil.example/a/%2E%2e/b", "http://evil.example/b"),
            ("http://evil.example/%61?%61", "http://evil.example/%61?%61"),  # the standard leaves encoding alone
            ("http://evil.example/a b", "http://evil.example/a%20b"),
            ("http://evil.example/é?é", "http://evil.example/%C3%A9?%C3%A9"),
            ("http://evil.example?q", "http://evil.example/?q"),
            ("http://evil.example/?", "http://evil.example/?"),
            ("http://evil.example/#", "http://evil.example/"),
            ("http:\\\\evil.example\\a", "http://evil.example/a"),
            ("http:evil.example", "http://evil.example/"),
            ("http://bücher.example/", "http://xn--bcher-kva.example/"),
            ("http://xn--a.com/", "http://xn--a.com/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://017700000001/", "http://127.0.0.1/"),
            ("http://1.2.3.4.:80/", "http://1.2.3.4/"),
            ("http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/"),
            ("http://[::ffff:1.2.3.4]:8080/a", "http://1.2.3.4:8080/a"),
            ("http://evil%2eexample/", "http://evil.example/"),
            ("http://@evil.example/", "http://evil.example/"),
        ],
    )
    def test_every_spelling_has_one_form(self, text: str, value: str) -> None:
        assert canonical(URL_TYPE, text) == value

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

    def test_the_longest_url_is_accepted(self) -> None:
        longest = "http://evil.example/" + "a" * 2028
        assert len(longest) == 2048
        assert canonical(URL_TYPE, longest) is longest

    @given(URLS)
    def test_the_parts_are_those_of_the_standard_library(self, text: str) -> None:
        value = spelled(URL_TYPE, text)
        assume(value is not None)
        parts, expected = split_url(str(value)), urlsplit(str(value))
        assert parts[:4] == (expected.scheme, expected.hostname, expected.port, expected.path)
        assert (parts.query or "") == expected.query
        assert (parts.query is not None) == ("?" in str(value))
        assert parts.host == host_of(str(value))


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


class TestDetect:
    @pytest.mark.parametrize(
        "text,kind,value",
        [
            ("A" * 64, SHA256, "a" * 64),
            ("A" * 40, SHA1, "a" * 40),
            ("a" * 32, MD5, "a" * 32),
            (" 1.2.3.4\n", IP, "1.2.3.4"),
            ("2001:DB8::1", IP, "2001:db8::1"),
            ("1.2.3.4/24", RANGE, "1.2.3.0/24"),
            ("1.2.3.0 - 1.2.3.255", RANGE, "1.2.3.0/24"),
            ("Evil.Example", DOMAIN, "evil.example"),
            ("bad.cafe", DOMAIN, "bad.cafe"),  # hexadecimal digits and a dot, but no address
            ("bücher.example", DOMAIN, "xn--bcher-kva.example"),
            ("evil.xn--p1ai", DOMAIN, "evil.xn--p1ai"),
            ("HTTP://evil.example", URL_TYPE, "http://evil.example/"),
            ("http://intranet/a", URL_TYPE, "http://intranet/a"),
            ("evil.example/", URL_TYPE, "http://evil.example/"),
            ("evil.example/123", URL_TYPE, "http://evil.example/123"),
            ("evil.example:8080/a", URL_TYPE, "http://evil.example:8080/a"),
            ("1.2.3.4/gate.php", URL_TYPE, "http://1.2.3.4/gate.php"),
        ],
    )
    def test_what_a_bare_value_is(self, text: str, kind: ObservableType, value: str) -> None:
        assert detect(text) == Observable(kind, value)

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "localhost",
                "evil",
                "evil.e",
                "evil.123",
                "a b.com",
                "evil[.]example",
                "*.evil.example",
                "\ud800.com",
            ),
            *("1.2.3.4:8080", "evil.example:443", "1.2.3.4/33", "010.1.1.1", "fe80::1%eth0", "a" * 33),
            *("/gate.php", "intranet/a", "ftp://evil.example/", "httpſ://evil.example/", "evil.example/" + "a" * 3000),
        ],
    )
    def test_what_is_anybodys_guess(self, text: str) -> None:
        assert detect(text) is None


class TestParents:
    def test_nearest_first(self) -> None:
        assert parents("a.b.c") == ("b.c", "c")
        assert parents("c") == ()

    @given(NAMES)
    def test_every_parent_is_a_suffix_at_a_dot(self, name: str) -> None:
        assert len(parents(name)) == name.count(".")
        assert all(name.endswith("." + parent) for parent in parents(name))


class TestRefang:
    @pytest.mark.parametrize(
        "text,live,changes",
        [
            ("hxxp://evil[.]example", "http://evil.example", ("hxxp -> http", "[.] -> .")),
            ("hXXps[://]evil(.)example{.}org", "https://evil.example.org", None),
            ("HXXP[:]//evil[dot]example(DOT)org", "http://evil.example.org", None),
            ("1[.]2[.]3[.]4", "1.2.3.4", ("[.] -> .",)),
            ("user[at]evil[.]example", "user@evil.example", ("[at] -> @", "[.] -> .")),
            ("user[@]evil\\.example[/]a", "user@evil.example/a", ("[@] -> @", "\\. -> .", "[/] -> /")),
        ],
    )
    def test_what_is_undone(self, text: str, live: str, changes: tuple[str, ...] | None) -> None:
        found = refang(text)
        assert found.text == live
        assert changes is None or found.changes == changes

    @pytest.mark.parametrize(
        "text",
        [
            "http://[::1]/",
            "http://[2001:db8::1]:8080/",
            "evil.example",
            "hxxp",
            "hxxp.example",
            "xhxxp://a",
            "[]",
            "hxxpſ://a",
        ],
    )
    def test_what_is_left_alone(self, text: str) -> None:
        assert refang(text) == type(refang(""))(text, ())
