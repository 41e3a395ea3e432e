"""Reading ahead: the next batch is parsed while the database is busy with the last."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Final, TypeVar

from indicia.domain.errors import Unavailable
from indicia.store.engines import SLEEPING_THREADS

T = TypeVar("T")

# Who asks for a verdict goes before who reads a file: where cores are short, an import takes longer instead.
_NICE: Final = 5

_ITEM: Final = b"i"
_END: Final = b"e"
_RAISED: Final = b"r"


def read_ahead(items: Iterable[T]) -> Generator[T]:
    """Yield *items* in order while a thread works out the one after; what it raises is raised here.

    SQLite works without Python's lock, so that on two cores parsing costs next to no time of its own. No more
    than one item waits: memory stays bounded. Close the generator to stop the thread.
    """
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        following = pool.submit(next, iterator, end)
        while (item := following.result()) is not end:
            following = pool.submit(next, iterator, end)
            yield item  # type: ignore[misc] # it is an item: only `end` is none


def may_read_apart() -> bool:
    """Return whether `read_apart` is safe here: a process with threads must not be forked, nor one on macOS.

    A thread that only sleeps is none of those: what it may hold, the other process has no use for.
    """
    at_work = [thread for thread in threading.enumerate() if thread.name not in SLEEPING_THREADS]
    return sys.platform == "linux" and len(at_work) == 1


def read_apart(items: Iterable[T], pack: Callable[[T], bytes], unpack: Callable[[bytes], T]) -> Generator[T]:
    """Yield *items* in order while a process of its own works out the one after; what it raises is raised here.

    Like `read_ahead`, and the other process has a Python lock of its own. It must not use what cannot be shared, such
    as the connection to a database. Close the generator to stop it; it ends by itself when this process is killed.
    """
    here, there = Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: see `may_read_apart`
        child = os.fork()  # not multiprocessing.Process, which closes the stdin that is to be read
    if child == 0:
        try:
            here.close()  # so that sending fails when there is nobody left to receive
            _send(items, pack, there)
        finally:
            os._exit(0)  # whatever this process shares with the other is the other's to flush and close
    there.close()
    try:
        while (message := _received(here))[:1] == _ITEM:
            yield unpack(message[1:])
        if message[:1] == _RAISED:
            raise pickle.loads(message[1:])  # noqa: S301 from our own process
    finally:
        here.close()
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _received(pipe: Connection) -> bytes:
    try:
        return pipe.recv_bytes()
    except EOFError:
        # Whoever went on would take a part for the whole.
        raise Unavailable("the process that read the file was ended, perhaps for lack of memory") from None


def _send(items: Iterable[T], pack: Callable[[T], bytes], pipe: Connection) -> None:
    """Work in the other process: send each item, then the end or what was raised."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to both; the one that is asked for stops this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(_NICE)
    try:
        for item in items:
            pipe.send_bytes(_ITEM + pack(item))
        pipe.send_bytes(_END)
    except BaseException as error:
        with suppress(BrokenPipeError):
            pipe.send_bytes(_RAISED + pickle.dumps(error))
        raise
