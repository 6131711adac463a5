"""Rebuilding: what is derived is made anew from the statements, while traffic goes on.

Under the catalogue in force, learners whose derived rows are not what they must be get those that
they must have; the score stage is held back only while one such range is recomputed.

Another catalogue is filled beside the one in force, range by range, as of the offsets that the score
stage had at the beginning; then it follows the evidence log by offsets of its own (the stage
`rebuild N`, which makes the log keep what is not done); and when it has come exactly as far as the
score stage, which waits for that moment, one row flips. Both can be killed at any time and begun again.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from lrs.log.port import EVIDENCE
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.readout import day_in_kolkata
from lrs.store import outcome
from lrs.store.catalogue import InForce, compiled
from lrs.store.derived import Derived
from lrs.store.evidence import joined, of_rows
from lrs.store.sql import queries
from lrs.store.tail import Tail, read
from lrs.store.verification import EVERYBODY, Examiner, Progress, end_of_range, snapshot

if TYPE_CHECKING:
    import asyncpg

    from lrs.scoring.event import Events, Pairs
    from lrs.store.connection import Connection

_TOGETHER: Final = 64
"""Records that are followed in one transaction."""
_CLOSE: Final = 16
"""So many records behind, the score stage is made to wait for the rest."""
_MOST_ROUNDS: Final = 1_000

_SQL = queries("rebuilding")


def stage(tenant: int) -> str:
    """The stage under which the fill of a tenant's next catalogue keeps its offsets."""
    return f"rebuild {tenant}"


class RebuildingRuns(Exception):
    """Somebody else rebuilds just now."""


class Rebuilt(msgspec.Struct):
    """What a rebuilding did: learners and statements read, and ranges of learners that were replaced,
    or filled under another catalogue (`catalogue`: its number)."""

    learners: int = 0
    statements: int = 0
    replaced: int = 0
    catalogue: int | None = None


@asynccontextmanager
async def alone(pool: asyncpg.Pool) -> AsyncIterator[None]:
    """Be the only one that rebuilds; raises RebuildingRuns if somebody else does."""
    async with pool.acquire() as connection:
        if not await connection.fetchval(_SQL["own_rebuilding"]):
            raise RebuildingRuns("a rebuilding is under way: wait for its end")
        try:
            yield
        finally:
            await connection.execute("select pg_advisory_unlock_all()")


async def repair(examiner: Examiner, progress: Progress) -> Rebuilt:
    """Make what is derived right, under the catalogues in force. Gives up a fill that was not finished."""
    rebuilt = Rebuilt()
    async with alone(examiner.pool):
        for tenant in await examiner.tenants():
            await give_up(examiner.pool, tenant)
            newest = await examiner.newest(tenant)
            async for examined in examiner.ranges(tenant, 0, EVERYBODY):
                rebuilt.learners += len(examined.recomputed.learners)
                rebuilt.statements += examined.recomputed.statements
                if not examined.same:
                    await replace_learners(examiner, tenant, examined.low, examined.high)
                    rebuilt.replaced += 1
                progress(min(examined.high, newest), newest)
    return rebuilt


async def replace_learners(examiner: Examiner, tenant: int, low: int, high: int) -> None:
    """Replace the derived rows of some learners. Score waits, so that they stand still meanwhile."""
    while low < high:
        async with examiner.pool.acquire() as connection, connection.transaction():
            await connection.fetch(_SQL["stop_scoring"])
            examined = await examiner.examine(tenant, low, high)
            if examined.catalogue is not None:
                derived = Derived(tenant, examined.catalogue.number)
                state, tables = examined.recomputed.state, examined.catalogue.tables
                await derived.replace(connection, low, examined.high, state, tables, _today())
        low = examined.high


async def replace_catalogue(examiner: Examiner, tenant: int, text: str, progress: Progress) -> Rebuilt:
    """Derive everything of a tenant under this catalogue, then put it in force.

    One that was begun before goes on where it was. Derived rows of the version before stay, older ones
    are dropped. Of all that is other than before one outcome tells: that the catalogue was switched.
    Raises CatalogueError when the text is not a valid catalogue.
    """
    async with alone(examiner.pool):
        catalogue = await _begin(examiner, tenant, text)
        rebuilt = await _fill(examiner, tenant, catalogue, progress)
        await _follow(examiner, tenant, catalogue)
        await _drop_superseded(examiner.pool, tenant, catalogue.number)
    return rebuilt


async def _begin(examiner: Examiner, tenant: int, text: str) -> InForce:
    """Begin to fill the catalogue, or go on with it."""
    pool, digest = examiner.pool, read_catalogue(text).digest
    begun = await pool.fetchrow(_SQL["unfinished"], tenant)
    if begun is not None and begun["digest"] == digest:
        return await compiled(examiner.names, tenant, begun["catalogue"], text)
    await give_up(pool, tenant)
    async with pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval(
            queries("derived")["add_catalogue"], tenant, digest, text, False, 0
        )
        await connection.execute(_SQL["follow_score"], EVIDENCE, stage(tenant))
    return await compiled(examiner.names, tenant, number, text)


async def give_up(pool: asyncpg.Pool, tenant: int) -> None:
    """Drop what was filled under a catalogue that was not put in force, if there is one."""
    begun = await pool.fetchrow(_SQL["unfinished"], tenant)
    if begun is None:
        return
    await pool.execute(_SQL["stop_following"], stage(tenant))
    await _drop(pool, tenant, begun["catalogue"])
    await pool.execute(_SQL["forget_catalogue"], tenant, begun["catalogue"])


async def _fill(examiner: Examiner, tenant: int, catalogue: InForce, progress: Progress) -> Rebuilt:
    """Derive everything as of the offsets at which the fill began."""
    rebuilt, tail = Rebuilt(catalogue=catalogue.number), Tail(stage(tenant))
    newest = await examiner.newest(tenant)
    begun = await examiner.pool.fetchrow(_SQL["unfinished"], tenant)
    assert begun is not None
    low = int(begun["filled"])
    while low < EVERYBODY:
        async with snapshot(examiner.pool) as reader:
            await tail.look(reader)
            high = await end_of_range(reader, tenant, low, EVERYBODY)
            recomputed = await examiner.recomputation.learners(reader, tail, tenant, low, high, catalogue)
        async with examiner.pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["fill"], tenant, catalogue.number, low, high)
            derived = Derived(tenant, catalogue.number)
            await derived.replace(connection, low, high, recomputed.state, catalogue.tables, _today())
        rebuilt.learners += len(recomputed.learners)
        rebuilt.statements += recomputed.statements
        rebuilt.replaced += 1
        progress(min(high, newest), newest)
        low = high
    return rebuilt


async def _follow(examiner: Examiner, tenant: int, catalogue: InForce) -> None:
    """Come as far as the score stage, make it wait, do the rest, and put the catalogue in force."""
    for _ in range(_MOST_ROUNDS):
        if await _advance(examiner.pool, tenant, catalogue) <= _CLOSE:
            break
    async with examiner.pool.acquire() as connection, connection.transaction():
        await connection.fetch(_SQL["stop_scoring"])
        while await _advance_within(connection, tenant, catalogue):
            pass
        await connection.execute(_SQL["leave_force"], tenant)
        await connection.execute(_SQL["enter_force"], tenant, catalogue.number)
        await outcome.record_switch(connection, tenant, _now(), catalogue.number, catalogue.catalogue.digest)
        await connection.execute(_SQL["stop_following"], stage(tenant))


async def _advance(pool: asyncpg.Pool, tenant: int, catalogue: InForce) -> int:
    async with pool.acquire() as connection, connection.transaction():
        return await _advance_within(connection, tenant, catalogue)


async def _advance_within(connection: Connection, tenant: int, catalogue: InForce) -> int:
    """Follow some records of each partition; how many there were to follow."""
    behind = 0
    buried = {
        row["id"].bytes for row in await connection.fetch(queries("verification")["buried"], tenant, "score")
    }
    for partition, start, end, slots in await connection.fetch(_SQL["behind"], stage(tenant)):
        behind += end - start
        last = min(end, start + _TOGETHER)
        parts = [events async for _, events in read(connection, partition, start, last, slots)]
        events, pairs = _scored(*joined(parts), tenant, buried)
        if len(events):
            await Derived(tenant, catalogue.number).take(connection, events, pairs, catalogue, _today())
        if last > start:
            await connection.execute(_SQL["advance"], stage(tenant), partition, start, last)
    return behind


def _now() -> int:
    return time.time_ns() // 1000


def _today() -> int:
    return day_in_kolkata(_now())


def _scored(events: Events, pairs: Pairs, tenant: int, buried: set[bytes]) -> tuple[Events, Pairs]:
    """The tenant's events, but for those that score gave up."""
    keep = events["tenant"] == tenant
    if buried:
        ids = np.stack((events["id_hi"], events["id_lo"]), axis=1).astype(">u8").tobytes()
        keep &= np.array([ids[at : at + 16] not in buried for at in range(0, len(ids), 16)], np.bool_)
    return of_rows(events, pairs, np.flatnonzero(keep))


async def _drop_superseded(pool: asyncpg.Pool, tenant: int, number: int) -> None:
    for row in await pool.fetch(_SQL["superseded"], tenant, number):
        await _drop(pool, tenant, row["catalogue"])


async def _drop(pool: asyncpg.Pool, tenant: int, number: int) -> None:
    """Drop what is derived under a version that nobody reads, in short transactions."""
    for query in ("drop_evidence", "drop_courses", "drop_competencies", "drop_levels"):
        while await pool.execute(_SQL[query], tenant, number) != "DELETE 0":
            pass
