"""`simulator run`, `sweep` and `compare`: what a system would carry."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from simulator import comparison, report, sweeps
from simulator.answers import answers
from simulator.calibration import load_calibration
from simulator.cli.command import (
    bars,
    calibration_option,
    errors,
    out_option,
    settings_option,
    shards_option,
    write,
)
from simulator.scenario import load
from simulator.study import study


@click.command("run")
@click.argument("scenarios", nargs=-1, required=True)
@settings_option
@calibration_option
@out_option
@shards_option
@click.option("--seeds", type=click.IntRange(1, 1000), default=3, show_default=True, help="How many seeds.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The first seed.")
@click.option("--thin", type=click.IntRange(1), default=None, help="Simulate one learner in THIN.")
@click.option("--full", is_flag=True, help="20 seeds, all learners.")
@click.option("--sizing/--no-sizing", default=True, help="Search for headroom and the smallest installation.")
def run_command(
    scenarios: tuple[str, ...],
    settings: tuple[str, ...],
    calibration: Path | None,
    out: Path | None,
    shards: int,
    seeds: int,
    seed: int,
    thin: int | None,
    full: bool,
    sizing: bool,
) -> None:
    """Run SCENARIOS, laid one over the other (shipped names or .toml files), and report.

    Exit code 0 when the promises are kept, 1 when one is broken.
    """
    with errors():
        scenario, times = load(scenarios, settings), load_calibration(calibration)
        began = time.perf_counter()
        with bars() as tell:
            done = study(
                scenario,
                times,
                seeds=20 if full else seeds,
                first_seed=seed,
                thin=1 if full else thin,
                shards=shards,
                sizing=sizing,
                progress=tell,
            )
        data = answers(done)
    _summary(data, time.perf_counter() - began)
    write(out or Path(f"simulation-{scenario.name}"), data, report.page(data))
    if not all(row["kept"] for row in data["verdict"]):
        raise SystemExit(1)


def _summary(data: dict[str, Any], elapsed: float) -> None:
    console = Console()
    if not data["calibration"]["measured"]:
        console.print(f"[yellow]Service times are {data['calibration']['statement']}.[/yellow]")
    table = Table(title=data["scenario"]["title"])
    for name in ("", "p50", "p99", "p99.9"):
        table.add_column(name, justify="right" if name else "left")
    for name, row in data["latency_s"].items():
        table.add_row(name, *(report.seconds(row[q]["value"]) for q in ("p50", "p99", "p99.9")))
    console.print(table)
    for row in data["verdict"]:
        mark = "[green]kept[/green]" if row["kept"] else "[red]broken[/red]"
        console.print(f"{mark}  {row['name']}: {row['value']} (limit {row['limit']})")
    console.print(f"{data['arrivals']['statements']:,} statements a seed; {elapsed:.1f} s")


@click.command("sweep")
@click.argument("scenarios", nargs=-1, required=True)
@click.option(
    "--over",
    multiple=True,
    metavar="SECTION.KEY=V1,V2,...",
    help="A parameter and its values; may be repeated.",
)
@click.option(
    "--map", "retry_map", is_flag=True, help="Load x trigger x retry policy: which do not come back?"
)
@settings_option
@calibration_option
@out_option
@shards_option
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--thin", type=click.IntRange(1), default=None, help="Simulate one learner in THIN.")
def sweep_command(
    scenarios: tuple[str, ...],
    over: tuple[str, ...],
    retry_map: bool,
    settings: tuple[str, ...],
    calibration: Path | None,
    out: Path | None,
    shards: int,
    seed: int,
    thin: int | None,
) -> None:
    """What if? Run SCENARIOS for every combination of values on the same arrivals; finds the knee of a load
    curve.
    """
    with errors():
        scenario, times = load(scenarios, settings), load_calibration(calibration)
        with bars() as tell:
            if retry_map:
                data = sweeps.retry_map(scenario, times, seed=seed, thin=thin, shards=shards, progress=tell)
            else:
                axes = sweeps.axes(scenario, over)
                data = sweeps.sweep(scenario, times, axes, seed=seed, thin=thin, shards=shards, progress=tell)
    write(out or Path(f"sweep-{scenario.name}"), data, sweeps.page(data))


@click.command("compare")
@click.argument("first", type=click.Path(exists=True, path_type=Path))
@click.argument("second", type=click.Path(exists=True, path_type=Path))
@out_option
def compare_command(first: Path, second: Path, out: Path | None) -> None:
    """Two runs (their JSON files) side by side: parameters that differ, figures and their ratios."""
    try:
        data = comparison.compare(
            json.loads(first.read_text(encoding="utf-8")), json.loads(second.read_text(encoding="utf-8"))
        )
    except (ValueError, KeyError) as error:
        raise click.ClickException(f"{first}, {second}: not the JSON of two runs: {error}") from None
    write(out or Path(f"compare-{first.stem}-{second.stem}"), data, comparison.page(data))
