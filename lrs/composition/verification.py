"""Verification and rebuilding, put together."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from lrs.composition.store import connected
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
        with _seldom_collected():
            yield Examiner(pool, Names(pool), Dictionaries())


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Statements by the thousand are made and dropped, and none is part of a cycle: at its usual rhythm
    the garbage collector costs two fifths of all time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


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
