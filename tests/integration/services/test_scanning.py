"""What a scan does with logs as they come: packed, torn, endless, hostile; each is read, or said why not."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from indicia.domain.errors import InvalidInput, Unavailable
from indicia.domain.indicator import Action
from indicia.domain.observable import Observable, ObservableType
from indicia.matcher.rules import DamagedSnapshot
from indicia.services.hits import Hit, Question
from indicia.services.reading import Source, expand
from indicia.services.scanning import Scan, follow, scan
from tests.integration.scans import NOW, Views, scanned

T = ObservableType
VIEWS = Views([Observable(T.DOMAIN_NAME, "evil.example"), Observable(T.IP_ADDRESS, "192.0.2.1")])
HIT = b"see evil.example\n"


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    def write(data: bytes, name: str = "some.log") -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def lines(found: Scan) -> list[int]:
    return [hit.line for hit in found]


def codes(found: Scan) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.line) for problem in found.summary.problems]


class TestWhatIsFound:
    @pytest.mark.parametrize("compiled", [True, False])
    def test_lines_are_counted_as_an_editor_does(self, log: Any, compiled: bool) -> None:
        views = Views([Observable(T.DOMAIN_NAME, "evil.example")], compiled=compiled)
        path = log(b"\n\r\nfirst\r\n" + HIT + b"\n" * 5 + b"http://evil.example/x")
        assert [(hit.line, hit.observable) for hit in scanned(path, views)] == [
            (4, "evil.example"),
            (10, "http://evil.example/x"),
        ]

    def test_across_many_pieces(self, log: Any) -> None:
        every = 100_003
        data = b"".join(
            HIT if number % every == 0 else b"2024-01-01 a line %d\n" % number for number in range(1, 400_000)
        )
        found = scanned(log(data), VIEWS)
        assert lines(found) == [every, 2 * every, 3 * every]
        assert (found.summary.records, found.summary.bytes) == (399_999, len(data))

    def test_a_quoted_line_break_in_csv(self, log: Any) -> None:
        path = log(b'time,message,host\n1,"a\nevil.example\nb",x\n2,evil.example,y\n')
        assert lines(scanned(path, VIEWS)) == [2, 5]

    def test_elements_of_a_document(self, log: Any) -> None:
        records = [{"timestamp": "2024-01-01T00:00:00Z", "event_type": "dns", "dns": {"rrname": name}} for name in "ab"]
        records[1]["dns"] = {"rrname": "evil.example"}
        text = json.dumps(records, indent=2)
        [hit] = scanned(log(text.encode()), VIEWS)
        assert text.split("\n")[hit.line - 1 : hit.line + 1] == ["  {", '    "timestamp": "2024-01-01T00:00:00Z",']
        assert hit.time is not None

    def test_the_same_thing_in_one_record_is_one_hit(self, log: Any) -> None:
        path = log(b'{"a":"evil.example","b":"evil.example","c":"x evil.example"}\n')
        assert lines(scanned(path, VIEWS)) == [1]

    def test_a_format_that_is_said(self, log: Any) -> None:
        path = log(b'{"a":"x"} evil.example\n')
        assert lines(scanned(path, VIEWS, format="text")) == [1]
        with pytest.raises(InvalidInput) as error:
            scanned(path, VIEWS, format="eva")
        assert error.value.problems[0].suggestion == "eve"

    def test_actions_of_interest(self, log: Any) -> None:
        path = log(b"evil.example 192.0.2.1\n")
        question = Question(actions={Action.WARN})
        found = scan([Source("x", path)], VIEWS, now=NOW, question=question)
        assert [hit.action for hit in found] == [Action.WARN]
        assert found.summary.by_action == {Action.WARN: 1}


class TestHowFilesCome:
    @pytest.mark.parametrize("name", ["plain", "gzip", "zstd", "utf16", "bom"])
    def test_by_content_and_not_by_name(self, log: Any, name: str) -> None:
        zstandard = pytest.importorskip("zstandard")
        data = b"nothing\n" + HIT
        packed = {
            "plain": data,
            "gzip": gzip.compress(data[:9]) + gzip.compress(data[9:]),
            "zstd": zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
            "utf16": b"\xff\xfe" + data.decode().encode("utf-16-le"),
            "bom": b"\xef\xbb\xbf" + data,
        }[name]
        found = scanned(log(packed, "some.txt.xyz"), VIEWS)
        assert lines(found) == [2]
        assert codes(found) == []

    def test_patterns_folders_and_files_that_are_not_there(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        for name in ("a/1.log", "a/b/2.log", "a/[x].log"):
            (tmp_path / name).write_bytes(HIT)
        found, problems = expand([f"{tmp_path}/**/*.log", f"{tmp_path}/a/[x].log", f"{tmp_path}/a", f"{tmp_path}/*.no"])
        assert [source.name[len(str(tmp_path)) :] for source in found] == ["/a/1.log", "/a/[x].log", "/a/b/2.log"]
        assert [problem.message.split(";")[0] for problem in problems] == [
            "it is a folder",
            "no file has a name like that",
        ]

    def test_one_that_cannot_be_read_stops_no_others(self, log: Any, tmp_path: Path) -> None:
        sources, _ = expand([str(tmp_path / "not there"), str(log(HIT)), str(log(b"\xfd7zXZ\0abc", "x.xz"))])
        found = scan(sources, VIEWS, now=NOW)
        assert lines(found) == [1]
        assert [problem.message.split(";")[0] for problem in found.summary.problems] == [
            "there is no such file",
            "it is packed in a way that is not read here",
        ]
        assert found.summary.failed == 2

    def test_a_file_cut_short_is_scanned_as_far_as_it_goes(self, log: Any) -> None:
        packed = gzip.compress(HIT * 3 + os.urandom(50_000).hex().encode())
        found = scanned(log(packed[:-20_000]), VIEWS)
        assert lines(found) == [1, 2, 3]
        assert codes(found) == [("damaged-file", None)]

    def test_no_value_is_made_up_where_a_file_is_torn(self, log: Any) -> None:
        packed = gzip.compress(os.urandom(100) + b"\n192.0.2.17 192.0.2.1", 0)
        assert lines(scanned(log(packed[:-8]), VIEWS)) == []
        assert lines(scanned(log(gzip.compress(b"\n192.0.2.1 192.0.2.17", 0)[:-9]), VIEWS)) == [2]

    def test_a_torn_document_is_told(self, log: Any) -> None:
        found = scanned(log(b'[{"a": "evil.example"},\n {"b": "evil.exam'), VIEWS)
        assert lines(found) == [1]
        assert codes(found)[-1] == ("damaged-file", None)

    def test_what_is_no_record_is_counted_and_placed(self, log: Any) -> None:
        found = scanned(log(b'{"a":"x.example"}\n{"a": evil.example\n' * 30), VIEWS)
        assert lines(found) == []
        assert found.summary.unreadable == 30
        assert [line for _code, line in codes(found)] == [2, 4, 6, 8, 10]

    def test_nothing_and_almost_nothing(self, log: Any) -> None:
        for data in (b"", b"\n", b"\0" * 100, b"[", b"{", b'"', b"\xef\xbb\xbf", gzip.compress(b""), b"[]", b"#"):
            found = scanned(log(data), VIEWS)
            assert lines(found) == []

    def test_zeros_before_the_first_line_hide_nothing(self, log: Any) -> None:
        found = scanned(log(b"\0" * 3_000_000 + b'{"a":"x.example"}\n{"a":"evil.example"}\n'), VIEWS)
        assert lines(found) == [2]

    def test_any_bytes_after_a_hit_hide_nothing(self, log: Any) -> None:
        found = scanned(log(HIT + bytes(range(256)) + b"\n" + HIT), VIEWS)
        assert lines(found)[0] == 1
        assert len(lines(scanned(log(HIT + b"\xff\xfe\x80\0\n" + HIT), VIEWS))) == 2

    def test_bytes_in_memory_and_pipes(self, log: Any) -> None:
        assert lines(scanned(Source("stdin", None, io.BytesIO(HIT * 2)), VIEWS)) == [1, 2]
        with subprocess.Popen(["cat", str(log(HIT * 100_000))], stdout=subprocess.PIPE) as cat:
            found = scanned(Source("stdin", None, cat.stdout), VIEWS)  # type: ignore[arg-type]  # a reader of bytes
            assert len(lines(found)) == 100_000

    def test_a_hit_in_a_pipe_is_not_kept_waiting(self) -> None:
        code = f"import sys, time; sys.stdout.buffer.write({HIT!r}); sys.stdout.flush(); time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as slow:
            found = scanned(Source("stdin", None, slow.stdout), VIEWS)  # type: ignore[arg-type]  # a reader of bytes
            assert next(found).line == 1
            slow.kill()
            assert list(found) == []


LIMIT = """
import sys
from pathlib import Path
from tests.integration.scans import Views, scanned
from indicia.domain.observable import Observable, ObservableType
views = Views([Observable(ObservableType.DOMAIN_NAME, "evil.example")])
found = scanned(Path(sys.argv[1]), views)
# Of this program alone: what getrusage tells a program inherits from the one that started it.
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
print([hit.line for hit in found], found.summary.too_long, peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
@pytest.mark.parametrize("kind", ["line", "zeros", "bomb", "bomb-zstd", "element", "csv", "string", "quote"])
def test_memory_is_bounded(kind: str, tmp_path: Path) -> None:
    long, many = b"x" * (1 << 20), 300
    before, after = b'{"a":"evil.example"}\n', b'\n{"a":"evil.example"}\n'
    wanted: list[int] = [1, 3]
    passed_over = 1
    if kind == "zeros":
        long, before, after, wanted, passed_over = bytes(1 << 20), b"", b"", [], 0
    elif kind in ("element", "string"):
        long = b'{"b":["c"]},' * 80_000 if kind == "element" else long
        before, after = b'[{"a":"evil.example"},\n{"x":["', b'"]},\n{"a":"evil.example"}]\n'
        before, after = (before, after) if kind == "string" else (before[:-1], b"1]},\n" + after[5:])
    elif kind == "csv":
        before, after = b"a,b\nevil.example,1\n", b"\nevil.example,2\n"
        wanted = [2, 4]
    elif kind == "quote":
        long = b'"' + b"a,b\n" * (1 << 18)
        before, after, many, passed_over = b"a,b\nevil.example,1\n", b"\nevil.example,2\n", 101, 0
        wanted = [2, 3 + (101 << 18) + 1]
    path = tmp_path / "big"
    with _opened(path, kind) as file:
        file.write(before)
        for _ in range(many):
            file.write(long)
        file.write(after)
    ran = subprocess.run(
        [sys.executable, "-c", LIMIT, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    found, too_long, megabytes = ran.stdout.strip().rsplit(" ", 2)
    assert json.loads(found) == wanted
    assert int(too_long) == passed_over
    assert int(megabytes) < 200


def _opened(path: Path, kind: str) -> Any:
    if kind == "bomb":
        return gzip.GzipFile(path, "wb", 1)
    return pytest.importorskip("zstandard").open(path, "wb") if kind == "bomb-zstd" else path.open("wb")


# -- following --------------------------------------------------------------------------------------------------------


class Following:
    """A scan that follows files in a thread of its own, and the hits that it has found so far."""

    def __init__(self, paths: list[Path], views: Any) -> None:
        self.stop = threading.Event()
        self.hits: list[Hit] = []
        self.now = NOW
        self.scan = follow(
            [Source(str(path), path) for path in paths],
            views,
            clock=lambda: self.now,
            wait=lambda: not self.stop.wait(0.01),
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for hit in self.scan:
            self.hits.append(hit)

    def until(self, count: int) -> list[int]:
        """Wait for so many hits, and return their lines."""
        for _ in range(1_000):
            if len(self.hits) >= count:
                break
            time.sleep(0.01)
        return [hit.line for hit in self.hits]

    def end(self) -> None:
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@contextmanager
def following(*paths: Path, views: Any = VIEWS) -> Iterator[Following]:
    found = Following(list(paths), views)
    try:
        yield found
    finally:
        found.end()


class TestFollowing:
    def test_growth_truncation_and_rotation(self, log: Any, tmp_path: Path) -> None:
        path = log(HIT)
        with following(path) as found:
            assert found.until(1) == [1]
            with path.open("ab") as file:
                file.write(b"nothing\nsee evil.exam")
                file.flush()
                time.sleep(0.1)
                file.write(b"ple\n")
            assert found.until(2) == [1, 3]
            path.write_bytes(b"\n" + HIT)
            assert found.until(3) == [1, 3, 2]
            with path.open("ab") as old:
                path.rename(tmp_path / "some.log.1")
                old.write(HIT)  # by a writer that has not noticed
                old.flush()
                time.sleep(0.1)
            path.write_bytes(b"\n\n" + HIT)
            assert found.until(5) == [1, 3, 2, 3, 3]

    def test_a_file_that_is_not_there_yet(self, tmp_path: Path) -> None:
        path = tmp_path / "later.log"
        with following(path) as found:
            time.sleep(0.05)
            path.write_bytes(HIT)
            assert found.until(1) == [1]
        assert [problem.message for problem in found.scan.summary.problems] == [
            "there is no such file; it is waited for"
        ]

    def test_several_at_once(self, log: Any) -> None:
        one, two = log(b"", "one"), log(b"", "two")
        with following(one, two) as found:
            two.write_bytes(HIT)
            found.until(1)
            one.write_bytes(HIT)
            found.until(2)
        assert [Path(hit.file).name for hit in found.hits] == ["two", "one"]

    def test_a_new_format_after_a_rotation(self, log: Any, tmp_path: Path) -> None:
        path = log(b"#separator \\x09\n#fields\tts\tuid\tid.resp_h\n1\tC\t192.0.2.1\n")
        with following(path) as found:
            found.until(1)
            path.rename(tmp_path / "old")
            path.write_bytes(b'{"event_type":"x","timestamp":"2024-01-01T00:00:00Z","dest_ip":"192.0.2.1"}\n')
            found.until(2)
        assert [hit.time is not None for hit in found.hits] == [False, True]

    def test_new_indicators_and_expiry_count_at_once(self, log: Any) -> None:
        class Growing:
            view: Any = Views([])

            def ready(self) -> Any:
                return self.view

            def distrust(self) -> None:
                """Never."""

        views, path = Growing(), log(HIT)
        with following(path, views=views) as found:
            time.sleep(0.05)
            views.view = VIEWS
            time.sleep(0.05)
            with path.open("ab") as file:
                file.write(HIT)
            assert found.until(1) == [2]

    def test_what_is_packed_cannot_be_followed(self, log: Any) -> None:
        path = log(gzip.compress(HIT))
        with following(path) as found:
            time.sleep(0.1)
        [problem] = found.scan.summary.problems
        assert "cannot be followed" in problem.message


def test_a_damaged_snapshot_is_made_anew_and_said(log: Any) -> None:
    class Damaged:
        distrusted = 0
        matcher: Any = None

        def __init__(self) -> None:
            self.matcher = self

        def ready(self) -> Any:
            return self

        def distrust(self) -> None:
            self.distrusted += 1

        def match(self, _part: Observable) -> list[Any]:
            raise DamagedSnapshot("the snapshot is damaged")

        def scanners(self) -> None:
            return None

    views = Damaged()
    with pytest.raises(Unavailable, match="scan again"):
        list(scanned(log(HIT), views))  # type: ignore[arg-type]  # a stand-in that is broken
    assert views.distrusted == 1


def test_what_expired_by_now_decides_nothing(log: Any) -> None:
    later = NOW + timedelta(days=1)
    assert list(scan([Source("x", log(HIT))], VIEWS, now=later))  # these never expire; the moment is an argument
