"""`lrs up`: all processes of one machine, started in order, kept running, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import msgspec
import structlog

from lrs.child import Child, pause
from lrs.cluster import Cluster, ClusterError
from lrs.directory import DataDirectory
from lrs.ending import Ending
from lrs.metrics.supervisor import SupervisorMetrics
from lrs.process import Process
from lrs.settings import PREFIX, Settings
from lrs.stopping import EDGES_UNTIL, STORE_UNTIL, WORKERS_UNTIL

log = structlog.get_logger("lrs.supervisor")

POSTGRESQL = "postgresql"

PATIENCE = 5
"""How often a child may end before it was ever ready, until the supervisor gives up."""


class SupervisorError(Exception):
    """The processes cannot be started; the text says why."""


class ChildState(msgspec.Struct, frozen=True):
    """What `lrs status` is told of a child."""

    name: str
    pid: int | None
    restarts: int
    metrics: str | None


class State(msgspec.Struct, frozen=True):
    """The supervisor's note in the data directory."""

    pid: int
    started: float
    http: str
    metrics: str
    children: list[ChildState]


def free_port(host: str) -> int:
    """A port that nothing listens on now."""
    with socket.create_server((host, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def worker_parts(settings: Settings) -> dict[str, list[str]]:
    """Names of the worker processes, and the arguments of `lrs` that start them."""
    replicas = {"persist": settings.persist_workers, "score": settings.score_workers}
    if settings.kafka_intake:
        replicas["intake"] = 1
    return {
        f"{stage}-{number}": ["worker", "--stages", stage, "--replica", str(number)]
        for stage, count in replicas.items()
        for number in range(count)
    }


class Supervisor:
    """The processes of one machine, on a data directory that the caller holds.

    `progress` is told what a start is waiting for.
    """

    def __init__(
        self,
        process: Process,
        directory: DataDirectory,
        progress: Callable[[str], None],
        output: Path | None = None,
        program: Sequence[str] = (sys.executable, "-m", "lrs"),
    ) -> None:
        """`output`: file for what the children print; None: where the supervisor prints.
        `program`: what is started for each child, with the arguments of `lrs`."""
        self._process, self._directory, self._progress = process, directory, progress
        settings = process.settings
        if settings.http_port == 0:
            settings = msgspec.structs.replace(settings, http_port=free_port(settings.http_host))
        self._cluster = Cluster(directory, progress) if settings.embedded else None
        if self._cluster is not None:
            settings = msgspec.structs.replace(settings, store=self._cluster.url)
        self.settings = settings
        self._output, self._program = output, program
        self._started = time.time()
        self._store_up = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        edges, workers = {"edge": ["edge"]}, worker_parts(settings)
        self._metrics = SupervisorMetrics(process.registry, (POSTGRESQL, *edges, *workers))
        self.edges = [self._child(name, arguments) for name, arguments in edges.items()]
        self.workers = [self._child(name, arguments) for name, arguments in workers.items()]

    @property
    def children(self) -> list[Child]:
        """Edges, then workers."""
        return self.edges + self.workers

    @property
    def state(self) -> Path:
        """The file with the addresses of all processes."""
        return self._directory.state

    @property
    def address(self) -> str:
        """Where the edge is reached."""
        host = self.settings.http_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.http_port}"

    def _child(self, name: str, arguments: Sequence[str]) -> Child:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        environment = inherited | self.settings.environment()
        program = [*self._program, *arguments]
        return Child(name, program, environment, self._output, self._note, self._metrics.ended)

    # -- start -----------------------------------------------------------------------------------

    def launch_children(self) -> None:
        """Start edges and workers, which load their programs now and wait for `start_children`.

        Raises SupervisorError when the port is taken.
        """
        self._check_port()
        for child in self.children:
            self._keep(child.keep(self._store_up))

    async def start_store(self) -> None:
        """Start PostgreSQL and keep it running; nothing to do when it is another's."""
        if self._cluster is not None:
            self._progress("starting PostgreSQL")
            await self._cluster.start()
            self._metrics.running(POSTGRESQL, now=True)
            self._keep(self._keep_cluster(self._cluster))
        self._process.readiness.set("store")

    async def start_children(self) -> None:
        """Let edges and workers begin, keep them running, and return when all are ready.

        The store must be prepared. Raises SupervisorError when a child ends again and again, or for its
        settings.
        """
        self._store_up.set()
        waiting = self.children
        while waiting:
            self._progress(f"waiting for {', '.join(child.name for child in waiting)}")
            await asyncio.sleep(0.05)
            for child in waiting:
                if child.ending is Ending.SETTINGS:
                    raise SupervisorError(f"{child.name} cannot start with these settings; see its log")
                if child.restarts >= PATIENCE:
                    raise SupervisorError(
                        f"{child.name} ended {PATIENCE} times before it was ready; see its log"
                    )
            waiting = [child for child in waiting if not await child.ready()]
        self._process.readiness.set("children")

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    def _check_port(self) -> None:
        host, port = self.settings.http_host, self.settings.http_port
        try:
            socket.create_server((host, port)).close()
        except OSError as error:
            raise SupervisorError(
                f"cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}): stop what uses it,"
                " or choose another with --port or LRS_HTTP_PORT"
            ) from None

    async def _keep_cluster(self, cluster: Cluster) -> None:
        """Start PostgreSQL again whenever it ends; meanwhile no child begins its work."""
        while True:
            status = await cluster.wait()
            if self._process.stopping.is_set():
                return
            self._store_up.clear()
            self._process.readiness.set("store", "PostgreSQL is being started again")
            log.warning("PostgreSQL ended", status=status)
            self._metrics.ended(POSTGRESQL, Ending.of_status(status))
            self._metrics.running(POSTGRESQL, now=False)
            await self._restart(cluster)
            self._process.readiness.set("store")
            self._metrics.running(POSTGRESQL, now=True)
            self._store_up.set()

    async def _restart(self, cluster: Cluster) -> None:
        failures = 1
        while True:
            try:
                await cluster.start()
                return
            except (ClusterError, OSError) as error:
                failures += 1
                log.error("PostgreSQL does not start", error=str(error))
                await asyncio.sleep(pause(failures))

    # -- while it runs ---------------------------------------------------------------------------

    async def watch(self) -> None:
        """Report the children's state until the stop is asked for."""
        stopping = asyncio.create_task(self._process.stopping.wait())
        while not stopping.done():
            states = {child.name: await child.ready() for child in self.children}
            behind = [name for name, ready in states.items() if not ready]
            self._process.readiness.set("children", f"not ready: {', '.join(behind)}" if behind else "")
            await asyncio.wait([stopping], timeout=1.0)

    def _note(self) -> None:
        """Write down who runs where, for `lrs status`; called on every change."""
        children = []
        for child in self.children:
            at = child.announced
            metrics = f"http://{at.metrics_host}:{at.metrics_port}/metrics" if at else None
            children.append(ChildState(child.name, child.pid, child.restarts, metrics))
            self._metrics.running(child.name, now=child.pid is not None)
        state = State(os.getpid(), self._started, self.address, self._process.metrics, children)
        fresh = self._directory.state.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(self._directory.state)

    # -- stop ------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Stop in order: edges take no more and finish, workers finish, PostgreSQL is shut down.

        Takes no longer than the setting `stop_wait`.
        """
        self._process.stopping.set()
        began, whole = time.monotonic(), self.settings.stop_wait

        def left(share: float) -> float:
            return max(0.1, began + share * whole - time.monotonic())

        await asyncio.gather(*(edge.stop(left(EDGES_UNTIL)) for edge in self.edges))
        await asyncio.gather(*(worker.stop(left(WORKERS_UNTIL)) for worker in self.workers))
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._cluster is not None:
            await self._cluster.stop(left(STORE_UNTIL))
        self._directory.state.unlink(missing_ok=True)
