"""The metrics port of a process: `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from aiohttp import web

from lrs.metrics.registry import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from lrs.metrics.readiness import Readiness


class Endpoint:
    """Serves one process's registry and readiness, in its event loop: a stuck loop does not answer.

    `port` is the one listened on, after the start also when a free one was asked for.
    """

    def __init__(self, registry: CollectorRegistry, readiness: Readiness, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._registry, self._readiness = registry, readiness
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._ready)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, _: web.Request) -> web.Response:
        ready, checks = self._readiness.report()
        return web.json_response({"ready": ready, "checks": checks}, status=200 if ready else 503)
