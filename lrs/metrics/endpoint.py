"""The metrics port of a process: `/metrics`, `/healthz` and `/readyz`.

Three documents for a scraper and a probe, each on a connection of its own. A web framework would
take longer to import than everything else that the supervisor needs.
"""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lrs.metrics.registry import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from lrs.metrics.readiness import Readiness

PATIENCE = 5.0
"""Seconds that a client may take for its request, and for taking the answer."""

HEAD_MAX = 16 << 10
"""Bytes of a request's head."""

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


class Endpoint:
    """Serves one process's registry and readiness, in its event loop: a stuck loop does not answer.

    `port` is the one listened on, after the start also when a free one was asked for.
    """

    def __init__(self, registry: CollectorRegistry, readiness: Readiness, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._registry, self._readiness = registry, readiness
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=HEAD_MAX)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
                except (asyncio.LimitOverrunError, ValueError):
                    method, target = "", ""
                path, _, query = target.partition("?")
                status, kind, body = self._answer(method, path, query)
                writer.write(
                    f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                )
                if method != "HEAD":
                    writer.write(body)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, path: str, query: str) -> tuple[int, str, bytes]:
        """Status, media type and body."""
        if not method:
            return 400, "text/plain", b""
        if method not in ("GET", "HEAD"):
            return 405, "text/plain", b""
        if path == "/metrics":
            return 200, CONTENT_TYPE, exposition(self._registry, query)
        if path == "/healthz":
            return 200, "application/json", b'{"status":"ok"}'
        if path == "/readyz":
            ready, checks = self._readiness.report()
            body = json.dumps({"ready": ready, "checks": checks}).encode()
            return (200 if ready else 503), "application/json", body
        return 404, "text/plain", b""
