"""A run: rounds of load, a fault at a seeded random moment, and a look at everything."""

from __future__ import annotations

import asyncio
import datetime
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tests.crash import check
from tests.crash.fault import ON_KAFKA, ON_POSTGRESQL, Fault, Scene
from tests.crash.load import Ledger, send
from tests.crash.system import EVERYTHING, Lrs

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

CLIENTS = 4
VERIFY_EACH = 20
"""Rounds between two recomputations of everything."""


@dataclass
class Report:
    """What a run came to."""

    taken_over: dict[str, list[float]] = field(default_factory=dict)
    """By kind of fault: for each one, the seconds until requests were answered again, and every
    partition of every stage went on."""
    acknowledged: int = 0
    unanswered: int = 0
    zombies: Mapping[str, int] = field(default_factory=dict)
    """What became of workers that came back after their partitions were given away."""

    @property
    def faults(self) -> dict[str, int]:
        """How many there were, by kind."""
        return {kind: len(seconds) for kind, seconds in self.taken_over.items()}


async def crash(
    directory: Path,
    faults: int,
    seed: int,
    progress: Callable[[Report], None] = lambda _: None,
    *,
    broker: Broker | None = None,
    kinds: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Report:
    """Do as many faults as asked; raises AssertionError at the first thing that is not as it must be.

    `broker`: where the log is kept, if not in the store; `kinds`: of fault, each done once before any is
    done again, all that there are unless named; `settings`: further variables."""
    possible = ON_POSTGRESQL if broker is None else ON_KAFKA
    wanted = list(kinds or possible)
    rng, ledger, report = Random(seed), Ledger(), Report()
    began = _now()
    async with _running(directory, rng, broker, settings or {}) as scene:
        report.zombies = scene.zombies
        for number in range(faults):
            kind = wanted[number] if number < len(wanted) else rng.choice(wanted)
            first, since = len(ledger.batches), _now()
            try:
                seconds = await _round(scene, ledger, possible[kind])
                fresh = ledger.batches[first:]
                await check.caught_up(scene.lrs)
                await check.everything_is_there_once(scene.lrs, ledger, fresh, since)
                check.nobody_ended_for_a_defect(scene.lrs)
                if (number + 1) % VERIFY_EACH == 0:
                    await check.derived_equals_recomputed(scene.lrs)
            except BaseException as error:
                error.add_note(f"fault {number + 1}, {kind}, of seed {seed}")
                raise
            report.taken_over.setdefault(kind, []).extend(seconds)
            report.acknowledged += sum(len(batch.ids) for batch in fresh if batch.acknowledged)
            report.unanswered += sum(len(batch.ids) for batch in fresh if not batch.acknowledged)
            progress(report)
        await check.everything_is_there_once(scene.lrs, ledger, ledger.batches, began)
        await check.nothing_was_put_aside(scene.lrs)
        await check.derived_equals_recomputed(scene.lrs)
        assert await scene.lrs.stop() == 0, scene.lrs.tail()
    return report


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@asynccontextmanager
async def _running(
    directory: Path, rng: Random, broker: Broker | None, settings: Mapping[str, str]
) -> AsyncIterator[Scene]:
    """An LRS that is ready; on Kafka it has two workers of each stage, and a proxy before the broker."""
    if broker is None:
        async with _started(Lrs(directory, settings)) as lrs:
            yield Scene(lrs, rng)
        return
    async with broker.proxy() as proxy:
        on_kafka = {
            "LRS_LOG": f"kafka://{proxy.address}",
            "LRS_KAFKA_TOPIC": f"{uuid.uuid4().hex[:8]}.statements",
            "LRS_KAFKA_REPLICATION": "1",
            "LRS_PERSIST_WORKERS": "2",
            "LRS_SCORE_WORKERS": "2",
        }
        lrs = Lrs(directory, on_kafka | dict(settings))
        applied = await asyncio.to_thread(lrs.run, "topics", "apply")
        assert applied.returncode == 0, applied.stderr
        async with _started(lrs):
            yield Scene(lrs, rng, broker, proxy)


@asynccontextmanager
async def _started(lrs: Lrs) -> AsyncIterator[Lrs]:
    lrs.start()
    try:
        await lrs.ready()
        yield lrs
    except BaseException:
        lrs.kill(EVERYTHING)
        raise


async def _round(scene: Scene, ledger: Ledger, fault: Fault) -> list[float]:
    """Load, a fault in the middle of it, and more load until everything is ready again.

    The seconds until everything went on; nothing if there was nobody to do it to.
    """
    stop = asyncio.Event()
    rng, lrs = scene.rng, scene.lrs
    clients = [
        asyncio.create_task(send(lrs.address, rng.getrandbits(60), ledger, stop, patience=20))
        for _ in range(CLIENTS)
    ]
    try:
        await asyncio.sleep(rng.uniform(0.1, 1.2))
        struck = time.monotonic()
        going_on = asyncio.create_task(check.everything_goes_on(lrs, ledger, struck))
        try:
            done = await fault(scene)
            await lrs.ready()
            seconds = await going_on
        finally:
            going_on.cancel()
        await asyncio.sleep(0.2)
    finally:
        stop.set()
        await asyncio.gather(*clients)
    return [seconds] if done else []
