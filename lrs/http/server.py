"""The server around the edge's application: Granian, in this process and on its event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def serve(
    application: Callable[..., Awaitable[None]],
    host: str,
    port: int,
    stopping: asyncio.Event,
    listening: Callable[[], None],
    drain: float,
) -> None:
    """Serve until `stopping` is set, then give the requests under way `drain` seconds to end.

    `listening` is called when the port is open. Raises OSError when it cannot be opened.
    """
    server: Any = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=1 << 20),
        websockets=False,
        backlog=2048,
        backpressure=4096,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    opened = asyncio.create_task(_opened(host, port))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((serving, opened), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            listening()
        await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        opened.cancel()
        stopped.cancel()
        server.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(serving), drain)
    if serving.done():
        serving.result()


async def _opened(host: str, port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.02)
