"""The topics that there must be on the brokers: declared, compared with what is there, brought in line.

Nothing is ever deleted, and no topic gets more partitions: their number says where a statement's
position is, for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import for_code

from lrs.log.brokers import Brokers, Topic
from lrs.log.port import LogError


@dataclass(frozen=True, slots=True)
class Declared:
    """A topic as it must be. `settings` are those of the brokers, by their names."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done for a topic: made whole, or some settings set. `impossible` says what differs
    that is not changed here."""

    topic: Declared
    new: bool = False
    settings: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    impossible: Sequence[str] = ()

    def line(self) -> str:
        """The change in words."""
        if self.new:
            settings = ", ".join(f"{name}={value}" for name, value in sorted(self.topic.settings.items()))
            return (
                f"+ {self.topic.name}: {self.topic.partitions} partitions, {self.topic.replication} replicas,"
                f" {settings}"
            )
        parts = [f"{name}: {old} -> {new}" for name, (old, new) in sorted(self.settings.items())]
        return f"~ {self.topic.name}: " + ", ".join([*parts, *(f"! {reason}" for reason in self.impossible)])


def declare(
    statements: str, partitions: int, replication: int, retention: float, frame_bytes: int
) -> Declared:
    """The topic of the statement log. `retention` in seconds; `frame_bytes`: at which a frame is full."""
    return Declared(statements, partitions, replication, {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        # The log gives the time of storing, not whoever sends.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(2 * frame_bytes),
        "retention.ms": str(int(retention * 1000)),
        "retention.bytes": "-1",
        "min.insync.replicas": str(max(1, replication - 1)),
        "unclean.leader.election.enable": "false",
    })  # fmt: skip


def declare_plain(name: str, partitions: int, replication: int, retention: float, longest: int) -> Declared:
    """A topic of plain records, which others write or read. `longest`: bytes of a record."""
    return Declared(name, partitions, replication, {
        "cleanup.policy": "delete",
        "max.message.bytes": str(longest),
        "retention.ms": str(int(retention * 1000)),
        "min.insync.replicas": str(max(1, replication - 1)),
        "unclean.leader.election.enable": "false",
    })  # fmt: skip


def compare(declared: Sequence[Declared], there: Mapping[str, Topic]) -> list[Change]:
    """What is to be done; nothing for a topic that is as it must be."""
    changes = []
    for topic in declared:
        found = there.get(topic.name)
        if found is None:
            changes.append(Change(topic, new=True))
            continue
        settings = {
            name: (found.settings.get(name, ""), value)
            for name, value in topic.settings.items()
            if found.settings.get(name) != value
        }
        impossible = []
        if found.partitions != topic.partitions:
            impossible.append(
                f"has {found.partitions} partitions, not {topic.partitions}: their number stays"
            )
        if found.replication != topic.replication:
            impossible.append(
                f"has {found.replication} replicas, not {topic.replication}: reassign them on the brokers"
            )
        if settings or impossible:
            changes.append(Change(topic, False, settings, impossible))
    return changes


def carry_out(brokers: Brokers, changes: Sequence[Change]) -> None:
    """Make topics and set settings. Raises LogError when the brokers refuse one."""
    new = {
        change.topic.name: {
            "num_partitions": change.topic.partitions,
            "replication_factor": change.topic.replication,
            "configs": dict(change.topic.settings),
        }
        for change in changes
        if change.new
    }
    if new:
        made = brokers.ask(lambda client: client.create_topics(new, raise_errors=False))
        refused = [each for each in made["topics"] if each["error_code"]]
        if refused:
            raise LogError("; ".join(
                f"topic {each['name']}: {each['error_message'] or for_code(each['error_code']).__name__}"
                for each in refused
            ))  # fmt: skip
        brokers.ask(lambda client: client.wait_for_topics(list(new)))
    for change in changes:
        if change.settings:
            resource = ConfigResource(
                ConfigResourceType.TOPIC,
                change.topic.name,
                {name: wanted for name, (_, wanted) in change.settings.items()},
            )
            brokers.ask(lambda client, resource=resource: client.alter_configs([resource]))  # type: ignore[misc]
