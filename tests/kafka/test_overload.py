"""A surge on a real LRS with its log on Kafka, while its store takes a tenth of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.overload import measure
from benchmarks.path.system import running

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

RATE = 500.0
"""Statements a second: little, so that a busy machine sends it, too."""


async def test_a_surge_is_absorbed_by_the_log_and_every_read_tells_the_truth(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRS_BATCH_STATEMENTS", "100")
    monkeypatch.setenv("LRS_DISK_FLOOR", "0")
    with tempfile.TemporaryDirectory(prefix="lrs-surge-") as directory:
        Path(directory).chmod(0o755)
        async with running(Path(directory), broker) as system:
            # It raises when anything is lost, doubled, or said that is not so.
            calm, surge, drain = await measure(system, RATE, 2.0, 8.0)
    assert calm.reads > 0
    assert surge.reads > 0
    assert surge.busy == 0, "nothing was refused"
    assert surge.stored < surge.acknowledged, "the store took less than came"
    assert surge.backlog > 0
    assert drain.stored > 0
    assert surge.edge_rss < 1.5 * calm.edge_rss, "the backlog is the log's, not the edge's"
