"""The sweeping of attachments whose statements were never accepted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from lrs.attachment.port import GRACE
from lrs.composition.store import AWAY

if TYPE_CHECKING:
    from lrs.attachment.port import Attachments
    from lrs.store.horizon import Horizon

log = structlog.get_logger("lrs.http")

SWEEP = 600.0
"""Seconds between two sweeps."""


async def keep_swept(attachments: Attachments, horizon: Horizon) -> None:
    """Sweep again and again, until it is cancelled; several edges share the work."""
    while True:
        await asyncio.sleep(SWEEP)
        try:
            if deleted := await sweep(attachments, horizon, time.time()):
                log.info("attachments without a statement deleted", number=deleted)
        except AWAY as error:
            log.warning("attachments not swept", error=str(error))


async def sweep(attachments: Attachments, horizon: Horizon, now: float) -> int:
    """Delete what no statement uses, and return how many that were; nothing while persist is far behind:
    with the log on Kafka it is persist that makes an accepted statement known. `now`: seconds since 1970."""
    if await horizon.consistent_through() < (now - GRACE / 2) * 1e6:
        return 0
    deleted = 0
    while found := await attachments.sweep():
        deleted += found
    return deleted
