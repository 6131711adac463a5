"""What a query is asked of: a connection, pooled or not; and what it raises when nobody answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Asked: TypeAlias = Connection | asyncpg.Pool[asyncpg.Record]

AWAY: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a pooled connection that was lost between two steps of the driver
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""Errors that mean that PostgreSQL is away, not that the query is wrong."""

_Answer = TypeVar("_Answer")


async def within(seconds: float, question: Awaitable[_Answer]) -> _Answer:
    """The answer to a question, or TimeoutError.

    One that hangs is left behind: even when it is told to give up, the driver waits for the server.
    """
    asking = asyncio.ensure_future(question)
    try:
        await asyncio.wait({asking}, timeout=seconds)
        if asking.done():
            return asking.result()
        raise TimeoutError(f"no answer within {seconds:g} s")
    finally:
        if not asking.done():
            asking.add_done_callback(_seen)
            asking.cancel()


def _seen(asking: asyncio.Future[_Answer]) -> None:
    if not asking.cancelled():
        asking.exception()
