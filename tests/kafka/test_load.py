"""Load tests and the simulator's statements over a real Kafka: through the intake into the store."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pytest_asyncio

from benchmarks.path.system import running
from loadtests.ledger import Ledger, instant
from loadtests.reader import Reader
from loadtests.report import page
from loadtests.scenario import Curve, LoadError, RequestKind, Scenario
from loadtests.sent import Digest
from loadtests.target import Inbox, Target
from loadtests.trial import Findings, Trial
from loadtests.verdict import GeneratorLimits, Judgement, Objectives, Verdict
from simulator.emission import Emission, emit_kafka
from simulator.scenario import ScenarioError, load
from simulator.study import quiet
from tests.stream.processes import until

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

PATIENT = Objectives(
    latency={"write": {"max": 60.0}, "queryable": {"max": 60.0}},
    generator=GeneratorLimits(lag_p99=60.0, cpu=64.0),
)
EVERYTHING = Scenario(
    "Everything by Kafka",
    "?",
    peak=30.0,
    seconds=2.0,
    curve=Curve(points=[(0.0, 1.0), (1.0, 1.0)]),
    request=[
        RequestKind("send", 4, statements=5),
        RequestKind("send", 1, statements=40, gzip=True),
        RequestKind("again", 1, statements=3),
        RequestKind("hostile", 4),
        RequestKind("progress", 1),
        RequestKind("statement", 1),
        RequestKind("document", 1),
    ],
)
SENDING = "benchmark"
"""The key of the credential with which the LRS is started."""


@dataclass(frozen=True)
class Stand:
    """An LRS that takes statements by HTTP and from an inbox."""

    target: Target
    inbox: Inbox


@pytest_asyncio.fixture(scope="module")
async def stand(broker: Broker) -> AsyncIterator[Stand]:
    """A whole `lrs up` with its log on the broker, and an intake."""
    prefix = uuid.uuid4().hex[:8]
    inbox = Inbox(broker.address, f"{prefix}.inbox", f"{prefix}.rejected")
    settings = {
        "LRS_LOG": f"kafka://{broker.address}",
        "LRS_KAFKA_TOPIC": f"{prefix}.statements",
        "LRS_KAFKA_INBOX": inbox.topic,
        "LRS_KAFKA_REJECTED": inbox.rejected,
        "LRS_KAFKA_OUTCOMES": f"{prefix}.outcomes",
        "LRS_KAFKA_REPLICATION": "1",
        "LRS_KAFKA_INTAKE": SENDING,
        "LRS_DISK_FLOOR": "0",
    }
    applied = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "lrs", "topics", "apply"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    with tempfile.TemporaryDirectory(prefix="lrs-load-") as within, pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        async with running(Path(within)) as system:
            yield Stand(replace(Target.of(system), inbox=inbox), inbox)


Run = tuple[Findings, Verdict]


@pytest_asyncio.fixture(scope="module")
async def first(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run by two generator processes."""
    return await carried_out(stand, tmp_path_factory.mktemp("first"), processes=2)


async def carried_out(stand: Stand, directory: Path, processes: int = 1) -> Run:
    """A run of the one plan."""
    return await Trial(EVERYTHING, PATIENT, directory, processes, seed=3).run(stand.target, lambda _: None)


def test_a_load_test_by_kafka_finds_everything_and_every_refusal(first: Run) -> None:
    findings, verdict = first
    requests, checked = findings["requests"], findings["reconciliation"]
    assert verdict.judgement is Judgement.PASSED, findings["verdict"]
    assert requests["due"] == requests["done"] > 40
    assert checked["acknowledged"] == checked["stored"] == requests["statements_due"] > 100
    assert checked["by_digest"]
    assert checked["foreign"] == 0
    assert (
        checked["refusals_due"]
        == checked["refusals_told"]
        == findings["latency"]["hostile"]["service"]["count"]
    )
    assert checked["refusals_due"] > 7, "every kind of hostile record"
    assert checked["statements_read"] > 0
    assert checked["learners_read"] > 0
    sent = [name for name in findings["latency"] if name.startswith("send")]
    assert sorted(sent) == ["send 40 gzip", "send 5"]
    for name in sent:
        clocks = findings["latency"][name]
        assert clocks["intended"]["count"] == clocks["service"]["count"] > 0
        assert clocks["intended"]["mean"] >= clocks["service"]["mean"] > 0
    seen = findings["latency"]["queryable"]
    assert seen["intended"]["count"] >= 2
    assert seen["intended"]["mean"] > seen["service"]["mean"] > 0
    assert {promise.name for promise in verdict.promises} == {
        "write: intended max, s",
        "queryable: intended max, s",
    }
    assert "Kafka" in page(findings)


async def test_good_records_that_are_refused_fail_the_run(stand: Stand, first: Run, tmp_path: Path) -> None:
    # The same plan at another time: other statements under ids that are taken.
    findings, verdict = await carried_out(stand, tmp_path)
    checked = findings["reconciliation"]
    assert verdict.judgement is Judgement.FAILED
    assert checked["missing_count"] == first[0]["reconciliation"]["acknowledged"]
    assert any("refused as conflict" in problem for problem in checked["refusal_problems"])
    assert checked["refusals_due"] == checked["refusals_told"]


async def test_topics_that_are_not_there_are_told_before_anything_is_sent(
    stand: Stand, tmp_path: Path
) -> None:
    elsewhere = replace(stand.target, inbox=replace(stand.inbox, rejected="nowhere"))
    with pytest.raises(LoadError, match="topic nowhere: it is not on"):
        await Trial(EVERYTHING, PATIENT, tmp_path).run(elsewhere, lambda _: None)


async def test_what_the_simulator_emits_is_accepted_to_the_last_statement(stand: Stand) -> None:
    scenario = load(["weekday"], ["population.learners=12000", "run.begin=10:30", "run.hours=1.5"])
    emission = Emission(scenario, seed=8, limit=1_500)
    address, topic = f"kafka://{stand.inbox.brokers}", stand.inbox.topic
    ids = {
        line[7:43].tobytes().decode()
        for text, ends, _, _ in emission.chunks()
        for line in np.split(text[: ends[-1]], ends[:-1])
    }
    async with Reader(stand.target) as reader:
        ledger, since = Ledger(reader), instant(await reader.through())
        done = await asyncio.to_thread(emit_kafka, emission, address, topic, 0.0, quiet)
        assert done["failed_statements"] == 0
        assert done["statements"] > 1_000

        async def all_stored() -> bool:
            return (await ledger.agrees(Digest.of(ids), since))[0]

        await until(all_stored, 120)


def test_a_topic_that_is_not_there_is_told(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.emission.CONNECT_S", 1.0)
    emission = Emission(load(["weekday"], ["population.learners=1000"]), 1, limit=1)
    with pytest.raises(ScenarioError, match=r"nowhere|Failed to update metadata"):
        emit_kafka(emission, f"kafka://{broker.address}", "nowhere", 0.0, quiet)
