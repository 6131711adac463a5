"""The topics are declared in one place and brought in line with it; nothing is ever deleted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import asyncpg
import msgspec
import pytest

from lrs.composition.kafka import brokers_of, declared_topics
from lrs.composition.store import connected, opened_logs
from lrs.log.brokers import Topic
from lrs.log.topics import Change, Declared, carry_out, compare, declare
from lrs.settings import Settings

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

WANTED = declare("xapi.statements", 4, 3, 3600.0, 1 << 20)


def there(partitions: int = 4, replication: int = 3, **settings: str) -> dict[str, Topic]:
    """The topic as the brokers have it; settings with `_` for `.`."""
    changed = {name.replace("_", "."): value for name, value in settings.items()}
    return {WANTED.name: Topic(uuid.uuid4(), partitions, replication, {**WANTED.settings, **changed})}


def test_a_topic_as_it_must_be_is_left_alone() -> None:
    assert compare([WANTED], there(segment_bytes="1024")) == []


def test_a_missing_topic_is_made_and_loses_nothing_that_was_confirmed() -> None:
    [change] = compare([WANTED], {})
    assert change == Change(WANTED, new=True)
    assert WANTED.settings["min.insync.replicas"] == "2"
    assert WANTED.settings["unclean.leader.election.enable"] == "false"
    assert WANTED.settings["message.timestamp.type"] == "LogAppendTime"
    assert change.line().startswith("+ xapi.statements: 4 partitions, 3 replicas, cleanup.policy=delete")


def test_a_setting_that_differs_is_set_and_shown_with_both_values() -> None:
    [change] = compare([WANTED], there(retention_ms="1"))
    assert change.settings == {"retention.ms": ("1", "3600000")}
    assert change.line() == "~ xapi.statements: retention.ms: 1 -> 3600000"


def test_partitions_and_replicas_are_told_and_never_changed() -> None:
    [change] = compare([WANTED], there(partitions=8, replication=1))
    assert not change.settings
    assert change.line() == (
        "~ xapi.statements: ! has 8 partitions, not 4: their number stays,"
        " ! has 1 replicas, not 3: reassign them on the brokers"
    )


def lrs(broker: Broker, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One `lrs` command."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LRS_")},
        "LRS_LOG": f"kafka://{broker.address}",
        "LRS_KAFKA_REPLICATION": "1",
        **{f"LRS_{name.upper()}": value for name, value in settings.items()},
    }
    return subprocess.run(
        [sys.executable, "-m", "lrs", *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.kafka
def test_plan_shows_apply_makes_and_check_is_content(broker: Broker) -> None:
    prefix = uuid.uuid4().hex[:8]
    settings = {"kafka_topic": f"{prefix}.statements", "kafka_outcomes": f"{prefix}.outcomes"}
    planned = lrs(broker, "topics", "plan", **settings)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.startswith(f"+ {prefix}.statements: 4 partitions, 1 replicas")
    assert f"\n+ {prefix}.outcomes: 4 partitions, 1 replicas" in planned.stdout
    assert lrs(broker, "topics", "check", **settings).returncode == 1
    assert lrs(broker, "topics", "apply", **settings).stdout == planned.stdout
    checked = lrs(broker, "topics", "check", **settings)
    assert (checked.returncode, checked.stdout) == (0, "the brokers have every topic as it should be\n")
    changed = lrs(broker, "topics", "apply", **settings, kafka_retention="60", partitions="2")
    assert changed.stdout == (
        f"~ {prefix}.statements: retention.ms: 604800000 -> 60000,"
        " ! has 4 partitions, not 2: their number stays\n"
        f"~ {prefix}.outcomes: retention.ms: 604800000 -> 60000,"
        " ! has 4 partitions, not 2: their number stays\n"
    )
    again = lrs(broker, "topics", "plan", **settings, kafka_retention="60")
    assert again.stdout == checked.stdout


@pytest.mark.kafka
def test_what_the_brokers_refuse_is_told(broker: Broker) -> None:
    refused = lrs(broker, "topics", "apply", kafka_topic=uuid.uuid4().hex, kafka_replication="3")
    assert refused.returncode == 1
    assert "replication factor" in refused.stderr.lower()
    elsewhere = lrs(broker, "topics", "plan", log="postgresql")
    assert "the log is not on Kafka" in elsewhere.stderr


@pytest.mark.kafka
async def test_lag_counts_what_a_stage_has_not_done(
    broker: Broker, database: str, pool: asyncpg.Pool
) -> None:
    settings = Settings(
        store=database,
        log=f"kafka://{broker.address}",
        partitions=2,
        kafka_topic=f"{uuid.uuid4().hex[:8]}.statements",
        kafka_outcomes=f"{uuid.uuid4().hex[:8]}.outcomes",
        kafka_replication=1,
    )
    brokers = brokers_of(settings)
    declared: list[Declared] = declared_topics(settings)
    await asyncio.to_thread(carry_out, brokers, compare(declared, {}))
    brokers.close()
    async with connected(settings, 2, "test") as own, opened_logs(own, settings) as logs:
        for _ in range(3):
            appended = await logs.statements.append(1, b"frame", 1)
    await pool.execute(
        "insert into stage_partition (stage, topic, partition, next_offset, theta_us)"
        " values ('persist', 'statements', 0, 0, 0), ('persist', 'statements', 1, 1, $1),"
        " ('intake', 'inbox', 0, 5, 0)",
        appended.end - 4_000_000,
    )
    shown = await asyncio.to_thread(
        lrs, broker, "lag", "--json", store=database, partitions="2", kafka_topic=settings.kafka_topic
    )
    assert shown.returncode == 0, shown.stderr
    found = msgspec.json.decode(shown.stdout)
    assert [(each["stage"], each["partition"], each["records"]) for each in found] == [
        ("persist", 0, 0),
        ("persist", 1, 2),
    ], "of an intake that is off nothing is told"
    assert found[1]["seconds"] == pytest.approx(4.0, abs=0.01)
    late = await asyncio.to_thread(
        lrs, broker, "lag", "--most", "2", store=database, partitions="2", kafka_topic=settings.kafka_topic
    )
    assert late.returncode == 1
    assert "persist" in late.stdout
