"""The whole path with its log on a real Kafka: by HTTP in, stored, scored, whatever happens meanwhile."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.crash.run import crash

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

KINDS = ("zombie persist", "rebalance", "cut edge")
"""What no other test does; `make crash-kafka` does all there is."""


@pytest.mark.timeout(400)
async def test_nothing_is_lost_or_counted_twice_whatever_befalls_workers_and_network(broker: Broker) -> None:
    with tempfile.TemporaryDirectory(prefix="lrs-crash-") as directory:
        report = await crash(Path(directory), faults=len(KINDS), seed=11, broker=broker, kinds=KINDS)
    assert report.faults == dict.fromkeys(KINDS, 1)
    assert report.acknowledged > 100
