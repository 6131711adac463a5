"""The way of a statement on a store of the test's own."""

from __future__ import annotations

import asyncpg
import pytest

from tests.store.path import Path


@pytest.fixture
async def path(pool: asyncpg.Pool) -> Path:
    """An empty path."""
    return await Path.open(pool)
