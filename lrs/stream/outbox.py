"""The outbox: what the score stage wrote to the journal of outcomes goes to Kafka, too.

By partition of the evidence log, into the partition of the topic with the same number, by the worker
that owns it. Batches follow each other: the next is sent when the one before is durable and marked as
published. Who is killed in between, or wakes up after its partition was given away, sends again what
was sent before; since everybody begins where it is marked, what comes for the first time comes in order.

Whether brokers and store answer is of no concern to the stage: what waits, waits in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiokafka import AIOKafkaProducer

from lrs.log.brokers import AWAY as BROKERS_AWAY
from lrs.log.port import LogError
from lrs.store import outcome
from lrs.store.connection import AWAY as STORE_AWAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import asyncpg

    from lrs.log.brokers import Brokers
    from lrs.store.outcome import Owned, Told

log = structlog.get_logger("lrs.stream")

PAUSE: Final = 0.2
"""Seconds between two looks into the outbox."""

_TOGETHER: Final = 500
"""Outcomes that are read at a time."""

_AWAY: Final = (*BROKERS_AWAY, *STORE_AWAY, LogError)


class Outbox:
    """Publishes what one worker owns."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        brokers: Brokers,
        topic: str,
        partitions: int,
        worker: str,
        *,
        published: Callable[[int], None] = lambda _count: None,
        waiting: Callable[[Mapping[int, int]], None] = lambda _by_partition: None,
    ) -> None:
        """`partitions`: of the evidence log, and the topic; `worker`: as in `lrs.store.lease.Leases`.
        `published` is told how many outcomes are durable, `waiting` how many are not, by partition."""
        self._pool, self._brokers, self._topic, self._partitions = pool, brokers, topic, partitions
        self._worker, self._published, self._waiting = worker, published, waiting
        self._publishing: dict[int, asyncio.Task[None]] = {}
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._stopping: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Publish until this is cancelled. Raises what is not a matter of who does not answer."""
        try:
            while True:
                try:
                    await self._look()
                except STORE_AWAY as error:
                    log.warning("store away", stage="outbox", error=str(error))
                await asyncio.sleep(PAUSE)
        finally:
            for task in self._publishing.values():
                task.cancel()
            await asyncio.gather(*self._publishing.values(), return_exceptions=True)
            self._discard(self._producer)
            await asyncio.gather(*self._stopping, return_exceptions=True)

    async def _look(self) -> None:
        owned = await outcome.outbox(self._pool, self._worker)
        self._waiting({one.partition: one.last - one.published for one in owned})
        for partition, task in list(self._publishing.items()):
            if task.done():
                del self._publishing[partition]
                task.result()
        for one in owned:
            if one.last > one.published and one.partition not in self._publishing:
                self._publishing[one.partition] = asyncio.create_task(self._publish(one))

    async def _publish(self, owned: Owned) -> None:
        """Publish what a partition's outbox holds, as far as it was seen."""
        producer = None
        try:
            async with self._starting:
                if self._producer is None:
                    self._producer = await self._open()
                producer = self._producer
            mine: Owned | None = owned
            while mine is not None and mine.last > mine.published:
                told = await outcome.unpublished(self._pool, mine, _TOGETHER)
                # Of a person that was erased nothing is left to publish.
                reached = mine.last
                if told:
                    sent = await self._send(producer, mine.partition, told)
                    self._published(sent)
                    reached = told[sent - 1].number
                mine = await outcome.mark_published(self._pool, mine, reached)
        except _AWAY as error:
            log.warning("outcomes wait", partition=owned.partition, error=f"{type(error).__name__}: {error}")
            self._discard(producer)

    async def _open(self) -> AIOKafkaProducer:
        """A producer for the topic, which is there and has a partition for each of ours."""
        topic = await self._brokers.topic(self._topic)
        if topic is None:
            raise LogError(f"topic {self._topic}: it is not on the brokers; `lrs topics apply` makes it")
        if topic.partitions != self._partitions:
            raise LogError(
                f"topic {self._topic}: it has {topic.partitions} partitions, not {self._partitions}"
            )
        return await self._brokers.producer(int(topic.settings["max.message.bytes"]))

    async def _send(self, producer: AIOKafkaProducer, partition: int, told: Sequence[Told]) -> int:
        """Make the first outcomes durable, as many as go into one batch; how many."""
        batch = producer.create_batch()
        count = 0
        for one in told:
            key = msgspec.json.encode([one.tenant, one.agent])
            if batch.append(key=key, value=msgspec.json.encode(one), timestamp=None) is None:
                break
            count += 1
        async with asyncio.timeout(self._brokers.patience):
            await (await producer.send_batch(batch, self._topic, partition=partition))
        return count

    def _discard(self, producer: AIOKafkaProducer | None) -> None:
        """Use a producer no more: what it has on its way may arrive or not."""
        if producer is None or producer is not self._producer:
            return
        self._producer = None
        task = asyncio.create_task(self._stop(producer))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _stop(self, producer: AIOKafkaProducer) -> None:
        with contextlib.suppress(*BROKERS_AWAY):
            async with asyncio.timeout(self._brokers.patience):
                await producer.stop()
