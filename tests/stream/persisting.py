"""A real persist worker in this process, on a path of the tests."""

from __future__ import annotations

import asyncio

from lrs.composition import worker
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import process_registry
from lrs.process import Process
from lrs.settings import Settings
from tests.store.path import PARTITIONS, Path, said
from tests.stream.processes import until


class Worker:
    """A persist worker, as the composition makes it."""

    def __init__(self, database: str) -> None:
        settings = Settings(store=database, partitions=PARTITIONS)
        stages = ("persist",)
        self._process = Process(
            settings, "worker", process_registry("worker"), Readiness(worker.checks(stages)),
            asyncio.Event(), "",
        )  # fmt: skip
        self.task = asyncio.create_task(worker.worker(self._process, worker.makers(stages)))

    async def stop(self) -> None:
        """As SIGTERM does."""
        self._process.stopping.set()
        await self.task


async def log(path: Path, number: int, partition: int) -> str:
    """Append a frame of one statement; the statement's id."""
    sent = said(number)
    await path.accept(sent, partition=partition)
    return str(sent["id"])


async def stored(path: Path, ids: list[str]) -> None:
    """Wait until exactly these are stored."""

    async def there() -> bool:
        return await path.count("statement") >= len(ids)

    await until(there, 30)
    rows = await path.pool.fetch("select id from statement")
    assert sorted(str(row["id"]) for row in rows) == sorted(ids)
    assert await path.count("dead_letter") == 0
