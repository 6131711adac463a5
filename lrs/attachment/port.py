"""The port of attachments: their data by tenant and SHA-2, and which statements they came with.

Data are put before their statement is accepted, so that no accepted statement lacks them; what was put
for a statement that never was accepted is swept away after a time of grace. A SHA-2 is hexadecimal in
small letters, of 56, 64, 96 or 128 digits (SHA-224, -256, -384, -512); a statement is its id, 16 bytes.

Every adapter passes one contract suite: `tests/attachment/contract.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection, Sequence
from typing import Final, Protocol

from lrs.xapi.attachment import hash_of

GRACE: Final = 86_400.0
"""Seconds for which data are kept though no accepted statement uses them: far longer than a statement
takes from its first byte to the store."""


class AttachmentError(Exception):
    """Attachments cannot do what was asked."""


class NotTheData(AttachmentError):
    """What was put has not the SHA-2 or the size that were said; nothing was stored."""


class NoData(AttachmentError):
    """There are no data, or not any more."""


class Attachments(Protocol):
    """Attachments of all tenants."""

    async def put(
        self, tenant: int, sha2: str, size: int, data: AsyncIterable[bytes], users: Sequence[bytes]
    ) -> None:
        """Store the data, unless they are there, and that these statements use them; durable on return.

        `data` comes in pieces of any size and is read once, or not at all. Raises NotTheData.
        """

    async def sizes(self, tenant: int, sha2s: Collection[str]) -> dict[str, int]:
        """The bytes of those that are there, by SHA-2."""

    async def used(self, tenant: int, users: Sequence[bytes]) -> dict[str, int]:
        """The bytes of those that these statements use, by SHA-2."""

    def read(self, tenant: int, sha2: str) -> AsyncIterator[bytes]:
        """The data, piece by piece. Raises NoData, in the middle too if they are deleted meanwhile."""

    async def release(self, tenant: int, users: Sequence[bytes]) -> None:
        """These statements use nothing any more; what nobody uses now is deleted."""

    async def sweep(self) -> int:
        """Delete what has been there for the time of grace and no accepted statement uses; how many.

        A call may do a part of the work only; it is done when the answer is 0.
        """


class Checked:
    """Data on their way to where they are kept, checked as they pass.

    Iterating raises NotTheData at the end, or as soon as there are too many bytes.
    """

    def __init__(self, sha2: str, size: int, data: AsyncIterable[bytes]) -> None:
        self._sha2, self._size, self._data = sha2, size, data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        hashed, size = hash_of(self._sha2), 0
        async for piece in self._data:
            size += len(piece)
            if size > self._size:
                break
            hashed.update(piece)
            yield piece
        if size != self._size or hashed.hexdigest() != self._sha2:
            raise NotTheData(f"the data are not the {self._size} bytes whose SHA-2 is {self._sha2}")
