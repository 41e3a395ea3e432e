"""The scanner of raw bytes never misses a record that holds what a snapshot knows, however it is spelled there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.observable import Observable, ObservableType
from indicia.store.codes import TYPES
from tests.unit.matcher.made import OBSERVABLES

kernel: Any = pytest.importorskip("indicia.matcher._kernel", reason="the kernel is not compiled here")

RULINGS = {code: (code, 0) for code in TYPES.values()}
# Each is tried that runs here; the newest machines run all.
CODES = ["baseline", "avx2", "avx512"][: 1 + ["baseline", "avx2", "avx512"].index(kernel.CODE)]
HARMLESS = [
    "",
    "INFO nothing here",
    '{"ts":1521911721.255387,"n":"svchost.exe"}',
    "2018-03-24T17:15:21.255387Z GET /",
    "ünï · ok",
]
D, A, R, U = ObservableType.DOMAIN_NAME, ObservableType.IP_ADDRESS, ObservableType.IP_RANGE, ObservableType.URL
S2, S1, M5 = ObservableType.FILE_SHA256, ObservableType.FILE_SHA1, ObservableType.FILE_MD5
T = ObservableType.CERTIFICATE_THUMBPRINT


def snapshot_of(*known: Observable) -> Any:
    builder = kernel.Builder(b"\x05" * 16, RULINGS)
    builder.add([(TYPES[each.type], each.value, number, None) for number, each in enumerate(known)])
    return kernel.Snapshot.from_bytes(builder.to_bytes(1, bytes(32), b""))


def candidates(snapshots: list[Any], data: bytes, **options: bool) -> list[tuple[int, bytes]]:
    """Return the line and the bytes of each candidate, found alike by the code for every machine."""
    answers = []
    for code in CODES:
        lines, spans = kernel.Scanner(snapshots, code=code, **options).scan(data)
        flat = spans.tolist()
        answers.append((lines, [(line, data[begin:end]) for line, begin, end in zip(*[iter(flat)] * 3, strict=True)]))
    assert all(answer == answers[0] for answer in answers)
    if not options.get("csv"):
        assert answers[0][0] == len(data.splitlines() if b"\r" not in data else data.split(b"\n")) or b"\n" not in data
    return answers[0][1]


def _rough(text: str) -> str:
    """A spelling that is not the canonical one: other case."""
    return text.upper() if not text.startswith("http") else text


CONTEXTS = [
    "{}",
    "  {}  ",
    '{{"k": "{}"}}',
    "a,{},b",
    "x={};y",
    "({})",
    "<{}>",
    "[{}]",
    "'{}'",
    "{}:443 open",
    "user@{} wrote",
    "see {}.",
    "\\n{}",
    "\\u003c{}\\u003e",
    "\\x0a{}",
    "\\\\{}\\\\share",
    "{}\\r\\n",
]


@given(known=st.lists(OBSERVABLES, min_size=1, max_size=12), context=st.sampled_from(CONTEXTS), data=st.data())
def test_a_value_is_found_in_every_place(known: list[Observable], context: str, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from([each for each in known if each.type is not R] or known))
    if one.type is R or (one.type is D and "." not in one.value and "@" in context):
        return
    if ":" in one.value and one.type is A and context in ("{}:443 open", "\\x0a{}"):
        return  # an address and a port without brackets, one run: read as what it is, another address
    value = data.draw(st.sampled_from([one.value, _rough(one.value)]))
    line = context.format(value)
    before, after = (
        data.draw(st.lists(st.sampled_from(HARMLESS), max_size=4)),
        data.draw(st.lists(st.sampled_from(HARMLESS), max_size=4)),
    )
    log = "\n".join([*before, line, *after]).encode()
    assert (len(before), line.encode()) in candidates([snapshot_of(*known)], log)


@pytest.mark.parametrize(
    "known,line",
    [
        (Observable(D, "evil.example"), '{"q":"EVIL.example."}'),
        (Observable(D, "evil.example"), '{"q":"a.b.evil.example"}'),
        (Observable(D, "evil.example"), r'{"u":"http:\/\/evil.example\/a"}'),
        (Observable(D, "evil.example"), r'{"u":"http:\u002f\u002fevil.example"}'),
        (Observable(D, "evil.example"), r'{"q":"evil\u002eexample"}'),
        (Observable(D, "evil.example"), r'{"q":"\u0065vil.example"}'),
        (Observable(D, "evil.example"), r'{"q":"\tevil.example"}'),
        (Observable(D, "evil.example"), r"1\x092\x09evil\x2eexample"),
        (Observable(D, "evil.example"), "http://%65vil.example/"),
        (Observable(D, "evil.example"), "http://evil%2Eexample/"),
        (Observable(D, "evil.example"), "http://ｅｖｉｌ.example/"),
        (Observable(D, "evil.example"), "ｅｖｉｌ．ｅｘａｍｐｌｅ"),
        (Observable(D, "xn--bcher-kva.example"), '{"q":"bücher.example"}'),
        (Observable(D, "xn--bcher-kva.example"), r'{"q":"b\u00fccher.example"}'),
        (Observable(D, "xn--fsq.example"), "例。example"),
        (Observable(D, "wpad"), "GET http://wpad/wpad.dat"),
        (Observable(D, "wpad"), '{"query":"WPAD"}'),
        (Observable(U, "http://wpad/"), "GET http://wpad:80/wpad.dat"),
        (Observable(U, "https://evil.example:8443/a"), '{"host":"evil.example","uri":"/a/b"}'),
        (Observable(U, "http://203.0.113.7/a"), '{"host":"203.0.113.7"}'),
        (Observable(U, "http://[2001:db8::1]/a"), "GET http://[2001:DB8:0::1]:80/a"),
        (Observable(A, "203.0.113.7"), "::ffff:203.0.113.7"),
        (Observable(A, "203.0.113.7"), "http://3405803783/"),
        (Observable(A, "203.0.113.7"), "http://0xcb.0.113.7/"),
        (Observable(A, "203.0.113.7"), "203.0.113.7:80 -> 10.0.0.1:5"),
        (Observable(R, "203.0.113.0/24"), "from 203.0.113.99,"),
        (Observable(R, "2001:db8::/32"), '"2001:DB8:1::9"'),
        (Observable(R, "::/0"), '"::"'),
        (Observable(R, "0.0.0.0/0"), "at 8.8.8.8"),
        (Observable(S1, "ab" * 20), "SHA1=" + "AB" * 20 + ",MD5=" + "00" * 16),
        (Observable(T, "ab" * 20), ":".join(["AB"] * 20)),
        (Observable(T, "ab" * 20), '"fingerprint":"' + ":".join(["ab"] * 20) + '"'),
        (Observable(M5, "ab" * 16), r"\u000a" + "ab" * 16),
        (Observable(S2, "ab" * 32), "\\b" + "ab" * 32),
        (Observable(A, "2001:db8::1"), r"\b2001:db8::1"),
        (Observable(A, "2001:db8::1"), r"\u000a2001:db8::1"),
        (Observable(A, "2001:db8::1"), "ip:2001:db8::1:"),
        # users that are none, and what a URL parser makes of a host before it is one
        (Observable(A, "203.0.113.7"), "http://@3405803783/"),
        (Observable(A, "203.0.113.7"), "http://:@0xcb.0.113.7/"),
        (Observable(D, "evil.example"), "http://@%65vil.example/"),
        (Observable(A, "203.0.113.7"), "(see http://3405803783.])"),
        (Observable(A, "203.0.113.7"), r'{"u":"http:\/\/\u00ad3405803783\/"}'),
        (Observable(A, "203.0.113.7"), r'{"u":"http://\uff13405803783/"}'),
        (Observable(A, "203.0.113.7"), r'{"u":"http://\\\u200b3405803783/"}'),
        (Observable(A, "203.0.113.7"), r"http://\xc2\xad3405803783/"),
        (Observable(D, "xn--bcher-kva.example"), r'{"u":"http://b\u00fcch%65r.example"}'),
        (Observable(D, "xn--bcher-kva.example"), r'{"j":"{\"u\":\"http://b\\u00fcch%65r.example\"}"}'),
        # dots of other scripts beside escapes, and three bytes as three escapes
        (Observable(D, "xn--fsq.example"), r"\xe4\xbe\x8b\xe3\x80\x82example"),
        (Observable(D, "xn--fsq.example"), r"\xE4\xBE\x8B\xEF\xBC\x8Eexample"),
        (Observable(D, "example.xn--fsq"), r'{"q":"example。\u4f8b"}'),
        (Observable(D, "xn--fsq.example"), r'{"q":"\u4f8b。example"}'),
        # dots before hashes
        (Observable(M5, "ab" * 16), r'{"m":"\n.' + "ab" * 16 + '"}'),
        (Observable(M5, "ab" * 16), r"\x09.." + "ab" * 16),
        # the mark that a file may begin with
        (Observable(M5, "ab" * 16), "\ufeff" + "ab" * 16),
        (Observable(S2, "ab" * 32), "\ufeff." + "ab" * 32),
        (Observable(A, "203.0.113.7"), "\ufeff203.0.113.7"),
    ],
)
def test_other_spellings_are_not_missed(known: Observable, line: str) -> None:
    for padding in (0, 1, 31, 63, 64, 16_350, 16_383, 40_000):
        log = ("x" * padding + ("\n" if padding else "") + line + "\nlast").encode()
        assert candidates([snapshot_of(known)], log) == [(1 if padding else 0, line.encode())]


@pytest.mark.parametrize(
    "filler", ["/", "a/", "%3A", "\\", "\\n", "[", "~", "a:", ":", "中", "é", r"\u4e2d", ".", "..a", "a/b."]
)
@pytest.mark.parametrize(
    "known,value",
    [
        (Observable(D, "evil.example"), "/evil.example/"),
        (Observable(D, "evil.example"), r"\u4f8bevil.example"),
        (Observable(A, "203.0.113.7"), "http://3405803783/"),
        (Observable(A, "2001:db8::1"), "[2001:db8::1]"),
        (Observable(T, "ab" * 20), "/" + ":".join(["ab"] * 20) + "/"),
    ],
)
def test_no_value_is_cut_in_a_line_that_nothing_separates(known: Observable, value: str, filler: str) -> None:
    scanner = kernel.Scanner([snapshot_of(known)])
    for shift in range(0, 80, 3):
        line = filler * ((16_384 - shift) // len(filler.encode())) + value + filler * 20
        _, spans = scanner.scan(line.encode())
        assert spans.tolist() == [0, 0, len(line.encode())]


def test_a_long_token_is_cut_in_silence() -> None:
    known = [Observable(D, "evil.example"), Observable(A, "203.0.113.7"), Observable(M5, "ab" * 16)]
    assert candidates([snapshot_of(*known)], b"x" * 100_000 + b"\n" + b"Ab1-" * 10_000) == []


@pytest.mark.parametrize(
    "line",
    [
        "xevil.example",
        "evil.example2",
        "evil.examples",
        "notevil.example",
        '{"evil.example":1}',
        r"C:\\Users\\evil\\example",
        "ab" * 33,
        "12:34:56.789",
        "00:11:22:33:44:55",
        "1.2.3.4.5",
        "203.0.113.07",
        "http://good.example/evil.example.html",
        r"http://good.example\u003cb\u003e",
        r"http:\/\/good.example\/b\u00fccher",
        r"\u0411\u043e\u043b\u0435\u0435 \u0442\u043e\u0433\u043e.",
    ],
)
def test_what_is_close_is_no_candidate(line: str) -> None:
    known = [
        Observable(D, "evil.example"),
        Observable(A, "203.0.113.7"),
        Observable(S2, "ab" * 32),
        Observable(A, "::1"),
    ]
    assert candidates([snapshot_of(*known)], line.encode(), json=True) == []


def test_hosts_of_urls_count_whole_and_names_with_what_is_below() -> None:
    snapshot = snapshot_of(Observable(U, "http://host.example/a"), Observable(D, "name.example"))
    lines = ["host.example", "sub.host.example", "name.example", "sub.name.example"]
    assert [line for line, _ in candidates([snapshot], "\n".join(lines).encode())] == [0, 2, 3]


def test_several_snapshots_are_asked_together() -> None:
    first, second = snapshot_of(Observable(D, "a.example")), snapshot_of(Observable(A, "203.0.113.7"))
    log = b"x a.example\nnothing\ny 203.0.113.7\n"
    assert [line for line, _ in candidates([first, second], log)] == [0, 2]
    assert candidates([], log) == []


def test_comments_and_csv_records() -> None:
    snapshot = snapshot_of(Observable(D, "evil.example"))
    log = b"#fields\ta\n1\n#close\nevil.example\n"
    assert [line for line, _ in candidates([snapshot], log, comments=True)] == [0, 2, 3]
    marked = b"\xef\xbb\xbf#separator ;\n1\n\xef\xbb\xbf#fields;a\n1\n"
    assert [line for line, _ in candidates([snapshot], marked, comments=True)] == [0, 2]
    records = b'a,b\n1,"two\nlines, ""quoted"" evil.example\nthree"\n2,"x\ny"\n3,evil.example'
    assert candidates([snapshot], records, csv=True) == [
        (1, b'1,"two\nlines, ""quoted"" evil.example\nthree"'),
        (6, b"3,evil.example"),
    ]
    scanner = kernel.Scanner([snapshot], csv=True)
    assert scanner.whole(b'a\n1,"two\nlines') == 2
    assert scanner.whole(b'a\n1,"two\nlines"\n2') == len(b'a\n1,"two\nlines"\n')
    assert kernel.Scanner([snapshot]).whole(b"a\nb") == 2
    assert kernel.Scanner([snapshot]).whole(b"") == 0


@given(known=st.lists(OBSERVABLES, max_size=8), data=st.binary(max_size=400), times=st.integers(1, 200))
def test_any_bytes_are_scanned(known: list[Observable], data: bytes, times: int) -> None:
    log = data * times
    options = {name: bool(times & bit) for bit, name in enumerate(("json", "comments", "csv"), start=1)}
    for line, record in candidates([snapshot_of(*known)], log, **options):
        assert line >= 0
        assert record in log


def test_a_long_line_without_an_end_is_scanned() -> None:
    snapshot = snapshot_of(Observable(D, "evil.example"))
    for filler in (b"a", b"a.", b"a:", b"\\", b"\xff", b"http://", b"ab" * 16, b" ", rb"\u4e2d"):
        log = filler * (3_000_000 // len(filler)) + b" evil.example " + filler * 1000
        assert len(candidates([snapshot], log)) == 1


def test_json_of_every_day_is_passed_over() -> None:
    snapshot = snapshot_of(Observable(D, "evil.example"), Observable(A, "203.0.113.7"))
    lines = [
        json.dumps(
            {
                "ts": 1521911721.255387 + i,
                "id.orig_h": f"10.0.{i % 256}.7",
                "host": f"h{i}.good.test",
                "path": "C:\\Windows\\x.dll",
            }
        )
        for i in range(20_000)
    ]
    lines[777] = json.dumps({"id.resp_h": "203.0.113.7"})
    assert [line for line, _ in candidates([snapshot], "\n".join(lines).encode(), json=True)] == [777]
