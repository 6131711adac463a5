"""A real `lrs up` in a data directory of its own, as the crash tests see it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from lrs import cluster
from lrs.directory import DataDirectory
from tests.crash.load import KEY, SECRET

POSTGRESQL = "postgresql"
EVERYTHING = "everything"

LOG = "lrs.log"
"""File for what all processes print."""

Place = tuple[str, int]
"""A stage and a partition."""


class Lrs:
    """The processes of one machine, to be started, killed and asked."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        """`settings`: further variables."""
        self.data = directory / "data"
        self._output = directory / LOG
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
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: set[int] = set()

    def start(self) -> None:
        """Start it; `ready` waits."""
        self._process = self.spawn("up")

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start an `lrs` command that prints where all of it does."""
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "lrs", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def ready(self, timeout: float = 180) -> None:
        """Wait until the edge is ready and every stage has its partitions."""
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
                        return
                except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                    lacking = repr(error)
                await asyncio.sleep(0.1)
        raise AssertionError(f"not ready within {timeout} s: {lacking}: {self.tail()}")

    async def _lacking(self, session: aiohttp.ClientSession) -> str:
        """What is not ready yet; empty when everything is."""
        if self._killed & {self._state()["pid"], *self.children().values(), self._postmaster()}:
            return "what was killed is not noticed yet"
        asked = [("edge", f"{self.address}/readyz")]
        for child in self._state()["children"]:
            if not child.get("metrics"):
                return f"{child['name']} has no metrics port yet"
            asked.append((child["name"], child["metrics"].replace("/metrics", "/readyz")))
        for name, url in asked:
            async with session.get(url) as answer:
                if answer.status != 200:
                    return f"{name}: {await answer.text()}"
        return ""

    # Its processes.

    def _state(self) -> dict[str, Any]:
        """What the supervisor notes."""
        found: dict[str, Any] = msgspec.json.decode((self.data / "supervisor.json").read_bytes())
        return found

    def children(self) -> dict[str, int]:
        """The supervisor's children that run, by name (`edge`, `persist-0`, …); empty while it has none."""
        with contextlib.suppress(OSError, ValueError):
            return {child["name"]: child["pid"] for child in self._state()["children"] if child["pid"]}
        return {}

    def _postmaster(self) -> int:
        """Raises OSError or ValueError while there is none, or it is just starting."""
        pid, _, _ = (self.data / "postgresql" / "postmaster.pid").read_text().partition("\n")
        return int(pid)

    def pids(self, name: str) -> list[int]:
        """The processes of a name: a child's, POSTGRESQL or EVERYTHING; none if it does not run."""
        children = self.children()
        try:
            if name == POSTGRESQL:
                return [self._postmaster()]
            if name == EVERYTHING:
                return [self._state()["pid"], *children.values(), self._postmaster()]
        except (OSError, ValueError):
            return []
        return [children[name]] if name in children else []

    def kill(self, name: str) -> bool:
        """kill -9; False if there was nobody to kill."""
        pids = self.pids(name)
        self._killed.update(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if name == EVERYTHING and self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        return bool(pids)

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

    # What it says.

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """A connection to its store. Raises OSError or PostgresError while it does not answer."""
        return await asyncpg.connect(cluster.url(DataDirectory(self.data)), timeout=5)

    async def offsets(self) -> dict[Place, tuple[int, str | None]]:
        """How far each stage has come, and who writes for it: `host:pid:…`."""
        connection = await self.connect()
        try:
            rows = await connection.fetch("select stage, partition, next_offset, owner from stage_partition")
        finally:
            await connection.close()
        return {(row["stage"], row["partition"]): (row["next_offset"], row["owner"]) for row in rows}

    async def evidence_ends(self) -> dict[Place, int]:
        """The offset that comes next in each partition that score reads."""
        connection = await self.connect()
        try:
            rows = await connection.fetch(
                "select partition, next_offset from log_head where topic = 'evidence'"
            )
        finally:
            await connection.close()
        return {("score", row["partition"]): row["next_offset"] for row in rows}

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

    def said(self, since: int = 0) -> str:
        """What all of it printed, from a byte on."""
        return self._output.read_bytes()[since:].decode(errors="replace")

    @property
    def printed(self) -> int:
        """How many bytes it has printed."""
        return self._output.stat().st_size

    def endings(self, since: int = 0) -> list[dict[str, Any]]:
        """What the supervisor said of children that ended, with `child` and `ending`."""
        lines = (line for line in self.said(since).splitlines() if '"a child ended"' in line)
        return [msgspec.json.decode(line) for line in lines]

    def tail(self, size: int = 3000) -> str:
        """The end of what it printed."""
        return self.said()[-size:]
