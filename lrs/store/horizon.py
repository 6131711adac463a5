"""The horizon: how far the store has come, and the wait for it to come as far as the log.

theta of a partition is the instant of the last record that a stage has done. The least theta of
persist is X-Experience-API-Consistent-Through: no statement stored up to it is still on its way. The
vector of all thetas is an exact snapshot: within a partition, statements become visible in the order
of their pos.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from lrs.log.port import EVIDENCE, STATEMENTS
from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg

_POLL: Final = (0.001, 0.002, 0.004, 0.008)
"""Seconds between two looks while waiting; the last goes on."""

SETTLED: Final = 3.0
"""Longest wait, in seconds, for partitions without traffic to be moved on: that happens each second."""

_SETTLING: Final = 0.05

STAGE_OF: Final = {STATEMENTS: "persist", EVIDENCE: "score"}


class Horizon:
    """What readers wait for."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        patience: float,
        statement_ends: Callable[[], Awaitable[Sequence[int]]] | None = None,
    ) -> None:
        """`patience`: the longest wait of a read, in seconds; `statement_ends`: the next offset of each
        partition of a statement log that is not in the store."""
        self._pool, self._patience, self._statement_ends = pool, patience, statement_ends
        self.seen = 0
        """The latest consistent-through that was read here: at least this far the store is."""
        self._queries = queries("horizon")

    async def caught_up(self, *topics: str) -> bool:
        """Wait until the stages have done what their topics held when this was called.

        Topic after topic, since persist fills the evidence log; False when that took too long.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        for topic in topics:
            if not await self._reached(topic, await self._ends(topic), deadline):
                return False
        return True

    async def _ends(self, topic: str) -> Sequence[int]:
        """By partition: the offset of the record that comes next."""
        if topic == STATEMENTS and self._statement_ends is not None:
            return await self._statement_ends()
        return [row["next_offset"] for row in await self._pool.fetch(self._queries["ends"], topic)]

    async def reached(self, partition: int, next_offset: int) -> bool:
        """Wait until persist has done everything in the partition before the offset."""
        deadline = asyncio.get_running_loop().time() + self._patience
        return await self._reached(STATEMENTS, [0] * partition + [next_offset], deadline)

    async def settled(self, until: int) -> int:
        """Wait until everything that the log held when this was called can be read, and every partition
        has passed `until`, or the newest statement; return the instant up to which that is so, however
        far they came within SETTLED seconds."""
        await self.caught_up(STATEMENTS)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLED
        thetas: Sequence[int] = await self._pool.fetchval(self._queries["thetas"])
        wanted = min(until, max(thetas, default=0))
        while min(thetas, default=0) < wanted and loop.time() < deadline:
            await asyncio.sleep(_SETTLING)
            thetas = await self._pool.fetchval(self._queries["thetas"])
        return min(thetas, default=0)

    async def _reached(self, topic: str, wanted: Sequence[int], deadline: float) -> bool:
        loop = asyncio.get_running_loop()
        polls = 0
        while not await self._pool.fetchval(self._queries["reached"], STAGE_OF[topic], list(wanted)):
            pause = _POLL[min(polls, len(_POLL) - 1)]
            if loop.time() + pause > deadline:
                return False
            await asyncio.sleep(pause)
            polls += 1
        return True

    async def consistent_through(self) -> int:
        """The instant (µs since 1970) up to which every statement can be read."""
        through = int(await self._pool.fetchval(self._queries["consistent_through"]))
        self.seen = max(self.seen, through)
        return through
