"""`python -m loadtests SCENARIO`: run a load test, reconcile, judge, report."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.path.system import SystemFailed, running
from loadtests.command import end_in_order, report_option, within_option, written
from loadtests.pinning import Cores
from loadtests.report import page
from loadtests.scenario import LoadError, read_scenario, shipped
from loadtests.series import fresh_system
from loadtests.target import Inbox, Target
from loadtests.trial import Findings, Trial
from loadtests.verdict import SLO, Judgement, Verdict, read_objectives
from lrs.scoring.catalogue_file import read_catalogue

PAGE = 150
"""Width of the tables in a file or a pipe."""

COLOURS = {Judgement.PASSED: "green", Judgement.FAILED: "red", Judgement.NO_FIGURE: "yellow"}


@click.command(epilog=f"Scenarios: {', '.join(shipped())}.")
@click.argument("scenario")
@click.option("--peak", type=float, help="Requests a second where the curve is highest.")
@click.option("--seconds", type=float, help="Length of the run; the curve is compressed to it.")
@click.option("--processes", type=click.IntRange(1, 64), default=1, help="Generator processes.")
@click.option("--seed", type=int, help="Repeats a plan; by default each run has its own.")
@click.option("--slo", type=click.Path(path_type=Path), default=SLO, help="What must be kept (TOML).")
@click.option(
    "--host", help="Address of a running LRS (default: an `lrs up` of its own, in a fresh directory)."
)
@click.option("--key", envvar="LRS_ADMIN_KEY", help="Key of a credential of that LRS.")
@click.option("--secret", envvar="LRS_ADMIN_SECRET", help="Its secret.")
@click.option(
    "--metrics", multiple=True, help="Address of a metrics port of that LRS; may stand several times."
)
@click.option(
    "--apart",
    is_flag=True,
    help="The LRS of its own and the generator have cores of their own, as calibration needs.",
)
@click.option("--to", help="Statements go to its intake: kafka://host:port, several with commas between.")
@click.option(
    "--inbox", envvar="LRS_KAFKA_INBOX", default="xapi.inbox", show_default=True, help="The intake's topic."
)
@click.option(
    "--rejected",
    envvar="LRS_KAFKA_REJECTED",
    default="xapi.rejected",
    show_default=True,
    help="The topic of what it refuses.",
)
@click.option("--catalogue", type=click.Path(path_type=Path), help="Catalogue in force at that LRS.")
@within_option
@report_option
def main(
    scenario: str,
    peak: float | None,
    seconds: float | None,
    processes: int,
    seed: int | None,
    slo: Path,
    host: str | None,
    key: str | None,
    secret: str | None,
    metrics: tuple[str, ...],
    apart: bool,
    to: str | None,
    inbox: str,
    rejected: str,
    catalogue: Path | None,
    within: Path,
    report: Path | None,
) -> None:
    """Run the load test SCENARIO (a name, or a TOML file).

    Exit status: 0 passed, 1 failed, 3 no figure to claim (the generator was the bottleneck).
    """
    end_in_order()
    console = Console() if Console().is_terminal else Console(width=PAGE)
    if apart and host:
        raise click.UsageError("--apart is for an LRS of the test's own, not for --host")
    target = Target(host.rstrip("/"), key or "", secret or "", metrics) if host else None
    try:
        chosen = read_scenario(scenario)
        chosen = msgspec.structs.replace(chosen, peak=peak or chosen.peak, seconds=seconds or chosen.seconds)
        taught = read_catalogue(catalogue.read_text("utf-8"), str(catalogue)) if catalogue else None
        objectives = read_objectives(slo)
        with tempfile.TemporaryDirectory(prefix="load-") as directory:
            trial = Trial(chosen, objectives, Path(directory), processes, seed, taught)
            topics = Inbox.at(to, inbox, rejected) if to else None
            findings, verdict = asyncio.run(_run(trial, target, topics, apart, within, console))
    except (LoadError, SystemFailed, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    file, figures = written(report, f"load-{Path(scenario).stem}", page(findings), findings)
    _show(findings, verdict, console)
    console.print(f"\nwritten to {file} and {figures}")
    raise SystemExit(verdict.judgement)


async def _run(
    trial: Trial, target: Target | None, inbox: Inbox | None, apart: bool, within: Path, console: Console
) -> tuple[Findings, Verdict]:
    async with _system(target, apart, within, console) as system:
        return await trial.run(replace(system, inbox=inbox), console.print)


@asynccontextmanager
async def _system(
    target: Target | None, apart: bool, within: Path, console: Console
) -> AsyncIterator[Target]:
    if target is not None:
        yield target
        return
    console.print("starting the LRS")
    if apart:
        async with fresh_system(within, Cores.apart()) as bound:
            yield bound
        return
    async with running(within) as system:
        yield Target.of(system)


def _show(findings: Findings, verdict: Verdict, console: Console) -> None:
    latencies = Table(title="Seconds, from when requests were due, and from when they were sent")
    for heading in ("", "count", "intended p50", "p99", "p99.9", "service p50", "p99", "p99.9"):
        latencies.add_column(heading, justify="right" if heading else "left")
    for name, clocks in findings["latency"].items():
        cells = [
            "-" if clocks[clock][quantile] is None else f"{clocks[clock][quantile]:.4f}"
            for clock in ("intended", "service")
            for quantile in ("p50", "p99", "p99.9")
        ]
        latencies.add_row(name, f"{clocks['service']['count']:,}", *cells)
    console.print(latencies)
    promises = Table(title="Promises")
    for heading in ("", "limit", "measured", "kept"):
        promises.add_column(heading, justify="right" if heading else "left")
    for promise in verdict.promises:
        measured = "-" if promise.measured is None else f"{promise.measured:.4g}"
        promises.add_row(promise.name, f"{promise.limit:g}", measured, "yes" if promise.kept else "no")
    console.print(promises)
    checked = findings["reconciliation"]
    console.print(f"{checked['acknowledged']:,} statements acknowledged, compared {checked['compared']}")
    for text in (*verdict.wrong, *verdict.doubts):
        console.print(f"- {text}", markup=False)
    name = verdict.judgement.name.lower().replace("_", " ")
    console.print(f"[bold {COLOURS[verdict.judgement]}]{name}")


if __name__ == "__main__":
    main()
