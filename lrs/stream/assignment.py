"""What a worker owns of a stage's partitions, and how their records reach the stage.

Each partition has a queue and a task of its own: a partition whose batch hangs holds no other. The
task takes all that is queued, up to the stage's limits, into one batch, so that batches grow under
load. A full queue says so, and its partition is not read until there is room.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lrs.log.port import Record
    from lrs.store.lease import Lease
    from lrs.stream.stage import Stage, StageObserver

QUEUED_BATCHES = 2
"""A partition is read ahead until so many full batches are queued."""

QUEUED_BYTES = 16 << 20
"""A partition is read ahead until so many bytes are queued."""

PACE, BUSY = 0.06, 100.0
"""Where so many statements come in a second, a batch begins so many seconds after the one before, or as
soon as a full one is queued: a transaction costs about the same for one statement as for a hundred.
Light traffic is never kept waiting."""

GRACE = 2.0
"""Seconds that a batch has to commit when its partition is given up; then it is rolled back."""


class Flow(Protocol):
    """Whoever reads the log for an assignment."""

    def full(self, partition: int) -> None:
        """Read no more of the partition for now; what is under way is still taken."""

    def room(self, partition: int) -> None:
        """Read on."""


class OwnedPartition:
    """One partition: what is queued of it, and the task that hands it to the stage."""

    def __init__(
        self,
        stage: Stage,
        lease: Lease,
        flow: Flow,
        observer: StageObserver,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._stage, self._lease, self._flow, self._observer, self._fail = stage, lease, flow, observer, fail
        self._expected = lease.next_offset
        self._queue: deque[Record] = deque()
        self._statements = self._bytes = 0
        self._is_full = False
        self._filled, self._enough = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._processing = False
        self._task = asyncio.create_task(self._run(), name=f"{stage.name}-{lease.partition}")

    def put(self, record: Record, *, more: bool) -> None:
        """Queue a record; one that was queued before is passed over. `more`: others come at once, and an idle
        partition waits for them.
        """
        if not self._closing and record.offset >= self._expected:
            self._expected = record.offset + 1
            self._queue.append(record)
            self._statements += record.count
            self._bytes += len(record.value)
        enough = self._fill() * QUEUED_BATCHES >= 1
        if enough:
            self._enough.set()
        if self._queue and (enough or not more):
            self._filled.set()
        if not self._is_full and self._fill() >= 1:
            self._is_full = True
            self._flow.full(record.partition)

    def _fill(self) -> float:
        """How much is queued, 1 being full."""
        return max(
            len(self._queue) / (QUEUED_BATCHES * self._stage.max_records),
            self._statements / (QUEUED_BATCHES * self._stage.max_statements),
            self._bytes / QUEUED_BYTES,
        )

    def _take(self) -> list[Record]:
        """The next batch: all that is queued, up to the stage's limits, and at least one record."""
        batch: list[Record] = []
        statements = 0
        while self._queue and len(batch) < self._stage.max_records:
            record = self._queue[0]
            if batch and statements + record.count > self._stage.max_statements:
                break
            self._queue.popleft()
            batch.append(record)
            statements += record.count
            self._bytes -= len(record.value)
        self._statements -= statements
        if not self._queue:
            self._filled.clear()
        if self._fill() * QUEUED_BATCHES < 1:
            self._enough.clear()
        if self._is_full and self._fill() < 0.5:
            self._is_full = False
            self._flow.room(self._lease.partition)
        return batch

    async def _run(self) -> None:
        previous = 0.0
        try:
            while not self._closing:
                await self._filled.wait()
                batch = self._take()
                statements = sum(record.count for record in batch)
                self._processing = True
                started = perf_counter()
                await self._stage.process(self._lease.partition, self._lease.epoch, batch)
                self._processing = False
                self._observer.batch_done(
                    self._stage.name,
                    self._lease.partition,
                    len(batch),
                    statements,
                    perf_counter() - started,
                    batch[-1].end,
                )
                if statements >= BUSY * (started - previous):
                    await self._pace(started)
                previous = started
        except Exception as error:
            self._fail(error)

    async def _pace(self, started: float) -> None:
        """Let the next batch gather."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PACE - (perf_counter() - started)):
                await self._enough.wait()

    async def close(self, grace: float) -> None:
        """Take no more; give the batch under way `grace` seconds to commit, then cancel it."""
        self._closing = True
        try:
            if self._processing:
                await asyncio.wait({self._task}, timeout=grace)
        finally:
            self._task.cancel()
        await asyncio.wait({self._task})


class Assignment:
    """The partitions that this worker owns now; empty at first.

    `fail` is called, once or more, with the error by which a stage's batch ended.
    """

    def __init__(
        self, stage: Stage, flow: Flow, observer: StageObserver, fail: Callable[[BaseException], None]
    ) -> None:
        self._stage, self._flow, self._observer, self._fail = stage, flow, observer, fail
        self._owned: dict[int, OwnedPartition] = {}

    @property
    def partitions(self) -> set[int]:
        """The numbers of the owned partitions."""
        return set(self._owned)

    def put(self, record: Record, *, more: bool = False) -> None:
        """Queue a record for the stage; one of a partition that is not owned (any more) is passed over.

        `more`: the read that brought it brought later ones of its partition, which follow; else each would
        begin a batch by itself where nothing is under way.
        """
        owned = self._owned.get(record.partition)
        if owned is not None:
            owned.put(record, more=more)

    def open(self, leases: Iterable[Lease]) -> None:
        """Own these partitions; none may be owned now."""
        assert not self._owned
        self._owned = {
            lease.partition: OwnedPartition(self._stage, lease, self._flow, self._observer, self._fail)
            for lease in leases
        }
        self._observer.assigned(self._stage.name, sorted(self._owned))

    async def close(self, grace: float = GRACE) -> None:
        """Own nothing: batches under way commit within `grace` seconds, or are rolled back."""
        owned, self._owned = self._owned, {}
        await asyncio.gather(*(partition.close(grace) for partition in owned.values()))
