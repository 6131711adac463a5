"""One stage as one Faust app: Faust gives it assignments and records, the store says where to go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import faust
from faust.tables.manager import TableManager

from lrs.stream.assignment import Assignment
from lrs.stream.stage import StageObserver, Unobserved

if TYPE_CHECKING:
    from collections.abc import Collection

    from lrs.log.port import Log, Source
    from lrs.store.lease import Lease, Leases
    from lrs.stream.stage import Stage


class NoTables(TableManager):
    """Faust would wait a second for tables that somebody may still declare."""

    async def on_start(self) -> None:
        """Go on at once."""
        await self._update_channels()
        await self.recovery.start()


class StageApp(faust.App):
    """A Faust app that carries one topic's records to one stage; `stage_app` makes it."""

    def __init__(
        self,
        stage: Stage,
        log: Source,
        leases: Leases,
        observer: StageObserver,
        source: str,
        **options: Any,
    ) -> None:
        self.stage, self.leases, self.observer = stage, leases, observer
        self.stage_log = cast("Log", log)  # ticked and read by us only if it is one
        self.source = source
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.assignment = Assignment(stage, self, observer, self.fail)
        super().__init__(f"{source}.{stage.name}", **options)

    async def take(self, partitions: Collection[int]) -> list[Lease]:
        """Own these partitions, and no other, from the offsets that the store holds.

        Raises OffsetOutOfLog when one of these is not inside the log.
        """
        await self.assignment.close()
        leases = await self.leases.take(partitions, self.stage_log)
        self.assignment.open(leases)
        return leases

    def full(self, partition: int) -> None:
        """Read no more of the partition; see `lrs.stream.assignment.Flow`."""
        self.consumer.full(partition)

    def room(self, partition: int) -> None:
        """Read on."""
        self.consumer.room(partition)

    def fail(self, error: BaseException) -> None:
        """End the app's run with this error; the first one counts."""
        if not self.failure.done():
            self.failure.set_exception(error)
            self.failure.exception()  # seen: asyncio need not complain if nobody runs the app any more

    def _new_transport(self) -> Any:
        if self.conf.broker_consumer[0].scheme == "kafka":
            from lrs.stream import kafka  # half a second's reading: only who needs it does

            return kafka.Transport(self.conf.broker_consumer, self)
        return super()._new_transport()

    def _create_directories(self) -> None:
        """Nothing: Faust would make one for tables, and there are none."""


def stage_app(
    stage: Stage,
    log: Source,
    leases: Leases,
    *,
    broker: str = "pglog://",
    source: str | None = None,
    observer: StageObserver | None = None,
    **options: Any,
) -> StageApp:
    """The Faust app of a stage; to be called in the running event loop.

    `broker`: `pglog://`, whatever the log of the port is kept in, or `kafka://host:port`, where the
    records come from Kafka itself: from the topic `source` (that of the stage, unless given), by the
    consumer group `source.stage`. `options` are Faust's settings. The pool behind `leases` and `stage`
    needs a connection for each partition, and two more, so that no partition waits for another's.
    """
    if broker.startswith("kafka://"):
        from lrs.stream import kafka

        options = kafka.OPTIONS | options
    app = StageApp(
        stage,
        log,
        leases,
        observer or Unobserved(),
        source or stage.topic,
        broker=broker,
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=log.partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        # The agent only moves records to the queues of their partitions: what Faust holds is bounded by
        # one read.
        stream_buffer_maxsize=1024,
        stream_wait_empty=False,
        web_enabled=False,
        TableManager=NoTables,
        autodiscover=False,
        **options,
    )

    async def carry(stream: Any) -> None:
        async for event in stream.events():
            app.assignment.put(event.message.record, more=event.message.more)

    # Without acks Faust keeps no books of offsets and commits nothing.
    app.agent(
        app.topic(app.source, value_serializer="raw", key_serializer="raw", acks=False), name=stage.name
    )(carry)
    return app
