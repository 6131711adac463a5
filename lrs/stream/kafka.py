"""Faust's aiokafka driver, resuming at the store's offset; the driver of the scheme `kafka://`.

Who is assigned a partition is settled by Kafka's consumer group, where to go on by the store. Two
settings of aiokafka that Faust does not let one choose are chosen here: only committed records are
read, and no offset is ever guessed (`auto.offset.reset` is none): one that is not inside the log ends
the worker.
"""

from __future__ import annotations

import asyncio
import dataclasses
from time import monotonic
from typing import TYPE_CHECKING, Any

import faust
from aiokafka.errors import NoOffsetForPartitionError
from faust.transport.drivers import aiokafka as driver

from lrs.log.instants import Instants
from lrs.log.kafka import KafkaLog, blob_of, record_of
from lrs.log.kafka_topic import KafkaTopic
from lrs.stream.resumption import SHORTEST_PAUSE, ResumingConsumer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faust.types import TP

    from lrs.log.brokers import Brokers
    from lrs.log.port import Record
    from lrs.store.lease import Lease

SESSION = 6.0
"""Least seconds of silence after which a group gives a worker's partitions away: brokers refuse less
unless they are told otherwise (`group.min.session.timeout.ms`)."""


def options(brokers: Brokers, silence: float, instance: str = "") -> dict[str, Any]:
    """Options of `lrs.stream.app.stage_app` for a stage that reads from these brokers.

    `silence`: seconds after which a worker is dead; `instance`: its name as a static member of the
    group, unlike any other's, or empty for a member that every start makes anew.
    """
    session = max(SESSION, silence)
    found: dict[str, Any] = {
        "broker": ";".join(f"kafka://{server}" for server in brokers.servers.split(",")),
        "broker_session_timeout": session,
        "broker_heartbeat_interval": session / 6,
    }
    security = brokers.security
    if security.mechanism:
        found["broker_credentials"] = faust.SASLCredentials(
            username=security.user,
            password=security.password,
            mechanism=security.mechanism,
            ssl_context=security.context(),
        )
    elif security.tls:
        found["broker_credentials"] = faust.SSLCredentials(security.context())
    if instance:
        found["consumer_group_instance_id"] = instance
    return found


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._instants: dict[int, Instants] = {}
        self._has_read = 0.0

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _resume(self, leases: Sequence[Lease]) -> None:
        self._instants = {lease.partition: Instants(lease.next_offset, lease.theta) for lease in leases}

    def _to_record(self, raw: Any) -> Record:
        # What was fetched before the assignment changed is read anew after the seek.
        instants = self._instants.get(raw.partition) or Instants(raw.offset + 1, 0)
        log = self.app.stage_log
        return log.record(raw, instants) if isinstance(log, KafkaTopic) else record_of(raw, instants)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        # As long as nobody takes what aiokafka fetched it fetches no more: what comes meanwhile comes in
        # one answer, and costs less, here and in the brokers.
        await asyncio.sleep(self._has_read + SHORTEST_PAUSE - monotonic())
        try:
            found = await super()._getmany(active_partitions, timeout)
        except NoOffsetForPartitionError:
            # From the moment between the assignment and our seek: the group has no offsets, ever.
            return {}
        self._has_read = monotonic()
        assigned = self._instants
        try:
            found = await self._with_blobs(found)
        except Exception as error:
            self.app.fail(error)
            return {}
        # While the store was asked for a blob the partitions may have been assigned anew: what was fetched
        # before comes again after the seek, and taken now it would stand in the way of what is between.
        return found if self._instants is assigned else {}

    async def _with_blobs(self, found: Any) -> Any:
        """The records with what the store keeps for them."""
        log = self.app.stage_log
        if not isinstance(log, KafkaLog):
            return found
        for raws in found.values():
            for place, raw in enumerate(raws):
                name = blob_of(raw)
                if name is not None:
                    raws[place] = dataclasses.replace(raw, value=await log.blob(name))
        return found

    async def _commit(self, offsets: Any) -> bool:
        return True


class Transport(driver.Transport):
    """The driver of the scheme `kafka://`."""

    Consumer = Consumer
