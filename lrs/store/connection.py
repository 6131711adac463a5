"""What a query is asked of: a connection, pooled or not; and what it raises when nobody answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

if TYPE_CHECKING:
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
