"""`python -m tests.crash`: faults at seeded random moments under load, many times."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.crash.fault import ON_KAFKA
from tests.crash.run import Report, crash
from tests.crash.system import LOG
from tests.kafka.broker import Broker, broker_in

REPORTS = Path("reports")

EACH = 10
"""Faults between two lines where there is no terminal for a progress bar."""


@click.command()
@click.option("--faults", default=200, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Of all that is random.")
@click.option("--log", type=click.Choice(["postgresql", "kafka"]), default="postgresql", show_default=True)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(ON_KAFKA)), help="Only these faults.")
@click.option("--static", is_flag=True, help="Workers are static members of their group (Kafka).")
def main(faults: int, seed: int, log: str, kinds: tuple[str, ...], *, static: bool) -> None:
    """Kill, stop, restart and cut off what makes an LRS, and look for what was lost."""
    settings = {"LRS_KAFKA_INSTANCE": "crash"} if static else {}
    with tempfile.TemporaryDirectory(prefix="lrs-crash-") as directory, Progress() as bar:
        task = bar.add_task("faults", total=faults)

        def progress(report: Report) -> None:
            done = sum(report.faults.values())
            bar.update(task, completed=done)
            if not bar.console.is_terminal and done % EACH == 0:
                click.echo(f"{done} faults, {report.acknowledged} statements acknowledged, nothing lost")

        def run(broker: Broker | None) -> Report:
            where = Path(directory)
            try:
                return asyncio.run(
                    crash(where, faults, seed, progress, broker=broker, kinds=kinds, settings=settings)
                )
            except BaseException:
                REPORTS.mkdir(exist_ok=True)
                kept = REPORTS / f"crash-{log}-{seed}.log"
                shutil.copyfile(where / LOG, kept)
                click.echo(f"what the processes printed is in {kept}")
                raise

        if log == "kafka":
            with broker_in(Path(directory) / "kafka") as broker:
                report = run(broker)
        else:
            report = run(None)
    show(report)


def show(report: Report) -> None:
    """Print what a run came to."""
    table = Table("seconds until everything went on", *("faults", "median", "p95", "max"))
    every = [each for seconds in report.taken_over.values() for each in seconds]
    for kind, seconds in {**report.taken_over, "all": every}.items():
        if seconds:
            figures = (statistics.median(seconds), _p95(seconds), max(seconds))
            table.add_row(kind, str(len(seconds)), *(f"{figure:.1f}" for figure in figures))
    Console().print(table)
    for became, times in report.zombies.items():
        click.echo(f"of the workers that woke up too late, {times}: {became}")
    click.echo(f"acknowledged {report.acknowledged} statements, {report.unanswered} stayed unanswered")
    click.echo("lost 0, double 0, no batch by half, derived state equal to its recomputation")


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[18] if len(seconds) > 1 else seconds[0]


if __name__ == "__main__":
    main()
