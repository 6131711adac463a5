"""The whole path in one process on a real PostgreSQL: an edge, a persist worker and a score worker."""

from __future__ import annotations

import asyncio
import functools
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources

import asyncpg
from prometheus_client import CollectorRegistry

from lrs.attachment.postgres import PostgresAttachments
from lrs.composition import worker
from lrs.http import attachments as attachment
from lrs.http.access import Access
from lrs.http.activities import Activities
from lrs.http.body import Admission
from lrs.http.credentials import CredentialResource
from lrs.http.digest import Digests
from lrs.http.documents import Documents
from lrs.http.edge import ROUTES, Edge
from lrs.http.framing import Framer
from lrs.http.ingest import Ingest
from lrs.http.outcomes import Outcomes
from lrs.http.people import People
from lrs.http.person import Person
from lrs.http.platform import Platform
from lrs.http.statements import Statements
from lrs.log.port import STATEMENTS, Log
from lrs.log.postgres import PostgresLog
from lrs.metrics.edge import EdgeMetrics
from lrs.metrics.log import LogMetrics
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import exposition, process_registry
from lrs.process import Process
from lrs.settings import Settings
from lrs.store.catalogue import Catalogues, ensure_catalogue
from lrs.store.credential import EVERYTHING, Credentials
from lrs.store.definition import Definitions
from lrs.store.dictionary import Dictionaries
from lrs.store.document import DocumentStore
from lrs.store.erasure import PATIENCE, Eraser
from lrs.store.export import Exporter
from lrs.store.horizon import Horizon
from lrs.store.name import Names
from lrs.store.settlement import Settlement
from tests.http.client import Client
from tests.http.issuer import Issuer

PARTITIONS = 4
CATALOGUE = resources.files("lrs.demo").joinpath("catalogue.yaml").read_text("utf-8")

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What may differ between edges; by default generous, so that a slow machine fails no test."""

    max_body: int = 1 << 20
    max_document: int = 0
    """0: as `max_body`."""
    max_attachment: int = 64 << 20
    max_attachments: int = 64 << 20
    max_statements: int = 10_000
    stored_wait: float = 30.0
    max_requests: int = 256
    max_bytes: int = 16 << 20
    read_wait: float = 10.0
    patience: float = 20.0
    writable: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class System:
    """A running LRS. `edge` is its ASGI application."""

    pool: asyncpg.Pool
    log: Log
    names: Names
    credentials: Credentials
    admission: Admission
    access: Access
    framer: Framer
    horizon: Horizon
    registry: CollectorRegistry
    edge: Edge

    async def tenant(self, *, catalogue: bool = False) -> Client:
        """A client of a tenant of its own."""
        number = next(_numbers)
        name = f"tenant-{number}-{uuid.uuid4().hex[:8]}"
        tenant = await self.pool.fetchval("insert into tenant (name) values ($1) returning tenant", name)
        if catalogue:
            await ensure_catalogue(self.pool, tenant, CATALOGUE)
        return await self.client(tenant)

    async def client(self, tenant: int, *scopes: str, voids: str = "any", admin: bool = False) -> Client:
        """A client with another credential of a tenant; without scopes it has every one."""
        key, secret = f"key-{uuid.uuid4().hex}", uuid.uuid4().hex
        await self.credentials.ensure(tenant, key, secret, scopes or EVERYTHING, voids, admin=admin)
        return Client(self.edge, key, secret, tenant)

    async def count(self, tenant: int) -> int:
        """How many statements of a tenant the store holds, once it has all that the log holds."""
        assert await self.horizon.caught_up(STATEMENTS)
        return int(await self.pool.fetchval("select count(*) from statement where tenant = $1", tenant))


async def assemble(
    pool: asyncpg.Pool, limits: Limits, issuer: Issuer | None = None, log: Log | None = None
) -> System:
    """An edge on a store, as the composition puts it together, without a server around it. It accepts
    the issuer's tokens, if there is one; its log is in the store, unless one is given."""
    registry = CollectorRegistry()
    metrics = EdgeMetrics(registry, ROUTES)
    names, dictionaries = Names(pool), Dictionaries()
    await dictionaries.load_newest(pool)
    log = log or await PostgresLog.open(pool, STATEMENTS, PARTITIONS)
    credentials = Credentials(pool, names)
    access = Access(credentials, None if issuer is None else issuer.verifier(credentials, names))
    horizon = Horizon(pool, limits.read_wait)
    framer = Framer(
        log,
        dictionaries.compressor(),
        dictionaries.newest,
        metrics,
        LogMetrics(registry),
        wait=0.003,
        max_statements=500,
        max_bytes=1 << 20,
    )
    admission = Admission(limits.max_requests, limits.max_bytes)
    attachments = PostgresAttachments(pool)
    ingest = Ingest(
        access,
        framer,
        admission,
        metrics,
        attachments,
        attachment.Limits(
            limits.max_body, limits.max_attachment, limits.max_attachments, limits.max_statements
        ),
        Settlement(pool, limits.stored_wait),
        writable=limits.writable,
        patience=limits.patience,
    )
    documents = Documents(
        DocumentStore(pool),
        access,
        names,
        ingest.bodies,
        admission,
        longest=limits.max_document or limits.max_body,
        mergeable=limits.max_body,
        writable=limits.writable,
    )
    edge = Edge(
        ingest,
        Statements(pool, access, names, credentials, dictionaries, horizon, metrics, admission, attachments),
        Platform(pool, access, names, horizon),
        {
            **documents.routes(),
            **People(pool, access, names, dictionaries, horizon).routes(),
            **Activities(access, Definitions(pool), horizon).routes(),
            **Digests(pool, access, horizon).routes(),
            **Outcomes(pool, access).routes(),
            **Person(
                pool,
                access,
                names,
                horizon,
                Exporter(pool, credentials, dictionaries, Catalogues(pool, names), attachments),
                Eraser(pool, names, dictionaries, attachments, Horizon(pool, PATIENCE)),
            ).routes(),
            **CredentialResource(credentials, access, ingest.bodies).routes(),
        },
        metrics,
        Readiness(()),
        functools.partial(exposition, registry),
    )
    return System(pool, log, names, credentials, admission, access, framer, horizon, registry, edge)


@asynccontextmanager
async def working(url: str) -> AsyncIterator[None]:
    """A worker with both stages, as the composition makes it, at work on a store."""
    settings = Settings(store=url, partitions=PARTITIONS)
    stages = ("persist", "score")
    process = Process(
        settings, "worker", process_registry("worker"), Readiness(worker.checks(stages)), asyncio.Event(), ""
    )
    task = asyncio.create_task(worker.worker(process, worker.makers(stages)))
    try:
        yield
    finally:
        process.stopping.set()
        await task


@asynccontextmanager
async def running(url: str, limits: Limits | None = None) -> AsyncIterator[System]:
    """A whole system on a migrated database."""
    async with working(url), asyncpg.create_pool(url, min_size=2, max_size=24) as pool:
        system = await assemble(pool, limits or Limits())
        yield system
        await system.framer.drain()
