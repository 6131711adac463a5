"""The simulator's statements over HTTP into a real LRS: taken to the last one."""

from __future__ import annotations

import asyncio

import numpy as np

from loadtests.ledger import Ledger, instant
from loadtests.reader import Reader
from loadtests.sent import Digest
from loadtests.target import Target
from simulator.emission import Emission, emit_http
from simulator.scenario import load
from simulator.study import quiet


async def test_what_the_simulator_posts_is_stored_to_the_last_statement(target: Target) -> None:
    scenario = load(["weekday"], ["population.learners=12000", "run.begin=10:30", "run.hours=1.5"])
    emission = Emission(scenario, seed=9, limit=1_000)
    ids = {
        line[7:43].tobytes().decode()
        for text, ends, _, _ in emission.chunks()
        for line in np.split(text[: ends[-1]], ends[:-1])
    }
    async with Reader(target) as reader:
        since = instant(await reader.through())
        done = await asyncio.to_thread(
            emit_http, emission, f"{target.address}/xapi", f"{target.key}:{target.secret}", 0.0, 4, quiet
        )
        assert done["failed_statements"] == 0
        assert done["statements"] >= len(ids) > 800
        agrees, _ = await Ledger(reader).agrees(Digest.of(ids), since)
        assert agrees
