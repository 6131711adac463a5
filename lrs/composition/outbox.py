"""The outbox of a score worker, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import asyncpg

    from lrs.composition.store import Logs
    from lrs.process import Process

log = structlog.get_logger("lrs.composition")


@asynccontextmanager
async def publishing(process: Process, pool: asyncpg.Pool, logs: Logs, worker: str) -> AsyncIterator[None]:
    """Publish the outcomes of what this worker owns meanwhile, if the log is on Kafka.

    An error that is a defect ends the process: what is not published waits for the next one.
    """
    if logs.kafka is None:
        yield
        return
    from lrs.metrics.outbox import OutboxMetrics
    from lrs.stream.outbox import Outbox

    settings = process.settings
    metrics = OutboxMetrics(process.registry, settings.partitions)
    outbox = Outbox(
        pool,
        logs.kafka.brokers,
        settings.kafka_outcomes,
        settings.partitions,
        worker,
        published=metrics.published,
        waiting=metrics.waiting,
    )

    async def run() -> None:
        try:
            await outbox.run()
        except Exception:
            log.exception("outcomes cannot be published")
            process.stopping.set()

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
