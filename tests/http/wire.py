"""The edge behind its real server on a free port, and raw sockets to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lrs.http.server import serve
from tests.http.client import Answer, Application, Client, basic


@dataclass(slots=True)
class Served:
    """A server; `stop` tells it to stop, `ended` is done when it has."""

    port: int
    stop: asyncio.Event
    ended: asyncio.Task[None]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(application: Application, drain: float = 10.0) -> AsyncIterator[Served]:
    """The application behind the server, until the end or `stop`."""
    port, stop, listening = free_port(), asyncio.Event(), asyncio.Event()
    ended = asyncio.create_task(serve(application, "127.0.0.1", port, stop, listening.set, drain))
    async with asyncio.timeout(20):
        await listening.wait()
    try:
        yield Served(port, stop, ended)
    finally:
        stop.set()
        await ended


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


class Connection:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send bytes as they are; whoever closed meanwhile is no error."""
        with contextlib.suppress(ConnectionError):
            for part in parts:
                self.writer.write(part)
                await self.writer.drain()
                await asyncio.sleep(pause)

    async def answer(self, seconds: float = 30.0, *, head: bool = False) -> Answer | None:
        """The next answer; None when the connection was closed without one."""
        async with asyncio.timeout(seconds):
            try:
                top = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            first, *lines = top.strip().split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            status = int(first.split()[1])
            length = 0 if head or status == 204 else int(headers.get("content-length", "0"))
            return Answer(status, headers, await self.reader.readexactly(length))


@asynccontextmanager
async def connection(port: int, window: int | None = None) -> AsyncIterator[Connection]:
    """A raw connection to a port of this machine; `window`: bytes that it takes without being read."""
    end = socket.socket()
    if window is not None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    end.setblocking(False)
    await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=end, limit=window or 1 << 16)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def head(client: Client, line: str = "POST /xapi/statements", *headers: str) -> bytes:
    """A request's head with the client's credentials; `headers` are whole lines."""
    lines = [
        f"{line} HTTP/1.1",
        "Host: localhost",
        f"Authorization: {basic(client.key, client.secret)}",
        f"X-Experience-API-Version: {client.version}",
        "Content-Type: application/json",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunked(parts: Iterable[bytes]) -> bytes:
    """A chunked body (RFC 9112 7.1)."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))
