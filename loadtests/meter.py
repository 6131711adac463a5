"""What the LRS counted between two moments, and what that cost: the raw figures behind a run.

`Watch` tells a run's figures as people read them; these are sums, from which service times can be fitted
and with which a prediction can be compared bucket by bucket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from loadtests.target import Target

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_NAMES: Final = (
    "lrs_frame_requests",
    "lrs_frame_statements",
    "lrs_http_request_duration_seconds",
    "lrs_http_requests",
    "lrs_log_append_duration_seconds",
    "lrs_stage_batch_duration_seconds",
    "lrs_stage_batch_statements",
    "lrs_statement_delay_seconds",
    "lrs_statements_accepted",
)
"""The families that are kept; gauges are not, because differences of them mean nothing."""


@dataclass(frozen=True)
class Mark:
    """One moment. `counts`: samples by name and labels, added over processes; `cpu`: CPU seconds since its
    start of each process of the system; `busy`: seconds that each core has worked, for whomever; `served`:
    CPU seconds of each process of PostgreSQL, by the name of whom it serves and its number.
    """

    at: float
    counts: dict[str, float]
    cpu: dict[str, float]
    busy: list[float]
    served: dict[tuple[str, int], float] = field(default_factory=dict)


async def mark(target: Target) -> Mark:
    """The present moment. Of a process that does not answer there is nothing."""
    counts: dict[str, float] = {}
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        for text in await asyncio.gather(*(_exposition(session, port) for port in target.metrics)):
            for family in text_string_to_metric_families(text):
                if family.name in _NAMES:
                    for sample in family.samples:
                        key = _key(sample.name, sample.labels)
                        counts[key] = counts.get(key, 0.0) + sample.value
    cpu = {name: use.cpu for name, use in target.uses().items()}
    busy = [_worked(core) for core in psutil.cpu_times(percpu=True)]
    return Mark(time.time(), counts, cpu, busy, await target.served())


async def _exposition(session: aiohttp.ClientSession, address: str) -> str:
    try:
        async with session.get(address) as answer:
            return await answer.text() if answer.status == 200 else ""
    except (aiohttp.ClientError, TimeoutError):
        return ""


def _key(name: str, labels: dict[str, str]) -> str:
    return name + "".join(f" {label}={value}" for label, value in sorted(labels.items()))


def _worked(core: Any) -> float:
    return float(sum(core[:8]) - core.idle - getattr(core, "iowait", 0.0))


def between(first: Mark, last: Mark, settled: Mark, cores: Sequence[int]) -> dict[str, Any]:
    """What happened from `first` to `last`; of statements' delays, until everything had `settled`.

    `foreign_s`: seconds that the system's own `cores` worked for others than the system; where they are not
    its own (there are none), None: then it is not known. `served_replaced`: who had connections that
    were replaced meanwhile, after many questions: nobody knows what these used. One that only ended was idle.
    """
    counts = {
        key: (settled if key.startswith("lrs_statement_delay_seconds") else last).counts[key]
        - first.counts.get(key, 0.0)
        for key in last.counts
    }
    cpu = {name: seconds - first.cpu.get(name, 0.0) for name, seconds in last.cpu.items()}
    served: dict[str, float] = {}
    for (name, process), seconds in last.served.items():
        spent = seconds - first.served.get((name, process), 0.0)
        served[name] = served.get(name, 0.0) + spent
    worked = sum(last.busy[core] - first.busy[core] for core in cores)
    return {
        "seconds": last.at - first.at,
        "cores": list(cores),
        "cpu_s": cpu,
        "served_s": served,
        "served_replaced": sorted(
            {name for name, _ in first.served.keys() - last.served.keys()}
            & {name for name, _ in last.served.keys() - first.served.keys()}
        ),
        "foreign_s": max(0.0, worked - sum(cpu.values())) if cores and cpu else None,
        # An empty bucket says where the next one begins.
        "counts": {key: value for key, value in sorted(counts.items()) if value or "_bucket " in key},
    }
