"""The system under test: `lrs up` in a directory of its own, and what its processes use."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec
import psutil

from loadtests.stopping import stop
from lrs import cluster, launch
from lrs.directory import DataDirectory
from lrs.supervisor import State

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

POSTGRESQL: Final = "PostgreSQL"
KAFKA: Final = "Kafka"
OUTPUT: Final = "output.log"
"""File in the data directory for what all processes print."""
OVERRIDDEN: Final = (
    *("LRS_STORE", "LRS_DATA", "LRS_HTTP_HOST", "LRS_HTTP_PORT"),
    *("LRS_ADMIN_KEY", "LRS_ADMIN_SECRET"),
)
"""Settings that a benchmark gives itself; all others apply."""

_SERVED: Final = """
    select pid, application_name from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
"""
_START_WITHIN: Final = 180.0
_STOP_WITHIN: Final = 30.0


class SystemFailed(Exception):
    """The LRS did not start, or a part of it ended; the text has the end of its log."""


@dataclass(frozen=True)
class Use:
    """What a process, with all that belongs to it, has used: CPU seconds since its start, bytes of
    memory now. `pss` shares out what several processes map; 0 where the system does not tell."""

    cpu: float
    rss: int
    pss: int = 0


class System:
    """A running LRS, empty at first."""

    def __init__(self, directory: DataDirectory, key: str, secret: str, broker: Broker | None = None) -> None:
        """`broker`: where its log is, if it is known."""
        self.directory, self.key, self.secret, self.broker = directory, key, secret, broker
        self.restarts = 0

    @property
    def log(self) -> str:
        """What keeps its log."""
        return POSTGRESQL if self.broker is None else KAFKA

    @property
    def state(self) -> State:
        """Its processes and addresses. Raises SystemFailed when it has ended."""
        try:
            return msgspec.json.decode(self.directory.state.read_bytes(), type=State)
        except FileNotFoundError:
            raise SystemFailed(f"lrs up has ended\n{self.log_end()}") from None

    @property
    def metrics(self) -> list[str]:
        """The addresses of its metrics ports."""
        return [child.metrics for child in self.state.children if child.metrics is not None]

    @property
    def store_url(self) -> str:
        """Its PostgreSQL."""
        return cluster.url(self.directory)

    def check(self) -> None:
        """Raise SystemFailed when a process had to be started again: then no figure is worth anything."""
        for child in self.state.children:
            if child.restarts > self.restarts:
                raise SystemFailed(f"{child.name} ended and was started again\n{self.log_end()}")

    def log_end(self) -> str:
        """The end of what all processes printed, PostgreSQL too."""
        logs = (self.directory.path / OUTPUT, self.directory.log)
        return "\n".join(line for log in logs if log.exists() for line in _tail(log))

    def uses(self, *, pss: bool = False) -> dict[str, Use]:
        """What each process uses, by name. PostgreSQL is all its processes, those that ended included."""
        state = self.state
        found = {"supervisor": use_of([psutil.Process(state.pid)], pss=pss)}
        for child in state.children:
            if child.pid is not None:
                found[child.name] = use_of([psutil.Process(child.pid)], pss=pss)
        postmaster = psutil.Process(int((self.directory.cluster / "postmaster.pid").read_text().split()[0]))
        backends = [postmaster, *postmaster.children(recursive=True)]
        times = postmaster.cpu_times()
        ended = times.children_user + times.children_system
        alive = use_of(backends, pss=pss)
        found[POSTGRESQL] = Use(alive.cpu + ended, alive.rss, alive.pss)
        if self.broker is not None and self.broker.pid is not None:
            found[KAFKA] = use_of([psutil.Process(self.broker.pid)], pss=pss)
        return found

    async def served(self) -> dict[tuple[str, int], float]:
        """CPU seconds of PostgreSQL's processes that serve somebody now, by the name under which it is
        connected (`lrs edge`, `lrs persist`, `lrs persist upkeep`, ...) and the process."""
        connection = await asyncpg.connect(self.store_url)
        try:
            rows = await connection.fetch(_SERVED)
        finally:
            await connection.close()
        spent: dict[tuple[str, int], float] = {}
        for row in rows:
            with contextlib.suppress(psutil.NoSuchProcess):
                use = use_of([psutil.Process(row["pid"])], pss=False)
                spent[row["application_name"], row["pid"]] = use.cpu
        return spent


def _tail(log: Path) -> list[str]:
    return log.read_text("utf-8", "replace").splitlines()[-25:]


def use_of(processes: Iterable[psutil.Process], *, pss: bool) -> Use:
    """What these processes use together."""
    cpu, rss, shared_out = 0.0, 0, 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            cpu += times.user + times.system
            rss += process.memory_info().rss
            if pss:
                shared_out += getattr(process.memory_full_info(), "pss", 0)
    return Use(cpu, rss, shared_out)


@asynccontextmanager
async def running(within: Path, broker: Broker | None = None) -> AsyncIterator[System]:
    """An LRS on a fresh data directory under `within`; afterwards it is stopped and the directory gone.

    `broker`: where its log is, on a topic of its own. `LRS_*` variables apply but for those OVERRIDDEN, and
    those that say where the log is, if a broker does.
    """
    directory = DataDirectory(_made_under(within))
    system = System(directory, "benchmark", secrets.token_urlsafe(16), broker)
    environment = _environment(system)
    if broker is not None:
        await asyncio.to_thread(_make_topics, environment)
    server = _start(system, environment)
    try:
        await _ready(system, server)
        yield system
    finally:
        # Killed or not: its children and PostgreSQL are bound to it, and do not outlive it.
        await asyncio.to_thread(stop, server, signal.SIGINT, _STOP_WITHIN)
        shutil.rmtree(directory.path, ignore_errors=True)


def _made_under(within: Path) -> Path:
    within.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="bench-", dir=within))


def _environment(system: System) -> dict[str, str]:
    given = ("embedded", str(system.directory.path), "127.0.0.1", "0", system.key, system.secret)
    environment = os.environ | dict(zip(OVERRIDDEN, given, strict=True))
    if system.broker is not None:
        environment["LRS_LOG"] = f"kafka://{system.broker.address}"
        environment["LRS_KAFKA_TOPIC"] = f"{system.directory.path.name}.statements"
        environment["LRS_KAFKA_REPLICATION"] = "1"
    return environment


def _make_topics(environment: dict[str, str]) -> None:
    program = [sys.executable, "-m", "lrs", "topics", "apply"]
    done = subprocess.run(program, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemFailed(f"the topics were not made: {done.stderr}")


def _start(system: System, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (system.directory.path / OUTPUT).open("wb") as output:
        # Whatever becomes of this process, the kernel asks the LRS to stop.
        command = launch.command([sys.executable, "-m", "lrs", "up"], signal.SIGTERM)
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


async def _ready(system: System, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while "The LRS is ready" not in system.log_end():
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemFailed(f"lrs up did not become ready\n{system.log_end()}")
        await asyncio.sleep(0.2)
    # A child may fail while the store is made; from here on it may not.
    system.restarts = max((child.restarts for child in system.state.children), default=0)
