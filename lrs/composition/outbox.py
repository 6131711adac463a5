"""The outbox of a score worker, put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    from lrs.composition.store import Logs
    from lrs.process import Process


@asynccontextmanager
async def publishing(process: Process, pool: asyncpg.Pool, logs: Logs, worker: str) -> AsyncIterator[None]:
    """Publish the outcomes of what this worker owns meanwhile, if the log is on Kafka.

    What ends the publishing before the end (a defect) ends the process, and is raised when it has stopped:
    what is not published waits for the next one.
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

    task = asyncio.create_task(outbox.run())
    task.add_done_callback(lambda _: process.stopping.set())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
