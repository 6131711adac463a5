"""One load test, from the plan to the findings."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import numpy as np
import psutil

from loadtests.histogram import Histogram
from loadtests.meter import between, mark
from loadtests.plan import Agenda
from loadtests.planning import make_plan
from loadtests.reader import Reader
from loadtests.reconciliation import Reconciliation, reconcile
from loadtests.refusals import Refusals
from loadtests.scenario import LoadError, Scenario
from loadtests.stopping import stop
from loadtests.tally import INTERVALS, QUERYABLE, Fate, Outcome, Tally
from loadtests.target import Target
from loadtests.verdict import Objectives, Verdict, judge
from loadtests.watch import Watch
from lrs import launch
from lrs.scoring.catalogue import Catalogue

_ROOT: Final = Path(__file__).parents[1]
_START_WITHIN: Final = 60.0
_STOP_WITHIN: Final = 20.0
_CALM_DOWN: Final = 600.0
"""Seconds that the store may take to score what it has accepted; the SLO says how many it should."""

Findings = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """What is run. `directory` keeps the plan and what the generator prints; `seed` is drawn when it is
    None, since a system that has seen one seed's statements acknowledges them as repeated."""

    scenario: Scenario
    objectives: Objectives
    directory: Path
    processes: int = 1
    seed: int | None = None
    catalogue: Catalogue | None = None

    async def run(self, target: Target, tell: Callable[[str], None]) -> tuple[Findings, Verdict]:
        """Run it. Raises LoadError when the generator fails."""
        seed = secrets.randbits(48) if self.seed is None else self.seed
        tell("making the plan")
        plan = await asyncio.to_thread(make_plan, self.scenario, seed, time.time_ns() // 1000, self.catalogue)
        agenda = Agenda(plan)
        plan_file, outcome_file = self.directory / "plan", self.directory / "outcome"
        plan.write(plan_file)
        inbox = target.inbox
        watch = Watch(target)
        async with Reader(target) as reader, aiohttp.ClientSession() as session:
            refusals = await asyncio.to_thread(Refusals.from_now, inbox) if inbox else None
            since = await reader.through()
            await watch.read(session)
            tell(f"{len(agenda):,} requests, {agenda.statements:,} statements in {plan.seconds:g} s")
            first = await mark(target)
            outcome = await self.generate(target, plan_file, outcome_file, watch)
            last = await mark(target)
            tell("until everything is scored; then comparing")
            reconciliation = await reconcile(
                agenda, outcome, reader, since, patience=_CALM_DOWN, inbox=inbox, refusals=refusals
            )
            await watch.read(session)
            meter = between(first, last, await mark(target), target.cores)
            meter["after_end_s"] = last.at - (outcome.begun + plan.seconds)
        usage = watch.usage(outcome.begun, outcome.begun + plan.seconds)
        verdict = judge(
            self.objectives,
            outcome,
            {kind.name: kind.kind for kind in plan.kinds} | {QUERYABLE: QUERYABLE},
            usage,
            watch.path(),
            reconciliation,
            len(agenda),
        )
        findings = self._findings(agenda, outcome, watch, usage, reconciliation, verdict)
        return {**findings, "meter": meter}, verdict

    async def generate(self, target: Target, plan: Path, outcome: Path, watch: Watch) -> Outcome:
        """Let generator processes carry out the plan in a file. Raises LoadError when they fail."""
        output = self.directory / "locust.log"
        with _generator(self._program(target, plan, outcome), target, output) as process:
            watching = asyncio.create_task(watch.run(process.pid))
            try:
                await asyncio.wait_for(_ended(process, watching), self._longest)
            except TimeoutError:
                raise LoadError(f"the generator did not end\n{_end(output)}") from None
            finally:
                watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watching
        try:
            return Outcome.read(outcome)
        except FileNotFoundError:
            raise LoadError(f"the generator left no outcome\n{_end(output)}") from None

    @property
    def _longest(self) -> float:
        """Seconds within which the generator has ended, unless it is stuck."""
        return _START_WITHIN + self.scenario.seconds + 2 * self.scenario.give_up + _STOP_WITHIN

    def _program(self, target: Target, plan: Path, outcome: Path) -> list[str]:
        port = str(_free_port())
        several = (
            *("--processes", str(self.processes), "--master-bind-host", "127.0.0.1"),
            *("--master-bind-port", port, "--master-port", port),
        )
        return [
            *(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("openloop.py"))),
            *("--headless", "--only-summary", "--exit-code-on-error", "0", "--host", target.address),
            *("--plan", str(plan.resolve()), "--outcome", str(outcome.resolve())),
            *(several if self.processes > 1 else ()),
            *(("--brokers", inbox.brokers, "--topic", inbox.topic) if (inbox := target.inbox) else ()),
        ]

    def _findings(
        self,
        agenda: Agenda,
        outcome: Outcome,
        watch: Watch,
        usage: dict[str, Any],
        reconciliation: Reconciliation,
        verdict: Verdict,
    ) -> Findings:
        total = outcome.merged()
        fates = [fate for tally in outcome.tallies if tally is not None for fate in tally.fates]
        width = agenda.plan.seconds / INTERVALS
        return {
            "scenario": msgspec.to_builtins(self.scenario),
            "run": {
                "at": datetime.fromtimestamp(outcome.begun, UTC).isoformat(timespec="seconds"),
                "seed": agenda.plan.seed,
                "statements_by": "Kafka" if watch.target.inbox else "HTTP",
                "processes": self.processes,
                "machine": f"{psutil.cpu_count()} cores, {platform.platform()}",
                "python": platform.python_version(),
            },
            "verdict": verdict.record(),
            "objectives": msgspec.to_builtins(self.objectives),
            "requests": {
                "due": len(agenda),
                **{fate.name.lower(): fates.count(fate) for fate in Fate},
                "attempts_busy": total.busy,
                "attempts_broken": total.broken,
                "held_for_a_connection": total.held,
                "outstanding_at_most": total.outstanding,
                "statements_due": agenda.statements,
                "statements_acknowledged": total.statements,
            },
            "latency": {
                name: {
                    clock: {"count": histogram.count, "mean": histogram.mean, **histogram.quantiles()}
                    for clock, histogram in (("intended", one.intended), ("service", one.service))
                }
                for name, one in sorted(total.latency.items())
            },
            "arrivals": _arrivals(agenda, total),
            "generator": {"lag": {"mean": total.lag.mean, **total.lag.quantiles()}, "cores": usage},
            "lrs": watch.path(),
            "reconciliation": reconciliation.record(),
            "problems": total.problems,
            "over_time": {
                "seconds": [round((number + 0.5) * width, 3) for number in range(INTERVALS)],
                "requests_due": [one.due / width for one in total.intervals],
                "statements_acknowledged": [one.statements / width for one in total.intervals],
                **{
                    f"{clock}_{quantile}": [
                        getattr(one.latency, clock).quantile(share) for one in total.intervals
                    ]
                    for clock in ("intended", "service")
                    for quantile, share in (("p50", 0.5), ("p99", 0.99))
                },
            },
            "lrs_over_time": watch.series(outcome.begun),
        }


def _arrivals(agenda: Agenda, total: Tally) -> dict[str, Any]:
    """When which request was due, for whoever wants to replay the run: differences in units of 0.1 ms
    (uint32) and kinds (uint8), compressed; and how long all that store statements took together.
    """
    writes = Histogram()
    for kind in agenda.plan.kinds:
        if kind.kind == "send" and kind.name in total.latency:
            writes.merge(total.latency[kind.name].intended)
    ticks = np.diff(np.round(agenda.due * 1e4).astype(np.int64), prepend=0).astype("<u4")
    return {
        "kinds": [
            {"kind": kind.kind, "statements": kind.statements, "learners": speaking}
            for kind, speaking in zip(agenda.plan.kinds, agenda.speaking_in, strict=True)
        ],
        "due": b64encode(zlib.compress(ticks.tobytes())).decode(),
        "kind": b64encode(zlib.compress(agenda.kind.tobytes())).decode(),
        "acknowledged": {"mean": writes.mean, **writes.quantiles()},
    }


@contextmanager
def _generator(program: list[str], target: Target, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The generator, until it has ended; when the block is left earlier, it is stopped."""
    # The secret goes by the environment: a command line can be read by everybody.
    environment = {**os.environ, "LOAD_KEY": target.key, "LOAD_SECRET": target.secret}
    with output.open("wb") as out:
        # Whatever becomes of this process, the kernel asks the generator to stop.
        command = launch.command(program, signal.SIGTERM)
        process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=out, stderr=out)
    try:
        yield process
    finally:
        stop(process, signal.SIGTERM, _STOP_WITHIN)


async def _ended(process: subprocess.Popen[bytes], watching: asyncio.Task[None]) -> None:
    """Wait for the process; raise what goes wrong meanwhile with those who watch."""
    while process.poll() is None:
        if watching.done():
            watching.result()
        await asyncio.sleep(0.1)


def _free_port() -> int:
    """A port for the generator's processes to talk over."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _end(output: Path) -> str:
    return output.read_text("utf-8", "replace")[-3000:]
