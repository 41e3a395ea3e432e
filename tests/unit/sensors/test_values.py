"""From text to observables: by the meaning of the field, by the look of the value, out of free text."""

from __future__ import annotations

import doctest
import json
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indicia.domain.observable import Observable, ObservableType
from indicia.sensors import collecting, csv_records, times
from indicia.sensors import values as values_module
from indicia.sensors.csv_records import cells_of
from indicia.sensors.values import address, anything, free_text, hashes, joined_url, name, thumbprint, url
from tests.unit.sensors.contract import Promise
from tests.unit.sensors.writing import single, texts

MODULES = [collecting, csv_records, times, values_module]
READERS = [address, name, url, hashes, thumbprint, anything, free_text]
EVERY_READER = pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)


def values(found: tuple[Observable, ...]) -> list[str]:
    return [each.value for each in found]


@EVERY_READER
@given(text=single)
def test_what_is_found_is_canonical_and_never_a_network(read, text: str) -> None:
    found = read(text)
    assert all(Observable.parse(each.type, each.value) == each for each in found)
    assert ObservableType.IP_RANGE not in {each.type for each in found}
    assert len(set(found)) == len(found) or read is hashes


@EVERY_READER
@given(text=single)
@example(text="\x08fe80::1")
@example(text=":::1")
@example(text="evil.examplehttp://x.example/")
def test_the_scanner_looks_at_whatever_is_found(read, text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    text = raw.decode("utf-8", "surrogateescape")
    promise = Promise(b"\t" + raw + b"\t")
    assert [each for each in read(text) if not promise.covers(each)] == []


@EVERY_READER
@given(text=single, ascii_only=st.booleans())
@example(text="\x0cfe80::1", ascii_only=True)
def test_the_scanner_looks_at_whatever_is_found_behind_escapes_of_json(read, text: str, ascii_only: bool) -> None:
    raw = json.dumps({"evil.example": text}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    promise = Promise(raw, json=True)
    assert [each for each in read(text) if not promise.covers(each)] == []


@given(host=single, target=single, port=st.none() | st.integers(0, 70000))
def test_the_scanner_looks_at_the_host_of_a_url_that_is_put_together(host: str, target: str, port: int | None) -> None:
    raw = f"\t{host}\t{target}\t".encode("utf-8", "surrogatepass")
    promise = Promise(raw)
    decoded = [part.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape") for part in (host, target)]
    assert [each for each in joined_url(decoded[0], port, decoded[1]) if not promise.covers(each)] == []


UNITS = [
    *(
        "a",
        "a.",
        "1.",
        ":",
        "::",
        "a:",
        "http://",
        "http://a.b/?",
        "\\",
        '"',
        "ü",
        "ü.",
        "a.ü",
        "ff:",
        "a@",
        "[::1]",
        "%",
        ".",
    ),
    *("IMPHASH=", "{", "a.b,"),
]


@EVERY_READER
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.timeout(60)  # were it quadratic, it would take hours
def test_hostile_text_costs_no_more_than_its_length(read, unit: str) -> None:
    read(unit * (200_000 // len(unit)))


@pytest.mark.parametrize(
    "text, found",
    [
        ("see http://evil.example/a.", ["http://evil.example/a"]),
        ("(https://evil.example/a?b=c)", ["https://evil.example/a?b=c"]),
        ("<a href='http://evil.example/a'>", ["http://evil.example/a"]),
        ("xhttp://evil.example/a", ["http://evil.example/a"]),
        ("http://a.example/?to=http://b.example/c", ["http://a.example/?to=http://b.example/c", "http://b.example/c"]),
        ("http://user:word@evil.example/", ["evil.example"]),
        ("http://evil.example/a?" + "b" * 3000, ["http://evil.example/a"]),
        ("http://evil.example/" + "b" * 3000, ["evil.example"]),
        ("ftp://evil.example:21/a", ["evil.example"]),
        ("evil.example:443", ["evil.example"]),
        ("someone@evil.example", ["evil.example"]),
        ("\\\\evil.example\\share", ["evil.example"]),
        ("10.0.0.1:443->192.0.2.1:80", ["10.0.0.1", "192.0.2.1"]),
        ("from 2001:DB8::1.", ["2001:db8::1"]),
        ("addr:fe80::1", ["fe80::1"]),
        ("[2001:db8::1]:443", ["2001:db8::1"]),
        ("std::cafe at 12:34:56 from 00:0d:3a:13:e3:69", []),
        ("“evil.example”, 请访问other.example。", ["evil.example", "other.example"]),
        ("bücher.example", ["xn--bcher-kva.example"]),
        ("powershell.exe ntdll.dll 10.0.18362.449 v1.2", []),
        ("1.2.3.0/24", ["1.2.3.0"]),
        ("MD5=" + "A" * 32 + ",IMPHASH=" + "B" * 32, ["a" * 32]),
        ("is " + "A" * 64 + ".", ["a" * 64]),
        ("intranet", []),
    ],
)
def test_free_text(text: str, found: list[str]) -> None:
    assert [
        value for value in values(free_text(text)) if not value.startswith("xn--evil") and "xn--ot" not in value
    ] == found


@pytest.mark.parametrize(
    "host, port, target, found",
    [
        ("evil.example", 80, "/a", "http://evil.example/a"),
        ("evil.example", 8080, "/a", "http://evil.example:8080/a"),
        ("evil.example:81", 80, "/a", "http://evil.example:81/a"),
        ("2001:db8::1", None, "/", "2001:db8::1"),
        ("[2001:db8::1]:81", None, "/", "http://[2001:db8::1]:81/"),
        ("proxy.example", 3128, "http://evil.example/a", "http://evil.example/a"),
        ("evil.example", 443, "evil.example:443", "evil.example"),
        ("evil.example", 80, "/a b\x01", "evil.example"),
    ],
)
def test_requests(host: str, port: int | None, target: str, found: str) -> None:
    assert values(joined_url(host, port, target)) == [found]


@given(cells=st.lists(texts, min_size=1))
def test_cells_come_back_as_they_were_written(cells: list[str]) -> None:
    quoted = ",".join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
    assert cells_of(quoted, ",") == cells
    bare = [cell.replace('"', "").replace(",", "").strip(" ") for cell in cells]
    assert cells_of(",".join(bare), ",") == bare


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_only_plain_blanks_stand_before_a_hash() -> None:
    """The scanner of raw bytes takes any other blank for a letter."""
    md5 = "ab" * 16
    assert [values(hashes(f"MD5={blank}{md5}")) for blank in ("", " ", "\t", "\xa0", "\u3000")] == [[md5]] * 3 + [
        []
    ] * 2


@pytest.mark.parametrize("last", ["evil.example.com", "http://evil.example.com", "2001:db8::1:2", "ab" * 20])
def test_what_is_cut_off_at_the_end_of_a_huge_text_is_not_found(last: str) -> None:
    for kept in range(1, len(last) + 1, 3):
        found = free_text("x " * ((values_module.LONGEST_TEXT - kept) // 2) + " " * (kept % 2) + last + " 192.0.2.1")
        assert set(values(found)) <= {last}
