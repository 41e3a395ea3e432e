"""The guard: what would break an organisation is recognised by name, and ordinary values are not."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from indicia.domain.errors import InvalidInput
from indicia.domain.guard import Guard, GuardReason, parse_list
from indicia.domain.observable import ObservableType, Unspellable, canonical, detect

SHA256, SHA1, MD5 = ObservableType.FILE_SHA256, ObservableType.FILE_SHA1, ObservableType.FILE_MD5
THUMBPRINT = ObservableType.CERTIFICATE_THUMBPRINT
IP, RANGE = ObservableType.IP_ADDRESS, ObservableType.IP_RANGE
DOMAIN, URL = ObservableType.DOMAIN_NAME, ObservableType.URL
EICAR = (
    rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
)  # in two, or scanners take this file


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard.default()


@pytest.fixture(scope="module")
def own() -> Guard:
    """Return a guard with a user's list and the names of a server."""
    extra = [
        "shop.partner.example # ours",
        "",
        "# comment",
        "45.45.0.0/20",
        "7.7.7.7",
        "http://a.example/x#y",
        "ab" * 20,
    ]
    return Guard.default(extra, ["https://indicia.corp.example:8443/", "indicia", "93.184.216.34"])


@pytest.fixture(scope="module")
def suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def code(guard: Guard, kind: ObservableType, value: str) -> str | None:
    assert canonical(kind, value) == value
    reason = guard.reason(kind, value)
    assert reason is None or reason.message
    return reason.code if reason else None


@pytest.mark.parametrize(
    "kind,value,expected",
    [
        (DOMAIN, "com", "public-suffix"),
        (DOMAIN, "co.uk", "public-suffix"),
        (DOMAIN, "github.io", "public-suffix"),  # the list's private part: unrelated owners below
        (DOMAIN, "kobe.jp", "public-suffix"),  # *.kobe.jp implies it
        (DOMAIN, "foo.kobe.jp", "public-suffix"),
        (DOMAIN, "city.kobe.jp", None),  # !city.kobe.jp
        (DOMAIN, "a.foo.kobe.jp", None),
        (DOMAIN, "xn--p1ai", "public-suffix"),
        (DOMAIN, "localhost", "single-label"),
        (DOMAIN, "intranet", "single-label"),
        (DOMAIN, "microsoft.com", "critical-name"),
        (DOMAIN, "evil.microsoft.com", None),  # sub-domains are not guarded
        (DOMAIN, "microsoftonline.com", "critical-name"),  # matches login.microsoftonline.com
        (DOMAIN, "cloudfront.net", "critical-name"),
        (DOMAIN, "evil.example", None),
        (DOMAIN, "reddit.com", None),  # popularity is never a reason
        (IP, "8.8.8.8", "critical-name"),
        (IP, "2001:4860:4860::8888", "critical-name"),
        (IP, "10.1.2.3", "private-address"),
        (IP, "172.31.255.255", "private-address"),
        (IP, "172.32.0.0", None),
        (IP, "192.168.0.1", "private-address"),
        (IP, "127.0.0.1", "private-address"),
        (IP, "169.254.169.254", "private-address"),
        (IP, "100.64.0.1", "private-address"),
        (IP, "100.128.0.1", None),
        (IP, "0.0.0.0", "reserved-address"),
        (IP, "192.0.2.1", "reserved-address"),
        (IP, "224.0.0.1", "reserved-address"),
        (IP, "245.245.0.1", "reserved-address"),
        (IP, "255.255.255.255", "reserved-address"),
        (IP, "185.220.101.34", None),
        (IP, "::", "reserved-address"),
        (IP, "::1", "private-address"),
        (IP, "fe80::1", "private-address"),
        (IP, "fd00::1", "private-address"),
        (IP, "ff02::1", "reserved-address"),
        (IP, "2001:db8::1", "reserved-address"),
        (IP, "3fff:fff::1", "reserved-address"),
        (IP, "3fff:1000::1", None),
        (IP, "4000::", "reserved-address"),
        (IP, "1::", "reserved-address"),
        (IP, "64:ff9b::102:304", None),
        (IP, "2a00:1450::1", None),
        (RANGE, "10.0.0.0/8", "private-address"),
        (RANGE, "172.0.0.0/8", "private-address"),
        (RANGE, "5.0.0.0/8", None),
        (RANGE, "4.0.0.0/7", "wide-range"),
        (RANGE, "0.0.0.0/0", "wide-range"),
        (RANGE, "8.8.8.0/24", "critical-name"),
        (RANGE, "8.8.8.8/32", "critical-name"),
        (RANGE, "185.220.101.0/24", None),
        (RANGE, "::/0", "wide-range"),
        (RANGE, "2a00::/18", "wide-range"),
        (RANGE, "2a00::/19", None),
        (RANGE, "64:ff9b::/96", None),
        (RANGE, "64:ff9b::/95", "reserved-address"),
        (RANGE, "2001:4860::/32", "critical-name"),
        (URL, "http://github.com/", "critical-name"),
        (URL, "https://github.com/evil/repo", None),
        (URL, "https://github.com/?evil", None),
        (URL, "https://github.com/?evil/", None),
        (URL, "https://microsoftonline.com/", None),  # that host and no other
        (URL, "http://co.uk/", "public-suffix"),
        (URL, "http://intranet/", "single-label"),
        (URL, "http://10.0.0.1:8080/", "private-address"),
        (URL, "http://[::1]/", "private-address"),
        (URL, "http://8.8.8.8/", "critical-name"),
        (URL, "http://185.220.101.34:8080/", None),
        (URL, "http://evil.example/", None),
        (MD5, "a" * 32, None),
        (THUMBPRINT, "a" * 40, None),
    ],
)
def test_what_is_guarded_and_why(guard: Guard, kind: ObservableType, value: str, expected: str | None) -> None:
    assert code(guard, kind, value) == expected


@pytest.mark.parametrize(
    "content,expected",
    [(b"", "empty-file"), (EICAR, "eicar"), (EICAR + b"\n", "eicar"), (EICAR + b"\r\n", "eicar"), (b"\n", None)],
)
def test_the_files_that_harm_nobody(guard: Guard, content: bytes, expected: str | None) -> None:
    assert code(guard, SHA256, hashlib.sha256(content).hexdigest()) == expected
    assert code(guard, SHA1, hashlib.sha1(content).hexdigest()) == expected
    assert code(guard, MD5, hashlib.md5(content).hexdigest()) == expected


class TestAddresses:
    @given(st.integers(0, 2**32 - 1).map(IPv4Address))
    def test_what_is_not_global_is_guarded(self, guard: Guard, address: IPv4Address) -> None:
        """`ipaddress` says so on its own, which differs between Python versions only for blocks that few ever see."""
        reason = guard.reason(IP, str(address))
        if address.is_private or address.is_multicast or address.is_reserved:
            assert reason is not None
        elif address.is_global:
            assert reason is None or reason.code == "critical-name"

    @given(st.one_of(st.integers(0, 2**128 - 1), st.integers(0x20 << 120, (0x40 << 120) - 1)).map(IPv6Address))
    def test_of_the_new_addresses_global_unicast_is_free(self, guard: Guard, address: IPv6Address) -> None:
        if address.ipv4_mapped is None:
            free = address in ip_network("2000::/3") or address in ip_network("64:ff9b::/96")
            special = any(address in ip_network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20"))
            assert (guard.reason(IP, str(address)) is None) == (free and not special)

    @given(st.integers(0, 2**32 - 1), st.integers(8, 32))
    def test_a_range_is_guarded_when_its_first_or_last_address_is(self, guard: Guard, number: int, bits: int) -> None:
        network = ip_network((number, bits), strict=False)
        ends = (network.network_address, network.broadcast_address)
        if any(guard.reason(IP, str(address)) for address in ends):
            assert guard.reason(RANGE, str(network)) is not None


class TestSuffixes:
    @given(st.data())
    def test_the_library_agrees(self, guard: Guard, suffixes: PublicSuffixList, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(sorted(guard.suffixes.names | guard.suffixes.wildcards)[::7]))
        below = data.draw(st.sampled_from(["", "a.", "www.", "city.", "a.b."]))
        name = below + known
        assert (name in guard.suffixes) == bool(suffixes.is_public(name))

    def test_every_wildcard_and_exception(self, guard: Guard, suffixes: PublicSuffixList) -> None:
        for base in guard.suffixes.wildcards:
            for name in (base, f"a.{base}", f"b.a.{base}"):
                assert (name in guard.suffixes) == bool(suffixes.is_public(name)), name
        for name in guard.suffixes.exceptions:
            assert name not in guard.suffixes


class TestOwnAndListed:
    @pytest.mark.parametrize(
        "kind,value,expected",
        [
            (DOMAIN, "indicia.corp.example", "own-name"),
            (DOMAIN, "corp.example", "own-name"),
            (DOMAIN, "indicia", "own-name"),
            (IP, "93.184.216.34", "own-name"),
            (RANGE, "93.184.0.0/16", "own-name"),
            (URL, "https://indicia.corp.example:8443/", "own-name"),
            (DOMAIN, "shop.partner.example", "listed"),
            (DOMAIN, "partner.example", "listed"),
            (DOMAIN, "other.partner.example", None),
            (URL, "http://partner.example/", None),
            (URL, "https://shop.partner.example/", "listed"),
            (IP, "7.7.7.7", "listed"),
            (IP, "45.45.15.255", "listed"),
            (IP, "45.45.16.0", None),
            (IP, "2a00::1", None),
            (RANGE, "45.45.0.0/20", "listed"),
            (RANGE, "45.45.1.0/24", "listed"),
            (RANGE, "45.0.0.0/8", "listed"),
            (RANGE, "45.46.0.0/16", None),
            (URL, "http://a.example/x", "listed"),
            (URL, "http://45.45.1.1/", "listed"),
            (SHA1, "ab" * 20, "listed"),
            (THUMBPRINT, "ab" * 20, "listed"),
        ],
    )
    def test_what_is_ours(self, own: Guard, kind: ObservableType, value: str, expected: str | None) -> None:
        assert code(own, kind, value) == expected

    def test_an_own_name_says_more_than_a_list(self) -> None:
        both = Guard.default(["a.corp.example"], ["a.corp.example"])
        assert code(both, DOMAIN, "a.corp.example") == "own-name"

    def test_lines_that_say_nothing_are_all_named(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            Guard.default(["good.example", "not a name", "", "*.evil.example"])
        assert [problem.line for problem in caught.value.problems] == [2, 4]

    def test_an_own_name_that_is_none_is_refused(self) -> None:
        with pytest.raises(Unspellable):
            Guard.default(own_names=["not a name"])


class TestList:
    def test_comments_blanks_and_spellings(self) -> None:
        lines = [
            "\ufeff# a list\n",
            "\n",
            " Shop.Example\t# why\r\n",
            "http://a.example/b#c\n",
            "10.1.2.3/8",
            "intranet",
        ]
        assert parse_list(lines) == (("shop.example", "http://a.example/b", "10.0.0.0/8", "intranet"), ())

    def test_a_fault_has_its_line_and_a_suggestion(self) -> None:
        [problem] = parse_list(["ok.example", "*.evil.example # all of it"]).problems
        assert (problem.line, problem.code, problem.value) == (2, "invalid-domain-name", "*.evil.example")
        assert problem.suggestion == "evil.example"

    @given(st.lists(st.text(max_size=30), max_size=5))
    def test_it_never_raises_and_its_entries_are_canonical(self, lines: list[str]) -> None:
        entries = parse_list(lines).entries
        assert parse_list(entries) == (entries, ())


class TestShippedLists:
    """The lists are data: whoever edits them learns here what is wrong."""

    def lines(self, file: str) -> list[str]:
        text = files("indicia.domain").joinpath("data", file).read_text(encoding="utf-8")
        return [line for line in text.splitlines() if line and not line.startswith("#")]

    def test_critical_values_are_canonical_once_and_explained(self) -> None:
        values = [line.partition("#")[0].strip() for line in self.lines("critical.txt")]
        assert len(values) == len(set(values))
        assert all(line.partition("#")[2].strip() for line in self.lines("critical.txt"))
        assert [seen.value if (seen := detect(value)) else None for value in values] == values

    def test_popular_names_are_canonical_sorted_and_not_critical_too(self, guard: Guard) -> None:
        names = self.lines("popular.txt")
        assert names == sorted(set(names))
        assert [canonical(DOMAIN, name) for name in names] == names
        assert [name for name in names if code(guard, DOMAIN, name) == "critical-name"] == []

    def test_critical_addresses_are_addresses_of_others(self) -> None:
        for line in self.lines("critical.txt"):
            seen = detect(line.partition("#")[0])
            assert seen is not None
            if seen.type is IP:
                assert ip_address(seen.value).is_global


class TestNote:
    def test_popularity_is_a_note_beside_a_name_and_a_whole_site(self, guard: Guard) -> None:
        for kind, value in [(DOMAIN, "reddit.com"), (DOMAIN, "www.reddit.com"), (URL, "https://reddit.com/")]:
            assert "most visited" in str(guard.note(kind, value))

    def test_everything_else_has_none(self, guard: Guard) -> None:
        for kind, value in [
            (DOMAIN, "evil.example"),
            (URL, "https://reddit.com/r/evil"),
            (IP, "1.1.1.1"),
            (MD5, "a" * 32),
        ]:
            assert guard.note(kind, value) is None


def test_a_reason_is_a_value(guard: Guard) -> None:
    assert guard.reason(MD5, "d41d8cd98f00b204e9800998ecf8427e") == GuardReason(
        "empty-file", "this is the hash of the empty file, which harms nobody"
    )
