"""On a real Kafka: whatever is killed, each event is counted once."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.stream.counting import counted, create_table
from tests.stream.process import PARTITIONS
from tests.stream.processes import Workers, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

RATE = 300
"""Events a second."""


def value(number: int) -> bytes:
    """The value of an event with this number; values sort as numbers do."""
    return b"%08d" % number


async def create_topic(address: str, name: str) -> None:
    """Make the topic; brokers never make one by themselves."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=PARTITIONS, replication_factor=1)])
    finally:
        await admin.close()


async def produce(address: str, topic: str, stop: asyncio.Event) -> int:
    """Produce numbered events until told to stop; return how many. None is lost and none doubled."""
    producer = AIOKafkaProducer(
        bootstrap_servers=address, acks="all", enable_idempotence=True, request_timeout_ms=60_000, linger_ms=5
    )
    await producer.start()
    number = 0
    sent: list[asyncio.Future[object]] = []
    try:
        while not stop.is_set():
            for _ in range(RATE // 20):
                sent.append(await producer.send(topic, value(number), partition=number % PARTITIONS))
                number += 1
            await asyncio.sleep(0.05)
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return number


async def test_each_event_is_counted_once_whatever_is_killed(
    pool: asyncpg.Pool, database: str, broker: Broker, tmp_path: Path
) -> None:
    await create_table(pool)
    await create_topic(broker.address, "events")
    workers = Workers(pool, database, f"kafka://{broker.address}", tmp_path)
    stop = asyncio.Event()
    producing = asyncio.create_task(produce(broker.address, "events", stop))
    try:
        workers.start("one")
        await workers.own("one")
        workers.start("two")
        await workers.own("one", "two")
        workers.signal("one", signal.SIGKILL)
        await workers.own("two")
        workers.start("three")
        await workers.own("two", "three")
        workers.signal("two", signal.SIGKILL)
        await workers.own("three")
        await asyncio.to_thread(broker.stop, signal.SIGKILL)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(broker.start)
        workers.start("four")
        await workers.own("three", "four", seconds=60)
        await asyncio.sleep(2.0)
        stop.set()
        produced = await asyncio.wait_for(producing, 60)

        async def all_counted() -> bool:
            return len(await counted(pool)) >= produced

        await until(all_counted, 60)
        for name in ("three", "four"):
            workers.signal(name, signal.SIGTERM)
        assert [await workers.ended(name) for name in ("three", "four")] == [0, 0]
        assert await counted(pool) == [value(number) for number in range(produced)]
    finally:
        stop.set()
        producing.cancel()
        workers.kill_all()
        for name in ("one", "two", "three", "four"):
            if (tmp_path / f"{name}.err").exists():
                print(name, workers.errors(name)[-2000:])
