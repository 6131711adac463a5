"""The system that the edge's tests talk to, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests import postgres
from tests.http.client import Client
from tests.http.system import System, running


@pytest_asyncio.fixture(scope="session")
async def system(postgres_url: str, migrated: str) -> AsyncIterator[System]:
    """One system for all tests; each module, or test, has a tenant of its own."""
    async with postgres.copy(postgres_url, migrated) as url, running(url) as running_system:
        yield running_system


@pytest_asyncio.fixture(scope="module")
async def lrs(system: System) -> Client:
    """A client of the module's own tenant, which has a catalogue."""
    return await system.tenant(catalogue=True)


@pytest_asyncio.fixture
async def alone(system: System) -> Client:
    """A client of the test's own tenant."""
    return await system.tenant()
