"""The intake stage, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrs.http import scope
from lrs.log.port import LogError
from lrs.metrics.intake import IntakeMetrics
from lrs.store.credential import Credentials
from lrs.store.dictionary import Dictionaries
from lrs.store.lease import Leases
from lrs.store.name import Names
from lrs.stream.intake import Intake, Sender

if TYPE_CHECKING:
    import asyncpg

    from lrs.composition.store import Logs
    from lrs.metrics.stage import StageMetrics
    from lrs.settings import Settings


async def intake(
    pool: asyncpg.Pool,
    upkeep: asyncpg.Pool,
    logs: Logs,
    metrics: StageMetrics,
    settings: Settings,
) -> Intake:
    """The stage that takes statements from the inbox, as the credential that is set.

    Raises LogError when there is no intake, or the credential may not write statements.
    """
    inbox = logs.inbox
    if inbox is None:
        raise LogError("there is no intake: set LRS_KAFKA_INTAKE to the key of a credential")
    credentials, dictionaries = Credentials(upkeep, Names(upkeep)), Dictionaries()
    await dictionaries.load_newest(upkeep)

    async def sender() -> Sender:
        found = await credentials.live(settings.kafka_intake)
        if found is None:
            raise LogError(f"LRS_KAFKA_INTAKE = {settings.kafka_intake!r}: there is no such credential")
        if not found.scopes & {"all", "statements/write"}:
            raise LogError(f"LRS_KAFKA_INTAKE = {settings.kafka_intake!r}: it may not write statements")
        return Sender(found.tenant, found.authority, found.voids, scope.defines(found))

    await sender()
    # What the brokers have forgotten before the intake's first start was never ours.
    starts = {partition: ends.start for partition, ends in (await inbox.ends()).items()}
    await Leases(upkeep, Intake.name, "").ensure(Intake.topic, inbox.partitions, starts)
    return Intake(
        pool,
        inbox,
        logs.statements,
        dictionaries,
        sender,
        max_records=settings.batch_records,
        max_statements=settings.batch_statements,
        frame_statements=settings.frame_statements,
        frame_bytes=settings.frame_bytes,
        became=IntakeMetrics(metrics.registry).became,
    )
