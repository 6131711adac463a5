"""A running Kafka for the tests that are marked `kafka`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kafka import broker as kafka

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.Broker]:
    """A started broker. Skipped without Java or Maven; a failure where CI=true."""
    absent = kafka.missing()
    if absent:
        if kafka.must_be_there():
            pytest.fail(absent)
        pytest.skip(absent)
    with kafka.broker_in(tmp_path_factory.mktemp("kafka") / "broker") as broker:
        yield broker
