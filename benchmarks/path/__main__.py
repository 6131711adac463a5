"""`python -m benchmarks.path`: measure the way of a statement, and print it beside yardsticks."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import asyncpg
import click
import msgspec
import psutil
from rich.console import Console

from benchmarks.path import phase, yardstick
from benchmarks.path.driver import DriverFailed, Load
from benchmarks.path.probe import NotSeen, Probe
from benchmarks.path.report import Report, environment, show
from benchmarks.path.system import OVERRIDDEN, System, SystemFailed, running
from loadtests.bodies import Body, Supply
from loadtests.rendering import make_bodies
from lrs.demo.career import demonstration_catalogue

BATCH = 50
STATEMENTS = 5_000
"""Statements for yardsticks and probe."""

PAGE = 150
"""Width of the tables in a file or a pipe."""

FAILURES = (SystemFailed, DriverFailed, NotSeen)


@click.command()
@click.option("--seconds", default=40.0, help="Length of each window.")
@click.option("--warm-up", default=8.0, help="Seconds before it.")
@click.option("--yardstick-seconds", default=3.0, help="Length of each yardstick.")
@click.option("--batch-users", default=8, help="Clients that send batches at once.")
@click.option("--single-users", default=64, help="Clients that send single statements at once.")
@click.option("--interleaved", default=10, help="Learners whose statements alternate in a batch.")
@click.option("--soak", is_flag=True, help="Only batches at full load, for as long as --seconds says.")
@click.option(
    "--within",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    help="Where the temporary data directory is made; the disk matters.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the figures (default: reports/path-TIME.json).",
)
def main(
    seconds: float,
    warm_up: float,
    yardstick_seconds: float,
    batch_users: int,
    single_users: int,
    interleaved: int,
    soak: bool,
    within: Path,
    json_file: Path | None,
) -> None:
    """Start a real LRS in a fresh directory, drive it over HTTP at full and at half load, and report."""
    # A request to end is an orderly one: what was started is stopped, the directory deleted.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    console = Console()
    if not console.is_terminal:
        console = Console(width=PAGE)
    loads = (
        Load(f"batches of {BATCH}", BATCH, batch_users, interleaved),
        Load("half load", BATCH, batch_users, interleaved),
        Load("singles", 0, single_users, 10 * interleaved),
    )
    try:
        report = asyncio.run(_measure(console, loads, within, seconds, warm_up, yardstick_seconds, soak=soak))
    except FAILURES as error:
        raise click.ClickException(str(error)) from None
    show(report, console)
    file = json_file or Path("reports") / f"path-{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report.record())) + b"\n")
    console.print(f"\nwritten to {file}")


async def _measure(
    console: Console,
    loads: tuple[Load, Load, Load],
    within: Path,
    seconds: float,
    warm_up: float,
    yardstick_seconds: float,
    *,
    soak: bool,
) -> Report:
    full, half, singles = loads
    with console.status("starting the LRS") as status:

        def tell(text: str) -> None:
            status.update(text)
            if not console.is_terminal:
                console.print(text)

        async with running(within) as system:
            store = await asyncpg.connect(system.store_url)
            try:
                surroundings = environment(
                    f"PostgreSQL {await store.fetchval('show server_version')}",
                    _file_system(system.directory.path),
                    _settings(),
                )

                async def measured(load: Load, probe: Probe | None = None) -> phase.Result:
                    return await phase.run(
                        system, load, store, warm_up=warm_up, seconds=seconds, probe=probe, tell=tell
                    )

                results = [await measured(full)]
                if not soak:
                    rate = results[0].end_to_end / 2 / half.batch
                    slower = Load(half.name, half.batch, half.users, half.interleaved, rate)
                    results.append(await measured(slower, Probe(system, Supply(_bodies(0)))))
                    results.append(await measured(singles))
                tell("yardsticks")
                yardsticks = await _yardsticks(system, store, yardstick_seconds)
            finally:
                await store.close()
    return Report(surroundings, yardsticks, tuple(results))


async def _yardsticks(
    system: System, store: asyncpg.Connection[asyncpg.Record], seconds: float
) -> dict[str, float]:
    bodies = _bodies(BATCH)
    return {
        "msgspec decodes, statements": yardstick.decode_rate(bodies, seconds),
        "lrs.xapi validates, statements": yardstick.validate_rate(bodies, seconds),
        "COPY, rows with indexes": await yardstick.copy_rate(store),
        "commits of one row": await yardstick.commit_rate(store, seconds),
        "flushes of 8 KiB": yardstick.flush_rate(system.directory.path, seconds),
    }


def _bodies(batch: int) -> list[Body]:
    now = time.time_ns()
    return make_bodies(
        demonstration_catalogue(), now, batch=batch, interleaved=10, statements=STATEMENTS, now=now // 1000
    )


def _settings() -> dict[str, str]:
    """The variables that apply to the system under test."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith("LRS_") and name not in OVERRIDDEN
    }


def _file_system(path: Path) -> str:
    """The type of the file system that holds a path."""
    mounts = sorted(psutil.disk_partitions(all=True), key=lambda mount: len(mount.mountpoint))
    holding = [mount for mount in mounts if path.is_relative_to(mount.mountpoint)]
    return holding[-1].fstype if holding else "unknown"


if __name__ == "__main__":
    main()
