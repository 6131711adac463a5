"""A worker process that counts records: `python -m tests.stream.process DATABASE BROKER NAME`.

BROKER is `pglog://` or `kafka://host:port`. It ends with 0 when it is told to stop, and with 3, after
a line on stderr, when something ends it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, cast

import asyncpg

from lrs.log.port import STATEMENTS
from lrs.log.postgres import PostgresLog
from lrs.store.lease import Leases
from lrs.stream.app import stage_app
from lrs.stream.worker import run
from tests.stream.counting import CountingStage

if TYPE_CHECKING:
    from lrs.log.port import Log

PARTITIONS = 4

FAILED = 3
"""The exit status of a worker that something ended."""


async def main(database: str, broker: str, name: str) -> None:
    """Run a worker until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = {"application_name": name}
    async with asyncpg.create_pool(database, min_size=2, max_size=8, server_settings=settings) as pool:
        on_kafka = broker.startswith("kafka://")
        stage = CountingStage(pool, name, topic="events" if on_kafka else STATEMENTS)
        stage.seconds = 0.01
        options: dict[str, Any] = {}
        log: Log
        if on_kafka:
            from tests.kafka.broker import KafkaEnds

            log = cast("Log", KafkaEnds(broker.removeprefix("kafka://"), stage.topic, PARTITIONS))
            options = {"broker_session_timeout": 3.0, "broker_heartbeat_interval": 0.5}
        else:
            log = await PostgresLog.open(pool, stage.topic, PARTITIONS)
        app = stage_app(stage, log, Leases(pool, stage.name, name), broker=broker, **options)
        await run([app], stop)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        # Faust's threads would keep a process alive whose broker is away.
        os._exit(FAILED)
    os._exit(0)
