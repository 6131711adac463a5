"""Fills a store by its own way in: log, frames, persist; without HTTP and without processes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from random import Random

import asyncpg
import msgspec

from benchmarks.query.crowd import Crowd
from lrs.log import frame as frames
from lrs.log.port import EVIDENCE, STATEMENTS, Claims
from lrs.log.postgres import PostgresLog
from lrs.store.credential import ROOT_TENANT, Credentials
from lrs.store.dictionary import Dictionaries
from lrs.store.evidence import EvidenceWriter
from lrs.store.lease import Leases
from lrs.store.name import Names
from lrs.store.statement import StatementStore
from lrs.stream.persist import Persist
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version

PARTITIONS = 4
TOGETHER = 1000
"""Statements of a frame, and of a transaction."""


async def fill(
    pool: asyncpg.Pool, crowd: Crowd, rng: Random, progress: Callable[[int], None]
) -> tuple[list[uuid.UUID], float]:
    """Store the crowd's statements; a thousand of their ids, and statements per second."""
    names, dictionaries = Names(pool), Dictionaries()
    await dictionaries.load_newest(pool)
    log = await PostgresLog.open(pool, STATEMENTS, PARTITIONS)
    evidence = EvidenceWriter(await PostgresLog.open(pool, EVIDENCE, PARTITIONS), names, dictionaries)
    persist = Persist(
        pool,
        names,
        StatementStore(names, dictionaries),
        evidence,
        max_records=1,
        max_statements=TOGETHER,
    )
    leases = Leases(pool, persist.name, f"benchmark-{uuid.uuid4().hex}")
    await leases.ensure(STATEMENTS, PARTITIONS)
    held = await leases.seize(range(PARTITIONS), await log.log_id(), await log.ends())
    epochs = {lease.partition: lease.epoch for lease in held}
    await Credentials(pool, names).ensure(ROOT_TENANT, "benchmark", "benchmark")
    authority = await pool.fetchval("select min(authority) from authority")
    kept: list[uuid.UUID] = []
    started = time.perf_counter()
    for number, start in enumerate(range(0, crowd.statements, TOGETHER)):
        body = msgspec.json.encode(
            [crowd.statement(rng) for _ in range(min(TOGETHER, crowd.statements - start))]
        )
        statements = read_statements(body, Version.V1_0_3)
        ids = [statement.id or b"" for statement in statements]
        request = frames.Request(authority, Version.V1_0_3, 0, statements, ids, False)
        value = frames.encode(ROOT_TENANT, [request], dictionaries.newest, dictionaries.compressor())
        claims = Claims(
            [ROOT_TENANT] * len(ids), ids, [statement.digest for statement in statements], [0] * len(ids)
        )
        partition = number % PARTITIONS
        appended = await log.append(partition, value, len(ids), claims)
        records = await log.read({partition: appended.offset}, 1, 1 << 30)
        await persist.process(partition, epochs[partition], records)
        kept.append(uuid.UUID(bytes=rng.choice(ids)))
        progress(start + len(ids))
    rate = crowd.statements / (time.perf_counter() - started)
    # As autovacuum does on a store that lives.
    await pool.execute("vacuum analyze", timeout=600)
    return rng.sample(kept, min(len(kept), 1000)), rate
