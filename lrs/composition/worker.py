"""A worker, put together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg
import structlog

from lrs.composition.outbox import publishing
from lrs.composition.store import Logs, connected, opened_logs
from lrs.composition.watch import watch
from lrs.lag import lags
from lrs.log.port import EVIDENCE, STATEMENTS
from lrs.metrics.pool import PoolMetrics
from lrs.metrics.stage import StageMetrics
from lrs.store.lease import Leases
from lrs.stream.app import StageApp, stage_app
from lrs.stream.worker import run as run_worker

if TYPE_CHECKING:
    from lrs.process import Process
    from lrs.settings import Settings
    from lrs.stream.stage import Stage

log = structlog.get_logger("lrs.composition")

SCORE = "score"
"""The stage that writes outcomes."""

UPKEEP = 3
"""Connections of a worker besides those of its output transactions."""


class Watched(StageMetrics):
    """The observer of a worker's stages: metrics, and readiness once a stage has its partitions."""

    def __init__(self, process: Process, stages: Sequence[str]) -> None:
        super().__init__(process.registry, stages, process.settings.partitions)
        self._readiness = process.readiness

    def assigned(self, stage: str, partitions: Sequence[int]) -> None:
        super().assigned(stage, partitions)
        self._readiness.set(stage)
        log.info("partitions assigned", stage=stage, partitions=list(partitions))


def checks(stages: Sequence[str]) -> tuple[str, ...]:
    """What must be in order before a worker is ready."""
    return "store", *stages


class Maker(Protocol):
    """Makes a stage of what a worker has."""

    async def __call__(
        self,
        pool: asyncpg.Pool,
        upkeep: asyncpg.Pool,
        logs: Logs,
        metrics: StageMetrics,
        settings: Settings,
        /,
    ) -> Stage: ...


def makers(stages: Sequence[str]) -> dict[str, Maker]:
    """What makes these stages; imported now: one stage's kernels are of no use to a worker of the other."""
    return {stage: getattr(import_module(f"lrs.composition.{stage}"), stage) for stage in stages}


def source_of(topic: str, logs: Logs, silence: float, instance: str) -> dict[str, Any]:
    """Options of `lrs.stream.app.stage_app`: where the topic's records come from."""
    source = logs.kafka if topic == STATEMENTS else None if topic == EVIDENCE else logs.inbox
    if source is None:
        return {}
    from lrs.stream import kafka

    return {"source": source.name, **kafka.options(source.brokers, silence, instance)}


async def worker(process: Process, makers: Mapping[str, Maker], replica: int = 0) -> None:
    """The body of a worker process: its stages until the process is to stop, or must.

    `replica`: its number among those of its stages on this machine.
    """
    settings, stages = process.settings, tuple(makers)
    role = " ".join(stages)  # so that PostgreSQL tells what it does for which stage
    # Output transactions may take every connection of their own pool, and ask for names while they are
    # open; heartbeats, reads of the log and names never wait for them.
    async with (
        connected(settings, max(settings.worker_connections, settings.partitions), role) as pool,
        connected(settings, UPKEEP, f"{role} upkeep") as upkeep,
        opened_logs(upkeep, settings) as logs,
    ):
        PoolMetrics(
            process.registry, lambda: (pool.get_size(), pool.get_idle_size()), settings.worker_connections
        )
        observer = Watched(process, stages)
        name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        apps: list[StageApp] = []
        for make in makers.values():
            stage = await make(pool, upkeep, logs, observer, settings)
            leases = Leases(upkeep, stage.name, name, expiry=settings.lease)
            instance = settings.kafka_instance and f"{settings.kafka_instance}.{replica}"
            options = source_of(stage.topic, logs, settings.lease, instance)
            apps.append(stage_app(stage, logs.by_topic[stage.topic], leases, observer=observer, **options))

        async def look() -> None:
            for lag in await lags(upkeep, logs.by_topic):
                if lag.stage in stages:
                    observer.lag(lag.stage, lag.partition, lag.records, lag.seconds)

        watching = asyncio.create_task(watch(process, look))
        try:
            async with contextlib.AsyncExitStack() as beside:
                if SCORE in stages:
                    await beside.enter_async_context(publishing(process, pool, logs, name))
                await run_worker(apps, process.stopping)
        finally:
            watching.cancel()
