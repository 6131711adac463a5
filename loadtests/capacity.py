"""`python -m loadtests.capacity SCENARIO --peak 0.7`: from the simulator's scenario to a verdict on this
machine.

The scenario is simulated at its own size. Then the same clients (sizes of requests, reads for each,
compression) come to a real `lrs up` on this machine, along the same curve, compressed to minutes and
scaled so that its peak is a share of what this machine carries, which is measured first. The run is judged
and reconciled as every load test, and set beside what the simulator predicts for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np
from rich.console import Console

from benchmarks.path.system import SystemFailed
from loadtests import capacity_report
from loadtests.command import end_in_order, report_option, within_option, written
from loadtests.pinning import Cores
from loadtests.scenario import Curve, LoadError, RequestKind, Scenario
from loadtests.series import fresh_system, run
from loadtests.target import Target
from loadtests.verdict import Judgement, Objectives, read_objectives
from simulator import validation
from simulator.answers import answers
from simulator.arrivals import arrivals
from simulator.calibration import load_calibration
from simulator.measurement import Measured, measured
from simulator.scenario import Scenario as Simulated
from simulator.scenario import ScenarioError
from simulator.scenario import load as load_simulated
from simulator.study import Study, study
from simulator.word import statements_of

SIZES: Final = 20
"""Different sizes of requests, nearly; neighbouring sizes are put together under their mean."""
MIX_LEARNERS: Final = 100_000
"""Learners of whom the sizes are counted."""
PROBE_RATE: Final = 400.0
"""Statements a second for each core of the system, at which utilisation is looked at first."""
BEYOND: Final = 1.6
"""The flood by which capacity is measured, relative to what the probe lets expect."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Mix:
    """Who comes: the kinds of request, and statements in a request of them all, reads included."""

    kinds: list[RequestKind]
    statements: float


@dataclass(frozen=True)
class Capacity:
    """What the machine carried of a mix: statements a second, from the first due until the last scored,
    while more came than that.
    """

    statements_per_s: float
    statements: int
    seconds: float
    offered_per_s: float
    cores: int
    foreign: float


def mix_of(simulated: Simulated, seed: int = 1) -> Mix:
    """The requests of a simulated scenario's window, by size."""
    few = simulated.but(population__learners=min(simulated.population.learners, MIX_LEARNERS))
    words = arrivals(few, seed).words
    sizes = np.sort(statements_of(words).astype(np.int64))
    if not len(sizes):
        raise LoadError(f"{simulated.name}: nobody comes in its window")
    values, counts = np.unique(sizes, return_counts=True)
    groups: dict[int, list[int]] = {}
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        groups.setdefault(_group(value), []).extend([value] * count)
    batch = simulated.client.web_batch
    kinds: dict[int, int] = {}
    for members in groups.values():
        size = max(1, round(float(np.mean(members))))
        kinds[size] = kinds.get(size, 0) + len(members)
    total = sum(kinds.values())
    found = [RequestKind("send", n / total, size, 1, size > batch) for size, n in sorted(kinds.items())]
    if simulated.client.reads > 0:
        found.append(RequestKind("progress", simulated.client.reads))
    statements = sum(kind.weight * kind.statements for kind in found if kind.kind == "send")
    return Mix(found, statements / sum(kind.weight for kind in found))


def _group(size: int) -> int:
    """Sizes of one group are within an eighth of each other; there are SIZES groups up to 255."""
    return round(np.log(size) / np.log(256) * (SIZES - 1))


async def measure_capacity(target: Target, mix: Mix, seconds: float, tell: Tell) -> Capacity:
    """Flood the system for so many seconds, and see how fast it gets through."""
    cores = max(1, len(target.cores))
    await _flat(target, mix, PROBE_RATE / 4, min(seconds, 8.0))
    probe = await _flat(target, mix, PROBE_RATE * cores, min(seconds, 10.0))
    expected = float(probe.statements.sum()) / probe.seconds / max(probe.utilisation + probe.foreign, 0.02)
    tell(f"the probe lets expect {expected:,.0f} statements/s; now {BEYOND:g} times as many")
    flood = await _flat(target, mix, BEYOND * expected, seconds)
    drained = flood.report["reconciliation"]["drained"]
    if drained is None:
        raise LoadError("the flood was not scored in time")
    took = flood.seconds + max(0.0, float(flood.meter["after_end_s"])) + float(drained)
    accepted = int(flood.count("lrs_statements_accepted_total"))
    return Capacity(accepted / took, accepted, took, BEYOND * expected, cores, flood.foreign)


async def _flat(target: Target, mix: Mix, statements_per_s: float, seconds: float) -> Measured:
    rate = statements_per_s / mix.statements
    curve = Curve(points=[(0.0, 1.0), (1.0, 1.0)])
    scenario = Scenario("Flat", "What does it carry?", rate, seconds, curve, mix.kinds, connections=1000)
    findings, verdict = await run(target, scenario, lambda _: None)
    if verdict.wrong:
        raise LoadError(f"at {statements_per_s:,.0f} statements/s: {verdict.wrong[0]}")
    return measured(findings, scenario.title)


@dataclass(frozen=True)
class Order:
    """What is asked for."""

    scenario: str
    settings: tuple[str, ...]
    peak: float
    seconds: float
    capacity_seconds: float
    calibration: Path | None
    objectives: Objectives
    within: Path
    seed: int | None = None

    async def carry_out(self, tell: Tell) -> tuple[dict[str, Any], Judgement]:
        """Everything, on a fresh system with cores of its own, in one record.

        Raises LoadError, ScenarioError, SystemFailed.
        """
        simulated = load_simulated([self.scenario], self.settings)
        times = load_calibration(self.calibration)
        tell(f"simulating {simulated.title} at its own size")
        plan = await asyncio.to_thread(study, simulated, times, seeds=1, sizing=False)
        async with fresh_system(self.within, Cores.apart()) as target:
            return await self.carry_out_on(target, plan, tell)

    async def carry_out_on(self, target: Target, plan: Study, tell: Tell) -> tuple[dict[str, Any], Judgement]:
        """The same with a plan that was simulated, on a system that runs."""
        simulated = plan.scenario
        mix = await asyncio.to_thread(mix_of, simulated)
        tell("measuring what this machine carries of it")
        capacity = await measure_capacity(target, mix, self.capacity_seconds, tell)
        tell(f"it carries {capacity.statements_per_s:,.0f} statements/s; now {self.peak:g} of that")
        scenario = self.scaled(simulated, mix, capacity)
        objectives = self.objectives if self.peak <= 1 else Objectives(generator=self.objectives.generator)
        findings, verdict = await run(target, scenario, tell, objectives=objectives, seed=self.seed)
        tell("predicting the same run")
        settings = [s for s in self.settings if s.startswith("system.")]
        told = measured(findings, scenario.title)
        compared = await asyncio.to_thread(validation.validate, told, plan.calibration, settings=settings)
        record = {
            "kind": "capacity",
            "peak": self.peak,
            "simulated": answers(plan),
            "capacity": msgspec.to_builtins(capacity),
            "scaling": self.scaling(plan.peak_per_s, simulated, scenario, mix, capacity),
            "validation": compared,
            "load_test": findings,
        }
        return record, verdict.judgement

    def scaled(self, simulated: Simulated, mix: Mix, capacity: Capacity) -> Scenario:
        """The load test: the simulated curve and clients at the ordered share of what the machine carries."""
        return Scenario(
            f"{simulated.title}, peak {self.peak:g} of this machine",
            simulated.question,
            self.peak * capacity.statements_per_s / mix.statements,
            self.seconds,
            Curve(
                simulator=[self.scenario],
                set=[s for s in self.settings if not s.startswith("population.learners=")],
            ),
            mix.kinds,
            connections=1000,
        )

    def scaling(
        self, peak_per_s: float, simulated: Simulated, scenario: Scenario, mix: Mix, capacity: Capacity
    ) -> dict[str, float]:
        """What was changed of the scenario, in figures."""
        tested = self.peak * capacity.statements_per_s
        return {
            "simulated_peak_per_s": peak_per_s,
            "tested_peak_per_s": tested,
            "peak_factor": tested / peak_per_s if peak_per_s else 0.0,
            "simulated_s": simulated.run.hours * 3600.0,
            "tested_s": scenario.seconds,
            "compression": simulated.run.hours * 3600.0 / scenario.seconds,
            "statements_a_request": mix.statements,
            "sizes": float(len(mix.kinds)),
            "reads_a_request": simulated.client.reads,
        }


@click.command()
@click.argument("scenario")
@click.option(
    "--peak",
    type=click.FloatRange(0, min_open=True),
    default=0.7,
    show_default=True,
    help="The peak, as a share of what this machine carries; above 1 it is overloaded, and must drain.",
)
@click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Change the scenario.")
@click.option("--seconds", default=120.0, show_default=True, help="The window is compressed to this.")
@click.option(
    "--capacity-seconds", default=15.0, show_default=True, help="For how long capacity is measured."
)
@click.option(
    "--calibration", type=click.Path(path_type=Path), help="Service times, as in the simulator's commands."
)
@click.option("--slo", type=click.Path(path_type=Path), help="What must be kept (TOML) at a peak up to 1.")
@click.option("--seed", type=int, help="Repeats a plan.")
@within_option
@report_option
def main(
    scenario: str,
    peak: float,
    settings: tuple[str, ...],
    seconds: float,
    capacity_seconds: float,
    calibration: Path | None,
    slo: Path | None,
    seed: int | None,
    within: Path,
    report: Path | None,
) -> None:
    """Simulate SCENARIO (of the simulator), scale it to this machine, run it, judge, reconcile, compare.

    Exit status as of a load test: 0 passed, 1 failed, 3 no figure.
    """
    end_in_order()
    console = Console()
    try:
        objectives = read_objectives(slo) if slo else read_objectives()
        order = Order(
            scenario, settings, peak, seconds, capacity_seconds, calibration, objectives, within, seed
        )
        record, judgement = asyncio.run(order.carry_out(lambda text: console.print(text, markup=False)))
    except (LoadError, ScenarioError, SystemFailed, OSError) as error:
        raise click.ClickException(str(error)) from None
    file, figures = written(report, f"capacity-{Path(scenario).stem}", capacity_report.page(record), record)
    console.print(validation.console_table(validation.together([record["validation"]])))
    name = judgement.name.lower().replace("_", " ")
    console.print(f"{name}; written to {file} and {figures}")
    raise SystemExit(judgement)


if __name__ == "__main__":
    main()
