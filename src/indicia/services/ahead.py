"""Reading ahead: the next batch is parsed while the database is busy with the last."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


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
