"""Claims where the log cannot make them: judged by what is known now, and settled when they are stored.

A log outside of the store cannot claim ids in the transaction that appends. So its writer asks the
store which ids are known, and remembers what it has on its way itself; what two processes accept at
the same moment slips past, and is settled by persist, in the order of its commits (`settle`).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from asyncpg.pgproto.pgproto import UUID

from lrs.log.port import Claims, LogUnavailable
from lrs.log.postgres import AWAY
from lrs.store.connection import within
from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.connection import Connection

GRACE: Final = 60.0
"""Seconds for which statements are accepted while the store does not say which ids it knows."""

log = structlog.get_logger("lrs.log")

_PATIENCE: Final = 2.0
_AGAIN: Final = 0.5
"""Seconds between two questions whether the store is back; meanwhile no append waits for it."""

_MOST: Final = 50_000
"""Ids of one's own that are remembered; about 10 MB."""

_Key = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a frame's ids; the fields are those of `lrs.log.port.Appended`, and `skip`
    that of `Record`."""

    repeated: list[int]
    conflicts: dict[int, list[int]]
    skip: list[int]


class Claiming:
    """Judges the claims of one process's appends."""

    def __init__(self, pool: asyncpg.Pool, *, grace: float = GRACE) -> None:
        """`grace`: how long the store may be away, in seconds."""
        self._pool, self._grace = pool, grace
        self._lost = 0.0
        self._returning: asyncio.Task[None] | None = None  # while the store is away
        self._recent: OrderedDict[_Key, bytes] = OrderedDict()
        self._flying: dict[_Key, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def judged(self, claims: Claims) -> AsyncIterator[Verdict]:
        """Around an append: whoever else of this process wants one of the ids waits for its end.

        Raises LogUnavailable when the store has been away for longer than the grace time.
        """
        keys = list(zip(claims.tenants, claims.ids, strict=True))
        while others := {self._flying[key] for key in keys if key in self._flying}:
            await asyncio.wait(others)
        landed = asyncio.get_running_loop().create_future()
        self._flying.update(dict.fromkeys(keys, landed))
        try:
            verdict = _verdict(claims, keys, await self._known(claims, keys))
            yield verdict
            skipped = set(verdict.skip)
            for place, key in enumerate(keys):
                if place not in skipped:
                    self._recent[key] = claims.digests[place]
            while len(self._recent) > _MOST:
                self._recent.popitem(last=False)
        finally:
            for key in keys:
                self._flying.pop(key, None)
            landed.set_result(None)

    async def _known(self, claims: Claims, keys: Sequence[_Key]) -> dict[_Key, bytes]:
        known = {key: self._recent[key] for key in keys if key in self._recent}
        if self._returning is None:
            try:
                rows = await within(
                    _PATIENCE,
                    self._pool.fetch(
                        queries("claim")["known"], claims.tenants, [UUID(id_) for id_ in claims.ids]
                    ),
                )
            except AWAY as error:
                self._lose(error)
            else:
                known.update(((row["tenant"], row["id"].bytes), row["digest"].bytes) for row in rows)
                return known
        away = time.monotonic() - self._lost
        if away >= self._grace:
            raise LogUnavailable(f"the store has not said for {away:.0f} s which ids it knows")
        return known

    def _lose(self, error: BaseException) -> None:
        if self._returning is None:
            self._lost = time.monotonic()
            self._returning = asyncio.create_task(self._return())
            log.warning("the store is away: statements are accepted for a time", error=str(error))

    async def _return(self) -> None:
        """Wait until the store answers again."""
        while True:
            await asyncio.sleep(_AGAIN)
            try:
                await within(_PATIENCE, self._pool.fetchval("select 1"))
            except AWAY:
                continue
            self._returning = None
            log.info("the store is back", seconds=round(time.monotonic() - self._lost, 1))
            return

    async def close(self) -> None:
        """Ask no more."""
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.wait({self._returning})


def _verdict(claims: Claims, keys: Sequence[_Key], known: dict[_Key, bytes]) -> Verdict:
    repeated: list[int] = []
    conflicts: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        if key in known:
            if known[key] == claims.digests[place]:
                repeated.append(place)
            else:
                conflicts.setdefault(claims.requests[place], []).append(place)
    passed = set(repeated)
    skip = [place for place, request in enumerate(claims.requests) if request in conflicts or place in passed]
    return Verdict(repeated, conflicts, skip)


async def settle(
    connection: Connection,
    tenants: Sequence[int],
    ids: Sequence[bytes],
    digests: Sequence[bytes],
    positions: Sequence[int],
) -> tuple[list[int], list[int]]:
    """Claim ids for statements at these positions, in the caller's transaction.

    Returns the places of ids that were taken before: by a statement with the same digest, and by one
    with another.
    """
    given = (
        list(tenants), [UUID(id_) for id_ in ids], [UUID(digest) for digest in digests], list(positions)
    )  # fmt: skip
    status = await connection.execute(queries("claim")["claim"], *given)
    if status == f"INSERT 0 {len(ids)}":
        return [], []
    rows = await connection.fetch(queries("claim")["taken"], *given)
    return (
        [row["place"] for row in rows if row["equal"]],
        [row["place"] for row in rows if not row["equal"]],
    )
