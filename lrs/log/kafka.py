"""The log on Kafka: one topic of its brokers.

An append returns when every replica in sync has the record (acks=all), and the producer is
idempotent: a retry of its own is never a second record. What is longer than the topic takes goes
into the store as a blob, and its record names the blob.

The brokers give a record the time of its append in milliseconds; the instants of its statements
follow from that and from the record before (`lrs.log.instants`), so that every replay gives the same
ones. Claims are judged before the append and settled by persist (`lrs.log.claiming`).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from asyncpg.pgproto.pgproto import UUID

from lrs.log.brokers import unavailable
from lrs.log.claiming import GRACE, Claiming
from lrs.log.instants import Instants
from lrs.log.kafka_topic import KafkaTopic
from lrs.log.port import Appended, Claims, Ends, LogError, OffsetOutOfLog, Record
from lrs.store.sql import queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from lrs.log.brokers import Brokers, Topic

COUNT_HEADER: Final = "statements"
"""Header of a record: the number of its statements, in decimal."""

SKIP_HEADER: Final = "skip"
"""Header of a record: places of its statements that no stage may store, in decimal, after commas."""

BLOB_HEADER: Final = "blob"
"""Header of a record without a value: the 16 bytes of the name under which the store keeps it."""

HEADROOM: Final = 8 << 10
"""Bytes that the brokers count besides a record's value: headers, and the head of its batch."""

_SQL: Final = queries("claim")
_SPARE: Final = 86_400.0
"""Seconds for which a blob outlives its record."""

_KNOWN_PLACES: Final = 64
_FETCH: Final = 20
"""Milliseconds that the brokers wait for something to read."""


class KafkaLog(KafkaTopic):
    """The statement log on Kafka; an implementation of `lrs.log.port.Log`. `open` makes it, `close`
    ends it.

    Every method raises LogUnavailable when the brokers do not answer.
    """

    def __init__(
        self, pool: asyncpg.Pool, brokers: Brokers, name: str, topic: Topic, grace: float = GRACE
    ) -> None:
        """`grace`: how long ids are judged without the store when it is away, in seconds."""
        super().__init__(brokers, name, topic)
        self._pool = pool
        self._longest = int(topic.settings["max.message.bytes"]) - HEADROOM
        self._retention = float(topic.settings["retention.ms"]) / 1000
        self._claiming = Claiming(pool, grace=grace)
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._stopping: set[asyncio.Task[None]] = set()
        self._newest = dict.fromkeys(range(topic.partitions), (-1, 0))
        self._since: dict[int, tuple[int, float]] = {}
        self._reader = _Reader(brokers, name)

    @classmethod
    async def open(
        cls,
        pool: asyncpg.Pool,
        brokers: Brokers,
        name: str,
        partitions: int,
        frame_bytes: int,
        grace: float = GRACE,
    ) -> KafkaLog:
        """The log of a topic that is there; `frame_bytes`: at which a frame of several requests is full.

        Raises LogError, with every reason at once, when the topic is not there or cannot serve.
        """
        topic = await brokers.topic(name)
        if topic is None:
            raise LogError(f"topic {name}: it is not on the brokers; `lrs topics apply` makes it")
        longest = int(topic.settings["max.message.bytes"]) - HEADROOM
        wrong = []
        if topic.partitions != partitions:
            wrong.append(f"it has {topic.partitions} partitions, not {partitions} (LRS_PARTITIONS)")
        if topic.settings["message.timestamp.type"] != "LogAppendTime":
            wrong.append("message.timestamp.type must be LogAppendTime: the log gives the time of storing")
        if "compact" in topic.settings["cleanup.policy"]:
            wrong.append("cleanup.policy must be delete: compaction forgets records")
        if longest < frame_bytes:
            wrong.append(
                f"max.message.bytes must be at least {frame_bytes + HEADROOM}: frames of LRS_FRAME_BYTES ="
                f" {frame_bytes} bytes and {HEADROOM} more"
            )
        if wrong:
            raise LogError(f"topic {name}: {'; '.join(wrong)}; see `lrs topics plan`")
        return cls(pool, brokers, name, topic, grace)

    async def close(self) -> None:
        """Send what is on its way, and end the connections."""
        producer, self._producer = self._producer, None
        if producer is not None:
            self._stop(producer)
        await asyncio.gather(
            *self._stopping, self._reader.close(), self._claiming.close(), return_exceptions=True
        )
        await asyncio.to_thread(self._brokers.close)

    # Writing.

    async def append(
        self, partition: int, value: bytes, count: int, claims: Claims | None = None
    ) -> Appended:
        """As the port says, but for two things that only the reading side knows.

        `end` may be earlier than the record's own, where another process appended in the same
        millisecond; claims are judged by what is known now, and settled by persist.
        """
        if claims is None:
            return await self._append(partition, value, count, [])
        async with self._claiming.judged(claims) as verdict:
            if len(verdict.skip) == count:
                offset, end = self._newest[partition]
                return Appended(partition, offset, end, verdict.repeated, verdict.conflicts)
            done = await self._append(partition, value, count, verdict.skip)
        return Appended(partition, done.offset, done.end, verdict.repeated, verdict.conflicts)

    async def _append(self, partition: int, value: bytes, count: int, skip: list[int]) -> Appended:
        headers = [(COUNT_HEADER, str(count).encode())]
        if skip:
            headers.append((SKIP_HEADER, ",".join(map(str, skip)).encode()))
        if len(value) + sum(len(content) for _, content in headers) > self._longest:
            blob = uuid.uuid4()
            await self._pool.execute(_SQL["add_blob"], UUID(blob.bytes), value)
            # Headers count, too: places to skip that are more than fit are settled by persist alone.
            headers, value = [headers[0], (BLOB_HEADER, blob.bytes)], b""
        sent = await self._send(partition, value, headers)
        before_offset, before = self._newest[partition]
        end = max(sent.timestamp * 1000, before + count)
        self._newest[partition] = (max(before_offset, sent.offset), end)
        self._since[partition] = (sent.offset + 1, time.monotonic())
        return Appended(partition, sent.offset, end)

    async def _send(self, partition: int, value: bytes, headers: list[tuple[str, bytes]]) -> Any:
        """Send a record, and wait until it is durable.

        A producer that failed is not used again: what it still has on its way may arrive, which is
        harmless, since ids are settled by persist.
        """
        producer = None
        try:
            with unavailable(self._brokers.servers):
                async with asyncio.timeout(self._brokers.patience):
                    producer = await self._producing()
                    sent = await producer.send(self._name, value, partition=partition, headers=headers)
                    return await asyncio.shield(sent)
        except BaseException:
            if producer is not None and producer is self._producer:
                self._producer = None
                self._stop(producer)
            raise

    async def _producing(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                self._producer = await self._brokers.producer(self._longest + HEADROOM)
            return self._producer

    def _stop(self, producer: AIOKafkaProducer) -> None:
        async def stop() -> None:
            async with asyncio.timeout(self._brokers.patience):
                await producer.stop()

        task = asyncio.create_task(stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopped)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._stopping.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever waited for the producer has its own error

    async def tick(self, idle: float) -> int:
        """As the port says; how long a partition is idle is measured here, by no other's clock."""
        now, ticks = time.monotonic(), 0
        for partition, ends in (await super().ends()).items():
            seen, since = self._since.setdefault(partition, (ends.end, now))
            if seen != ends.end:
                self._since[partition] = (ends.end, now)
            elif now - since < idle and ends.last:
                continue
            else:
                await self._append(partition, b"", 0, [])
                ticks += 1
        return ticks

    # Reading.

    async def ends(self) -> dict[int, Ends]:
        """As the port says; `last` is known to the millisecond where others appended it."""
        return {
            partition: Ends(ends.start, ends.end, max(ends.last, self._newest[partition][1]))
            for partition, ends in (await super().ends()).items()
        }

    async def next_offsets(self) -> list[int]:
        """By partition: the offset after the last record that may be read."""
        return await self._reader.next_offsets(self.partitions)

    async def read(self, offsets: Mapping[int, int], max_records: int, max_bytes: int) -> list[Record]:
        """As the port says, for tools: a stage reads through its consumer group.

        The instants are exact if the log holds its first record, or was read from there before.
        """
        found = []
        for partition, offset in offsets.items():
            size = 0
            for record, blob in await self._reader.read(partition, offset, max_records, max_bytes):
                if size < max_bytes:
                    found.append(record if blob is None else replace(record, value=await self.blob(blob)))
                    size += len(found[-1].value)
        return found

    async def blob(self, name: bytes) -> bytes:
        """The value that the store keeps for a record. Raises LogError when it does not."""
        value = await self._pool.fetchval(_SQL["blob"], UUID(name))
        if value is None:
            raise LogError(f"topic {self._name}: the store does not hold the blob {uuid.UUID(bytes=name)}")
        return bytes(value)

    def record(self, raw: Any, instants: Instants) -> Record:
        """A record as a client gives it; one with a blob has no value yet."""
        return record_of(raw, instants)

    async def trim(self, before: Mapping[int, int]) -> None:
        """Forget blobs whose records the brokers have forgotten, by the topic's own retention time."""
        if self._retention >= 0:
            await self._pool.execute(_SQL["forget_blobs"], self._retention + _SPARE)


def blob_of(raw: Any) -> bytes | None:
    """The name of a record's blob, if it has one; the record is one as a client gives it."""
    blob = dict(raw.headers or ()).get(BLOB_HEADER)
    return blob if blob is not None and len(blob) == 16 else None


def record_of(raw: Any, instants: Instants) -> Record:
    """A record as a client gives it; one with a blob has no value yet.

    Headers that nobody of us wrote are taken as if they were not there: the record is then no frame of
    ours, and a stage puts it aside.
    """
    headers = dict(raw.headers or ())
    count = _number(headers.get(COUNT_HEADER, b"")) or 0
    skip = [_number(place) for place in headers.get(SKIP_HEADER, b"").split(b",") if place]
    end = instants.take(raw.offset, raw.timestamp, count)
    return Record(
        raw.partition,
        raw.offset,
        end,
        raw.value or b"",
        [place for place in skip if place is not None and place < count],
        count,
    )


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() and len(text) < 10 else None


class _Reader:
    """Reads records of a topic outside of any group, and folds their instants."""

    def __init__(self, brokers: Brokers, topic: str) -> None:
        self._brokers, self._topic = brokers, topic
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()
        self._known: dict[int, dict[int, int]] = {}  # partition -> offset -> last instant before it

    async def close(self) -> None:
        async with self._lock:
            if self._consumer is not None:
                await self._consumer.stop()
                self._consumer = None

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._brokers.options(),
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="none",
                fetch_max_wait_ms=_FETCH,
                request_timeout_ms=int(self._brokers.patience * 1000),
            )
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer

    async def next_offsets(self, partitions: int) -> list[int]:
        wanted = [TopicPartition(self._topic, partition) for partition in range(partitions)]
        with unavailable(self._brokers.servers):
            async with self._lock:
                consumer = await self._started()
            ends = await consumer.end_offsets(wanted)
        return [ends[each] for each in wanted]

    async def read(
        self, partition: int, offset: int, max_records: int, max_bytes: int
    ) -> list[tuple[Record, bytes | None]]:
        place = TopicPartition(self._topic, partition)
        with unavailable(self._brokers.servers):
            async with self._lock:
                consumer = await self._started()
                start = (await consumer.beginning_offsets([place]))[place]
                end = (await consumer.end_offsets([place]))[place]
                if offset < start:
                    raise OffsetOutOfLog(
                        f"a reader of {self._topic}", partition, offset, start, end, "it is forgotten"
                    )
                known = self._known.setdefault(partition, {})
                first = max((each for each in known if start <= each <= offset), default=start)
                instants = Instants(first, known.get(first, 0))
                found: list[tuple[Record, bytes | None]] = []
                size = 0
                consumer.assign([place])
                consumer.seek(place, first)
                try:
                    # The position also passes what was aborted, and control records.
                    while (
                        await consumer.position(place) < end and len(found) < max_records and size < max_bytes
                    ):
                        raws = await consumer.getmany(place, timeout_ms=_FETCH)
                        for raw in raws.get(place, ()):
                            record = record_of(raw, instants)
                            if raw.offset >= offset and len(found) < max_records and size < max_bytes:
                                found.append((record, blob_of(raw)))
                                size += len(record.value)
                                known[raw.offset + 1] = record.end
                except OffsetOutOfRangeError as error:
                    raise OffsetOutOfLog(
                        f"a reader of {self._topic}", partition, offset, start, end, str(error)
                    ) from error
                while len(known) > _KNOWN_PLACES:
                    del known[next(iter(known))]
                return found
