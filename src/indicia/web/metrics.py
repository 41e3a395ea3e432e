"""Numbers for Prometheus: each server has its own registry, so that two in one process do not mix."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
#: Counting a million rows takes some tens of milliseconds: scrapers that come more often get the same number.
COUNT_IS_GOOD_SECONDS: Final = 15.0
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Numbers = Callable[[], Mapping[str, tuple[str, float]]]


class Metrics:
    """What one server counts; *count* tells how many indicators are stored."""

    def __init__(self, count: Callable[[], int], numbers: Numbers | None = None) -> None:
        """*numbers* gives more that is asked for each time: names, what they mean, and what they are."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "indicia_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "indicia_requests_seconds",
            "How long requests took",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(_Indicators(count))
        if numbers is not None:
            self._registry.register(_Gauges(numbers))

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Take note of one request; *route* is the template of its path, so that labels stay few."""
        known = method if method in _METHODS else "OTHER"
        template = route or "none"
        self._requests.labels(known, template, str(status)).inc()
        self._seconds.labels(known, template).observe(seconds)

    def text(self) -> bytes:
        """Return everything in the exposition format of Prometheus."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    """Numbers that cost next to nothing to find out."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Say nothing: registering must not touch the database."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, (text, value) in self._numbers().items():
            yield GaugeMetricFamily(name, text, value=value)


class _Indicators(Collector):
    """Counts the stored indicators when somebody asks, and not more often than needed."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._known: tuple[float, int] | None = None

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Say what `collect` gives without counting: registering must not touch the database."""
        yield GaugeMetricFamily("indicia_indicators", "Indicators that are stored")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._lock:
            at = time.monotonic()
            if self._known is None or at - self._known[0] > COUNT_IS_GOOD_SECONDS:
                self._known = (at, self._count())
            number = self._known[1]
        yield GaugeMetricFamily("indicia_indicators", "Indicators that are stored", value=number)
