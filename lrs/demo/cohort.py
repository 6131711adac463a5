"""The cohort: some hundred learners who learn in fast motion, each a client of the LRS.

A learner's place in the catalogue is read from the LRS, never kept here: so a second run goes on
where the first one stopped, with other registrations. Whoever has finished is followed by another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from datetime import datetime
from random import Random
from typing import Any, Final

from lrs.demo.career import career, courses_for
from lrs.demo.client import Client, Refused
from lrs.demo.learner import Learner, learner
from lrs.demo.sitting import Sitting, microseconds
from lrs.scoring.catalogue import Catalogue, Course

SEATS: Final = 120
"""Learners at a time."""
PACE: Final = 120.0
"""Seconds of learning in one second."""

_DAY_US: Final = 86_400_000_000
_HISTORY_US: Final = 30 * _DAY_US
_STEP: Final = (0.02, 0.12)
"""A sitting begins this share of the time later that is left from the last one until now."""
_REST: Final = (0.5, 5.0)
"""Seconds between two sittings."""
_OFFLINE: Final = {"Android": 0.3, "iOS": 0.2, "Web": 0.0}
"""How often a sitting is without a connection, by platform: it is sent afterwards."""
_RECONNECTS: Final = (2.0, 8.0)
_REPEATS: Final = 0.03
"""How often a client sends again what was acknowledged."""
_BATCH: Final = {"Android": 4, "iOS": 1, "Web": 6}
"""Statements that a client collects before it sends them, by platform."""


class Seat:
    """A place in the cohort, and the learner who has it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.learner: Learner = learner(number)
        self.course: Course | None = None


class Cohort:
    """Learners at their seats. `run` plays until it is cancelled."""

    def __init__(
        self, client: Client, catalogue: Catalogue, seed: int, seats: int = SEATS, pace: float = PACE
    ) -> None:
        """`seed`: another one for each run, or ids would come twice with other contents."""
        self._client, self.catalogue, self._seed, self._pace = client, catalogue, seed, pace
        self.seats = [Seat(number) for number in range(seats)]

    async def run(self) -> None:
        """All learners at once."""
        async with asyncio.TaskGroup() as group:
            for seat in self.seats:
                group.create_task(self._occupy(seat))

    async def _occupy(self, seat: Seat) -> None:
        """One learner after another."""
        rng = Random(f"seat {self._seed} {seat.number}")
        await asyncio.sleep(rng.uniform(*_REST))
        number = seat.number
        while True:
            someone = learner(number)
            satisfied, last = await self._standing(someone)
            if not self._finished(someone, satisfied):
                seat.learner = someone
                await self._learn(seat, rng, satisfied, last)
            number += len(self.seats)

    async def _standing(self, someone: Learner) -> tuple[set[str], int]:
        """The modules that a learner has satisfied, and when the last thing was done."""
        try:
            found = await self._client.progress(someone.agent)
        except Refused:
            found = {"activities": []}
        done = {activity["id"] for activity in found["activities"] if activity["satisfied"]}
        return done, max((_instant(activity) for activity in found["activities"]), default=0)

    def _finished(self, someone: Learner, satisfied: Collection[str]) -> bool:
        courses = courses_for(someone.number, self.catalogue)
        return all(part.module in satisfied for course in courses for part in course.parts)

    async def _learn(self, seat: Seat, rng: Random, satisfied: Collection[str], last: int) -> None:
        clock = max(last, _now() - _HISTORY_US)
        for sitting in career(seat.learner, self.catalogue, self._seed, satisfied):
            seat.course = sitting.course
            clock += round((_now() - clock) * rng.uniform(*_STEP))
            begin = min(clock, _now() - sitting.length * 1000)
            if rng.random() < _OFFLINE[seat.learner.platform]:
                await self._play_offline(rng, sitting, begin)
            else:
                await self._play(rng, sitting, begin)
            clock = begin + sitting.length * 1000
            await asyncio.sleep(rng.uniform(*_REST))

    async def _play(self, rng: Random, sitting: Sitting, begin: int) -> None:
        """Statements as they are made, some at a time."""
        waiting: list[bytes] = []
        before = 0
        for after, statement in sitting.statements(begin):
            await asyncio.sleep((after - before) / 1000 / self._pace)
            before = after
            waiting.append(statement)
            if len(waiting) >= _BATCH[sitting.learner.platform]:
                await self._send(rng, waiting)
                waiting = []
        if waiting:
            await self._send(rng, waiting)

    async def _play_offline(self, rng: Random, sitting: Sitting, begin: int) -> None:
        """All statements afterwards, at once, in no order."""
        statements = [statement for _, statement in sitting.statements(begin)]
        rng.shuffle(statements)
        await asyncio.sleep(sitting.length / 1000 / self._pace + rng.uniform(*_RECONNECTS))
        await self._send(rng, statements)

    async def _send(self, rng: Random, statements: list[bytes]) -> None:
        await self._client.send(statements)
        if rng.random() < _REPEATS:
            await self._client.send(statements, again=True)


def _now() -> int:
    return time.time_ns() // 1000


def _instant(activity: dict[str, Any]) -> int:
    return microseconds(datetime.fromisoformat(activity["last"])) if activity["last"] else 0
