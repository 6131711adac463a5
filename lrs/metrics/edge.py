"""What the edge counts: requests, statements, refusals, frames, reads that waited."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from lrs.metrics.histogram import BYTES, COUNTS, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

CLASSES = ("2xx", "3xx", "4xx", "5xx")

REASONS = (
    "malformed",
    "invalid",
    "unauthorized",
    "forbidden",
    "conflict",
    "precondition",
    "too_large",
    "slow_body",
    "overload",
    "disk_full",
    "log_unavailable",
    "store_unavailable",
    "put_aside",
)
"""Why a request was refused. `malformed`: not JSON, not UTF-8, wrong framing; `invalid`: breaks xAPI."""


class EdgeMetrics:
    """The metrics of one edge. `routes` are the names of its routes, never paths with parameters."""

    def __init__(self, registry: CollectorRegistry, routes: Iterable[str]) -> None:
        names = (*routes, "other")
        requests = Counter(
            "lrs_http_requests_total",
            "Requests answered, by route and class of status.",
            ["route", "status"],
            registry=registry,
        )
        self._requests = {key: requests.labels(*key) for key in product(names, CLASSES)}
        durations = Histogram(
            registry,
            "lrs_http_request_duration_seconds",
            "From the request's head to the end of its answer, by route.",
            labels=["route"],
            series=[(name,) for name in names],
        )
        self._durations = {name: durations.series(name) for name in names}
        refused = Counter(
            "lrs_http_requests_refused_total", "Requests refused, by reason.", ["reason"], registry=registry
        )
        self._refused = {reason: refused.labels(reason) for reason in REASONS}
        self._accepted = Counter(
            "lrs_statements_accepted_total", "Statements acknowledged for the first time.", registry=registry
        )
        self._repeated = Counter(
            "lrs_statements_repeated_total",
            "Statements acknowledged that were known already.",
            registry=registry,
        )
        self._frame_statements = Histogram(
            registry, "lrs_frame_statements", "Statements in a frame.", COUNTS
        ).series()
        self._frame_requests = Histogram(
            registry, "lrs_frame_requests", "Requests in a frame.", COUNTS
        ).series()
        self._frame_bytes = Histogram(
            registry, "lrs_frame_bytes", "Size of a frame as appended.", BYTES
        ).series()
        self._waited = Histogram(
            registry,
            "lrs_read_wait_seconds",
            "Time that reads waited for the store to catch up with the log.",
        ).series()
        self._behind = Counter(
            "lrs_reads_behind_total",
            "Reads answered from a store that had not caught up in time.",
            registry=registry,
        )
        self._in_flight = Gauge("lrs_http_requests_in_flight", "Requests being worked on.", registry=registry)
        self._bytes_in_flight = Gauge(
            "lrs_http_body_bytes_in_flight", "Bytes of request bodies held in memory.", registry=registry
        )
        self._disk = Gauge(
            "lrs_disk_free_bytes",
            "Free bytes on the disk of the store, as the edge sees it.",
            registry=registry,
        )

    def watch(
        self, requests: Callable[[], float], body_bytes: Callable[[], float], disk: Callable[[], float]
    ) -> None:
        """Functions that are asked at each scrape, so that a request pays nothing for the gauges."""
        self._in_flight.set_function(requests)
        self._bytes_in_flight.set_function(body_bytes)
        self._disk.set_function(disk)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request of a route was answered. An unknown route counts as `other`."""
        durations = self._durations.get(route)
        if durations is None:
            route, durations = "other", self._durations["other"]
        self._requests[route, CLASSES[min(max(status // 100 - 2, 0), 3)]].inc()
        durations.observe(seconds)

    def refused(self, reason: str) -> None:
        """A request was refused for one of REASONS."""
        self._refused[reason].inc()

    def frame(self, requests: int, statements: int, size: int) -> None:
        """A frame of so many requests and statements, `size` bytes as appended, went to the log."""
        self._frame_requests.observe(requests)
        self._frame_statements.observe(statements)
        self._frame_bytes.observe(size)

    def acknowledged(self, accepted: int, repeated: int) -> None:
        """Statements were acknowledged: new ones, and ones that were known already."""
        self._accepted.inc(accepted)
        self._repeated.inc(repeated)

    def read(self, waited: float, *, behind: bool) -> None:
        """A read waited so many seconds at the read barrier; `behind`: and then went on without."""
        self._waited.observe(waited)
        if behind:
            self._behind.inc()
