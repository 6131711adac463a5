"""The persist stage, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrs.store.dictionary import Dictionaries
from lrs.store.evidence import EvidenceWriter
from lrs.store.name import Names
from lrs.store.statement import StatementStore
from lrs.stream.persist import Persist

if TYPE_CHECKING:
    import asyncpg

    from lrs.composition.store import Logs
    from lrs.metrics.stage import StageMetrics
    from lrs.settings import Settings


async def persist(
    pool: asyncpg.Pool,
    upkeep: asyncpg.Pool,
    logs: Logs,
    metrics: StageMetrics,
    settings: Settings,
) -> Persist:
    """The stage that stores what the statement log holds."""
    names, dictionaries = Names(upkeep), Dictionaries()
    await dictionaries.load_newest(upkeep)
    return Persist(
        pool,
        names,
        StatementStore(names, dictionaries),
        EvidenceWriter(logs.evidence, names, dictionaries),
        max_records=settings.batch_records,
        max_statements=settings.batch_statements,
        stored=lambda received: metrics.through(Persist.name, received),
        claims=logs.kafka is not None,
        refused=metrics.refused_late,
        buried=lambda count: metrics.dead_letters(Persist.name, count),
    )
