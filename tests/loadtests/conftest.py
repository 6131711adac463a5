"""A real LRS behind a real port for load tests, shared with the tests of the HTTP interface."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from loadtests.target import Target
from tests.http.client import Client
from tests.http.system import System
from tests.http.wire import served


@pytest_asyncio.fixture(scope="session")
async def address(system: System) -> AsyncIterator[str]:
    """Where the system's edge listens."""
    async with served(system.edge) as running:
        yield f"http://127.0.0.1:{running.port}"


@pytest_asyncio.fixture
async def client(system: System) -> Client:
    """A client of the test's own tenant, which has a catalogue."""
    return await system.tenant(catalogue=True)


@pytest_asyncio.fixture
async def target(address: str, client: Client) -> Target:
    """The system as a load test sees it, with the test's own tenant."""
    return Target(address, client.key, client.secret)
