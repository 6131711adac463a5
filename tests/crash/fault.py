"""Faults: which process is killed, and how the LRS comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.crash.load import KEY, SECRET

VICTIMS = ("edge", "persist", "score", "postgresql", "everything")


class Lrs:
    """A real `lrs up` in a data directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self._output = directory / "lrs.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LRS_")},
            "LRS_DATA": str(self.data),
            "LRS_HTTP_PORT": str(self.port),
            "LRS_ADMIN_KEY": KEY,
            "LRS_ADMIN_SECRET": SECRET,
            "LRS_LOG_FORMAT": "json",
            "LRS_DISK_FLOOR": "0",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: set[int] = set()

    def start(self) -> None:
        """Start it; `ready` waits."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lrs", "up"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def ready(self, timeout: float = 90) -> float:
        """Wait until the edge is ready and every stage has its partitions; the seconds that took."""
        started = time.monotonic()
        lacking = "nothing was asked yet"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while time.monotonic() - started < timeout:
                if self._process is not None and self._process.poll() is not None:
                    raise AssertionError(f"lrs up ended with {self._process.returncode}: {self.tail()}")
                try:
                    lacking = await self._lacking(session)
                    if not lacking:
                        self._killed.clear()
                        return time.monotonic() - started
                except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                    lacking = repr(error)
                await asyncio.sleep(0.1)
        raise AssertionError(f"not ready within {timeout} s: {lacking}: {self.tail()}")

    async def _lacking(self, session: aiohttp.ClientSession) -> str:
        """What is not ready yet; empty when everything is."""
        if self._killed & {self.state()["pid"], *self._children().values(), self._postmaster()}:
            return "what was killed is not noticed yet"
        asked = [("edge", f"{self.address}/readyz")]
        for child in self.state()["children"]:
            if not child.get("metrics"):
                return f"{child['name']} has no metrics port yet"
            asked.append((child["name"], child["metrics"].replace("/metrics", "/readyz")))
        for name, url in asked:
            async with session.get(url) as answer:
                if answer.status != 200:
                    return f"{name}: {await answer.text()}"
        return ""

    def state(self) -> dict[str, Any]:
        """What the supervisor notes."""
        found: dict[str, Any] = msgspec.json.decode((self.data / "supervisor.json").read_bytes())
        return found

    def pids(self, victim: str) -> list[int]:
        """The processes of a victim, by id."""
        children = self._children()
        if victim == "postgresql":
            return [self._postmaster()]
        if victim == "everything":
            return [self.state()["pid"], *children.values(), self._postmaster()]
        return [children[victim]] if victim in children else []

    def _children(self) -> dict[str, int]:
        """The children that run."""
        children = self.state()["children"]
        return {child["name"].partition("-")[0]: child["pid"] for child in children if child["pid"]}

    def _postmaster(self) -> int:
        return int((self.data / "postgresql" / "postmaster.pid").read_text().split()[0])

    def kill(self, victim: str) -> bool:
        """kill -9; False if there was nobody to kill."""
        try:
            pids = self.pids(victim)
        except (OSError, ValueError, KeyError):
            return False
        self._killed.update(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if victim == "everything" and self._process is not None:
            self._process.wait()
            self._process = None
        return bool(pids)

    def run(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """One `lrs` command beside it."""
        return subprocess.run(
            [sys.executable, "-m", "lrs", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return await asyncio.to_thread(self._process.wait, 30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"lrs up did not stop within 30 s: {self.tail()}") from None

    def tail(self, size: int = 3000) -> str:
        """The end of what it printed."""
        return self._output.read_text(errors="replace")[-size:]
