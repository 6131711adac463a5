"""The command line: `simulator run`, `sweep`, `compare`, `emit`, and what shows the simulator's own
soundness.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from simulator import calibrating, comparison, report, sweeps, validation
from simulator.answers import answers
from simulator.calibration import load_calibration
from simulator.emission import Emission, emit_http, emit_kafka, emit_ndjson
from simulator.marginals import marginals
from simulator.measurement import measured, read_measured
from simulator.scenario import Scenario, ScenarioError, load, shipped
from simulator.study import study
from simulator.theory import QUEUES, against_theory

CORES = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)

settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change a parameter; may be repeated.",
)
calibration_option = click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    default=None,
    help="Service times: a file, or the name of one that comes with the package; else they are assumed.",
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Files are OUT.html and OUT.json."
)
shards_option = click.option(
    "--shards", default=CORES, show_default=True, help="Threads; they change no figure."
)


@click.group(context_settings={"max_content_width": 110})
def main() -> None:
    """Two crore learners and the record store that serves them, simulated."""


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except ScenarioError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _bars() -> Iterator[Callable[[str, float], None]]:
    """Live progress bars, one for each thing that is under way."""
    columns = (TextColumn("{task.description:>20}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=1.0)
            progress.update(tasks[what], completed=share)

        yield tell


def write(out: Path, data: dict[str, Any], html: str) -> None:
    """Write OUT.json and OUT.html."""
    out.parent.mkdir(parents=True, exist_ok=True)
    json_file, html_file = out.with_name(out.name + ".json"), out.with_name(out.name + ".html")
    json_file.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    html_file.write_text(html, encoding="utf-8")
    click.echo(f"{html_file}\n{json_file}")


@main.command("run")
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
    with _errors():
        scenario, times = load(scenarios, settings), load_calibration(calibration)
        began = time.perf_counter()
        with _bars() as tell:
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


@main.command("sweep")
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
    with _errors():
        scenario, times = load(scenarios, settings), load_calibration(calibration)
        with _bars() as tell:
            if retry_map:
                data = sweeps.retry_map(scenario, times, seed=seed, thin=thin, shards=shards, progress=tell)
            else:
                axes = sweeps.axes(scenario, over)
                data = sweeps.sweep(scenario, times, axes, seed=seed, thin=thin, shards=shards, progress=tell)
    write(out or Path(f"sweep-{scenario.name}"), data, sweeps.page(data))


@main.command("compare")
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


@main.command("calibrate")
@click.option(
    "--from",
    "reports",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Fit to this load test's JSON instead of running any; may be repeated.",
)
@click.option(
    "--seconds", default=15.0, show_default=True, type=click.FloatRange(1), help="Length of each run."
)
@click.option(
    "--tries",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="A run that others disturb is repeated; at most so many times in all.",
)
@click.option(
    "--within",
    default=Path("data"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the fresh data directory is made; the disk matters.",
)
@click.option(
    "--keep",
    default=None,
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the load tests' JSON here.",
)
@click.option(
    "--unseen",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Rounds in which other loads run in between, --kept for `validate`: the fit does not see them.",
)
@click.option("--out", default=Path("calibration.toml"), show_default=True, type=click.Path(path_type=Path))
def calibrate_command(
    reports: tuple[Path, ...],
    seconds: float,
    tries: int,
    within: Path,
    keep: Path | None,
    unseen: int,
    out: Path,
) -> None:
    """Fit service times to load tests on a record store that is started for it, or to their reports."""
    if unseen and (keep is None or reports):
        raise click.UsageError("--unseen needs --keep, and loads that are run")
    with _errors():
        if reports:
            runs = [read_measured(path) for path in reports]
        else:
            found = calibrating.run_loads(
                within, calibrating.turns(unseen), seconds, tries, lambda text: click.echo(text, err=True)
            )
            if keep is not None:
                calibrating.keep(found, keep)
            runs = [measured(findings, load.name) for load, findings in found if load in calibrating.LOADS]
        text, fitted = calibrating.calibrate(runs, within)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    with _errors():
        load_calibration(out)
    for name, value in fitted.seconds.items():
        unit = f"{value:10.4f} cores" if name.endswith("standing") else f"{1e6 * value:10.1f} us"
        click.echo(f"{name:28} {unit}")
    click.echo(str(out))


@main.command("validate")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@settings_option
@calibration_option
@out_option
@click.option("--seeds", type=click.IntRange(1, 100), default=validation.SEEDS, show_default=True)
@click.option(
    "--own-cost",
    is_flag=True,
    help="Scale processor time to the run's own: what is left is the model's error.",
)
def validate_command(
    runs: tuple[Path, ...],
    settings: tuple[str, ...],
    calibration: Path | None,
    out: Path | None,
    seeds: int,
    own_cost: bool,
) -> None:
    """Prediction beside measurement for RUNS, JSON files of load tests whose system had cores of its own.

    The requests are replayed at their due times through the model; --set says how the system was set up,
    where it was not `lrs up` as installed.
    """
    with _errors():
        times = load_calibration(calibration)
        found = [
            validation.validate(read_measured(path), times, seeds=seeds, settings=settings, own_cost=own_cost)
            for path in runs
        ]
    data = validation.together(found)
    Console(width=None if Console().is_terminal else 150).print(validation.console_table(data))
    write(out or Path("validation"), data, validation.page(data))


@main.command("emit")
@click.argument("scenarios", nargs=-1, required=True)
@settings_option
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--limit", type=click.IntRange(1), default=None, help="So many statements at most.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="NDJSON goes here, not to stdout.")
@click.option("--url", default=None, help="Post to this xAPI endpoint, such as http://127.0.0.1:8080/xapi.")
@click.option("--auth", default=None, metavar="KEY:SECRET", help="Basic credentials for --url.")
@click.option("--to", default=None, help="Produce to an intake's topic on kafka://host:port.")
@click.option("--topic", default="xapi.inbox", show_default=True, help="That topic.")
@click.option(
    "--speed",
    type=click.FloatRange(0),
    default=0.0,
    help="Times the scenario's own pace; 0: as fast as possible.",
)
@click.option("--connections", type=click.IntRange(1, 256), default=8, show_default=True)
def emit_command(
    scenarios: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    limit: int | None,
    out: Path | None,
    url: str | None,
    auth: str | None,
    to: str | None,
    topic: str,
    speed: float,
    connections: int,
) -> None:
    """Write the statements of SCENARIOS' window, in the order and in the requests in which clients send
    them.
    """
    with _errors():
        if sum(where is not None for where in (out, url, to)) > 1:
            raise click.UsageError("--out, --url and --to exclude each other")
        emission = Emission(load(scenarios, settings), seed, limit)
        with _bars() as tell:
            if to is not None:
                done = emit_kafka(emission, to, topic, speed, tell)
            elif url is not None:
                done = emit_http(emission, url, auth, speed, connections, tell)
            else:
                done = emit_ndjson(emission, out, speed, tell)
    click.echo(json.dumps(done), err=True)
    if done["failed_statements"]:
        raise SystemExit(1)


@main.command("scenarios")
def scenarios_command() -> None:
    """The scenarios that come with the package."""
    table = Table()
    for name in ("name", "title", "question"):
        table.add_column(name)
    for name in shipped():
        scenario: Scenario = load([name])
        table.add_row(name, scenario.title, scenario.question)
    Console().print(table)


@main.command("marginals")
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


@main.command("theory")
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


if __name__ == "__main__":
    main()
