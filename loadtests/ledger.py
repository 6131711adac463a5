"""What the store says it holds: its public digest, and its ids where the digest does not agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Self
from uuid import UUID

from loadtests.reader import Reader

_EVER: Final = "2100-01-01T00:00:00Z"
_TRIES: Final = 4
_PAUSE: Final = 1.0
"""Seconds: about as long as an idle partition takes to move on."""


@dataclass(frozen=True)
class Digest:
    """How many ids, and the sum of the first halves of their SHA-256, modulo 2^128: whatever their order."""

    count: int
    sum: int

    @classmethod
    def of(cls, ids: Iterable[str]) -> Self:
        """Of ids of one's own."""
        numbers = [int.from_bytes(sha256(UUID(id_).bytes).digest()[:16], "big") for id_ in ids]
        return cls(len(numbers), sum(numbers) % (1 << 128))


@dataclass(frozen=True)
class Ledger:
    """The public digest of the statements stored after `since`."""

    reader: Reader
    since: str

    async def agrees(self, expected: Digest) -> tuple[bool, str]:
        """Whether the store's digest is this one, and up to which instant it was told.

        An answer covers what every partition of the log has passed. It is asked for again while that still
        moves on, since what was expected may just not be covered.
        """
        covered = ""
        for _ in range(_TRIES):
            told = await self._told("/api/v1/digest", until=_EVER)
            if Digest(told["count"], int(told["sum"], 16)) == expected:
                return True, told["until"]
            if told["until"] == covered:
                break
            covered = told["until"]
            await asyncio.sleep(_PAUSE)
        return False, covered

    async def ids(self, until: str) -> Counter[str]:
        """The ids of what was stored not after `until`, and how often each is there."""
        found: Counter[str] = Counter()
        more: dict[str, str] = {}
        while True:
            page = await self._told("/api/v1/digest/ids", until=until, **more)
            found.update(one["id"] for one in page["ids"])
            if page["after"] is None:
                return found
            more = {"after": page["after"]}

    async def _told(self, path: str, **parameters: str) -> Any:
        return await self.reader.json(path, {"since": self.since, **parameters})
