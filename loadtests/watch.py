"""What machine, generator and system did meanwhile: CPU time by process, and the LRS's own metrics."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import psutil

from loadtests.target import Target
from lrs.demo.scrape import UNTIL, Reading, quantile, scrape

EVERY: Final = 0.5
"""Seconds between two looks."""
WINDOW: Final = 2.0
"""A process is called busy by what it used within so many seconds."""


@dataclass(frozen=True)
class Look:
    """One moment: CPU seconds since the start of each process, and of the whole machine."""

    at: float
    generator: dict[int, float]
    system: dict[str, float]
    machine: float


@dataclass
class Watch:
    """Looks on until it is stopped. Times are seconds since 1970."""

    target: Target
    looks: list[Look] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    async def run(self, generator: int) -> None:
        """Look at the system, and at a process with its children, until cancelled."""
        process = psutil.Process(generator)
        async with aiohttp.ClientSession() as session:
            while True:
                self.target.check()
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.looks.append(self._look(process))
                await self.read(session)
                await asyncio.sleep(EVERY)

    async def read(self, session: aiohttp.ClientSession) -> None:
        """Read the LRS's metrics once."""
        if self.target.metrics:
            self.readings.append(await scrape(session, self.target.metrics))

    def _look(self, process: psutil.Process) -> Look:
        generator = {}
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                generator[one.pid] = times.user + times.system
        system = {name: use.cpu for name, use in self.target.uses().items()}
        machine = psutil.cpu_times()
        idle = machine.idle + getattr(machine, "iowait", 0.0)
        return Look(time.time(), generator, system, sum(machine[:8]) - idle)

    def usage(self, begin: float, end: float) -> dict[str, Any]:
        """Cores used between two moments: by the system's processes, by the generator's, by the busiest of
        them within WINDOW seconds, and by the whole machine. Empty when nobody looked."""
        looks = [look for look in self.looks if begin <= look.at <= end]
        if len(looks) < 2:
            looks = self.looks
        if len(looks) < 2:
            return {}
        first, last = looks[0], looks[-1]
        seconds = last.at - first.at
        return {
            "seconds": round(seconds, 2),
            "system": {
                name: round((spent - first.system.get(name, 0.0)) / seconds, 3)
                for name, spent in last.system.items()
            },
            "generator": round(sum(_spent(first, last).values()) / seconds, 3),
            "generator_busiest": round(_busiest(looks), 3),
            "machine": round((last.machine - first.machine) / seconds, 3),
            "cores": psutil.cpu_count() or 1,
        }

    def path(self) -> dict[str, Any]:
        """The LRS's own figures: what it counted during the run, and its delays in seconds."""
        if len(self.readings) < 2:
            return {}
        before, after = self.readings[0], self.readings[-1]
        return {
            "accepted": after.accepted - before.accepted,
            "repeated": after.repeated - before.repeated,
            "dead_letters": after.dead - before.dead,
            **{f"{stage}_done": after.done[stage] - before.done[stage] for stage in after.done},
            "delays": {
                until: {
                    name: quantile(before.delays[until], after.delays[until], share)
                    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999))
                }
                for until in UNTIL
            },
        }

    def series(self, begin: float) -> dict[str, list[float]]:
        """The LRS's counts over time, as rates, and how far the stages were behind; times since `begin`."""
        pairs = [(a, b) for a, b in zip(self.readings, self.readings[1:], strict=False) if b.at > a.at]

        def rate(of: Callable[[Reading], float]) -> list[float]:
            return [max(0.0, of(b) - of(a)) / (b.at - a.at) for a, b in pairs]

        return {
            "seconds": [b.at - begin for _, b in pairs],
            "accepted": rate(lambda reading: reading.accepted),
            "queryable": rate(lambda reading: reading.done["persist"]),
            "scored": rate(lambda reading: reading.done["score"]),
            "persist_lag": [b.lag_seconds["persist"] for _, b in pairs],
            "score_lag": [b.lag_seconds["score"] for _, b in pairs],
        }


def _spent(first: Look, last: Look) -> dict[int, float]:
    return {pid: cpu - first.generator.get(pid, 0.0) for pid, cpu in last.generator.items()}


def _busiest(looks: Sequence[Look]) -> float:
    """The highest share of a core that one generator process took within WINDOW seconds."""
    most = 0.0
    start = 0
    for look in looks:
        while looks[start + 1].at <= look.at - WINDOW:
            start += 1
        seconds = look.at - looks[start].at
        if seconds >= min(WINDOW, looks[-1].at - looks[0].at):
            most = max(most, max(_spent(looks[start], look).values(), default=0.0) / seconds)
    return most
