"""The horizon: how far the store has come, and the wait for it to come as far as the log.

theta of a partition is the instant of the last record that a stage has done. The least theta of
persist is X-Experience-API-Consistent-Through: no statement stored up to it is still on its way. The
vector of all thetas is an exact snapshot: within a partition, statements become visible in the order
of their pos.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lrs.log.port import EVIDENCE, STATEMENTS
from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg

_POLL: Final = (0.001, 0.002, 0.004, 0.008)
"""Seconds between two looks while waiting; the last goes on."""

STAGE_OF: Final = {STATEMENTS: "persist", EVIDENCE: "score"}


class Horizon:
    """What readers wait for."""

    def __init__(self, pool: asyncpg.Pool, patience: float) -> None:
        """`patience`: the longest wait of a read, in seconds."""
        self._pool, self._patience = pool, patience
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
            ends = await self._pool.fetch(self._queries["ends"], topic)
            if not await self._reached(topic, [row["last_us"] for row in ends], deadline):
                return False
        return True

    async def reached(self, partition: int, instant: int) -> bool:
        """Wait until persist has done everything in the partition up to the instant."""
        deadline = asyncio.get_running_loop().time() + self._patience
        return await self._reached(STATEMENTS, [0] * partition + [instant], deadline)

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
