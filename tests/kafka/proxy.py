"""A TCP proxy in front of a broker: it does to the connections of one process what a network may do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import Enum
from types import TracebackType
from typing import Self

import psutil

_PIECE = 1 << 16


class Weather(Enum):
    """What becomes of a connection."""

    CLEAR = "clear"
    CUT = "cut"
    """It is reset, and so is every new one."""
    HELD = "held"
    """Nothing arrives, and nobody is told; what was sent meanwhile arrives late."""
    SLOW = "slow"
    """Every piece arrives late."""


Owners = Callable[[], Collection[int]]
"""The ids of the processes that are concerned, as they are now."""


class _Connection:
    """A client's connection and the broker's, and what lies between them."""

    def __init__(self, client: asyncio.StreamWriter, broker: asyncio.StreamWriter) -> None:
        self.client, self._broker = client, broker
        self._delay = 0.0
        self._passable = asyncio.Event()
        self._passable.set()

    def set(self, weather: Weather, delay: float) -> None:
        """Let this be so from now on."""
        self._delay = delay if weather is Weather.SLOW else 0.0
        if weather is Weather.HELD:
            self._passable.clear()
        else:
            self._passable.set()
        if weather is Weather.CUT:
            self.abort()

    def abort(self) -> None:
        """Reset both ends."""
        for writer in (self.client, self._broker):
            writer.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what comes from one end to the other."""
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                await self._pass()
                writer.write(piece)
                await writer.drain()
            await self._pass()
        writer.close()

    async def _pass(self) -> None:
        await asyncio.sleep(self._delay)
        await self._passable.wait()


class Proxy:
    """Listens on a port, and carries everything to another one; to be used with `async with`."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._weather, self._delay = Weather.CLEAR, 0.0
        self._owners: Owners = tuple

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.set(Weather.CUT, 0.0)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def weather(self, weather: Weather, owners: Owners, delay: float = 0.0) -> Iterator[None]:
        """Let it be so, in the block, for all connections of some processes, and for their new ones."""
        self._weather, self._owners, self._delay = weather, owners, delay
        ports = _ports(owners())
        touched = [each for each in self._connections if _port(each.client) in ports]
        for connection in touched:
            connection.set(weather, delay)
        try:
            yield
        finally:
            self._weather, self._owners = Weather.CLEAR, tuple
            for connection in self._connections:
                connection.set(Weather.CLEAR, 0.0)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._carry(reader, client)
        finally:
            self._tasks.discard(task)
            client.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        concerned = self._weather is not Weather.CLEAR and _port(client) in _ports(self._owners())
        if concerned and self._weather is Weather.CUT:
            return
        try:
            from_broker, broker = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return
        connection = _Connection(client, broker)
        self._connections.add(connection)
        if concerned:
            connection.set(self._weather, self._delay)
        try:
            await asyncio.gather(connection.pump(reader, broker), connection.pump(from_broker, client))
        finally:
            self._connections.discard(connection)
            connection.abort()


def _port(client: asyncio.StreamWriter) -> int:
    """The client's own port."""
    peer = client.get_extra_info("peername")
    return int(peer[1]) if peer else 0


def _ports(owners: Collection[int]) -> set[int]:
    """The ports from which processes hold connections."""
    found: set[int] = set()
    for pid in owners:
        with contextlib.suppress(psutil.Error):
            found.update(each.laddr.port for each in psutil.Process(pid).net_connections("tcp") if each.laddr)
    return found
