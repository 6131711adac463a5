"""What both drivers' consumers do alike: resume at the store's offset, and let no partition wait for another.

Faust 0.15.3 would resume at the offset that it committed itself, and loses events by it. Here its
commits are off (the topic's `acks=False`), and where a consumer would seek to the committed offset,
it takes a new epoch of each assigned partition and seeks to the offset that the store holds.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from faust.types import TP, ConsumerMessage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faust.transport.consumer import Consumer as _Driver

    from lrs.log.port import Record
    from lrs.store.lease import Lease
    from lrs.stream.app import StageApp
else:
    _Driver = object

FETCH_ANEW = 0.1
"""Seconds after which a fetch is begun anew while partitions are full, or there is none to read."""

SHORTEST_PAUSE = 0.008
"""Least seconds between two reads, so that under load a read finds more than one record."""


class RecordMessage(ConsumerMessage):
    """A message that knows the log record it came from, and whether the same read brought later ones of its
    partition.
    """

    __slots__ = ("more", "record")


class ResumingConsumer(_Driver):
    """Mixin over a driver's Consumer, which says what record a message is (`_to_record`)."""

    app: StageApp

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._room = asyncio.Event()
        self._last: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    def _to_record(self, raw: Any) -> Record:
        raise NotImplementedError

    def _to_message(self, tp: TP, raw: Any) -> RecordMessage:
        record = self._to_record(raw)
        message = RecordMessage(
            tp.topic,
            tp.partition,
            record.offset,
            record.end / 1_000_000,
            0,
            None,
            None,
            record.value,
            None,
            0,
            len(record.value),
            tp,
            generation_id=self.app.consumer_generation_id,
        )
        message.record = record
        message.more = record.offset < self._last.get(tp, -1)
        return message

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Own what is assigned, and go on where the store says."""
        try:
            leases = await self.app.take({tp.partition for tp in self.assignment()})
        except Exception as error:
            self.app.fail(error)
            raise
        self._resume(leases)
        offsets = {TP(self.app.source, lease.partition): lease.next_offset for lease in leases}
        await self.seek_wait(offsets)
        return offsets

    def _resume(self, leases: Sequence[Lease]) -> None:
        """What a driver does before it seeks."""

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Get ready; where nothing is assigned, nobody would seek, and so this is all there is to do."""
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            self.app.assignment.open(())

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Give everything up: what stays with this worker is assigned to it again."""
        await super().on_partitions_revoked(revoked)
        await self.app.assignment.close()

    def full(self, partition: int) -> None:
        """Read no more of the partition; what was fetched of it is still delivered."""
        self.on_buffer_full(TP(self.app.source, partition))

    def room(self, partition: int) -> None:
        """Read on."""
        self.on_buffer_drop(TP(self.app.source, partition))
        self._room.set()

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        active = self._get_active_partitions()
        if self.flow_active and not active:
            # Everything is full, or nothing is assigned yet. Faust would sleep for a second.
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), FETCH_ANEW)
            return {}, active
        if self._buffered_partitions:
            timeout = FETCH_ANEW
        records, active = await super()._wait_next_records(timeout)
        # What arrives while the flow is stopped is read again after the seek that ends the rebalance;
        # Faust would seek here, in the middle of it, too.
        if not self.flow_active:
            return None, active
        self._last = {tp: raws[-1].offset for tp, raws in records.items() if raws}
        return records, active
