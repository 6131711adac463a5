"""Every scenario that comes with the project, tiny, against a real LRS: all kept, all there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from loadtests.report import page
from loadtests.scenario import read_scenario, shipped
from loadtests.target import Target
from loadtests.trial import Trial
from loadtests.verdict import GeneratorLimits, Judgement, Objectives
from tests.http.system import System
from tests.simulator.browser import needs_chromium, opened
from tests.simulator.test_report import read

PATIENT = Objectives(generator=GeneratorLimits(lag_p99=60.0, cpu=64.0))
"""Nothing is promised of time: the machine of a test may do anything else besides."""
AT_ONCE = 3
PEAK, SECONDS, SEED = 40.0, 1.0, 7

Run = tuple[dict[str, Any], Judgement]


@pytest_asyncio.fixture(scope="module")
async def runs(system: System, address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All scenarios, each in a tenant of its own, some at once."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def run(name: str) -> Run:
        client = await system.tenant(catalogue=True)
        scenario = msgspec.structs.replace(read_scenario(name), peak=PEAK, seconds=SECONDS)
        trial = Trial(scenario, PATIENT, tmp_path_factory.mktemp(name), seed=SEED)
        async with turn:
            findings, verdict = await trial.run(Target(address, client.key, client.secret), lambda _: None)
        return json.loads(msgspec.json.encode(findings)), verdict.judgement

    names = shipped()
    return dict(zip(names, await asyncio.gather(*map(run, names)), strict=True))


@pytest.mark.parametrize("name", shipped())
async def test_every_scenario_keeps_its_word_and_everything_is_there(name: str, runs: dict[str, Run]) -> None:
    findings, judgement = runs[name]
    requests, checked = findings["requests"], findings["reconciliation"]
    assert judgement is Judgement.PASSED, findings["verdict"]
    assert requests["due"] == requests["done"] > 0
    assert checked["acknowledged"] == checked["stored"] == requests["statements_due"] > 0
    assert checked["by_digest"]
    assert checked["statements_read"] > 0
    assert checked["learners_read"] > 0
    assert checked["foreign"] == 0
    for clocks in findings["latency"].values():
        assert clocks["intended"]["count"] <= clocks["service"]["count"]
        assert clocks["intended"]["mean"] > 0


@pytest.mark.parametrize("name", shipped())
def test_the_report_is_one_page_that_needs_nothing_else(name: str, runs: dict[str, Run]) -> None:
    findings, _ = runs[name]
    html = page(findings)
    assert read(html).count("svg") >= 3
    assert "passed" in html


@pytest.mark.browser
@needs_chromium
def test_the_reports_open_in_a_browser(runs: dict[str, Run], tmp_path: Path) -> None:
    seen = opened({name: page(findings) for name, (findings, _) in runs.items()}, tmp_path)
    for name, (findings, _) in runs.items():
        assert findings["scenario"]["title"] in seen[name]["heading"]
        assert seen[name]["drawn"] >= 2
        assert seen[name]["hangs_out"] == 0
