"""The Faust transport `pglog://`: a driver that reads the log through its port, and leases partitions.

Faust sees a consumer of one topic whose assignment changes at times. Behind it, a beat a second says
that this worker lives and what its fair share is; a change of the share is a rebalance.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from faust.transport import base
from faust.transport.consumer import Consumer as BaseConsumer
from faust.types import TP
from mode import Service

from lrs.log.port import Fenced, Record
from lrs.stream.resumption import SHORTEST_PAUSE, ResumingConsumer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BEAT = 1.0
"""Seconds between two heartbeats."""

LONGEST_PAUSE = 0.02
"""Seconds between two reads when there was nothing for a while."""

READ_RECORDS, READ_BYTES = 64, 4 << 20
"""The most that one read takes of a partition."""


class Consumer(ResumingConsumer, BaseConsumer):
    """Reads the assigned partitions of the app's topic from the app's log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._subscribed = asyncio.Event()
        self._assigned: set[TP] = set()
        self._positions: dict[TP, int] = {}
        self._has_read = 0.0

    # Which partitions are ours.

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Take part in the sharing of the app's topic; Faust must not wait here for the first share."""
        self._subscribed.set()

    @Service.task
    async def _share(self) -> None:
        await self._subscribed.wait()
        leases = self.app.leases
        beaten = monotonic()
        while not self.should_stop:
            try:
                async with asyncio.timeout(leases.expiry):
                    wanted = await leases.balance({tp.partition for tp in self._assigned})
                beaten = monotonic()
                if self.app.consumer_generation_id == 0 or (
                    wanted != {tp.partition for tp in self._assigned} and not self.app.rebalancing
                ):
                    await self._rebalance(wanted)
            except Fenced as error:
                self.app.fail(error)
                return
            except Exception as error:
                self.log.warning("heartbeat of stage %s failed: %r", leases.stage, error)
                if monotonic() - beaten >= leases.expiry:
                    self.app.fail(error)
                    return
            await asyncio.sleep(BEAT)

    async def _rebalance(self, wanted: set[int]) -> None:
        app = self.app
        app.on_rebalance_start()
        before = self._assigned
        await self.on_partitions_revoked(set(before))
        surplus = {tp.partition for tp in before} - wanted
        if surplus:
            await app.leases.release(surplus)
        self._assigned = {TP(app.source, partition) for partition in wanted}
        app.consumer_generation_id += 1
        await self.on_partitions_assigned(set(self._assigned), app.consumer_generation_id)

    def assignment(self) -> set[TP]:
        """The partitions that are ours."""
        return self._assigned

    # Where we are in them.

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Read on from these offsets."""
        self._positions.update(partitions)

    async def _seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset

    async def position(self, tp: TP) -> int | None:
        """The offset that is read next."""
        return self._positions.get(tp)

    def highwater(self, tp: TP) -> int:
        """The offset up to which the partition was read: its end is not asked for at every message."""
        return self._positions.get(tp, 0)

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        """The ends of partitions."""
        ends = await self.app.stage_log.ends()
        return {tp: ends[tp.partition].end for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        """The starts of partitions."""
        ends = await self.app.stage_log.ends()
        return {tp: ends[tp.partition].start for tp in partitions}

    async def seek_to_beginning(self, *partitions: TP) -> None:
        """Read on from the starts."""
        self._positions.update(await self.earliest_offsets(*partitions))

    def topic_partitions(self, topic: str) -> int | None:
        """How many partitions a topic has; known of the app's own."""
        return self.app.stage_log.partitions if topic == self.app.source else None

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        """Records have no keys: the partition is the given one."""
        return partition

    async def create_topic(self, topic: str, partitions: int, replication: int, **options: Any) -> None:
        """Nothing: the log is there before the app."""

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True

    # What stands there.

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Record]]:
        until, pause = monotonic() + timeout, SHORTEST_PAUSE
        while self.flow_active and not self.should_stop:
            await asyncio.sleep(self._has_read + pause - monotonic())
            wanted = self._assigned if active_partitions is None else active_partitions & self._assigned
            positions = {tp: self._positions[tp] for tp in wanted if tp in self._positions}
            found = await self._read(positions)
            self._has_read = monotonic()
            if found or self._has_read >= until:
                return found
            pause = min(2 * pause, LONGEST_PAUSE)
        return {}

    async def _read(self, positions: Mapping[TP, int]) -> dict[TP, list[Record]]:
        try:
            records = await self.app.stage_log.read(
                {tp.partition: offset for tp, offset in positions.items()}, READ_RECORDS, READ_BYTES
            )
        except Exception as error:
            self.app.fail(error)
            await asyncio.sleep(LONGEST_PAUSE)
            return {}
        found: dict[TP, list[Record]] = {}
        for record in records:
            found.setdefault(TP(self.app.source, record.partition), []).append(record)
        for tp, taken in list(found.items()):
            if self._positions.get(tp) == positions[tp]:
                self._positions[tp] = taken[-1].offset + 1
            else:
                del found[tp]  # somebody sought elsewhere while it was read
        return found

    def _to_record(self, raw: Record) -> Record:
        return raw


class Producer(base.Producer):
    """As much of a producer as Faust asks of one: our agents send nothing through it."""

    async def flush(self) -> None:
        """Send what is buffered, which is nothing."""
        await self.buffer.flush()


class Transport(base.Transport):
    """The driver of the scheme `pglog://`."""

    Consumer = Consumer
    Producer = Producer
    default_port = 0
    driver_version = "pglog"
