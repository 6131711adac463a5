"""An edge, put together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from lrs import cluster
from lrs.composition.store import AWAY, WATCH, connected, open_logs
from lrs.directory import DataDirectory
from lrs.http.access import Access
from lrs.http.activities import Activities
from lrs.http.body import Admission
from lrs.http.disk import Disk
from lrs.http.documents import Documents
from lrs.http.edge import ROUTES, Edge
from lrs.http.framing import Framer
from lrs.http.ingest import Ingest
from lrs.http.people import People
from lrs.http.platform import Platform
from lrs.http.server import serve
from lrs.http.statements import Statements
from lrs.log.port import STATEMENTS
from lrs.metrics.edge import EdgeMetrics
from lrs.metrics.log import LogMetrics
from lrs.metrics.pool import PoolMetrics
from lrs.metrics.registry import exposition
from lrs.stopping import EDGES_UNTIL
from lrs.store.credential import Credentials
from lrs.store.definition import Definitions
from lrs.store.dictionary import Dictionaries
from lrs.store.document import DocumentStore
from lrs.store.horizon import Horizon
from lrs.store.name import Names

if TYPE_CHECKING:
    import asyncpg

    from lrs.process import Process
    from lrs.settings import Settings

CHECKS = ("store", "listening")
"""What must be in order before an edge is ready."""

SHARE = 0.8
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
        ingest = Ingest(
            access, framer, admission, metrics, max_body=settings.max_body, writable=lambda: not disk.low
        )
        documents = Documents(
            DocumentStore(pool),
            access,
            names,
            ingest.bodies,
            admission,
            longest=settings.max_body,
            writable=lambda: not disk.low,
        )
        people = People(pool, access, names, dictionaries, horizon)
        activities = Activities(access, Definitions(pool), horizon)
        application = Edge(
            ingest,
            Statements(pool, access, names, credentials, dictionaries, horizon, metrics, admission),
            Platform(pool, access, names, horizon),
            {**documents.routes(), **people.routes(), **activities.routes()},
            metrics,
            readiness,
            lambda: exposition(registry),
        )
        watching = asyncio.create_task(_watch(process, pool, disk))
        try:
            await serve(
                application,
                settings.http_host,
                settings.http_port,
                process.stopping,
                lambda: readiness.set("listening"),
                settings.stop_wait * EDGES_UNTIL * SHARE,
            )
            await framer.drain()
        finally:
            watching.cancel()


def _store_disk(settings: Settings) -> Path | None:
    """Where the store's files lie, if they are on this machine: `lrs up` passes the data directory."""
    directory = DataDirectory(settings.data)
    return directory.path if settings.store in ("embedded", cluster.url(directory)) else None


async def _watch(process: Process, pool: asyncpg.Pool, disk: Disk) -> None:
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
