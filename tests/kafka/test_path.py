"""The whole path with its log on a real Kafka: by HTTP in, stored, scored, whatever is killed."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.crash.fault import Lrs
from tests.crash.run import crash

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.crash]


def on_kafka(broker: Broker) -> dict[str, str]:
    """Settings that put the log of a new LRS on Kafka."""
    return {
        "LRS_LOG": f"kafka://{broker.address}",
        "LRS_KAFKA_TOPIC": f"{uuid.uuid4().hex[:8]}.statements",
        "LRS_KAFKA_REPLICATION": "1",
        "LRS_KAFKA_INSTANCE": "test",
    }


@pytest.mark.timeout(400)
async def test_nothing_is_lost_or_counted_twice_when_a_worker_is_killed(broker: Broker) -> None:
    environment = on_kafka(broker)
    with tempfile.TemporaryDirectory(prefix="lrs-crash-") as directory:
        lrs = Lrs(Path(directory))
        lrs.environment.update(environment)
        applied = lrs.run("topics", "apply")
        assert applied.returncode == 0, applied.stderr
        report = await crash(Path(directory), faults=1, seed=11, environment=environment, victims=["persist"])
    assert report.faults["persist"] == 1
    assert report.acknowledged > 100
