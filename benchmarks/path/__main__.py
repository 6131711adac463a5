"""`python -m benchmarks.path`: measure the way of a statement, and print it beside yardsticks."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

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
from loadtests.command import end_in_order, within_option
from loadtests.rendering import make_bodies
from lrs.demo.career import demonstration_catalogue
from tests.kafka.broker import Broker, NoKafka, broker_in

BATCH = 50
STATEMENTS = 5_000
"""Statements for yardsticks and probe."""

PAGE = 150
"""Width of the tables in a file or a pipe."""

Store: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

FAILURES = (SystemFailed, DriverFailed, NotSeen, NoKafka)


@click.command()
@click.option("--seconds", default=40.0, help="Length of each window.")
@click.option("--warm-up", default=8.0, help="Seconds before it.")
@click.option("--yardstick-seconds", default=3.0, help="Length of each yardstick.")
@click.option("--batch-users", default=8, help="Clients that send batches at once.")
@click.option("--single-users", default=64, help="Clients that send single statements at once.")
@click.option("--interleaved", default=10, help="Learners whose statements alternate in a batch.")
@click.option(
    "--log",
    type=click.Choice(["postgresql", "kafka", "both"]),
    default="postgresql",
    show_default=True,
    help="Where the log is: in the store, on a Kafka that is started for it, or each load with both in turn.",
)
@click.option("--soak", is_flag=True, help="Only batches at full load, for as long as --seconds says.")
@within_option
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
    log: str,
    soak: bool,
    within: Path,
    json_file: Path | None,
) -> None:
    """Start a real LRS in a fresh directory, drive it over HTTP at full and at half load, and report."""
    end_in_order()
    console = Console()
    if not console.is_terminal:
        console = Console(width=PAGE)
    loads = (
        Load(f"batches of {BATCH}", BATCH, batch_users, interleaved),
        Load("half load", BATCH, batch_users, interleaved),
        Load("singles", 0, single_users, 10 * interleaved),
    )
    try:
        with _broker(within, wanted=log != "postgresql") as broker:
            systems = _Systems(within, broker, in_store=log != "kafka")
            report = asyncio.run(
                _measure(console, loads, systems, seconds, warm_up, yardstick_seconds, soak=soak)
            )
    except FAILURES as error:
        raise click.ClickException(str(error)) from None
    show(report, console)
    file = json_file or Path("reports") / f"path-{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report.record())) + b"\n")
    console.print(f"\nwritten to {file}")


@contextmanager
def _broker(within: Path, *, wanted: bool) -> Iterator[Broker | None]:
    """A Kafka with its data beside those of the LRS, if it is wanted."""
    if not wanted:
        yield None
        return
    within.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-kafka-", dir=within) as directory,
        broker_in(Path(directory).absolute()) as broker,
    ):
        yield broker


@dataclass(frozen=True)
class _Systems:
    """The systems under test, at most one with each log: those that are driven in turn."""

    within: Path
    broker: Broker | None
    in_store: bool

    @asynccontextmanager
    async def running(self) -> AsyncIterator[list[tuple[System, Store]]]:
        """All of them, each with a connection to its store."""
        async with AsyncExitStack() as stack:
            found = []
            for broker in (*([None] if self.in_store else []), *([self.broker] if self.broker else [])):
                system = await stack.enter_async_context(running(self.within, broker))
                store = await asyncpg.connect(system.store_url)
                stack.push_async_callback(store.close)
                found.append((system, store))
            yield found


async def _measure(
    console: Console,
    loads: tuple[Load, Load, Load],
    systems: _Systems,
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

        async with systems.running() as started:
            system, store = started[0]
            surroundings = environment(
                f"PostgreSQL {await store.fetchval('show server_version')}",
                _file_system(system.directory.path),
                _settings(),
            )
            results: list[phase.Result] = []

            async def measure(load: Load, *, probed: bool = False) -> None:
                for driven, its_store in started:
                    probe = Probe(driven, Supply(_bodies(0))) if probed else None
                    results.append(
                        await phase.run(
                            driven,
                            load,
                            its_store,
                            warm_up=warm_up,
                            seconds=seconds,
                            probe=probe,
                            tell=lambda text, log=driven.log: tell(f"{log}: {text}"),  # type: ignore[misc]
                        )
                    )
                started.reverse()  # so that neither log always comes first

            await measure(full)
            if not soak:
                rate = min(result.end_to_end for result in results) / 2 / half.batch
                await measure(Load(half.name, half.batch, half.users, half.interleaved, rate), probed=True)
                await measure(singles)
            tell("yardsticks")
            yardsticks = await _yardsticks(system, store, yardstick_seconds)
    return Report(surroundings, yardsticks, tuple(results))


async def _yardsticks(system: System, store: Store, seconds: float) -> dict[str, float]:
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
