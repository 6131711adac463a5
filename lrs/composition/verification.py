"""Verification and rebuilding, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lrs.composition.store import connected
from lrs.garbage import seldom_collected
from lrs.store.credential import ROOT_TENANT
from lrs.store.dictionary import Dictionaries
from lrs.store.name import Names
from lrs.store.rebuilding import repair, replace_catalogue
from lrs.store.verification import Examiner, verify

if TYPE_CHECKING:
    from lrs.settings import Settings
    from lrs.store.rebuilding import Rebuilt
    from lrs.store.verification import Progress, Report

_CONNECTIONS = 4
"""The snapshot, what is written, the lock of a rebuilding, and one for names."""


@asynccontextmanager
async def _examiner(settings: Settings, name: str) -> AsyncIterator[Examiner]:
    async with connected(settings, _CONNECTIONS, name) as pool:
        with seldom_collected():
            yield Examiner(pool, Names(pool), Dictionaries())


async def verification(settings: Settings, fraction: float, progress: Progress) -> Report:
    """For `lrs verify`."""
    async with _examiner(settings, "verify") as examiner:
        return await verify(examiner, fraction, progress)


async def rebuilding(settings: Settings, catalogue: str | None, progress: Progress) -> Rebuilt:
    """For `lrs rebuild`; `catalogue` is the text of the one that everything is to be derived under."""
    async with _examiner(settings, "rebuild") as examiner:
        if catalogue is None:
            return await repair(examiner, progress)
        return await replace_catalogue(examiner, ROOT_TENANT, catalogue, progress)
