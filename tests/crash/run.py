"""A run: rounds of load, a fault at a seeded random moment, and a look at everything."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.crash import check
from tests.crash.fault import VICTIMS, Lrs
from tests.crash.load import Ledger, send

CLIENTS = 4
VERIFY_EACH = 20
"""Rounds between two recomputations of everything."""


@dataclass
class Report:
    """What a run came to."""

    faults: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    acknowledged: int = 0
    unanswered: int = 0
    recoveries: list[float] = field(default_factory=list)
    """Seconds from each kill until everything was ready again."""


async def crash(
    directory: Path,
    faults: int,
    seed: int,
    progress: Callable[[Report], None] = lambda _: None,
    environment: Mapping[str, str] | None = None,
    victims: Sequence[str] = VICTIMS,
) -> Report:
    """Kill as often as asked; raises AssertionError at the first thing that is not as it must be.

    `environment`: further settings; `victims`: whom it hits, each once before any is hit again."""
    rng, ledger, report = Random(seed), Ledger(), Report()
    lrs = Lrs(directory)
    lrs.environment.update(environment or {})
    lrs.start()
    try:
        await lrs.ready()
        for number in range(faults):
            first = len(ledger.batches)
            since = (
                datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            )
            victim = victims[number] if number < len(victims) else rng.choice(victims)
            await _round(lrs, rng, ledger, report, victim)
            fresh = ledger.batches[first:]
            await check.caught_up(lrs)
            await check.everything_is_there_once(lrs, ledger, fresh, since)
            report.acknowledged += sum(len(batch.ids) for batch in fresh if batch.acknowledged)
            report.unanswered += sum(len(batch.ids) for batch in fresh if not batch.acknowledged)
            if (number + 1) % VERIFY_EACH == 0:
                await check.derived_equals_recomputed(lrs)
            progress(report)
        await check.derived_equals_recomputed(lrs)
        assert await lrs.stop() == 0, lrs.tail()
    except BaseException:
        lrs.kill("everything")
        raise
    return report


async def _round(lrs: Lrs, rng: Random, ledger: Ledger, report: Report, victim: str) -> None:
    """Load, a kill in the middle of it, and more load until everything is ready again."""
    stop = asyncio.Event()
    clients = [
        asyncio.create_task(send(lrs.address, rng.getrandbits(60), ledger, stop, patience=20))
        for _ in range(CLIENTS)
    ]
    try:
        await asyncio.sleep(rng.uniform(0.1, 1.2))
        if lrs.kill(victim):
            report.faults[victim] += 1
        if victim == "everything":
            lrs.start()
        report.recoveries.append(await lrs.ready())
        await asyncio.sleep(0.2)
    finally:
        stop.set()
        await asyncio.gather(*clients)
