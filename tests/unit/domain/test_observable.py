"""A value is found and matched by its one canonical spelling; a bare one says what it is; a URL comes apart."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from indicia.domain.observable import Observable, ObservableType, canonical, detect, host_of, parents, split_url
from tests.unit.spellings import ANYTHING, DOMAIN, IP, KINDS, MD5, NAMES, RANGE, SHA1, SHA256, URL_TYPE, URLS, spelled


class TestCanonical:
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

    @given(KINDS, ANYTHING, st.text(" \t\n\r\f\v", max_size=3), st.text(" \t\n\r\f\v", max_size=3))
    def test_blanks_around_do_not_matter(self, kind: ObservableType, text: str, before: str, after: str) -> None:
        assert spelled(kind, before + text + after) == spelled(kind, text)


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

    @given(ANYTHING)
    def test_what_is_detected_can_be_spelled(self, text: str) -> None:
        seen = detect(text)
        if seen is not None:
            assert canonical(seen.type, seen.value) == seen.value


class TestUrlParts:
    @given(URLS)
    def test_the_parts_are_those_of_the_standard_library(self, text: str) -> None:
        value = spelled(URL_TYPE, text)
        assume(value is not None)
        parts, expected = split_url(str(value)), urlsplit(str(value))
        assert parts[:4] == (expected.scheme, expected.hostname, expected.port, expected.path)
        assert (parts.query or "") == expected.query
        assert (parts.query is not None) == ("?" in str(value))
        assert parts.host == host_of(str(value))

    @given(URLS)
    def test_the_host_of_a_url_is_spelled_as_the_observable_that_it_is(self, text: str) -> None:
        value = spelled(URL_TYPE, text)
        assume(value is not None)
        host = host_of(str(value))
        assert host in (spelled(DOMAIN, host), spelled(IP, host))


class TestParents:
    def test_nearest_first(self) -> None:
        assert parents("a.b.c") == ("b.c", "c")
        assert parents("c") == ()

    @given(NAMES)
    def test_every_parent_is_a_suffix_at_a_dot(self, name: str) -> None:
        assert len(parents(name)) == name.count(".")
        assert all(name.endswith("." + parent) for parent in parents(name))
