"""`python -m benchmarks.overload`: a surge of ten times what the store takes.

A real LRS with its log on Kafka is driven by HTTP: first at a rate that its store keeps up with, then at
ten times that rate while persist is held to it (it is stopped and continued, so that everything else is
as it is), then it is left alone until the backlog is gone. Told are the latency and memory of the edge in
both, the backlog at its highest, how fast it goes, and whether every read said truthfully how far the
store was: what was there up to the instant in X-Experience-API-Consistent-Through never became more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import click
import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.path.driver import Driver, DriverFailed, Load, driving
from benchmarks.path.system import System, SystemFailed, running
from loadtests.command import end_in_order, within_option
from lrs.demo.client import basic
from tests.kafka.broker import Broker, NoKafka, broker_in

BATCH: Final = 50
USERS: Final = 32
CONSISTENT: Final = "X-Experience-API-Consistent-Through"
BEGINNING: Final = "2020-01-01T00:00:00Z"

_LOOK: Final = 0.05
"""Seconds between two looks of the throttle."""
_LONGEST_HOLD: Final = 3.0
"""Seconds for which a worker is stopped at most: its lease and its transactions last longer."""

SMALL_BATCHES: Final = {"LRS_BATCH_STATEMENTS": "500"}
"""So that the store can be held to a rate: a batch that was begun is stored whole."""

_DRAIN_WITHIN: Final = 1800.0
_STORED: Final = (
    "select coalesce(sum(count), 0)::bigint from statement_digest where authority = 0 and level = 38"
)


@dataclass
class Phase:
    """What a time came to. Rates are statements a second, latencies milliseconds as the driver sees them,
    memory bytes; `behind` is the longest time by which a read was behind, in seconds."""

    name: str
    seconds: float = 0.0
    acknowledged: int = 0
    busy: int = 0
    stored: int = 0
    latency_ms: dict[str, float] = field(default_factory=dict)
    edge_rss: int = 0
    backlog: int = 0
    behind: float = 0.0
    reads: int = 0

    @property
    def accepted_rate(self) -> float:
        """Acknowledged a second."""
        return self.acknowledged / self.seconds

    @property
    def stored_rate(self) -> float:
        """Stored a second."""
        return self.stored / self.seconds


class Untrue(Exception):
    """The LRS lost or doubled something, or a read said what was not so."""


class Observer:
    """Watches the edge, and reads from it as a client does."""

    def __init__(self, system: System, session: aiohttp.ClientSession, store: asyncpg.Pool) -> None:
        self._system, self._session, self._store = system, session, store
        self._through = ""
        self.said: dict[str, tuple[int, str]] = {}
        """By consistent-through: count and sum of what was there up to it."""

    async def stored(self) -> int:
        """How many statements the store holds."""
        return int(await self._store.fetchval(_STORED))

    async def accepted(self) -> int:
        """How many statements the edge acknowledged."""
        async with self._session.get(f"{self._system.state.http}/metrics") as answer:
            for line in (await answer.text()).splitlines():
                if line.startswith("lrs_statements_accepted_total "):
                    return int(float(line.split()[1]))
        raise SystemFailed("the edge does not say how much it accepted")

    async def digest(self, until: str) -> tuple[int, str]:
        """Count and sum of what was stored up to an instant."""
        async with self._session.get(
            f"{self._system.state.http}/api/v1/digest", params={"since": BEGINNING, "until": until}
        ) as answer:
            answer.raise_for_status()
            found = await answer.json()
            return found["count"], found["sum"]

    async def look(self, phase: Phase) -> None:
        """One read, and what the edge uses. Raises Untrue when the horizon went back."""
        async with self._session.get(
            f"{self._system.state.http}/xapi/statements", params={"limit": "1"}
        ) as answer:
            answer.raise_for_status()
            await answer.read()
            through = answer.headers[CONSISTENT]
        if through < self._through:
            raise Untrue(f"consistent through {through}, after {self._through}")
        self._through = through
        self.said[through] = await self.digest(through)
        phase.reads += 1
        reached = datetime.fromisoformat(through).timestamp()
        phase.behind = max(phase.behind, time.time() - reached)
        phase.edge_rss = max(phase.edge_rss, self._system.uses()["edge"].rss)
        phase.backlog = max(phase.backlog, await self.accepted() - await self.stored())

    async def hold_to_what_was_said(self) -> None:
        """Ask again, now that everything is stored. Raises Untrue for what became more."""
        for through, before in self.said.items():
            after = await self.digest(through)
            if after != before:
                raise Untrue(f"of what is consistent through {through} there was {before}, now {after}")


@asynccontextmanager
async def throttled(system: System, observer: Observer, rate: float) -> AsyncIterator[None]:
    """Let persist store no more than so many statements a second, in the block."""
    [pid] = [child.pid for child in system.state.children if child.name == "persist-0"]
    worker = psutil.Process(pid)

    async def hold() -> None:
        began, first, stopped = time.monotonic(), await observer.stored(), 0.0
        while True:
            ahead = await observer.stored() - first > rate * (time.monotonic() - began)
            if stopped and (not ahead or time.monotonic() - stopped > _LONGEST_HOLD):
                worker.send_signal(signal.SIGCONT)
                stopped = 0.0
            elif ahead and not stopped:
                worker.send_signal(signal.SIGSTOP)
                stopped = time.monotonic()
            await asyncio.sleep(_LOOK)

    holding = asyncio.create_task(hold())
    try:
        yield
        if holding.done():
            holding.result()
    finally:
        holding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await holding
        worker.send_signal(signal.SIGCONT)


async def drive(system: System, observer: Observer, name: str, rate: float, seconds: float) -> Phase:
    """Send statements at a rate, and watch."""
    click.echo(f"{name}: {rate:,.0f} statements/s for {seconds:g} s")
    phase, stored = Phase(name), await observer.stored()
    accepted = await observer.accepted()
    async with driving(system, Load(name, BATCH, USERS, 10, rate / BATCH)) as driver:
        while await observer.accepted() == accepted:
            driver.check()
            await asyncio.sleep(_LOOK)
        began = time.monotonic()
        await _watch(observer, phase, driver, began + seconds)
    # The driver has finished what was under way; it counts from its first request on.
    phase.seconds = driver.summary["seconds"]
    phase.acknowledged, phase.busy = driver.summary["statements"], driver.summary["busy"]
    phase.latency_ms = driver.summary["latency_ms"]
    phase.stored = await observer.stored() - stored
    system.check()
    return phase


async def _watch(observer: Observer, phase: Phase, driver: Driver, end: float) -> None:
    while time.monotonic() < end:
        driver.check()
        await observer.look(phase)
        await asyncio.sleep(1.0)


async def drain(system: System, observer: Observer) -> Phase:
    """Watch the backlog go."""
    click.echo("drain: until everything is stored")
    phase, began, stored = Phase("drain"), time.monotonic(), await observer.stored()
    accepted = await observer.accepted()
    while await observer.stored() < accepted:
        if time.monotonic() - began > _DRAIN_WITHIN:
            raise SystemFailed(f"the backlog is not gone after {_DRAIN_WITHIN:g} s\n{system.log_end()}")
        await observer.look(phase)
        await asyncio.sleep(0.2)
    phase.seconds = time.monotonic() - began
    phase.stored = await observer.stored() - stored
    system.check()
    return phase


async def measure(system: System, rate: float, calm: float, seconds: float) -> list[Phase]:
    """All three; raises Untrue when anything was lost, doubled, or said that was not so."""
    headers = {"Authorization": basic(system.key, system.secret), "X-Experience-API-Version": "2.0.0"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        asyncpg.create_pool(system.store_url, min_size=1, max_size=2) as store,
    ):
        observer = Observer(system, session, store)
        phases = [await drive(system, observer, "calm", rate / 10, calm)]
        async with throttled(system, observer, rate / 10):
            phases.append(await drive(system, observer, "surge", rate, seconds))
        phases.append(await drain(system, observer))
        acknowledged, stored = await observer.accepted(), await observer.stored()
        if acknowledged != stored:
            raise Untrue(f"{acknowledged} statements were acknowledged, {stored} are stored")
        await observer.hold_to_what_was_said()
    return phases


def show(phases: list[Phase], console: Console) -> None:
    """A table."""
    calm, surge, left = phases
    table = Table("", "calm", "surge", "drain", title="A surge of ten times what the store takes")
    rows: list[tuple[str, Any]] = [
        ("seconds", lambda phase: f"{phase.seconds:.1f}"),
        ("accepted, statements/s", lambda phase: f"{phase.accepted_rate:,.0f}" if phase is not left else ""),
        ("stored, statements/s", lambda phase: f"{phase.stored_rate:,.0f}"),
        ("503", lambda phase: f"{phase.busy}" if phase is not left else ""),
        *(
            (
                f"acknowledged, p{float(share) * 100:g}, ms",
                lambda phase, share=share: f"{phase.latency_ms.get(share, '')}",
            )
            for share in ("0.5", "0.99")
        ),
        ("edge, MiB", lambda phase: f"{phase.edge_rss / 2**20:.0f}"),
        ("backlog at most, statements", lambda phase: f"{phase.backlog:,}"),
        ("reads behind at most, s", lambda phase: f"{phase.behind:.1f}"),
        ("reads, all of them true", lambda phase: f"{phase.reads}"),
    ]
    for name, cell in rows:
        table.add_row(name, *(cell(phase) for phase in phases))
    console.print(table)
    console.print(
        f"offered {surge.accepted_rate / surge.stored_rate:.1f} times what was stored;"
        f" p99 {surge.latency_ms['0.99'] / calm.latency_ms['0.99']:.1f} times,"
        f" memory {surge.edge_rss / calm.edge_rss:.2f} times the calm one's"
    )


@click.command()
@click.option("--seconds", default=60.0, help="Length of the surge; 600 for the whole proof.")
@click.option("--calm", default=20.0, help="Length of the time before it.")
@click.option("--rate", default=4000.0, help="Statements a second in the surge.")
@within_option
def main(seconds: float, calm: float, rate: float, within: Path) -> None:
    """Start a real LRS with its log on a real Kafka, surge, and report."""
    end_in_order()
    os.environ.update(SMALL_BATCHES)

    async def run(broker: Broker) -> list[Phase]:
        async with running(within, broker) as system:
            return await measure(system, rate, calm, seconds)

    click.echo("starting Kafka and the LRS")
    within.mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-kafka-", dir=within) as directory,
            broker_in(Path(directory).absolute()) as broker,
        ):
            phases = asyncio.run(run(broker))
    except (SystemFailed, DriverFailed, Untrue, NoKafka) as error:
        raise click.ClickException(str(error)) from None
    show(phases, Console(width=110))
    file = Path("reports") / f"overload-{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(phase) for phase in phases])) + b"\n")


if __name__ == "__main__":
    main()
