"""Kafka in memory: the brokers as the adapters of the log and of the inbox see them, and a consumer group.

The group gives partitions away without waiting for whoever had them, as a real one does when a
member was silent: so every change of it makes zombies.
"""

from __future__ import annotations

import asyncio
import contextvars
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from lrs.log.brokers import Topic, unavailable
from tests.histories.loop import Loop, Process, current_process

GAP = 5
"""Every so many offsets one is left out, as a control record would take it."""

FITTING = 3
"""Records that a batch has room for."""


@dataclass(frozen=True)
class Raw:
    """A record as a client gives it; `timestamp`: ms since 1970."""

    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    key: bytes | None = None


class Written:
    """What stands in a topic, by partition. `longest`: bytes of a record."""

    def __init__(self, number: int, partitions: int, longest: int) -> None:
        self.described = Topic(
            uuid.UUID(int=number), partitions, 3, {"max.message.bytes": str(longest), "retention.ms": "-1"}
        )
        self.longest = longest
        self.records: list[list[Raw]] = [[] for _ in range(partitions)]
        self.ends = [0] * partitions
        """The offset that comes next, by partition."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many records there are, by partition."""
        return tuple(len(records) for records in self.records)

    def add(self, raw: Raw) -> None:
        """Let a record be the last of its partition."""
        self.records[raw.partition].append(raw)
        self.ends[raw.partition] = raw.offset + (2 if raw.offset % GAP == GAP - 2 else 1)


class Brokers:
    """Stands where `lrs.log.brokers.Brokers` stands."""

    servers = "brokers"
    patience = 10.0

    def __init__(self, loop: Loop, topics: Mapping[str, Written], appended: Callable[[str], None]) -> None:
        """`appended` is told the topic of what became durable."""
        self.loop, self.topics, self._appended = loop, topics, appended
        self.outcomes: dict[int, list[bytes]] = {}
        """By partition: what was published of the journal of outcomes."""
        self._absences, self._back = 0, 0.0

    def append(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        *,
        key: bytes | None = None,
        timestamp: int | None = None,
    ) -> Raw:
        """Make a record durable; `timestamp`: ms since 1970, if not by the brokers' clock."""
        written = self.topics[topic]
        appended = int(self.loop.time() * 1000) if timestamp is None else timestamp
        raw = Raw(partition, written.ends[partition], appended, value, headers, key)
        written.add(raw)
        self._appended(topic)
        return raw

    def read(self, topic: str, positions: Mapping[int, int], most: int) -> list[Raw]:
        """Records of each partition from an offset on."""
        records = self.topics[topic].records
        return [
            raw
            for partition, offset in positions.items()
            for raw in [each for each in records[partition] if each.offset >= offset][:most]
        ]

    def publish(self, partition: int, values: Sequence[bytes]) -> None:
        """Make a batch of outcomes durable."""
        self.outcomes.setdefault(partition, []).extend(values)

    def go_away(self, seconds: float) -> None:
        """Answer nobody for so long; answers on their way are lost, whatever they were about is done."""
        self._absences += 1
        self._back = self.loop.time() + seconds

    async def asked(self, what: str, answer: Callable[[], Any]) -> Any:
        """Ask the brokers: the question travels, and the answer does.

        Raises KafkaConnectionError. While the brokers are away the client tries again, or does not.
        """
        process = current_process()
        if process is not None and not process.alive:
            raise KafkaConnectionError("this process is dead")
        answered = self.loop.create_future()

        def tell(result: Any, absences: int) -> None:
            if answered.done():
                return
            if self._absences != absences:
                answered.set_exception(KafkaConnectionError("the brokers are away"))
            else:
                answered.set_result(result)

        def reply(result: Any, absences: int) -> None:
            self.loop.send(process, ("answer of the brokers", what), lambda: tell(result, absences))

        def travel() -> None:
            if process is None or process.alive:
                self.loop.send(None, ("brokers", what), act)

        def act() -> None:
            if self.loop.time() >= self._back:
                reply(answer(), self._absences)
            elif self.loop.pick(2):
                reply(None, -1)
            else:
                self.loop.call_at(self._back, travel, context=contextvars.Context())

        travel()
        return await answered

    # What the adapters ask.

    async def producer(self, longest: int) -> Producer:
        """A started producer."""
        return Producer(self, longest)

    async def topic(self, name: str) -> Topic:
        """What there is to know of a topic."""
        return self.topics[name].described

    async def cluster_id(self) -> str:
        """The cluster's id."""
        return "cluster"

    async def offsets(self, name: str, partitions: int) -> dict[int, tuple[int, int, int]]:
        """Start, end and newest timestamp, by partition."""

        def found() -> dict[int, tuple[int, int, int]]:
            written = self.topics[name]
            return {
                partition: (0, written.ends[partition], max((raw.timestamp for raw in records), default=-1))
                for partition, records in enumerate(written.records)
            }

        with unavailable(self.servers):
            return await self.asked("offsets", found)


class Producer:
    """Stands where AIOKafkaProducer stands: idempotent, so that a record is there once."""

    def __init__(self, brokers: Brokers, longest: int) -> None:
        self._brokers, self._longest = brokers, longest

    async def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        partition: int = 0,
        headers: Sequence[tuple[str, bytes]],
    ) -> asyncio.Task[Raw]:
        """Send a record; what is returned is done when it is durable."""
        brokers = self._brokers
        size = len(value) + len(key or b"") + sum(len(name) + len(content) for name, content in headers)
        if size > self._longest:
            raise MessageSizeTooLargeError(f"{size} bytes are more than {self._longest}")
        return asyncio.get_running_loop().create_task(
            brokers.asked(
                f"append {topic}", lambda: brokers.append(topic, partition, value, headers, key=key)
            )
        )

    def create_batch(self) -> Batch:
        """An empty batch."""
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Task[None]:
        """Send a batch, which is durable as a whole; what is returned is done when it is."""
        brokers = self._brokers
        return asyncio.get_running_loop().create_task(
            brokers.asked("outcomes", lambda: brokers.publish(partition, batch.values))
        )

    async def stop(self) -> None:
        """Nothing: there are no connections to end."""


class Batch:
    """Records that are sent together."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(self, *, key: bytes, value: bytes, timestamp: None) -> object | None:
        """Add a record; None when there is no room."""
        if len(self.values) == FITTING:
            return None
        self.values.append(value)
        return self


class Group:
    """Which member reads which partitions."""

    def __init__(self, loop: Loop, partitions: int) -> None:
        self._loop, self._partitions = loop, partitions
        self._members: list[tuple[Process, Callable[[int, set[int]], None]]] = []
        self.generation = 0
        self._turn = 0

    def join(self, process: Process, assign: Callable[[int, set[int]], None]) -> None:
        """Be a member; `assign` is told each generation and what is assigned to the member in it."""
        self._members.append((process, assign))
        self.rebalance()

    def rebalance(self) -> None:
        """Give the partitions to the living members anew, to others than before where there are several."""
        self._members = [member for member in self._members if member[0].alive]
        if not self._members:
            return
        self.generation += 1
        self._turn += 1
        for place, (process, assign) in enumerate(self._members):
            given = {
                partition
                for partition in range(self._partitions)
                if (partition + self._turn) % len(self._members) == place
            }
            self._tell(process, assign, self.generation, given)

    def _tell(
        self, process: Process, assign: Callable[[int, set[int]], None], generation: int, given: set[int]
    ) -> None:
        self._loop.send(process, ("assigned", process.name, given), lambda: assign(generation, given))
