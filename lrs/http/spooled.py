"""Bytes that may be many, through a file: whole before they are judged, in memory only in pieces."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lrs.http.call import PATIENCE, SLOWEST
from lrs.http.spool import Spool

if TYPE_CHECKING:
    from lrs.http.body import Admission, Bodies, Receive
    from lrs.http.call import Call, Send


@asynccontextmanager
async def spool(call: Call, admission: Admission) -> AsyncIterator[Spool]:
    """A spool that is gone at the end."""
    opened = Spool(call, admission)
    try:
        yield opened
    finally:
        opened.close()


async def receive_into(into: Spool, call: Call, bodies: Bodies, receive: Receive, limit: int) -> bytes:
    """Take a request's body of up to `limit` bytes; its SHA-1. Raises Refusal as `Bodies.stream`."""
    hashed = hashlib.sha1(usedforsecurity=False)
    async for piece in bodies.stream(call, receive, limit):
        hashed.update(piece)
        await into.write(piece)
    return hashed.digest()


async def send_from(out_of: Spool, send: Send, headers: Mapping[str, str]) -> None:
    """Answer 200 with everything in the spool. A reader that is too slow finds it cut short."""
    listed = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    listed.append((b"content-length", b"%d" % out_of.size))
    await send({"type": "http.response.start", "status": 200, "headers": listed})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE + out_of.size / SLOWEST):
            async for piece in out_of.read(0, out_of.size):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
