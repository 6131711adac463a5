"""A phase: one load on the running system, and what was measured while it lasted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import aiohttp
import asyncpg

from benchmarks.path import disk
from benchmarks.path.driver import Driver, Load, driving
from benchmarks.path.probe import Probe, milliseconds
from benchmarks.path.system import KAFKA, POSTGRESQL, System, SystemFailed, Use
from lrs.demo.scrape import STAGES, UNTIL, Reading, quantile, scrape

DRIVER: Final = "driver"
OBJECTIVE: Final = 0.25
"""Seconds from acceptance until a statement is queryable, for 99 % at half load."""

_BEGIN_WITHIN: Final = 180.0
_DRAIN_WITHIN: Final = 600.0


@dataclass(frozen=True)
class Result:
    """What a phase came to. Rates are statements per second within the window; CPU is seconds per
    1,000 statements from the window's beginning until everything was scored; memory is in bytes."""

    load: Load
    log: str
    """What kept the log: see System.log."""
    seconds: float
    accepted: float
    queryable: float
    scored: float
    backlog: int
    """Statements accepted and not scored when the driver stopped."""
    drained_after: float
    """Seconds from then until there were none."""
    requests: float
    busy: int
    """Answers 429 and 503 in the whole phase."""
    acknowledgement_ms: dict[str, float]
    """The driver's latency; in a closed loop it says how long the queue of its own users was."""
    delays: dict[str, dict[str, float | None]]
    """The path's own metric from arrival at the edge until queryable and scored: p50 and p99 in
    milliseconds, and the share within OBJECTIVE."""
    probe: dict[str, dict[str, float]]
    cpu: dict[str, float]
    rss_peak: dict[str, int]
    pss: dict[str, int]
    bytes_per_statement: dict[str, float]
    wal_per_statement: float

    @property
    def name(self) -> str:
        """The load's name, and the log's where it is not in the store."""
        return self.load.name if self.log == POSTGRESQL else f"{self.load.name}, {self.log}"

    @property
    def end_to_end(self) -> float:
        """Statements per second that went the whole way: those of the slowest stage."""
        return min(self.accepted, self.queryable, self.scored)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "end_to_end": self.end_to_end}


async def run(
    system: System,
    load: Load,
    store: asyncpg.Connection[asyncpg.Record],
    *,
    warm_up: float,
    seconds: float,
    probe: Probe | None,
    tell: Callable[[str], None],
) -> Result:
    """Drive a load: `warm_up` seconds, then a window of `seconds`, then until all is scored."""
    probing = None
    async with aiohttp.ClientSession() as session:
        watch = _Watch(system, session)
        first = await watch.look()
        async with driving(system, load) as driver:
            tell(f"{load.name}: waiting for the driver")
            await _begun(watch, driver, first, system.log_end)
            tell(f"{load.name}: warming up for {warm_up:g} s")
            await watch.during(warm_up, driver)
            probing = asyncio.create_task(probe.run()) if probe is not None else None
            tell(f"{load.name}: measuring for {seconds:g} s")
            sizes, wal = await _sizes(system, store), await _wal(store)
            uses, driver_use = system.uses(), driver.use()
            before = await watch.look()
            await watch.during(seconds, driver, probing)
            after = await watch.look()
            driver_cpu = driver.use().cpu - driver_use.cpu
            if probing is not None:
                probing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await probing
        tell(f"{load.name}: until everything is scored")
        stopped = time.monotonic()
        end = await watch.look()
        backlog = round(end.accepted - end.done["score"])
        while end.done["score"] + end.dead < end.accepted:
            if time.monotonic() - stopped > _DRAIN_WITHIN:
                raise SystemFailed(f"not everything was scored within {_DRAIN_WITHIN:g} s: {end}")
            await asyncio.sleep(0.05)
            end = await watch.look()
        drained = time.monotonic() - stopped
    used = system.uses(pss=True)
    window = after.at - before.at
    statements = max(1, round(end.accepted - before.accepted))
    in_window = max(1.0, after.accepted - before.accepted)
    cpu = {name: (used[name].cpu - uses[name].cpu) / statements * 1000 for name in used}
    cpu[DRIVER] = driver_cpu / in_window * 1000
    return Result(
        load=load,
        log=system.log,
        seconds=round(window, 2),
        accepted=in_window / window,
        queryable=(after.done["persist"] - before.done["persist"]) / window,
        scored=(after.done["score"] - before.done["score"]) / window,
        backlog=backlog,
        drained_after=round(drained, 2),
        requests=in_window / window / max(1, load.batch),
        busy=driver.summary["busy"],
        acknowledgement_ms=driver.summary["latency_ms"],
        delays={until: _delays(before, after, until) for until in UNTIL},
        probe={}
        if probe is None
        else {"acknowledged": milliseconds(probe.acknowledged), "seen": milliseconds(probe.seen)},
        cpu={name: round(spent, 4) for name, spent in cpu.items()},
        rss_peak=watch.rss,
        pss={name: use.pss for name, use in used.items()},
        bytes_per_statement=disk.per_statement(sizes, await _sizes(system, store), statements),
        wal_per_statement=round((await _wal(store) - wal) / statements, 1),
    )


class _Watch:
    """Looks at the system, remembers the most memory that each process had."""

    def __init__(self, system: System, session: aiohttp.ClientSession) -> None:
        self._system, self._session = system, session
        self.rss: dict[str, int] = {}

    async def look(self) -> Reading:
        """A reading of all metrics. Raises SystemFailed when a process was started again."""
        self._system.check()
        return await scrape(self._session, self._system.metrics)

    async def during(self, seconds: float, driver: Driver, probing: asyncio.Task[None] | None = None) -> None:
        """Let time pass; raise what goes wrong meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(1.0, left))
            driver.check()
            self._system.check()
            if probing is not None and probing.done():
                probing.result()
            self._remember(self._system.uses() | {DRIVER: driver.use()})

    def _remember(self, uses: dict[str, Use]) -> None:
        for name, use in uses.items():
            self.rss[name] = max(self.rss.get(name, 0), use.rss)


async def _begun(watch: _Watch, driver: Driver, first: Reading, log_end: Callable[[], str]) -> None:
    deadline = time.monotonic() + _BEGIN_WITHIN
    while (await watch.look()).accepted <= first.accepted:
        driver.check()
        if time.monotonic() > deadline:
            raise SystemFailed(f"no statement of the driver was accepted\n{driver.said()}\n{log_end()}")
        await asyncio.sleep(0.1)


def _delays(before: Reading, after: Reading, until: str) -> dict[str, float | None]:
    old, new = before.delays[until], after.delays[until]
    quantiles = {f"p{share * 100:g}": quantile(old, new, share) for share in (0.5, 0.99)}
    found = {name: None if value is None else round(value * 1000, 1) for name, value in quantiles.items()}
    total = new.get(float("inf"), 0.0) - old.get(float("inf"), 0.0)
    within = new.get(OBJECTIVE, 0.0) - old.get(OBJECTIVE, 0.0)
    return {**found, "within_objective": round(within / total, 5) if total else None}


async def _sizes(system: System, store: asyncpg.Connection[asyncpg.Record]) -> dict[str, int]:
    """Bytes by what takes them, the log on Kafka included."""
    found = await disk.sizes(store)
    if system.broker is not None:
        found[KAFKA] = disk.bytes_in(system.broker.data)
    return found


async def _wal(store: asyncpg.Connection[asyncpg.Record]) -> int:
    written: int = await store.fetchval("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
    return written


def stages_behind(result: Result) -> str:
    """The slowest of the three, by name."""
    rates = {"accepting": result.accepted, STAGES[0]: result.queryable, STAGES[1]: result.scored}
    return min(rates, key=lambda name: rates[name])
