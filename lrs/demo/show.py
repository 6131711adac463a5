"""The show: the cohort plays, the view follows it, until a stop is asked for."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final
from uuid import uuid4

import aiohttp
from rich.console import Console
from rich.live import Live

from lrs.demo.career import role_of
from lrs.demo.client import Client, Refused
from lrs.demo.cohort import Cohort, Seat
from lrs.demo.invitation import invitation
from lrs.demo.scrape import Reading, scrape
from lrs.demo.view import Scene, Standing, line, rates, screen, standing
from lrs.scoring.catalogue import Catalogue

_SHOWN: Final = 6
"""Learners in the view."""
_WINDOW: Final = 5
"""Seconds over which rates and delays are taken."""
_HISTORY: Final = 60


async def show(
    address: str,
    key: str,
    secret: str,
    catalogue: Catalogue,
    metrics: Callable[[], Sequence[str]],
    stopping: asyncio.Event,
    console: Console | None = None,
) -> None:
    """Invite, then play and show until `stopping` is set.

    `metrics` gives the addresses of the metrics ports, which change when a process is started again.
    """
    console = console or Console()
    for command in invitation(address, key, secret, catalogue, uuid4()):
        console.print(f"\n# {command.title}", style="bold")
        console.out(command.line, highlight=False)
    console.print()
    playing = asyncio.create_task(_play(address, key, secret, catalogue, metrics, console))
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((playing, waiting), return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            playing.result()
    finally:
        waiting.cancel()
        playing.cancel()
        await asyncio.gather(playing, waiting, return_exceptions=True)


async def _play(
    address: str,
    key: str,
    secret: str,
    catalogue: Catalogue,
    metrics: Callable[[], Sequence[str]],
    console: Console,
) -> None:
    async with Client(address, key, secret) as client, aiohttp.ClientSession() as session:
        cohort = Cohort(client, catalogue, seed=time.time_ns())
        observer = _Observer(cohort, client, session, metrics)
        live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        async with asyncio.TaskGroup() as group:
            group.create_task(cohort.run())
            group.create_task(observer.ask())
            with live or nullcontext():
                while True:
                    await asyncio.sleep(1.0)
                    scene = await observer.scene()
                    if live is not None:
                        live.update(screen(scene), refresh=True)
                    else:
                        console.out(line(scene), highlight=False)


class _Observer:
    """Looks at the metrics and asks for the learners that are shown."""

    def __init__(
        self,
        cohort: Cohort,
        client: Client,
        session: aiohttp.ClientSession,
        metrics: Callable[[], Sequence[str]],
    ) -> None:
        self._cohort, self._client, self._session, self._metrics = cohort, client, session, metrics
        self._readings: deque[Reading] = deque(maxlen=_WINDOW + 1)
        self._history: deque[tuple[float, float, float]] = deque(maxlen=_HISTORY)
        self._standings: dict[int, Standing] = {}

    async def ask(self) -> None:
        """Ask for the progress and the competencies of each shown learner, again and again."""
        while True:
            for seat in self._cohort.seats[:_SHOWN]:
                self._standings[seat.number] = await self._standing(seat)
                await asyncio.sleep(1.0 / _SHOWN)

    async def _standing(self, seat: Seat) -> Standing:
        someone, catalogue = seat.learner, self._cohort.catalogue
        role = role_of(someone.number, catalogue).names["en"] if catalogue.roles else ""
        course = seat.course.id if seat.course else ""
        try:
            progress = await self._client.progress(someone.agent)
            competencies = await self._client.competencies(someone.agent)
        except Refused:
            return Standing(someone.name, role, "", 0.0, ())
        return standing(someone.name, role, course, progress, competencies, someone.language)

    async def scene(self) -> Scene:
        """This moment."""
        now = await scrape(self._session, self._metrics())
        self._readings.append(now)
        if len(self._readings) > 1:
            self._history.append(rates(self._readings[-2], now))
        standings = tuple(self._standings[number] for number in sorted(self._standings))
        return Scene(now, self._readings[0], tuple(self._history), self._client.sent, standings)
