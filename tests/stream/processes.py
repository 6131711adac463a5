"""Worker processes of a test, to be killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stream.process import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

REPOSITORY = Path(__file__).parent.parent.parent


class Workers:
    """Workers by name, each a process of `tests.stream.process`."""

    def __init__(self, pool: asyncpg.Pool, database: str, broker: str, directory: Path) -> None:
        self._pool, self._database, self._broker, self._directory = pool, database, broker, directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a worker; its stderr is kept."""
        with (self._directory / f"{name}.err").open("ab") as errors:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.stream.process", self._database, self._broker, name],
                cwd=REPOSITORY,
                stderr=errors,
            )

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a worker; wait for its end if that is SIGKILL."""
        self._processes[name].send_signal(number)
        if number == signal.SIGKILL:
            self._processes[name].wait()

    async def ended(self, name: str, seconds: float = 20.0) -> int:
        """Wait for a worker's end, and return its exit status."""
        return await asyncio.to_thread(self._processes[name].wait, seconds)

    def errors(self, name: str) -> str:
        """What a worker wrote to stderr."""
        return (self._directory / f"{name}.err").read_text()

    def kill_all(self) -> None:
        """Leave none behind."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    async def own(self, *names: str, seconds: float = 60.0) -> float:
        """Wait until these workers share all partitions; the seconds that it took."""
        loop = asyncio.get_running_loop()
        started = loop.time()

        async def shared() -> bool:
            rows = await self._pool.fetch("select owner from stage_partition")
            return len(rows) == PARTITIONS and {row["owner"] for row in rows} == set(names)

        await until(shared, seconds)
        return loop.time() - started


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)
