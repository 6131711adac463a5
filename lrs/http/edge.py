"""The edge: one ASGI application for xAPI and the platform API.

A route is a function of (call, receive, send). What is refused is answered here, in one shape; what
fails is logged with the request's number and answered with 500 or, when the store is away, 503.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import msgspec
import structlog

from lrs.http.body import Receive
from lrs.http.call import VERSION_HEADER, Call, Scope, Send, answer
from lrs.http.error import Refusal, unavailable
from lrs.http.statements import MORE_PATH
from lrs.log.port import LogError
from lrs.xapi import Version, negotiate

if TYPE_CHECKING:
    from lrs.http.ingest import Ingest
    from lrs.http.platform import Platform
    from lrs.http.statements import Statements
    from lrs.metrics.edge import EdgeMetrics
    from lrs.metrics.readiness import Readiness

log = structlog.get_logger("lrs.http")

Route = Callable[[Call, Receive, Send], Awaitable[None]]

ROUTES: Final = {
    "statements": "/xapi/statements",
    "more": MORE_PATH,
    "about": "/xapi/about",
    "state": "/xapi/activities/state",
    "agent_profile": "/xapi/agents/profile",
    "activity_profile": "/xapi/activities/profile",
    "agents": "/xapi/agents",
    "activities": "/xapi/activities",
    "progress": "/api/v1/progress",
    "competencies": "/api/v1/competencies",
    "healthz": "/healthz",
    "readyz": "/readyz",
    "metrics": "/metrics",
}
"""Every route by its name in the metrics. `more` is a prefix."""

_AWAY: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)

_ALWAYS: Final = frozenset({"healthz", "readyz", "metrics"})
"""Routes that answer however much is being worked on."""

_VERSIONS: Final = ["0.9", "0.95", "1.0.0", "1.0.1", "1.0.2", "1.0.3", "2.0.0"]


class Edge:
    """The application."""

    def __init__(
        self,
        ingest: Ingest,
        statements: Statements,
        platform: Platform,
        resources: Mapping[tuple[str, str], Route],
        metrics: EdgeMetrics,
        readiness: Readiness,
        exposition: Callable[[], bytes],
    ) -> None:
        """`resources`: further routes by path and method. `exposition` gives this process's metrics in
        Prometheus's text format."""
        self._metrics, self._readiness, self._exposition = metrics, readiness, exposition
        self._admission, self._bodies = ingest.admission, ingest.bodies
        self._numbers = itertools.count(1)

        async def get_statements(call: Call, _: Receive, send: Send) -> None:
            await statements.get(call, send)

        async def get_more(call: Call, _: Receive, send: Send) -> None:
            await statements.more(call, send)

        async def progress(call: Call, _: Receive, send: Send) -> None:
            await platform.progress(call, send)

        async def competencies(call: Call, _: Receive, send: Send) -> None:
            await platform.competencies(call, send)

        def reading(name: str, route: Route) -> dict[tuple[str, str], Route]:
            return {(ROUTES[name], "GET"): route, (ROUTES[name], "HEAD"): route}

        self._names = {path: name for name, path in ROUTES.items()}
        self._more = get_more
        self._routes: dict[tuple[str, str], Route] = {
            (ROUTES["statements"], "POST"): ingest,
            (ROUTES["statements"], "PUT"): ingest,
            **reading("statements", get_statements),
            **reading("about", self._about),
            **reading("progress", progress),
            **reading("competencies", competencies),
            **reading("healthz", self._health),
            **reading("readyz", self._ready),
            **reading("metrics", self._scrape),
            **resources,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        status = 500
        began = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status, began = message["status"], True
            await send(message)

        call = Call(scope)
        name = self._names.get(call.path, "more" if call.path.startswith(MORE_PATH) else "other")
        try:
            refusal = await self._answer(call, name, receive, watched)
            if refusal is not None and not began:
                await self._bodies.discard(call, receive)
                if refusal.status != 500:
                    self._metrics.refused(refusal.reason)
                headers = {**_version_header(call), **refusal.headers}
                await answer(watched, refusal.status, refusal.body(), headers, head=call.method == "HEAD")
        finally:
            self._metrics.request(name, status, time.perf_counter() - started)

    async def _answer(self, call: Call, name: str, receive: Receive, send: Send) -> Refusal | None:
        """Let the route answer; the refusal to send if it does not."""
        try:
            route = self._route(call)
            if name in _ALWAYS:
                await route(call, receive, send)
                return None
            self._admission.enter()
            try:
                await route(call, receive, send)
            finally:
                self._admission.leave(call)
        except Refusal as refusal:
            return refusal
        except (*_AWAY, LogError) as error:
            log.warning("store away", route=name, error=str(error))
            return unavailable("the store does not answer", "store_unavailable")
        except Exception:
            number = next(self._numbers)
            log.exception("request failed", route=name, method=call.method, request=number)
            return Refusal(500, "an error of the server; it was logged", "defect", request=number)
        return None

    def _route(self, call: Call) -> Route:
        route = self._routes.get((call.path, call.method))
        if route is not None:
            return route
        allowed = sorted(method for path, method in self._routes if path == call.path)
        if call.path.startswith(MORE_PATH):
            if call.method in ("GET", "HEAD"):
                return self._more
            allowed = ["GET", "HEAD"]
        if allowed:
            raise Refusal(
                405,
                f"{call.method[:20]} is not a method of {call.path[:200]}",
                "malformed",
                {"allow": ", ".join(allowed)},
            )
        raise Refusal(404, f"there is nothing at {call.path[:200]}", "malformed")

    async def _about(self, call: Call, _: Receive, send: Send) -> None:
        """The About resource (1.0.3 Part Three 2.8)."""
        call.parameters(frozenset())
        body = msgspec.json.encode({"version": _VERSIONS, "extensions": {}})
        await answer(send, 200, body, _version_header(call), head=call.method == "HEAD")

    async def _health(self, call: Call, _: Receive, send: Send) -> None:
        await answer(send, 200, b'{"status":"alive"}', head=call.method == "HEAD")

    async def _ready(self, call: Call, _: Receive, send: Send) -> None:
        ready, checks = self._readiness.report()
        body = msgspec.json.encode({"ready": ready, "checks": checks})
        await answer(send, 200 if ready else 503, body, head=call.method == "HEAD")

    async def _scrape(self, call: Call, _: Receive, send: Send) -> None:
        text = "text/plain; version=0.0.4; charset=utf-8"
        await answer(send, 200, self._exposition(), content_type=text, head=call.method == "HEAD")


def _version_header(call: Call) -> dict[str, str]:
    """Every xAPI answer says its version, the one to a request without a usable one, too."""
    if not call.path.startswith("/xapi"):
        return {}
    version = negotiate(call.header(VERSION_HEADER.encode())) or Version.V2_0_0
    return {VERSION_HEADER: version.value}
