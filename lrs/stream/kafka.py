"""Faust's aiokafka driver, resuming at the store's offset; the driver of the scheme `kafka://`.

Who is assigned a partition is settled by Kafka's consumer group, where to go on by the store. Two
settings of aiokafka that Faust does not let one choose are chosen here: only committed records are
read, and no offset is ever guessed (`auto.offset.reset` is none): one that is not inside the log ends
the worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.errors import NoOffsetForPartitionError
from faust.transport.drivers import aiokafka as driver

from lrs.log.port import Record
from lrs.stream.resumption import ResumingConsumer

if TYPE_CHECKING:
    from faust.types import TP

COUNT_HEADER = "statements"
"""Header of a record: the number of its statements, in decimal."""

OPTIONS: dict[str, Any] = {
    "consumer_auto_offset_reset": "none",
    # With at least one, the assignment is sticky.
    "table_standby_replicas": 1,
}
"""Settings of Faust that go with this driver."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Makes aiokafka's consumer, which reads what is committed only."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer


class Consumer(ResumingConsumer, driver.Consumer):
    """Reads the partitions that the group assigns to this worker."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _to_record(self, raw: Any) -> Record:
        headers = dict(raw.headers or ())
        return Record(
            raw.partition,
            raw.offset,
            raw.timestamp * 1000,
            raw.value or b"",
            (),
            int(headers.get(COUNT_HEADER, b"1")),
        )

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        try:
            return await super()._getmany(active_partitions, timeout)
        except NoOffsetForPartitionError:
            # From the moment between the assignment and our seek: the group has no offsets, ever.
            return {}

    async def _commit(self, offsets: Any) -> bool:
        return True


class Transport(driver.Transport):
    """The driver of the scheme `kafka://`."""

    Consumer = Consumer
