"""The inbox: a topic of plain JSON statements, and the topic to which go those that are refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from lrs.log.brokers import unavailable
from lrs.log.kafka_topic import KafkaTopic
from lrs.log.port import LogError, Record

if TYPE_CHECKING:
    from lrs.log.brokers import Brokers, Topic
    from lrs.log.instants import Instants

INBOX: Final = "inbox"
"""The stage's topic, whatever its name on the brokers."""

BYTES_HEADER: Final = "lrs-bytes"
"""Header of a refused record that did not fit: how long its value was, in decimal."""


@dataclass(frozen=True, slots=True)
class InboxRecord(Record):
    """A record that somebody else wrote. `headers`: the first of each name."""

    key: bytes | None = None
    headers: Mapping[str, bytes] = field(default_factory=dict)


class Inbox(KafkaTopic):
    """The inbox of one LRS; `open` makes it, `close` ends it."""

    def __init__(self, brokers: Brokers, name: str, topic: Topic, rejected: str, longest: int) -> None:
        super().__init__(brokers, name, topic)
        self._rejected, self._longest = rejected, longest
        self._producer: AIOKafkaProducer | None = None

    @classmethod
    async def open(cls, brokers: Brokers, name: str, rejected: str) -> Inbox:
        """The inbox of two topics that are there. Raises LogError when they are not."""
        topics = await asyncio.to_thread(brokers.topics, [name, rejected])
        for each in (name, rejected):
            if each not in topics:
                raise LogError(f"topic {each}: it is not on the brokers; `lrs topics apply` makes it")
        return cls(brokers, name, topics[name], rejected, int(topics[rejected].settings["max.message.bytes"]))

    @property
    def topic(self) -> str:
        """The stage's topic."""
        return INBOX

    @property
    def topic_id(self) -> str:
        """Names this incarnation of the topic."""
        return str(self._topic.id)

    async def close(self) -> None:
        """End the connections."""
        if self._producer is not None:
            await self._producer.stop()
        await asyncio.to_thread(self._brokers.close)

    def record(self, raw: Any, instants: Instants) -> InboxRecord:
        headers: dict[str, bytes] = {}
        for name, content in raw.headers or ():
            headers.setdefault(name.lower(), content or b"")
        # The time may be the producer's, who says what it likes: even one that the store has no room for.
        end = instants.take(raw.offset, min(raw.timestamp, time.time_ns() // 1_000_000), 1)
        return InboxRecord(raw.partition, raw.offset, end, raw.value or b"", (), 1, raw.key, headers)

    async def reject(self, records: Sequence[tuple[InboxRecord, Mapping[str, str]]]) -> None:
        """Send records to the topic of those that are refused, as they came, with further headers that
        say why; return when all are durable. One that is longer than the topic takes (it may have come
        compressed) goes there without all that came with it. Raises LogUnavailable."""
        with unavailable(self._brokers.servers):
            async with asyncio.timeout(self._brokers.patience):
                producer = await self._producing()
                sent = [await self._send(producer, record, why) for record, why in records]
                await asyncio.gather(*sent)

    async def _send(
        self, producer: AIOKafkaProducer, record: InboxRecord, why: Mapping[str, str]
    ) -> asyncio.Future[Any]:
        said = [(name, text.encode()) for name, text in why.items()]
        try:
            sent: asyncio.Future[Any] = await producer.send(
                self._rejected, record.value, key=record.key, headers=[*record.headers.items(), *said]
            )
        except MessageSizeTooLargeError:
            said.append((BYTES_HEADER, str(len(record.value)).encode()))
            sent = await producer.send(self._rejected, b"", headers=said)
        return sent

    async def _producing(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = await self._brokers.producer(self._longest)
        return self._producer
