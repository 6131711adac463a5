"""How fast outcomes get from the journal to Kafka: `python -m benchmarks.outbox`.

A journal of outcomes in an embedded PostgreSQL of its own is published by the outbox of a score worker
into a Kafka of its own, again and again. Yardstick, in turn with it: aiokafka sends the same records,
made beforehand, in the largest batches that the topic takes. The figures are the middle ones of all
turns; those of PostgreSQL are its processes' CPU.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Final

import asyncpg
import click
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from benchmarks.log_append import Cpu, embedded
from lrs.log.brokers import Brokers
from lrs.log.topics import carry_out, compare, declare_plain
from lrs.store.migration import migrate
from lrs.stream.outbox import Outbox
from tests.kafka.broker import NoKafka, broker_in

PARTITIONS: Final = 4
LONGEST: Final = 1 << 20
"""Bytes of a batch that the topics take."""

WORKER: Final = "benchmark"
PUBLISHED: Final = "benchmark.outcomes"
YARDSTICK: Final = "benchmark.yardstick"

_NAMES: Final = """
insert into agent (tenant, key, ifi)
select 1, gen_random_uuid(), 'mbox:mailto:learner-' || n || '@example.org' from generate_series(1, 2000) n;
insert into activity (tenant, key, iri)
select 1, gen_random_uuid(), 'https://example.org/courses/' || n / 8 || '/modules/' || n
from generate_series(1, 100) n;
insert into catalogue (tenant, catalogue, digest, content, in_force)
values (1, 1, '5d41402abc4b2a76b9719d911017c592', '', true);
insert into stage_partition (stage, topic, partition, epoch, owner)
select 'score', 'evidence', n, 1, 'benchmark' from generate_series(0, 3) n
"""

_OUTCOMES: Final = """
insert into outcome (tenant, partition, number, id, about, agent, target, level, revision, holds, retracts,
    effective_us, recorded_us, catalogue, evidence)
select 1, n % 4, 1 + n / 4, gen_random_uuid(), case n % 3 when 0 then 4 else 1 end,
    1 + n % 2000, 1 + n % 100, case n % 3 when 0 then 1 else 0 end, 1 + n, n % 5 <> 0,
    case n % 5 when 0 then gen_random_uuid() end, 1772445600000000 + n, 1772445601000000 + n, 1,
    string_agg(int8send(1772445600000000 + n) || uuid_send(gen_random_uuid()), ''::bytea)
from generate_series(0, $1 - 1) n, generate_series(0, n % 4) proof
group by n
"""

_BOX: Final = "insert into outbox (partition, next_number) select n, 1 + $1 / 4 from generate_series(0, 3) n"


class _Journal:
    """The journal in the store, and its copy on Kafka."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], brokers: Brokers, count: int) -> None:
        self._pool, self._brokers, self._count = pool, brokers, count

    async def publish(self) -> None:
        """Publish all of it, once more."""
        await self._pool.execute("update outbox set published = 0")
        left, done = self._count, asyncio.Event()

        def published(count: int) -> None:
            nonlocal left
            left -= count
            if left <= 0:
                done.set()

        outbox = Outbox(self._pool, self._brokers, PUBLISHED, PARTITIONS, WORKER, published=published)
        running = asyncio.create_task(outbox.run())
        running.add_done_callback(lambda _: done.set())
        await done.wait()
        running.cancel()
        await asyncio.wait({running})
        if not running.cancelled():
            running.result()

    async def records(self) -> list[list[tuple[bytes, bytes]]]:
        """By partition: keys and values of all that was published once."""
        consumer = AIOKafkaConsumer(**self._brokers.options(), auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = [TopicPartition(PUBLISHED, number) for number in range(PARTITIONS)]
            consumer.assign(places)
            found: list[list[tuple[bytes, bytes]]] = [[] for _ in places]
            while sum(map(len, found)) < self._count:
                for place, records in (await consumer.getmany(timeout_ms=1000)).items():
                    found[place.partition] += [(record.key, record.value) for record in records]
            return found
        finally:
            await consumer.stop()


async def _send(brokers: Brokers, records: list[list[tuple[bytes, bytes]]]) -> None:
    """The yardstick: send records, by partition, as they are."""
    producer = await brokers.producer(LONGEST)

    async def send(partition: int, left: list[tuple[bytes, bytes]]) -> None:
        while left:
            batch, fitting = producer.create_batch(), 0
            for key, value in left:
                if batch.append(key=key, value=value, timestamp=None) is None:
                    break
                fitting += 1
            left = left[fitting:]
            await (await producer.send_batch(batch, YARDSTICK, partition=partition))

    try:
        await asyncio.gather(*(send(partition, some) for partition, some in enumerate(records)))
    finally:
        await producer.stop()


async def _measure(brokers: Brokers, url: str, postmaster: int, count: int, turns: int) -> None:
    topics = [declare_plain(name, PARTITIONS, 1, 3600.0, LONGEST) for name in (PUBLISHED, YARDSTICK)]
    await asyncio.to_thread(carry_out, brokers, compare(topics, {}))
    async with asyncpg.create_pool(url, min_size=PARTITIONS + 2, max_size=PARTITIONS + 2) as pool:
        await pool.execute("select 1")
        async with pool.acquire() as connection:
            await migrate(connection)
            await connection.execute(_NAMES)
            await connection.execute(_OUTCOMES, count)
            await connection.execute(_BOX, count)
            await connection.execute("analyze")
        journal = _Journal(pool, brokers, count)
        await journal.publish()  # nothing is cold from here on
        records = await journal.records()
        size = sum(len(key) + len(value) for some in records for key, value in some) / count
        print(f"{count:,} outcomes of {size:.0f} bytes, key and value")
        await _send(brokers, records)
        rates: dict[str, list[float]] = {"outbox": [], "yardstick": []}
        for _ in range(turns):
            cpu = Cpu(postmaster)
            await journal.publish()
            rates["outbox"].append(cpu.line("outbox", count, "outcome"))
            cpu = Cpu(postmaster)
            await _send(brokers, records)
            rates["yardstick"].append(
                cpu.line("yardstick: aiokafka sends the same records", count, "outcome")
            )
        published, sent = (statistics.median(rates[each]) for each in ("outbox", "yardstick"))
        print(f"outbox {published:,.0f}/s, yardstick {sent:,.0f}/s: {published / sent:.3f} of it")


@click.command()
@click.option("--outcomes", default=40_000, show_default=True, help="In the journal.")
@click.option("--turns", default=5, show_default=True, help="Times that each is measured.")
def main(outcomes: int, turns: int) -> None:
    """Publish a journal, and say how fast, beside the yardstick."""
    count = outcomes - outcomes % PARTITIONS

    async def run(brokers: Brokers) -> None:
        async with embedded() as (url, postmaster):
            await _measure(brokers, url, postmaster, count, turns)

    with tempfile.TemporaryDirectory(prefix="lrs-benchmark-kafka-") as directory:
        try:
            with broker_in(Path(directory) / "broker") as broker:
                brokers = Brokers(broker.address)
                try:
                    asyncio.run(run(brokers))
                finally:
                    brokers.close()
        except NoKafka as error:
            raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
