"""Attachments in memory, for tests: kept for as long as the process lives."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field

from lrs.attachment.port import GRACE, Checked, NoData


@dataclass(slots=True)
class _Kept:
    """`due`: when to look whether an accepted statement uses it; None: one does."""

    pieces: list[bytes]
    due: float | None
    users: set[bytes] = field(default_factory=set)


class MemoryAttachments:
    """An implementation of `lrs.attachment.port.Attachments`.

    `accepted` tells whether a statement (tenant, id) was accepted; `grace`: see the port, in seconds.
    """

    def __init__(self, accepted: Callable[[int, bytes], bool], grace: float = GRACE) -> None:
        self._accepted, self._grace = accepted, grace
        self._kept: dict[tuple[int, str], _Kept] = {}

    async def put(
        self, tenant: int, sha2: str, size: int, data: AsyncIterable[bytes], users: Sequence[bytes]
    ) -> None:
        """See the port."""
        if (tenant, sha2) not in self._kept:
            pieces = [piece async for piece in Checked(sha2, size, data)]
            self._kept.setdefault((tenant, sha2), _Kept(pieces, None)).due = self._later()
        kept = self._kept[tenant, sha2]
        kept.due = self._later() if kept.due is not None else None
        kept.users.update(users)

    async def sizes(self, tenant: int, sha2s: Collection[str]) -> dict[str, int]:
        """See the port."""
        return {
            sha2: sum(map(len, kept.pieces))
            for sha2 in sha2s
            if (kept := self._kept.get((tenant, sha2))) is not None
        }

    async def used(self, tenant: int, users: Sequence[bytes]) -> dict[str, int]:
        """See the port."""
        named = [
            sha2
            for (owner, sha2), kept in self._kept.items()
            if owner == tenant and not kept.users.isdisjoint(users)
        ]
        return await self.sizes(tenant, named)

    async def read(self, tenant: int, sha2: str) -> AsyncIterator[bytes]:
        """See the port."""
        for piece in self._there(tenant, sha2).pieces:
            yield piece
            self._there(tenant, sha2)

    async def release(self, tenant: int, users: Sequence[bytes]) -> None:
        """See the port."""
        for key, kept in list(self._kept.items()):
            if key[0] == tenant and not kept.users.isdisjoint(users):
                kept.users.difference_update(users)
                kept.due = self._later()
                if not kept.users:
                    del self._kept[key]

    async def sweep(self) -> int:
        """See the port."""
        now, before = time.monotonic(), len(self._kept)
        for key, kept in list(self._kept.items()):
            if kept.due is not None and kept.due <= now:
                kept.due = None
                if not any(self._accepted(key[0], user) for user in kept.users):
                    del self._kept[key]
        return before - len(self._kept)

    def sharing(self, grace: float) -> MemoryAttachments:
        """The same attachments with another time of grace."""
        other = MemoryAttachments(self._accepted, grace)
        other._kept = self._kept
        return other

    def _there(self, tenant: int, sha2: str) -> _Kept:
        kept = self._kept.get((tenant, sha2))
        if kept is None:
            raise NoData(f"there is no attachment with the SHA-2 {sha2}")
        return kept

    def _later(self) -> float:
        return time.monotonic() + self._grace
