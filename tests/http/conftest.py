"""Clients of the system that the edge's tests talk to."""

from __future__ import annotations

import pytest_asyncio

from tests.http.client import Client
from tests.http.system import System


@pytest_asyncio.fixture(scope="module")
async def lrs(system: System) -> Client:
    """A client of the module's own tenant, which has a catalogue."""
    return await system.tenant(catalogue=True)


@pytest_asyncio.fixture
async def alone(system: System) -> Client:
    """A client of the test's own tenant."""
    return await system.tenant()
