"""A real PostgreSQL for the tests: the embedded one, or the one that TEST_POSTGRES names.

A test gets a database of its own, copied from a migrated template: that takes some tens of
milliseconds. The embedded server does not wait for the disk (fsync off).
"""

from __future__ import annotations

import os
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from lrs.cluster import Cluster
from lrs.store.migration import migrate
from tests.ops.conftest import held

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OUTSIDE = os.environ.get("TEST_POSTGRES")
"""URL of a server of somebody else's, where databases may be made and dropped."""

EMBEDDED_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "file_copy_method": "clone",
    "autovacuum_naptime": "10s",
}
"""Settings of the embedded server that a running one takes over."""


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """A server's URL; the embedded server is gone at the end."""
    if OUTSIDE:
        yield OUTSIDE
        return
    with held() as directory:
        async with Cluster(directory) as cluster:
            yield cluster.url


def url_of(server_url: str, database: str) -> str:
    """The URL of another database of the same server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


@asynccontextmanager
async def template(server_url: str) -> AsyncIterator[str]:
    """The name of a migrated database to copy from; it goes at the end."""
    name = f"lrs_template_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server_url)
    try:
        if not OUTSIDE:
            for setting, value in EMBEDDED_SETTINGS.items():
                await connection.execute(f"alter system set {setting} = '{value}'")
            await connection.execute("select pg_reload_conf()")
        await connection.execute(f"create database {name}")
        try:
            inside = await asyncpg.connect(url_of(server_url, name))
            try:
                await migrate(inside)
            finally:
                await inside.close()
            yield name
        finally:
            await connection.execute(f"drop database {name} with (force)")
    finally:
        await connection.close()


@asynccontextmanager
async def copy(server_url: str, template_name: str) -> AsyncIterator[str]:
    """The URL of a fresh copy of the template; it goes at the end."""
    name = f"lrs_test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"create database {name} template {template_name} strategy file_copy")
        try:
            yield url_of(server_url, name)
        finally:
            await connection.execute(f"drop database {name} with (force)")
    finally:
        await connection.close()
