"""What every test shares: hypothesis without surprises, and a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests import postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.http.system import System


settings.register_profile(
    "deterministic",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("deterministic")


@pytest_asyncio.fixture(scope="session")
async def postgres_url() -> AsyncIterator[str]:
    """The URL of the tests' PostgreSQL server."""
    async with postgres.server() as url:
        yield url


@pytest_asyncio.fixture(scope="session")
async def migrated(postgres_url: str) -> AsyncIterator[str]:
    """The name of a migrated database, the template of every test's own."""
    async with postgres.template(postgres_url) as name:
        yield name


@pytest_asyncio.fixture
async def database(postgres_url: str, migrated: str) -> AsyncIterator[str]:
    """The URL of a migrated database of the test's own."""
    async with postgres.copy(postgres_url, migrated) as url:
        yield url


@pytest_asyncio.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the test's own database."""
    async with asyncpg.create_pool(database, min_size=1, max_size=10) as pool:
        yield pool


@pytest_asyncio.fixture(scope="session")
async def system(postgres_url: str, migrated: str) -> AsyncIterator[System]:
    """One whole LRS for all tests that talk to an edge; each module, or test, has a tenant of its own."""
    from tests.http.system import running  # the rest of the tests is not to load all of this

    async with postgres.copy(postgres_url, migrated) as url, running(url) as running_system:
        yield running_system


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the tests' PostgreSQL carries its mark."""
    for item in items:
        if "postgres_url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)
