"""Every spelling of a value has one canonical form, however it was found."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network

import pytest
from ada_url import URL
from hypothesis import assume, example, given
from hypothesis import strategies as st

from indicia.domain.observable import canonical
from indicia.domain.spelling import ObservableType
from tests.unit.spellings import (
    DOMAIN,
    IP,
    LOWER_HEX,
    MD5,
    NAMES,
    PIECED,
    QUADS,
    RANGE,
    SHA1,
    SHA256,
    SIXES,
    THUMBPRINT,
    URL_TYPE,
    URLS,
    spelled,
)


class TestLaws:
    @given(st.one_of(NAMES, st.text(max_size=12), PIECED))
    @example("faß.de")
    @example("xn--a.com")
    @example("É.xn--zca")
    @example("a。b")
    def test_a_name_is_spelled_the_same_alone_and_in_a_url(self, name: str) -> None:
        alone = spelled(DOMAIN, name)
        if alone is not None:
            assert canonical(URL_TYPE, f"http://{name.strip()}/") == f"http://{alone}/"


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

    def test_the_longest_url_is_accepted(self) -> None:
        longest = "http://evil.example/" + "a" * 2028
        assert len(longest) == 2048
        assert canonical(URL_TYPE, longest) is longest
