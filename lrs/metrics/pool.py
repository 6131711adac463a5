"""What is counted of the connections to PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class PoolMetrics:
    """The connections of one process.

    `state` gives (open, idle) and is asked at each scrape; for asyncpg:
    `lambda: (pool.get_size(), pool.get_idle_size())`.
    """

    def __init__(self, registry: CollectorRegistry, state: Callable[[], tuple[int, int]], most: int) -> None:
        connections = Gauge(
            "lrs_postgres_connections",
            "Connections of this process to PostgreSQL, by state.",
            ["state"],
            registry=registry,
        )
        connections.labels("idle").set_function(lambda: state()[1])
        connections.labels("used").set_function(lambda: state()[0] - state()[1])
        limit = Gauge(
            "lrs_postgres_connections_limit", "Connections that this process may have.", registry=registry
        )
        limit.set(most)
