"""Sweeping: what no statement uses goes, but not while it is not known what was accepted."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import cast

import pytest

from lrs.attachment.memory import MemoryAttachments
from lrs.attachment.port import GRACE
from lrs.composition.sweeping import sweep
from lrs.store.horizon import Horizon

NOW = 1_800_000_000.0
DATA = b"data"
SHA2 = hashlib.sha256(DATA).hexdigest()


class Reached:
    """A horizon at an instant, in seconds since 1970."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def consistent_through(self) -> int:
        return int(self._seconds * 1e6)


async def pieces() -> AsyncIterator[bytes]:
    yield DATA


@pytest.mark.parametrize(
    ("behind", "deleted"), [(0.0, 1), (GRACE / 2 - 1, 1), (GRACE / 2 + 1, 0), (GRACE, 0)]
)
async def test_nothing_is_swept_while_persist_is_far_behind(behind: float, deleted: int) -> None:
    attachments = MemoryAttachments(lambda _tenant, _id: False, grace=0.0)
    await attachments.put(1, SHA2, len(DATA), pieces(), [b"i" * 16])
    horizon = cast("Horizon", Reached(NOW - behind))
    assert await sweep(attachments, horizon, NOW) == deleted
    assert (SHA2 in await attachments.sizes(1, [SHA2])) == (not deleted)
