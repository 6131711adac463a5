"""A short crash test: each kind of process is killed once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.crash.fault import ON_POSTGRESQL
from tests.crash.run import crash


@pytest.mark.crash
@pytest.mark.postgres
@pytest.mark.timeout(400)
async def test_nothing_is_lost_or_counted_twice_when_any_process_is_killed() -> None:
    with tempfile.TemporaryDirectory(prefix="lrs-crash-") as directory:
        report = await crash(Path(directory), faults=len(ON_POSTGRESQL), seed=7)
    assert report.faults == dict.fromkeys(ON_POSTGRESQL, 1)
    assert report.acknowledged > 100
