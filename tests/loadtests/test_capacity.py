"""From a simulated scenario to a verdict, tiny, against a real LRS."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil
import pytest

from benchmarks.path.system import use_of
from loadtests.capacity import Order, mix_of
from loadtests.capacity_report import page
from loadtests.pinning import Cores, bound
from loadtests.scenario import LoadError
from loadtests.target import Target
from loadtests.verdict import GeneratorLimits, Judgement, Objectives
from lrs.metrics.endpoint import Endpoint
from lrs.metrics.readiness import Readiness
from simulator.arrivals import arrivals
from simulator.calibration import load_calibration
from simulator.scenario import load
from simulator.study import study
from simulator.word import statements_of
from tests.http.system import System
from tests.simulator.test_report import read

TINY = ("population.learners=3000", "run.hours=0.1", 'run.begin="20:00"')
PATIENT = Objectives(generator=GeneratorLimits(lag_p99=60.0, cpu=64.0))


async def test_a_scenario_is_scaled_to_what_the_machine_carries_run_judged_and_predicted(
    system: System, target: Target, tmp_path: Path
) -> None:
    here = psutil.Process()
    order = Order("deadline-day", TINY, 0.5, 2.0, 1.0, None, PATIENT, tmp_path, seed=3)
    plan = study(load(["deadline-day"], TINY), load_calibration(), seeds=1, sizing=False)
    async with Endpoint(system.registry, Readiness(()), "127.0.0.1", 0) as endpoint:
        watched = replace(
            target,
            metrics=[f"http://127.0.0.1:{endpoint.port}/metrics"],
            uses=lambda: {"edge": use_of([here], pss=False)},
            cores=(min(os.sched_getaffinity(0)),),
        )
        record, judgement = await order.carry_out_on(watched, plan, lambda _: None)
    assert judgement is Judgement.PASSED, record["load_test"]["verdict"]
    capacity, scaling, test = record["capacity"], record["scaling"], record["load_test"]
    assert capacity["statements"] > 0
    assert scaling["tested_peak_per_s"] == pytest.approx(0.5 * capacity["statements_per_s"])
    assert scaling["compression"] == pytest.approx(180.0)
    checked = test["reconciliation"]
    assert checked["acknowledged"] == checked["stored"] == test["requests"]["statements_due"] > 0
    rows = {row["name"]: row for row in record["validation"]["rows"]}
    assert rows["acknowledged p95"]["predicted"] > 0
    assert rows["acknowledged p95"]["measured"] > 0
    assert rows["utilisation"]["measured"] > 0
    html = page(json.loads(msgspec.json.encode(record)))
    assert read(html).count("svg") >= 4
    assert "What this machine was given of it" in html


def test_the_mix_has_the_statements_of_the_simulated_clients() -> None:
    scenario = load(["deadline-day"], ("population.learners=20000", "run.hours=1"))
    mix = mix_of(scenario)
    sends = [kind for kind in mix.kinds if kind.kind == "send"]
    words = arrivals(scenario, 1).words
    mean = float(statements_of(words).mean())
    assert sum(kind.weight * kind.statements for kind in sends) == pytest.approx(mean, rel=0.05)
    assert [kind.weight for kind in mix.kinds if kind.kind == "progress"] == [scenario.client.reads]
    assert all(kind.gzip == (kind.statements > scenario.client.web_batch) for kind in sends)
    assert len(sends) == len({kind.statements for kind in sends}) <= 24


def test_a_window_in_which_nobody_comes_is_told() -> None:
    with pytest.raises(LoadError, match="nobody comes"):
        mix_of(load(["weekday"], ("population.learners=1", "run.hours=0.01", 'run.begin="03:00"')))


def test_system_and_generator_have_cores_of_their_own_or_there_is_no_figure() -> None:
    all_cores = os.sched_getaffinity(0)
    if len(all_cores) > 1:
        apart = Cores.apart()
        assert {*apart.system, *apart.generator} == all_cores
        assert not {*apart.system} & {*apart.generator}
    with bound((min(all_cores),)), pytest.raises(LoadError, match="a core each"):
        Cores.apart()
    assert os.sched_getaffinity(0) == all_cores
