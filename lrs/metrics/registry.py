"""The registry of a process, its text form, and the catalogue of all metrics there are."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import parse_qs

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

# A process's start is known; when a series was made is nobody's question.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def process_registry(role: str) -> CollectorRegistry:
    """A registry with what every process has: its build, CPU, memory, files, garbage collector."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    build = Gauge(
        "lrs_build_info",
        "Version and role of this process; always 1.",
        ["version", "role"],
        registry=registry,
    )
    build.labels(version("karmayogi-lrs"), role).set(1)
    return registry


def exposition(registry: CollectorRegistry, query: str = "") -> bytes:
    """Metrics in Prometheus's text format, of the media type CONTENT_TYPE.

    Each `name[]` of a URL's query asks for the samples of one name, as with Prometheus's own clients; without
    any, all are given. Whoever looks often asks for little: all of an edge's are 10 ms of its loop.
    """
    names = parse_qs(query).get("name[]")
    return generate_latest(registry.restricted_registry(names) if names else registry)


@dataclass(frozen=True)
class Described:
    """One metric as it is documented; a counter's name ends in `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def catalogue() -> list[Described]:
    """Every metric that any process of the LRS exposes, by name."""
    from lrs.metrics.edge import EdgeMetrics
    from lrs.metrics.intake import IntakeMetrics
    from lrs.metrics.log import LogMetrics
    from lrs.metrics.outbox import OutboxMetrics
    from lrs.metrics.pool import PoolMetrics
    from lrs.metrics.score import ScoreMetrics
    from lrs.metrics.stage import STAGES, StageMetrics
    from lrs.metrics.supervisor import SupervisorMetrics

    registry = process_registry("edge")
    EdgeMetrics(registry, routes=("statements",))
    IntakeMetrics(registry)
    LogMetrics(registry)
    OutboxMetrics(registry, partitions=1)
    PoolMetrics(registry, lambda: (0, 0), most=1)
    StageMetrics(registry, STAGES, partitions=1)
    ScoreMetrics(registry)
    SupervisorMetrics(registry, ("edge",))
    found = {}
    for family in registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = Described(name, family.type, tuple(sorted(labels)), family.documentation)
    return [found[name] for name in sorted(found)]
