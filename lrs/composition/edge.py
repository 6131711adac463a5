"""An edge, put together."""

from __future__ import annotations

import asyncio
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lrs import cluster
from lrs.attachment.postgres import PostgresAttachments
from lrs.composition.month import keep_months
from lrs.composition.store import connected, opened_logs
from lrs.composition.sweeping import keep_swept
from lrs.composition.watch import WATCH, watch
from lrs.directory import DataDirectory
from lrs.http.access import Access
from lrs.http.activities import Activities
from lrs.http.attachments import Limits
from lrs.http.body import Admission
from lrs.http.credentials import CredentialResource
from lrs.http.digest import Digests
from lrs.http.disk import Disk
from lrs.http.documents import Documents
from lrs.http.edge import ROUTES, Edge
from lrs.http.framing import Framer
from lrs.http.ingest import Ingest
from lrs.http.outcomes import Outcomes
from lrs.http.people import People
from lrs.http.person import Person
from lrs.http.platform import Platform
from lrs.http.server import serve
from lrs.http.statements import Statements
from lrs.http.token import KeyFile, KeyFileError, Policy, Tokens
from lrs.metrics.edge import EdgeMetrics
from lrs.metrics.log import LogMetrics
from lrs.metrics.pool import PoolMetrics
from lrs.metrics.registry import exposition
from lrs.settings import SettingsError
from lrs.stopping import EDGES_UNTIL
from lrs.store.catalogue import Catalogues
from lrs.store.connection import AWAY, within
from lrs.store.credential import Credentials
from lrs.store.definition import Definitions
from lrs.store.dictionary import Dictionaries
from lrs.store.document import DocumentStore
from lrs.store.erasure import PATIENCE, Eraser
from lrs.store.export import Exporter
from lrs.store.horizon import Horizon
from lrs.store.name import Names
from lrs.store.settlement import Settlement

if TYPE_CHECKING:
    from lrs.process import Process
    from lrs.settings import Settings

CHECKS = ("store", "listening")
"""What must be in order before an edge is ready."""

SHARE = 0.8
"""Share of an edge's time for a stop after which requests under way are no longer waited for."""


async def edge(process: Process) -> None:
    """The body of an edge process."""
    settings, registry, readiness = process.settings, process.registry, process.readiness
    async with (
        connected(settings, settings.edge_connections, process.name) as pool,
        opened_logs(pool, settings) as logs,
    ):
        PoolMetrics(registry, lambda: (pool.get_size(), pool.get_idle_size()), settings.edge_connections)
        metrics = EdgeMetrics(registry, ROUTES)
        names, dictionaries = Names(pool), Dictionaries()
        await dictionaries.load_newest(pool)
        credentials = Credentials(pool, names)
        grace = settings.store_grace if logs.kafka else 0.0
        access = Access(credentials, _tokens(settings, credentials, names), grace=grace)
        horizon = Horizon(pool, settings.read_wait, logs.kafka.next_offsets if logs.kafka else None)
        framer = Framer(
            logs.statements,
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
        attachments = PostgresAttachments(pool)
        ingest = Ingest(
            access,
            framer,
            admission,
            metrics,
            attachments,
            Limits(
                settings.max_body,
                settings.max_attachment,
                settings.max_attachments,
                settings.max_statements,
            ),
            Settlement(pool),
            writable=lambda: not disk.low,
        )
        documents = Documents(
            DocumentStore(pool),
            access,
            names,
            ingest.bodies,
            admission,
            longest=settings.max_document,
            mergeable=settings.max_body,
            writable=lambda: not disk.low,
        )
        people = People(pool, access, names, dictionaries, horizon)
        activities = Activities(access, Definitions(pool), horizon)
        person = Person(
            pool,
            access,
            names,
            horizon,
            Exporter(pool, credentials, dictionaries, Catalogues(pool, names), attachments),
            Eraser(
                pool,
                names,
                dictionaries,
                attachments,
                Horizon(pool, PATIENCE, logs.kafka.next_offsets if logs.kafka else None),
            ),
        )
        application = Edge(
            ingest,
            Statements(
                pool, access, names, credentials, dictionaries, horizon, metrics, admission, attachments
            ),
            Platform(pool, access, names, horizon),
            {
                **documents.routes(),
                **people.routes(),
                **activities.routes(),
                **CredentialResource(credentials, access, ingest.bodies).routes(),
                **Digests(pool, access, horizon).routes(),
                **Outcomes(pool, access).routes(),
                **person.routes(),
            },
            metrics,
            readiness,
            functools.partial(exposition, registry),
            origins=settings.cors_origins,
        )

        answered = time.monotonic()

        async def look() -> None:
            nonlocal answered
            disk.look()
            try:
                await within(WATCH, pool.fetchval("select 1"))
                answered = time.monotonic()
            except AWAY:
                if time.monotonic() - answered >= grace:
                    raise
            if logs.kafka is not None:
                await logs.kafka.next_offsets()

        watching = asyncio.create_task(watch(process, look))
        upkeep = [
            asyncio.create_task(keep_swept(attachments, horizon)),
            asyncio.create_task(keep_months(pool)),
        ]
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
            for task in upkeep:
                task.cancel()


def _tokens(settings: Settings, credentials: Credentials, names: Names) -> Tokens | None:
    """What verifies tokens, if their keys are set; raises SettingsError."""
    if settings.token_keys is None:
        return None
    try:
        policy = Policy(
            settings.token_issuer,
            settings.token_audience,
            settings.token_lifetime,
            settings.token_leeway,
            frozenset(settings.token_scopes.split()),
        )
    except ValueError as error:
        raise SettingsError([str(error)]) from None
    try:
        return Tokens(KeyFile(settings.token_keys), policy, credentials, names)
    except (OSError, KeyFileError) as error:
        raise SettingsError([f"LRS_TOKEN_KEYS = {str(settings.token_keys)!r}: {error}"]) from None


def _store_disk(settings: Settings) -> Path | None:
    """Where the store's files lie, if they are on this machine: `lrs up` passes the data directory."""
    directory = DataDirectory(settings.data)
    return directory.path if settings.store in ("embedded", cluster.url(directory)) else None
