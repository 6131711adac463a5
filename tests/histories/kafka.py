"""Kafka in memory: the brokers of one topic as the log's adapter sees them, and a consumer group.

The group gives partitions away without waiting for whoever had them, as a real one does when a
member was silent: so every change of it makes zombies.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaConnectionError

from lrs.log.brokers import Topic
from tests.histories.loop import Loop, Process, current_process

GAP = 5
"""Every so many offsets one is left out, as a control record would take it."""

FITTING = 3
"""Records that a batch has room for."""

_TOPIC = Topic(uuid.UUID(int=7), 2, 3, {"max.message.bytes": "1000000", "retention.ms": "-1"})


@dataclass(frozen=True)
class Raw:
    """A record as a client gives it; `timestamp`: ms since 1970, by the broker's clock."""

    partition: int
    offset: int
    timestamp: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class Brokers:
    """Stands where `lrs.log.brokers.Brokers` stands."""

    servers = "brokers"
    patience = 10.0

    def __init__(self, loop: Loop, partitions: int, appended: Callable[[], None]) -> None:
        self.loop, self._appended = loop, appended
        self.topic_of_all = _TOPIC
        self.records: list[list[Raw]] = [[] for _ in range(partitions)]
        self.outcomes: list[list[bytes]] = [[] for _ in range(partitions)]
        """By partition: what was published of the journal of outcomes."""
        self._next = [0] * partitions

    def append(self, partition: int, value: bytes, headers: Sequence[tuple[str, bytes]]) -> Raw:
        """Make a record durable."""
        offset = self._next[partition]
        raw = Raw(partition, offset, int(self.loop.time() * 1000), value, headers)
        self.records[partition].append(raw)
        self._next[partition] = offset + (2 if offset % GAP == GAP - 2 else 1)
        self._appended()
        return raw

    def ends(self) -> list[int]:
        """The offset that comes next, by partition."""
        return list(self._next)

    def read(self, positions: Mapping[int, int], most: int) -> list[Raw]:
        """Records of each partition from an offset on."""
        return [
            raw
            for partition, offset in positions.items()
            for raw in [each for each in self.records[partition] if each.offset >= offset][:most]
        ]

    async def asked(self, what: str, answer: Callable[[], Any]) -> Any:
        """Ask the brokers: the question travels, and the answer does."""
        process = current_process()
        if process is not None and not process.alive:
            raise KafkaConnectionError("this process is dead")
        answered = self.loop.create_future()

        def tell(result: Any) -> None:
            if not answered.done():
                answered.set_result(result)

        def act() -> None:
            result = answer()
            self.loop.send(process, ("answer of the brokers", what), lambda: tell(result))

        self.loop.send(None, ("brokers", what), act)
        return await answered

    # What KafkaLog asks.

    async def producer(self, longest: int) -> Producer:
        """A started producer."""
        return Producer(self)

    async def topic(self, name: str) -> Topic:
        """What there is to know of the topic."""
        return self.topic_of_all

    async def cluster_id(self) -> str:
        """The cluster's id."""
        return "cluster"

    async def offsets(self, name: str, partitions: int) -> dict[int, tuple[int, int, int]]:
        """Start, end and newest timestamp, by partition."""

        def found() -> dict[int, tuple[int, int, int]]:
            return {
                partition: (0, self._next[partition], records[-1].timestamp if records else -1)
                for partition, records in enumerate(self.records)
            }

        return await self.asked("offsets", found)


class Producer:
    """Stands where AIOKafkaProducer stands: idempotent, so that a record is there once."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Task[Raw]:
        """Send a record; what is returned is done when it is durable."""
        brokers = self._brokers
        return asyncio.get_running_loop().create_task(
            brokers.asked("append", lambda: brokers.append(partition, value, headers))
        )

    def create_batch(self) -> Batch:
        """An empty batch."""
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Task[None]:
        """Send a batch, which is durable as a whole; what is returned is done when it is."""
        brokers = self._brokers
        return asyncio.get_running_loop().create_task(
            brokers.asked("outcomes", lambda: brokers.outcomes[partition].extend(batch.values))
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
