"""Reading ahead: the next batch is parsed while the database is busy with the last."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")
_DEPTH: Final = 2
_POLL_S: Final = 0.1


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Done:
    pass


def read_ahead(items: Iterable[T]) -> Generator[T]:
    """Yield *items* in order while a thread works out the next ones; what it raises is raised here.

    SQLite works without Python's lock, so that on two cores parsing costs no time of its own. The queue is
    short: memory stays bounded. Close the generator to stop the thread.
    """
    ready: queue.Queue[T | _Failed | _Done] = queue.Queue(_DEPTH)
    stopped = threading.Event()

    def put(item: T | _Failed | _Done) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 it is raised again in the thread that waits for it
            put(_Failed(error))
        put(_Done())

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _Done):
            if isinstance(item, _Failed):
                raise item.error
            yield item
    finally:
        stopped.set()
        thread.join()
