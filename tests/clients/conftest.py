"""A tenant for each client."""

from __future__ import annotations

import pytest_asyncio

from tests.http.client import Client
from tests.http.system import System


@pytest_asyncio.fixture
async def alone(system: System) -> Client:
    """A client of the test's own tenant."""
    return await system.tenant()
