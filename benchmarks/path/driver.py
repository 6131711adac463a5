"""The driver: Locust in a process of its own, with loadtests/ingest.py."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from benchmarks.path.system import System, Use, use_of
from loadtests.stopping import stop
from lrs import launch

_ROOT: Final = Path(__file__).parents[2]
_STOP_WITHIN: Final = 60.0


@dataclass(frozen=True)
class Load:
    """What is sent: requests of `batch` statements (0: one each), by so many users at once, as many as
    they can or `rate` requests a second."""

    name: str
    batch: int
    users: int
    interleaved: int
    rate: float = 0.0


class DriverFailed(Exception):
    """The driver ended too early, or an answer was not what it should be."""


@dataclass
class Driver:
    """A running driver. `summary` is there once it has ended."""

    process: subprocess.Popen[bytes]
    output: Path
    summary: dict[str, Any] = field(default_factory=dict)

    def use(self) -> Use:
        """What it uses."""
        return use_of([psutil.Process(self.process.pid)], pss=False)

    def check(self) -> None:
        """Raise DriverFailed when it has ended."""
        if self.process.poll() is not None:
            raise DriverFailed(f"locust ended with {self.process.returncode}\n{self.said()}")

    def said(self) -> str:
        """The end of what it printed."""
        return self.output.read_text("utf-8", "replace")[-3000:]


@asynccontextmanager
async def driving(system: System, load: Load) -> AsyncIterator[Driver]:
    """Drive a load until the block ends; requests under way are finished, then the summary is read.

    Raises DriverFailed when any answer was wrong.
    """
    summary = system.directory.path / "summary.json"
    output = system.directory.path / "locust.log"
    summary.unlink(missing_ok=True)
    program = [
        *(sys.executable, "-m", "locust", "-f", str(_ROOT / "loadtests" / "ingest.py")),
        *("--headless", "--only-summary", "--stop-timeout", "30", "--exit-code-on-error", "0"),
        *("--host", system.state.http, "-u", str(load.users), "-r", str(load.users)),
        *("--key", system.key, "--secret", system.secret, "--summary", str(summary)),
        *("--batch", str(load.batch), "--interleaved", str(load.interleaved), "--rate", str(load.rate)),
    ]
    process = _start(program, output)
    driver = Driver(process, output)
    try:
        yield driver
        driver.check()
    finally:
        await asyncio.to_thread(stop, process, signal.SIGTERM, _STOP_WITHIN)
    if not summary.exists():
        raise DriverFailed(f"locust left no summary\n{driver.said()}")
    driver.summary = msgspec.json.decode(summary.read_bytes())
    if driver.summary["wrong"]:
        raise DriverFailed(f"wrong answers: {driver.summary['problems']}")


def _start(program: list[str], output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as out:
        # Whatever becomes of this process, the kernel asks the driver to stop.
        command = launch.command(program, signal.SIGTERM)
        return subprocess.Popen(command, cwd=_ROOT, stdout=out, stderr=out)
