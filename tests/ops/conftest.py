"""A data directory to start a real PostgreSQL in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lrs.directory import DataDirectory


@contextmanager
def held() -> Iterator[DataDirectory]:
    """An empty data directory, held until the end.

    Not below pytest's own directory: another session of pytest closes that to all but its user, and
    so to the account that PostgreSQL runs as for root.
    """
    with tempfile.TemporaryDirectory(prefix="lrs-", ignore_cleanup_errors=True) as base:
        made = DataDirectory(Path(base) / "data")
        made.acquire()
        try:
            yield made
        finally:
            made.release()
            shutil.rmtree(made.sockets, ignore_errors=True)


@pytest.fixture
def directory() -> Iterator[DataDirectory]:
    """A data directory."""
    with held() as made:
        yield made


@pytest.fixture
def other() -> Iterator[DataDirectory]:
    """Another data directory, on another machine so to speak."""
    with held() as made:
        yield made
