"""The probe: one client that posts a statement and asks for it until it is there."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import aiohttp
import numpy as np

from benchmarks.path.system import System
from loadtests.bodies import Supply
from lrs.demo.client import basic

_EVERY: Final = 0.1
"""Seconds between two statements of the probe."""
_ASK_AGAIN: Final = 0.002
_GIVE_UP: Final = 30.0


class NotSeen(Exception):
    """A statement was acknowledged and could not be read."""


class Probe:
    """Measures until it is cancelled."""

    def __init__(self, system: System, supply: Supply) -> None:
        """`supply`: of single statements."""
        self._address = f"{system.state.http}/xapi/statements"
        self._authorization = basic(system.key, system.secret)
        self._supply = supply
        self.acknowledged: list[float] = []
        """Seconds from the request to its acknowledgement."""
        self.seen: list[float] = []
        """Seconds from the acknowledgement until the statement was read."""

    async def run(self) -> None:
        """One statement after another."""
        headers = {"Authorization": self._authorization, "X-Experience-API-Version": "1.0.3"}
        async with aiohttp.ClientSession(headers=headers) as session:
            while True:
                await self._once(session)
                await asyncio.sleep(_EVERY)

    async def _once(self, session: aiohttp.ClientSession) -> None:
        body = next(self._supply)
        started = time.perf_counter()
        async with session.post(
            self._address, data=body.content, headers={"Content-Type": "application/json"}
        ) as answer:
            await answer.read()
            if answer.status in (429, 503):
                await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
                return
            answer.raise_for_status()
        acknowledged = time.perf_counter()
        while True:
            async with session.get(self._address, params={"statementId": body.ids[0]}) as answer:
                await answer.read()
                if answer.status == 200:
                    break
            if time.perf_counter() - acknowledged > _GIVE_UP:
                raise NotSeen(f"statement {body.ids[0]} was acknowledged and is not there after {_GIVE_UP} s")
            await asyncio.sleep(_ASK_AGAIN)
        self.acknowledged.append(acknowledged - started)
        self.seen.append(time.perf_counter() - acknowledged)


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """Quantiles of durations; empty when there are none."""
    if not seconds:
        return {}
    shares = (0.5, 0.9, 0.99, 1.0)
    values = np.quantile(np.array(seconds), shares) * 1000
    return {f"p{share * 100:g}": round(float(value), 2) for share, value in zip(shares, values, strict=True)}
