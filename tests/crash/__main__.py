"""`python -m tests.crash`: kill -9 at seeded random moments under load, many times."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path

import click
from rich.progress import Progress

from tests.crash.run import Report, crash

EACH = 10
"""Faults between two lines where there is no terminal for a progress bar."""


@click.command()
@click.option("--faults", default=200, show_default=True, help="How often to kill.")
@click.option("--seed", default=1, show_default=True, help="Of all that is random.")
def main(faults: int, seed: int) -> None:
    """Kill edge, persist, score, PostgreSQL and everything at once, and look for what was lost."""
    with tempfile.TemporaryDirectory(prefix="lrs-crash-") as directory, Progress() as bar:
        task = bar.add_task("faults", total=faults)

        def progress(report: Report) -> None:
            done = sum(report.faults.values())
            bar.update(task, completed=done)
            if not bar.console.is_terminal and done % EACH == 0:
                click.echo(f"{done} faults, {report.acknowledged} statements acknowledged, nothing lost")

        report = asyncio.run(crash(Path(directory), faults, seed, progress))
    killed = ", ".join(f"{victim} {count}" for victim, count in report.faults.items())
    click.echo(f"killed: {killed}")
    click.echo(f"acknowledged {report.acknowledged} statements, {report.unanswered} stayed unanswered")
    click.echo("lost 0, double 0, no batch by half, derived state equal to its recomputation")
    quantiles = statistics.quantiles(report.recoveries, n=20)
    click.echo(f"ready again after a kill: median {quantiles[9]:.1f} s, p95 {quantiles[18]:.1f} s")


if __name__ == "__main__":
    main()
