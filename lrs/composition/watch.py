"""The watch that every process keeps over its store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from lrs.composition.store import AWAY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lrs.process import Process

log = structlog.get_logger("lrs.composition")

WATCH = 2.0
"""Seconds between two looks at the store."""


async def watch(process: Process, look: Callable[[], Awaitable[None]]) -> None:
    """Look at the store again and again, and report whether it answers; until it is cancelled.

    It outlives every error: a process whose watch has ended would be unready for ever.
    """
    process.readiness.expire("store", 5 * WATCH)
    while True:
        try:
            async with asyncio.timeout(2 * WATCH):
                await look()
            process.readiness.set("store")
        except Exception as error:
            if not isinstance(error, AWAY):
                log.exception("the watch over the store failed")
            process.readiness.set("store", f"does not answer: {error or type(error).__name__}")
        await asyncio.sleep(WATCH)
