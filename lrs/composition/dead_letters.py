"""Dead letters, put together for their commands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lrs.composition.store import connected, opened_logs
from lrs.store import dead_letter
from lrs.store.dead_letter import DeadLetter, Filter, NotRetried
from lrs.store.dictionary import Dictionaries

if TYPE_CHECKING:
    from lrs.settings import Settings

_CONNECTIONS = 2


async def listed(settings: Settings, wanted: Filter, limit: int) -> list[DeadLetter]:
    """The newest letters that pass the filter."""
    async with connected(settings, _CONNECTIONS, "dead-letters") as pool:
        return await dead_letter.dead_letters(pool, wanted, limit)


async def shown(settings: Settings, number: int) -> tuple[DeadLetter, bytes | None] | None:
    """A letter with its bytes, None if it is not there."""
    async with connected(settings, _CONNECTIONS, "dead-letters") as pool:
        return await dead_letter.content(pool, number)


async def retried(settings: Settings, numbers: Sequence[int]) -> dict[int, str]:
    """Send letters again; why not, by number, for those that cannot be."""
    refused = {}
    async with (
        connected(settings, _CONNECTIONS, "dead-letters") as pool,
        opened_logs(pool, settings) as logs,
    ):
        dictionaries = Dictionaries()
        await dictionaries.load_newest(pool)
        for number in numbers:
            try:
                await dead_letter.retry(pool, logs.statements, dictionaries, number, time.time_ns() // 1000)
            except NotRetried as error:
                refused[number] = str(error)
    return refused


async def discarded(settings: Settings, numbers: Sequence[int]) -> dict[int, str]:
    """Forget letters; why not, by number, for those that are not there."""
    async with connected(settings, _CONNECTIONS, "dead-letters") as pool:
        there = {number: await dead_letter.discard(pool, number) for number in numbers}
    return {number: "there is no such letter" for number, was in there.items() if not was}
