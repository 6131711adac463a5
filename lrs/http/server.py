"""The server around the edge's application: Granian, in this process and on its event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, Final

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger("lrs.http")

HEAD_PATIENCE: Final = 10
"""Seconds that a request's head may take to arrive, and that a connection may stay idle."""

LONGEST_HEAD: Final = 1 << 18
"""Bytes of a request's head, its path and query included; what is longer gets 431."""


async def serve(
    application: Callable[..., Awaitable[None]],
    host: str,
    port: int,
    stopping: asyncio.Event,
    listening: Callable[[], None],
    drain: float,
) -> None:
    """Serve until `stopping` is set, then give the requests under way `drain` seconds to end.

    `listening` is called when the port is open; a port of 0 takes a free one. Raises OSError when it
    cannot be opened.
    """
    port = _claim(host, port)
    server: Any = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_PATIENCE * 1000, max_buffer_size=LONGEST_HEAD),
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
            log.info("listening", host=host, port=port)
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


def _claim(host: str, port: int) -> int:
    """The port, or a free one for 0; raises OSError when another process listens on it.

    The server shares a port with whoever else is willing to, so that it would not notice.
    """
    [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])


async def _opened(host: str, port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.02)
