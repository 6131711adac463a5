"""A score worker that may kill itself: `python -m tests.kafka.publishing SETTINGS MARKS`.

SETTINGS are JSON. After MARKS times (never, if negative) it is killed when outcomes are durable on Kafka,
before that is marked in the store.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from lrs.composition import worker
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import process_registry
from lrs.process import Process
from lrs.settings import Settings
from lrs.store import outcome

if TYPE_CHECKING:
    from lrs.store.connection import Asked
    from lrs.store.outcome import Owned

STAGES = ("score",)


async def main(settings: Settings, marks: int) -> None:
    """Run the worker until SIGTERM."""
    mark, left = outcome.mark_published, marks

    async def mark_or_die(asked: Asked, owned: Owned, number: int) -> Owned | None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return await mark(asked, owned, number)

    outcome.mark_published = mark_or_die
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    registry = process_registry("worker")
    process = Process(settings, "worker", registry, Readiness(worker.checks(STAGES)), stopping, "")
    await worker.worker(process, worker.makers(STAGES))


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Settings, dec_hook=lambda kind, value: kind(value))
    asyncio.run(main(given, int(sys.argv[2])))
    os._exit(0)
