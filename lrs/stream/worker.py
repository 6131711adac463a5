"""A worker: one process that runs the apps of some stages until it is told to stop, or must."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from lrs.log.port import EVIDENCE, STATEMENTS, LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrs.stream.app import StageApp

TICK = 1.0
"""Seconds after which an idle partition of the statement topic gets a tick."""

IDLE = 60.0
"""Seconds after which an idle partition of the evidence topic gets one: levels change by time alone, too."""

TRIM = 10.0
"""Seconds between two turns of the log's ring."""

STOPPING = 2.0
"""Seconds that Faust has to stop by itself while the batches under way are done."""


async def run(apps: Sequence[StageApp], stop: asyncio.Event) -> None:
    """Run the apps until `stop` is set; then drain, give the leases back, and return.

    Raises what ended an app: Fenced, OffsetOutOfLog, LogUnavailable, or any error of a stage; the
    process must then end, and say so. Whatever was committed stays; the rest is in the log.
    """
    running = [asyncio.create_task(_run(app), name=app.stage.name) for app in apps]
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopped, *running}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        for task in running:
            task.cancel()
        results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _run(app: StageApp) -> None:
    """Run one app until this is cancelled, or it fails; leave it stopped."""
    await app.leases.ensure(app.stage.topic, app.stage_log.partitions)
    starting = asyncio.create_task(app.start())
    crashed = asyncio.create_task(app._crashed.wait())
    keeping = asyncio.create_task(_keep_house(app))
    tasks: set[asyncio.Future[Any]] = {app.failure, starting, crashed, keeping}
    try:
        while not crashed.done():
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        raise app.crash_reason or RuntimeError(f"the stream of stage {app.stage.name} crashed")
    finally:
        for task in (starting, crashed, keeping):
            task.cancel()
        await _stop(app)


async def _stop(app: StageApp) -> None:
    """Stop Faust while the batches under way are done, then give the leases back."""
    await asyncio.gather(
        app.assignment.close(), asyncio.wait_for(app.stop(), STOPPING), return_exceptions=True
    )
    with contextlib.suppress(Exception):  # they expire by themselves if the store is away
        await asyncio.wait_for(app.leases.leave(), STOPPING)


async def _keep_house(app: StageApp) -> None:
    """Tick the idle partitions, and turn the ring, of a topic of which this worker owns a part."""
    seconds = 0.0
    while True:
        await asyncio.sleep(TICK)
        seconds += TICK
        if not app.assignment.partitions:
            continue
        with contextlib.suppress(LogUnavailable):  # reading it will notice
            if app.stage.topic == STATEMENTS:
                await app.stage_log.tick(TICK)
            if seconds >= TRIM:
                seconds = 0.0
                if app.stage.topic == EVIDENCE:
                    await app.stage_log.tick(IDLE)
                await app.stage_log.trim(await app.leases.passed(app.stage.topic))
