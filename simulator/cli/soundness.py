"""`simulator scenarios`, `marginals`, `theory` and `warm`: the simulator itself."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from simulator.cli.command import CORES
from simulator.marginals import marginals
from simulator.scenario import Scenario, load, shipped
from simulator.theory import QUEUES, against_theory
from simulator.warming import warm


@click.command("scenarios")
def scenarios_command() -> None:
    """The scenarios that come with the package."""
    table = Table()
    for name in ("name", "title", "question"):
        table.add_column(name)
    for name in shipped():
        scenario: Scenario = load([name])
        table.add_row(name, scenario.title, scenario.question)
    Console().print(table)


@click.command("marginals")
@click.option("--learners", type=click.IntRange(1000), default=400_000, show_default=True)
def marginals_command(learners: int) -> None:
    """Published figures beside what the simulated population gives."""
    table = Table()
    for name in ("scenario", "figure", "numerator", "denominator", "published", "simulated", "off by"):
        table.add_column(name)
    for m in marginals(learners=learners, shards=CORES):
        figures = (f"{m.published:.4f}", f"{m.simulated:.4f}", f"{100 * m.error:+.2f} %")
        table.add_row(m.scenario, m.name, m.numerator, m.denominator, *figures)
    Console().print(table)


@click.command("theory")
@click.option("--requests", type=click.IntRange(1000), default=4_000_000, show_default=True)
def theory_command(requests: int) -> None:
    """Closed forms of queueing theory beside what the engine gives, with 99 % confidence intervals."""
    table = Table()
    for name in ("queue", "load", "theory ms", "simulated ms", "off by"):
        table.add_column(name)
    for c in (against_theory(name, requests) for name in QUEUES):
        simulated = f"{1000 * c.simulated_s:.3f} ± {1000 * c.half_width_s:.3f}"
        table.add_row(
            c.name, f"{c.load:.2f}", f"{1000 * c.theory_s:.3f}", simulated, f"{100 * c.error:+.2f} %"
        )
    Console().print(table)


@click.command("warm")
def warm_command() -> None:
    """Compile everything now, and not when it is first used."""
    warm()
