"""What a request brings, kept until all of it is judged: little in memory, more in a file without a name."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from typing import IO, TYPE_CHECKING, Final

from lrs.http.error import Refusal, unavailable

if TYPE_CHECKING:
    from lrs.http.body import Admission
    from lrs.http.call import Call

PIECE: Final = 1 << 18
"""Bytes that are kept in memory, written at once, and read at once."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Spool:
    """Bytes written one after another, and read from any place; what is in memory is held at the
    admission. The file, in the directory of temporary files, is gone when it is closed."""

    def __init__(self, call: Call, admission: Admission) -> None:
        self._call, self._admission = call, admission
        self._file: IO[bytes] | None = None
        self._written = 0
        self._tail = bytearray()
        self._closed = False
        # A thread may still be writing when its request has been given up.
        self._using = threading.Lock()

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._written + len(self._tail)

    async def write(self, data: bytes) -> None:
        """Append bytes. Raises Refusal 503 when there is no room for them."""
        self._admission.hold(self._call, len(data))
        self._tail += data
        if len(self._tail) >= PIECE:
            try:
                await asyncio.to_thread(self._spill)
            except OSError as error:
                raise _no_room(error) from error
            self._admission.hold(self._call, -len(self._tail))
            self._written += len(self._tail)
            self._tail.clear()

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`, in pieces."""
        while start < min(end, self._written):
            piece = await asyncio.to_thread(self._fetch, start, min(end - start, PIECE))
            yield piece
            start += len(piece)
        if start < end:
            yield bytes(self._tail[start - self._written : end - self._written])

    def close(self) -> None:
        """Let go of everything."""
        with self._using:
            self._closed = True
            if self._file is not None:
                self._file.close()

    def _spill(self) -> None:
        with self._using:
            if self._closed:
                return
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (close does)
            with memoryview(self._tail) as left:
                done = 0
                while done < len(left):
                    done += os.pwrite(self._file.fileno(), left[done:], self._written + done)

    def _fetch(self, start: int, count: int) -> bytes:
        with self._using:
            assert self._file is not None
            return os.pread(self._file.fileno(), min(count, self._written - start), start)


def _no_room(error: OSError) -> Refusal:
    if error.errno in _FULL:
        return unavailable("there is no room for what is being sent", "disk_full", 30)
    return unavailable(f"what is being sent cannot be kept: {error.strerror}", "store_unavailable")
