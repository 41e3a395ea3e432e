"""What holds for every importer: nothing raises, nothing is lost, nothing is counted twice, memory stays bounded."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indicia.importers import defender_csv, lines, ndjson, text_list
from tests.unit.importers.reading import HEADER, IMPORTERS, bodies, read

EVERY_FORMAT = pytest.mark.parametrize("name", IMPORTERS)
DEEP = b'{"title":' + b"[" * 1_000 + b"]" * 1_000 + b"}"


@EVERY_FORMAT
@given(st.one_of(st.binary(), bodies, bodies.map(lambda body: HEADER.encode() + b"\n" + body)))
@example(DEEP)
@example(b"[" * 60_000)
@example(b'{"expirationTime":"0001-01-01T00:00:00+10:00"}')
@example(b'{"category":1' + b"0" * 5_000 + b"}")
@example("\ufeff".encode("utf-16-le") + b"\x00\xd8\x00")
@example(b'"')
@example(b"\x00" * 100)
def test_no_bytes_make_a_reader_raise(name: str, body: bytes) -> None:
    found = read(name, body)
    # Two records never begin on one line, and none begins past the end.
    assert len(set(found.lines)) == len(found.lines)
    assert not found.lines or found.lines[-1] <= body.count(b"\n") + 1
    assert all(refusal.problems for refusal in found.refused)
    assert all(problem.line for refusal in found.refused for problem in refusal.problems)
    assert found.positions == sorted(found.positions)
    of_rows = [problem for refusal in found.refused for problem in refusal.problems]
    for problem in (*found.notes, *found.fatal, *of_rows):
        orjson.dumps(problem.as_dict())


@EVERY_FORMAT
@given(
    bodies,
    st.sampled_from([4, 5, 7, 64, 1_000]),
    st.sampled_from([1, 2, 10_000]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"]),
)
def test_where_a_block_ends_changes_nothing(name: str, body: bytes, block: int, batch: int, encoding: str) -> None:
    body = HEADER.encode() + b"\n" + body
    if encoding != "utf-8":
        mark = "" if encoding == "utf-8-sig" else "\ufeff"
        body = (mark + body.decode("utf-8", "replace")).encode(encoding)
    whole = read(name, body).content()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        for module in (defender_csv, ndjson, text_list):
            patch.setattr(module, "BATCH_RECORDS", batch)
        assert read(name, body).content() == whole


@given(
    st.lists(
        st.sampled_from(
            ["evil.example.org", "# a comment", "", "  ", "no value at all", "hxxp://a[.]example.org", "\x00"]
        )
    )
)
def test_every_line_of_a_list_is_accounted_for_once(rows: list[str]) -> None:
    expected = [number for number, row in enumerate(rows, 1) if row.strip() and not row.startswith("#")]
    assert read("text", "\n".join(rows)).lines == expected


@given(
    st.lists(st.sampled_from(['{"title":"t"}', "{}", "", " \r", "nonsense", "[]", '{"nope":1}', "1", "null", "\udcff"]))
)
def test_every_line_of_json_is_accounted_for_once(rows: list[str]) -> None:
    expected = [number for number, row in enumerate(rows, 1) if row.strip()]
    assert read("ndjson", "\n".join(rows)).lines == expected


READ_A_HUGE_SOURCE = """
import io, resource, sys
from tests.unit.importers.reading import HEADER, IMPORTERS, read

class Endless(io.RawIOBase):
    def __init__(self, first, piece, size):
        self.first, self.piece, self.left = first, piece, size
    def read(self, size=-1):
        if self.first:
            first, self.first = self.first, b""
            return first
        if self.left <= 0:
            return b""
        self.left -= size
        return (self.piece * (size // len(self.piece) + 1))[:size]

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

name, piece, size = sys.argv[1], sys.argv[2].encode().decode("unicode_escape").encode(), int(sys.argv[3])
read(name, HEADER + "\\n" + ("DomainName,evil.example.org,,Block,,t,d,,,,,\\n" * 100))
before = peak()
found = read(name, Endless(HEADER.encode() + b"\\n" + (b'DomainName,"' if name == "csv" else b""), piece, size))
print(peak() - before, len(found.read), len(found.refused))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, piece, size",
    [
        ("csv", "a", 200_000_000),  # a line that never ends
        ("text", "a", 200_000_000),
        ("ndjson", "a", 200_000_000),
        ("csv", "a" * 60_000 + r"\n", 100_000_000),  # a quote that is never closed
        ("csv", r'""\n', 2_000_000),  # quotes that may close or not on every line
    ],
    ids=["csv-line", "text-line", "ndjson-line", "csv-quote", "csv-quotes"],
)
def test_memory_stays_bounded_whatever_the_bytes(
    name: str, piece: str, size: int, request: pytest.FixtureRequest
) -> None:
    root = request.config.rootpath
    command = [sys.executable, "-c", READ_A_HUGE_SOURCE, name, piece, str(size)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    extra_kib, _, refused = map(int, done.stdout.split())
    assert refused > 0
    assert extra_kib < 60 * 1024
