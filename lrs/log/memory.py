"""The log in memory, for tests: durable for as long as the process lives."""

from __future__ import annotations

import time
import uuid
from bisect import bisect_left
from typing import TYPE_CHECKING

from lrs.log.port import Appended, Claims, Ends, LogUnavailable, OffsetOutOfLog, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def system_clock_us() -> int:
    """Microseconds since 1970-01-01T00:00Z."""
    return time.time_ns() // 1000


class MemoryLog:
    """One topic in memory; an implementation of `lrs.log.port.Log`.

    `stride` is the distance of two offsets: above 1 they have gaps, as Kafka's have. While `away` is
    true, every method raises LogUnavailable.
    """

    def __init__(
        self, topic: str, partitions: int, *, clock: Callable[[], int] = system_clock_us, stride: int = 1
    ) -> None:
        self.away = False
        self._topic, self._clock, self._stride = topic, clock, stride
        self._log_id = str(uuid.uuid4())
        self._partitions = [_Partition() for _ in range(partitions)]
        self._known: dict[tuple[int, bytes], bytes] = {}

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self._topic

    @property
    def partitions(self) -> int:
        return len(self._partitions)

    async def log_id(self) -> str:
        self._answer()
        return self._log_id

    async def append(
        self, partition: int, value: bytes, count: int, claims: Claims | None = None
    ) -> Appended:
        self._answer()
        into = self._partitions[partition]
        repeated, conflicts = ([], {}) if claims is None else self._claim(claims)
        skip: list[int] = []
        if claims is not None and (repeated or conflicts):
            skip = [i for i, request in enumerate(claims.requests) if request in conflicts or i in repeated]
            if len(skip) == count:
                return Appended(
                    partition, into.next - self._stride if into.last else -1, into.last, repeated, conflicts
                )
        offset, into.next = into.next, into.next + self._stride
        into.last = max(self._clock(), into.last + count)
        into.records.append(Record(partition, offset, into.last, value, skip, count))
        return Appended(partition, offset, into.last, repeated, conflicts)

    def _claim(self, claims: Claims) -> tuple[list[int], dict[int, list[int]]]:
        """Claim what is new; return the places of repeated ids and, by request, of conflicting ones."""
        keys = list(zip(claims.tenants, claims.ids, strict=True))
        fresh: list[int] = []
        repeated: list[int] = []
        conflicts: dict[int, list[int]] = {}
        for place, (key, digest) in enumerate(zip(keys, claims.digests, strict=True)):
            known = self._known.get(key)
            if known is None:
                self._known[key] = digest
                fresh.append(place)
            elif known == digest:
                repeated.append(place)
            else:
                conflicts.setdefault(claims.requests[place], []).append(place)
        for place in fresh:
            if claims.requests[place] in conflicts:
                del self._known[keys[place]]
        return repeated, conflicts

    async def tick(self, idle: float) -> int:
        self._answer()
        before = self._clock() - idle * 1_000_000
        quiet = [number for number, partition in enumerate(self._partitions) if partition.last < before]
        for number in quiet:
            await self.append(number, b"", 0)
        return len(quiet)

    async def read(self, offsets: Mapping[int, int], max_records: int, max_bytes: int) -> list[Record]:
        self._answer()
        found: list[Record] = []
        for number, offset in offsets.items():
            partition = self._partitions[number]
            if offset < partition.start:
                raise OffsetOutOfLog(
                    f"a reader of {self._topic}",
                    number,
                    offset,
                    partition.start,
                    partition.next,
                    "it is forgotten",
                )
            first = bisect_left(partition.records, offset, key=lambda record: record.offset)
            size = 0
            for record in partition.records[first : first + max_records]:
                if size >= max_bytes:
                    break
                size += len(record.value)
                found.append(record)
        return found

    async def ends(self) -> dict[int, Ends]:
        self._answer()
        return {
            number: Ends(partition.start, partition.next, partition.last)
            for number, partition in enumerate(self._partitions)
        }

    async def trim(self, before: Mapping[int, int]) -> None:
        self._answer()
        for number, offset in before.items():
            partition = self._partitions[number]
            first = bisect_left(partition.records, offset, key=lambda record: record.offset)
            del partition.records[:first]
            partition.start = max(partition.start, min(offset, partition.next))

    def _answer(self) -> None:
        if self.away:
            raise LogUnavailable("the log in memory was told to be away")


class _Partition:
    """The records of a partition that are kept, and its ends."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.start = self.next = self.last = 0
