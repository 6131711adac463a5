"""The store and its logs, as the settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from lrs import cluster
from lrs.directory import DataDirectory
from lrs.lag import Lag, lags
from lrs.log.port import EVIDENCE, STATEMENTS, Log, LogUnavailable
from lrs.log.postgres import PostgresLog, Ring
from lrs.settings import Settings

AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, LogUnavailable, OSError)
"""What a look at the store raises when it does not answer."""

WATCH = 2.0
"""Seconds between two looks at the store."""


def store_url(settings: Settings) -> str:
    """Where the store is reached; the embedded one only while `lrs up` runs on the data directory."""
    return cluster.url(DataDirectory(settings.data)) if settings.embedded else settings.store


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
