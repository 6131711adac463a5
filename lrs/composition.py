"""The one place where settings become objects: which adapter, which stage, wired to which metrics."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from importlib import resources
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog
from prometheus_client import generate_latest

from lrs import cluster, durability
from lrs.directory import DataDirectory
from lrs.http.access import Access
from lrs.http.body import Admission
from lrs.http.disk import Disk
from lrs.http.edge import ROUTES, Edge
from lrs.http.framing import Framer
from lrs.http.ingest import Ingest
from lrs.http.platform import Platform
from lrs.http.server import serve
from lrs.http.statements import Statements
from lrs.http.access import Access
from lrs.http.body import Admission
from lrs.http.disk import Disk
from lrs.http.edge import ROUTES, Edge
from lrs.http.framing import Framer
from lrs.http.ingest import Ingest
from lrs.http.platform import Platform
from lrs.http.server import serve
from lrs.http.statements import Statements
from lrs.lag import Lag, lags
from lrs.log.port import EVIDENCE, STATEMENTS, Log, LogUnavailable
from lrs.log.postgres import PostgresLog, Ring
from lrs.metrics.edge import EdgeMetrics
from lrs.metrics.log import LogMetrics
from lrs.metrics.edge import EdgeMetrics
from lrs.metrics.log import LogMetrics
from lrs.metrics.pool import PoolMetrics
from lrs.metrics.registry import exposition
from lrs.metrics.stage import StageMetrics
from lrs.stopping import EDGES_UNTIL
from lrs.store.catalogue import ensure_catalogue
from lrs.store.credential import ROOT_TENANT, Credentials
from lrs.store.catalogue import ensure_catalogue
from lrs.store.credential import ROOT_TENANT, Credentials
from lrs.store.dictionary import Dictionaries
from lrs.store.evidence import EvidenceWriter
from lrs.store.horizon import Horizon
from lrs.store.horizon import Horizon
from lrs.store.lease import Leases
from lrs.store.migration import Migration, migrate
from lrs.store.name import Names
from lrs.store.statement import StatementStore
from lrs.stream.app import StageApp, stage_app
from lrs.stream.persist import Persist
from lrs.stream.score import Score
from lrs.stream.score import Score
from lrs.stream.worker import run as run_worker

if TYPE_CHECKING:
    from pathlib import Path

    from lrs.process import Process
    from lrs.settings import Settings
    from lrs.stream.stage import Stage

log = structlog.get_logger("lrs.composition")

AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, LogUnavailable, OSError)
"""What a look at the store raises when it does not answer."""

WATCH = 2.0
"""Seconds between two looks at the store."""


DEMONSTRATION = "demonstration"
"""Key of the credential that the demonstration uses."""


@dataclass(frozen=True)
class Login:
    """A key and its secret, which is known only when it is made."""

    key: str
    secret: str


def store_url(settings: Settings) -> str:
    """Where the store is reached; the embedded one only while `lrs up` runs on the data directory."""
    return cluster.url(DataDirectory(settings.data)) if settings.embedded else settings.store


@asynccontextmanager
async def connected(settings: Settings, most: int, name: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool of up to `most` connections, which PostgreSQL shows under `name`."""
    options = {"application_name": f"lrs {name}", "synchronous_commit": "on", "jit": "off"}
    async with asyncpg.create_pool(
        store_url(settings), min_size=1, max_size=most, server_settings=options
    ) as pool:
        yield pool


async def migrate_store(settings: Settings) -> list[Migration]:
    """Refuse a store that may lose what it acknowledged, then apply what it lacks."""
    connection = await asyncpg.connect(store_url(settings))
    try:
        await durability.require(connection)
        return await migrate(connection)
    finally:
        await connection.close()


async def prepare(settings: Settings) -> Login | None:
    """Everything a store needs before the first process starts; the root credential if one was made.

    Raises OtherCatalogue when another catalogue than the set one is in force.
    """
    for migration in await migrate_store(settings):
        log.info("migrated", number=migration.number, name=migration.name)
    async with connected(settings, 2, "preparation") as pool:
        await open_logs(pool, settings)
        await ensure_catalogue(pool, ROOT_TENANT, _catalogue_text(settings))
        credentials = Credentials(pool, Names(pool))
        if settings.admin_key:
            await credentials.ensure(ROOT_TENANT, settings.admin_key, settings.admin_secret)
        elif not await credentials.any(ROOT_TENANT):
            return await _issue(credentials, "root")
    return None


async def issue_demonstration(settings: Settings) -> Login:
    """A credential for the demonstration, with a new secret each time."""
    async with connected(settings, 2, "preparation") as pool:
        return await _issue(Credentials(pool, Names(pool)), DEMONSTRATION)


async def _issue(credentials: Credentials, key: str) -> Login:
    login = Login(key, secrets.token_urlsafe(24))
    await credentials.ensure(ROOT_TENANT, login.key, login.secret)
    return login


def _catalogue_text(settings: Settings) -> str:
    if settings.catalogue is not None:
        return settings.catalogue.read_text("utf-8")
    return resources.files("lrs.demo").joinpath("catalogue.yaml").read_text("utf-8")


# -- logs ----------------------------------------------------------------------------------------


async def open_logs(pool: asyncpg.Pool, settings: Settings) -> dict[str, PostgresLog]:
    """Both topics, made if they are missing."""
    ring = Ring(retention_seconds=settings.log_retention)
    return {
        topic: await PostgresLog.open(pool, topic, settings.partitions, ring)
        for topic in (STATEMENTS, EVIDENCE)
    }


async def stage_lags(settings: Settings) -> list[Lag]:
    """For `lrs status`."""
    async with connected(settings, 1, "status") as pool:
        topics: dict[str, Log] = {
            topic: PostgresLog(pool, topic, settings.partitions, Ring()) for topic in (STATEMENTS, EVIDENCE)
        }
        return await lags(pool, topics)


# -- edge ----------------------------------------------------------------------------------------

EDGE_CHECKS: Final = ("store", "disk")


async def edge(process: Process) -> None:
    """The body of an edge process."""
    settings = process.settings
    async with connected(settings, settings.edge_connections, process.name) as pool:
        PoolMetrics(
            process.registry, lambda: (pool.get_size(), pool.get_idle_size()), settings.edge_connections
        )
        logs = await open_logs(pool, settings)
        names, dictionaries = Names(pool), Dictionaries()
        await dictionaries.load_newest(pool)
        metrics = EdgeMetrics(process.registry, ROUTES)
        admission = Admission(settings.max_requests_in_flight, settings.max_bytes_in_flight)
        disk = Disk(settings.data if settings.embedded else None, settings.disk_floor)
        metrics.watch(lambda: admission.requests, lambda: admission.bytes, disk.free)
        credentials = Credentials(pool, names)
        access = Access(credentials)
        framer = Framer(
            logs[STATEMENTS],
            dictionaries.compressor(),
            dictionaries.newest,
            metrics,
            LogMetrics(process.registry),
            wait=settings.frame_wait,
            max_statements=settings.frame_statements,
            max_bytes=settings.frame_bytes,
        )
        horizon = Horizon(pool, settings.read_wait)
        application = Edge(
            Ingest(
                access, framer, admission, metrics, max_body=settings.max_body, writable=lambda: not disk.low
            ),
            Statements(pool, access, names, credentials, dictionaries, horizon, metrics),
            Platform(pool, access, names, horizon),
            metrics,
            process.readiness,
            lambda: generate_latest(process.registry),
        )
        watching = asyncio.create_task(_watch_edge(process, pool, disk))
        try:
            await serve(
                application,
                settings.http_host,
                settings.http_port,
                process.stopping,
                lambda: log.info("listening", host=settings.http_host, port=settings.http_port),
                settings.stop_wait,
            )
            await framer.drain()
        finally:
            watching.cancel()


async def _watch_edge(process: Process, pool: asyncpg.Pool, disk: Disk) -> None:
    """Report whether the store answers, and whether its disk has room."""
    process.readiness.expire("store", 5 * WATCH)
    while True:
        try:
            await pool.fetchval("select 1")
            process.readiness.set("store")
        except AWAY as error:
            process.readiness.set("store", f"does not answer: {error}")
        disk.look()
        process.readiness.set("disk", "nearly full: writes get 503" if disk.low else "")
        await asyncio.sleep(WATCH)


# -- the edge ------------------------------------------------------------------------------------

EDGE_CHECKS = ("store", "listening")
"""What must be in order before an edge is ready."""

EDGE_SHARE = 0.8
"""Share of an edge's time for a stop after which requests under way are no longer waited for."""


async def edge(process: Process) -> None:
    """The body of an edge process."""
    settings, registry, readiness = process.settings, process.registry, process.readiness
    async with connected(settings, settings.edge_connections, process.name) as pool:
        PoolMetrics(registry, lambda: (pool.get_size(), pool.get_idle_size()), settings.edge_connections)
        metrics = EdgeMetrics(registry, ROUTES)
        names, dictionaries = Names(pool), Dictionaries()
        await dictionaries.load_newest(pool)
        credentials = Credentials(pool, names)
        access = Access(credentials)
        horizon = Horizon(pool, settings.read_wait)
        framer = Framer(
            (await open_logs(pool, settings))[STATEMENTS],
            dictionaries.compressor(),
            dictionaries.newest,
            metrics,
            LogMetrics(registry),
            wait=settings.frame_wait,
            max_statements=settings.frame_statements,
            max_bytes=settings.frame_bytes,
        )
        admission = Admission(settings.max_requests_in_flight, settings.max_bytes_in_flight)
        disk = Disk(_store_disk(settings), settings.disk_floor)
        metrics.watch(lambda: admission.requests, lambda: admission.bytes, disk.free)
        application = Edge(
            Ingest(
                access, framer, admission, metrics, max_body=settings.max_body, writable=lambda: not disk.low
            ),
            Statements(pool, access, names, credentials, dictionaries, horizon, metrics),
            Platform(pool, access, names, horizon),
            metrics,
            readiness,
            lambda: exposition(registry),
        )
        watching = asyncio.create_task(_watch_edge(process, pool, disk))
        try:
            await serve(
                application,
                settings.http_host,
                settings.http_port,
                process.stopping,
                lambda: readiness.set("listening"),
                settings.stop_wait * EDGES_UNTIL * EDGE_SHARE,
            )
            await framer.drain()
        finally:
            watching.cancel()


def _store_disk(settings: Settings) -> Path | None:
    """Where the store's files lie, if they are on this machine: `lrs up` passes the data directory."""
    directory = DataDirectory(settings.data)
    return directory.path if settings.store in ("embedded", cluster.url(directory)) else None


async def _watch_edge(process: Process, pool: asyncpg.Pool, disk: Disk) -> None:
    """Report whether the store answers, and look at its disk."""
    process.readiness.expire("store", 5 * WATCH)
    while True:
        disk.look()
        try:
            await pool.fetchval("select 1", timeout=WATCH)
            process.readiness.set("store")
        except AWAY as error:
            process.readiness.set("store", f"does not answer: {error}")
        await asyncio.sleep(WATCH)


# -- workers -------------------------------------------------------------------------------------


class Watched(StageMetrics):
    """The observer of a worker's stages: metrics, and readiness once a stage has its partitions."""

    def __init__(self, process: Process, stages: Sequence[str]) -> None:
        super().__init__(process.registry, stages, process.settings.partitions)
        self._readiness = process.readiness

    def assigned(self, stage: str, partitions: Sequence[int]) -> None:
        super().assigned(stage, partitions)
        self._readiness.set(stage)
        log.info("partitions assigned", stage=stage, partitions=list(partitions))


def worker_checks(stages: Sequence[str]) -> tuple[str, ...]:
    """What must be in order before a worker is ready."""
    return "store", *stages


async def worker(process: Process, stages: Sequence[str]) -> None:
    """The body of a worker process: its stages until the process is to stop, or must."""
    settings = process.settings
    async with connected(settings, settings.worker_connections, process.name) as pool:
        PoolMetrics(
            process.registry, lambda: (pool.get_size(), pool.get_idle_size()), settings.worker_connections
        )
        logs = await open_logs(pool, settings)
        observer = Watched(process, stages)
        name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        apps: list[StageApp] = []
        for stage_name in stages:
            stage = await _stage(stage_name, pool, logs, observer, settings)
            leases = Leases(pool, stage.name, name, expiry=settings.lease)
            apps.append(stage_app(stage, logs[stage.topic], leases, observer=observer))
        watching = asyncio.create_task(_watch(process, pool, logs, observer, stages))
        try:
            await run_worker(apps, process.stopping)
        finally:
            watching.cancel()


async def _stage(
    name: str, pool: asyncpg.Pool, logs: Mapping[str, PostgresLog], observer: Watched, settings: Settings
) -> Stage:
    names, dictionaries = Names(pool), Dictionaries()
    await dictionaries.load_newest(pool)
    if name == Persist.name:
        return Persist(
            pool,
            names,
            StatementStore(names, dictionaries),
            EvidenceWriter(logs[EVIDENCE], names, dictionaries),
            max_records=settings.batch_records,
            max_statements=settings.batch_statements,
            stored=lambda received: observer.through(Persist.name, received),
        )
    if name == Score.name:
        return Score(
            pool,
            names,
            max_records=settings.batch_records,
            max_statements=settings.batch_statements,
            scored=lambda stored, _counts: observer.through(Score.name, stored),
        )
    if name == Score.name:
        return Score(
            pool,
            names,
            max_records=settings.batch_records,
            max_statements=settings.batch_statements,
            scored=observer.scored,
        )
    raise ValueError(f"there is no stage {name!r}")


async def _watch(
    process: Process,
    pool: asyncpg.Pool,
    logs: Mapping[str, Log],
    observer: Watched,
    stages: Sequence[str],
) -> None:
    """Report the lag of the worker's stages, and whether the store answers."""
    process.readiness.expire("store", 5 * WATCH)
    while True:
        try:
            for lag in await lags(pool, logs):
                if lag.stage in stages:
                    observer.lag(lag.stage, lag.partition, lag.records, lag.seconds)
            process.readiness.set("store")
        except AWAY as error:
            process.readiness.set("store", f"does not answer: {error}")
        await asyncio.sleep(WATCH)
