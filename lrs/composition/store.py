"""The store and its logs, as the settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from lrs import cluster
from lrs.directory import DataDirectory
from lrs.lag import Lag, lags
from lrs.log.port import EVIDENCE, STATEMENTS, Log, LogUnavailable, OtherPartitions, Source
from lrs.log.postgres import PostgresLog, Ring
from lrs.secrecy import with_password
from lrs.settings import Settings, SettingsError
from lrs.store import connection

if TYPE_CHECKING:
    from lrs.log.inbox import Inbox
    from lrs.log.kafka import KafkaLog

AWAY = (*connection.AWAY, asyncpg.PostgresError, LogUnavailable)
"""What a look at the store raises when it does not answer."""


def store_url(settings: Settings) -> str:
    """Where the store is reached; the embedded one only while `lrs up` runs on the data directory."""
    if settings.embedded:
        return cluster.url(DataDirectory(settings.data))
    password = settings.store_password
    return with_password(settings.store, password) if password else settings.store


@asynccontextmanager
async def connected(settings: Settings, most: int, name: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool of up to `most` connections, which PostgreSQL shows under `name`."""
    options = {"application_name": f"lrs {name}", "synchronous_commit": "on", "jit": "off"}
    async with asyncpg.create_pool(
        store_url(settings), min_size=1, max_size=most, server_settings=options, reset=_keep
    ) as pool:
        yield pool


async def _keep(_: object) -> None:
    """Nothing: no user of a pool leaves anything behind in its session, and a reset costs a round trip."""


@dataclass(frozen=True)
class Logs:
    """Both topics. The evidence log is always in the store: it leaves persist in the transaction of the
    statements. `kafka` is the statement log if that is on Kafka; `inbox`, if there is an intake."""

    statements: Log
    evidence: PostgresLog
    kafka: KafkaLog | None = None
    inbox: Inbox | None = None

    @property
    def by_topic(self) -> dict[str, Source]:
        """What stages read, by the names of their topics."""
        found: dict[str, Source] = {STATEMENTS: self.statements, EVIDENCE: self.evidence}
        if self.inbox is not None:
            found[self.inbox.topic] = self.inbox
        return found


@asynccontextmanager
async def opened_logs(pool: asyncpg.Pool, settings: Settings) -> AsyncIterator[Logs]:
    """Both topics; those in the store are made if they are missing. Raises LogError when the one on Kafka
    is, or cannot serve, and SettingsError when those in the store have another number of partitions."""
    try:
        ring = Ring(retention_seconds=settings.log_retention)
        evidence = await PostgresLog.open(pool, EVIDENCE, settings.partitions, ring)
        if not settings.on_kafka:
            statements = await PostgresLog.open(pool, STATEMENTS, settings.partitions, ring)
    except OtherPartitions as error:
        raise SettingsError([f"LRS_PARTITIONS = {settings.partitions}: {error}"]) from None
    if not settings.on_kafka:
        yield Logs(statements, evidence)
        return
    from lrs.composition.kafka import open_inbox, open_log  # their clients are read by who needs them

    log = await open_log(pool, settings)
    try:
        inbox = await open_inbox(settings) if settings.kafka_intake else None
        try:
            yield Logs(log, evidence, log, inbox)
        finally:
            if inbox is not None:
                await inbox.close()
    finally:
        await log.close()


async def stage_lags(settings: Settings) -> list[Lag]:
    """For `lrs status` and `lrs lag`."""
    async with connected(settings, 2, "status") as pool, opened_logs(pool, settings) as logs:
        return await lags(pool, logs.by_topic)
