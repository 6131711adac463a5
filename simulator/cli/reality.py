"""`simulator calibrate` and `validate`: what a real system takes, and what was predicted of it."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from simulator import calibrating, validation
from simulator.calibration import load_calibration
from simulator.cli.command import calibration_option, errors, out_option, settings_option, write
from simulator.measurement import measured, read_measured


@click.command("calibrate")
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
    with errors():
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
    with errors():
        load_calibration(out)
    for name, value in fitted.seconds.items():
        unit = f"{value:10.4f} cores" if name.endswith("standing") else f"{1e6 * value:10.1f} us"
        click.echo(f"{name:28} {unit}")
    click.echo(str(out))


@click.command("validate")
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
    with errors():
        times = load_calibration(calibration)
        found = [
            validation.validate(read_measured(path), times, seeds=seeds, settings=settings, own_cost=own_cost)
            for path in runs
        ]
    data = validation.together(found)
    Console(width=None if Console().is_terminal else 150).print(validation.console_table(data))
    write(out or Path("validation"), data, validation.page(data))
