"""What is on Kafka, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrs.log.brokers import Brokers, Security
from lrs.log.inbox import Inbox
from lrs.log.kafka import KafkaLog
from lrs.log.port import LogError
from lrs.log.topics import Declared, declare, declare_plain

if TYPE_CHECKING:
    import asyncpg

    from lrs.settings import Settings


def brokers_of(settings: Settings) -> Brokers:
    """The brokers of the statement log; nothing is asked of them yet."""
    security = Security(
        tls=settings.kafka_tls,
        ca=settings.kafka_ca,
        certificate=settings.kafka_certificate,
        key=settings.kafka_key,
        mechanism=settings.kafka_sasl,
        user=settings.kafka_user,
        password=settings.kafka_password,
    )
    return Brokers(settings.brokers, security)


async def open_inbox(settings: Settings) -> Inbox:
    """The inbox. Raises LogError when its topics are not there, or cannot serve."""
    inbox = await Inbox.open(brokers_of(settings), settings.kafka_inbox, settings.kafka_rejected)
    if inbox.partitions > settings.partitions:
        await inbox.close()
        raise LogError(
            f"topic {inbox.name}: it has {inbox.partitions} partitions, more than LRS_PARTITIONS ="
            f" {settings.partitions}"
        )
    return inbox


def declared_topics(settings: Settings) -> list[Declared]:
    """The topics that these settings need; those of the intake only if there is one."""
    partitions, replication = settings.partitions, settings.kafka_replication
    retention = settings.kafka_retention
    found = [
        declare(settings.kafka_topic, partitions, replication, retention, settings.frame_bytes),
        # A learner's outcomes are in the partition of the learner.
        declare_plain(settings.kafka_outcomes, partitions, replication, retention, settings.frame_bytes),
    ]
    if settings.kafka_intake:
        found += [
            declare_plain(settings.kafka_inbox, partitions, replication, retention, settings.frame_bytes),
            # What is refused goes there with the reason.
            declare_plain(settings.kafka_rejected, 1, replication, retention, 2 * settings.frame_bytes),
        ]
    return found


async def open_log(pool: asyncpg.Pool, settings: Settings) -> KafkaLog:
    """The statement log. Raises LogError when its topic is not there, or cannot serve."""
    return await KafkaLog.open(
        pool,
        brokers_of(settings),
        settings.kafka_topic,
        settings.partitions,
        settings.frame_bytes,
        settings.store_grace,
    )
