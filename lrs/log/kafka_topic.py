"""A topic on Kafka as a stage reads it: how many partitions, which incarnation, from where to where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrs.log.port import Ends, LogError, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lrs.log.brokers import Brokers, Topic
    from lrs.log.instants import Instants


class KafkaTopic:
    """What the stream shell asks of a topic beside its records.

    Every method raises LogUnavailable when the brokers do not answer.
    """

    def __init__(self, brokers: Brokers, name: str, topic: Topic) -> None:
        self._brokers, self._name, self._topic = brokers, name, topic

    @property
    def name(self) -> str:
        """The topic's name on the brokers."""
        return self._name

    @property
    def brokers(self) -> Brokers:
        """Where the topic is."""
        return self._brokers

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return self._topic.partitions

    async def log_id(self) -> str:
        """The cluster's id and the topic's: one that was made anew under its name has another."""
        topic = await self._brokers.topic(self._name)
        if topic is None:
            raise LogError(f"topic {self._name}: it is not on the brokers any more")
        return f"{await self._brokers.cluster_id()}/{topic.id}"

    async def ends(self) -> dict[int, Ends]:
        """Start and end of each partition; `last` is known to the millisecond."""
        found = await self._brokers.offsets(self._name, self.partitions)
        return {
            partition: Ends(start, end, max(newest, 0) * 1000)
            for partition, (start, end, newest) in found.items()
        }

    async def trim(self, before: Mapping[int, int]) -> None:
        """Nothing: the brokers forget by the topic's own retention time."""

    def record(self, raw: Any, instants: Instants) -> Record:
        """A record as a client gives it."""
        raise NotImplementedError
