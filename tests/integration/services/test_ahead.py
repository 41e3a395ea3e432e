"""Reading ahead: what comes out is what goes in, in order; errors come along, and nobody is left running."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Generator, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicia.domain.errors import Unavailable
from indicia.services.ahead import may_read_apart, read_ahead, read_apart


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread is not threading.main_thread()}


@pytest.fixture(autouse=True)
def _nobody_is_left_running() -> Iterator[None]:
    before = threads()
    yield
    assert threads() <= before


@given(st.lists(st.integers()))
def test_order_is_kept(items: list[int]) -> None:
    assert list(read_ahead(iter(items))) == items


def test_it_reads_ahead_but_not_far() -> None:
    asked = 0

    def count() -> Iterator[int]:
        nonlocal asked
        while asked < 1_000:
            asked += 1
            yield asked

    ahead = read_ahead(count())
    for taken in ahead:
        assert asked <= taken + 4
        if taken == 100:
            break
    ahead.close()


@pytest.mark.parametrize("after", [0, 1, 10])
@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), MemoryError()])
def test_what_it_raises_is_raised_here(after: int, error: BaseException) -> None:
    def items() -> Iterator[int]:
        yield from range(after)
        raise error

    found: list[int] = []
    with pytest.raises(type(error)) as raised:
        found.extend(read_ahead(items()))
    assert raised.value is error
    assert found == list(range(after))


def test_closing_early_stops_the_thread() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    before = threads()
    ahead = read_ahead(endless())
    assert next(ahead) == 1
    assert threads() - before
    ahead.close()
    assert threads() <= before


def test_an_error_of_the_reader_stops_the_thread() -> None:
    before = threads()
    with pytest.raises(ZeroDivisionError):
        sum(item / 0 for item in read_ahead(iter(range(1_000))))
    assert threads() <= before


def test_nothing_runs_before_the_first_item_is_asked_for() -> None:
    before = threads()
    ahead = read_ahead(iter([1]))
    assert threads() <= before
    ahead.close()


# -- in a process of its own ------------------------------------------------------------------------------------------


def apart(items: Iterable[object]) -> Generator[object]:
    return read_apart(items, pickle.dumps, pickle.loads)


pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@settings(max_examples=10)
@given(st.lists(st.one_of(st.integers(), st.binary(), st.text()), max_size=20))
def test_apart_order_is_kept(items: list[object]) -> None:
    assert list(apart(items)) == items


@pytest.mark.parametrize("after", [0, 1, 10])
@pytest.mark.parametrize("error", [ValueError("bad"), OSError(5, "a disk that fails"), MemoryError()])
def test_apart_what_it_raises_is_raised_here(after: int, error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    def items() -> Iterator[int]:
        yield from range(after)
        raise error

    found: list[object] = []
    with pytest.raises(type(error)) as raised:
        found.extend(apart(items()))
    assert raised.value.args == error.args
    assert found == list(range(after))
    assert capfd.readouterr().err == ""


def test_apart_it_stops_when_nobody_wants_more() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield os.getpid()

    ahead = apart(endless())
    number = next(ahead)
    assert number != os.getpid()
    ahead.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(number)), 0)


def test_apart_a_reader_that_is_killed_is_no_end_of_the_file() -> None:
    def items() -> Iterator[int]:
        yield 1
        os.kill(os.getpid(), signal.SIGKILL)

    found: list[object] = []
    with pytest.raises(Unavailable, match="was ended"):
        found.extend(apart(items()))
    assert found == [1]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is never forked")
def test_a_thread_at_work_forbids_to_fork_and_one_that_sleeps_does_not() -> None:
    beside = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if any(thread.name != "indicia-watch" for thread in beside):
        pytest.skip("this process has threads of other tests")
    for name, may in (("indicia-watch", True), ("indicia-copy", False)):
        end = threading.Event()
        thread = threading.Thread(target=end.wait, name=name)
        thread.start()
        try:
            assert may_read_apart() is may, name
        finally:
            end.set()
            thread.join()
