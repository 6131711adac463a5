"""The edge: one ASGI application for xAPI and the platform API.

A route is a function of (call, receive, send). What is refused is answered here, in one shape; what
fails is logged with the request's number and answered with 500 or, when the store is away, 503. What
all answers have in common is added on their way out: compression, and the headers for pages of others.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from lrs.http import alternate, openapi
from lrs.http.body import Receive
from lrs.http.call import VERSION_HEADER, Call, Scope, Send, answer
from lrs.http.cors import ANY, Cors
from lrs.http.encoding import Encoded
from lrs.http.error import Refusal, unavailable
from lrs.http.statements import MORE_PATH
from lrs.log.port import LogError
from lrs.store.connection import AWAY
from lrs.xapi.version import Version, negotiate

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
    "outcomes": "/api/v1/outcomes",
    "digest": "/api/v1/digest",
    "digest_ids": "/api/v1/digest/ids",
    "person": "/api/v1/person",
    "erasures": "/api/v1/person/erasures",
    "credentials": "/api/v1/credentials",
    "openapi": openapi.PATH,
    "docs": openapi.PAGE_PATH,
    "healthz": "/healthz",
    "readyz": "/readyz",
    "metrics": "/metrics",
}
"""Every route by its name in the metrics. `more` is a prefix."""

_ALWAYS: Final = frozenset({"healthz", "readyz", "metrics"})
"""Routes that answer however much is being worked on."""

_OLD_VERSIONS: Final = ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]
_VERSIONS: Final = [*_OLD_VERSIONS, "2.0.0"]


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
        exposition: Callable[[str], bytes],
        origins: str = ANY,
    ) -> None:
        """`resources`: further routes by path and method. `exposition` gives this process's metrics in
        Prometheus's text format, those that a query asks for. `origins`: whose pages may ask (see Cors)."""
        self._metrics, self._readiness, self._exposition = metrics, readiness, exposition
        self._admission, self._bodies = ingest.admission, ingest.bodies
        self._cors = Cors(origins)
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
            **openapi.Description().routes(),
            **resources,
        }

    @property
    def routes(self) -> frozenset[tuple[str, str]]:
        """(method, path) of everything that is offered, but for OPTIONS and the pages of lists."""
        return frozenset((method, path) for path, method in self._routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        call = Call(scope)
        sending = Encoded(call, send, self._cors.headers)
        name = self._names.get(call.path, "more" if call.path.startswith(MORE_PATH) else "other")
        try:
            refusal = await self._answer(call, name, receive, sending)
            if refusal is not None and sending.status is None:
                if refusal.status != 500:
                    self._metrics.refused(refusal.reason)
                headers = {**_version_header(call), **refusal.headers}
                await answer(sending, refusal.status, refusal.body(), headers, head=call.method == "HEAD")
        finally:
            self._metrics.request(name, sending.status or 500, time.perf_counter() - started)

    async def _answer(self, call: Call, name: str, receive: Receive, send: Send) -> Refusal | None:
        """Let the route answer; the refusal to send if it does not."""
        try:
            route = None if alternate.asked(call) else self._route(call)
            if route is not None and name in _ALWAYS:
                await route(call, receive, send)
                return None
            self._admission.enter()
            try:
                if route is None:
                    receive = await alternate.unfold(call, receive, self._bodies, self._admission)
                    route = self._route(call)
                await route(call, receive, send)
            finally:
                self._admission.leave(call)
        except Refusal as cause:
            refusal = cause
        except (*AWAY, LogError) as error:
            log.warning("store away", route=name, error=str(error))
            refusal = unavailable("the store does not answer", "store_unavailable")
        except Exception:
            number = next(self._numbers)
            log.exception("request failed", route=name, method=call.method, request=number)
            refusal = Refusal(500, "an error of the server; it was logged", "defect", request=number)
        else:
            return None
        await self._bodies.discard(call, receive)
        return refusal

    def _methods(self, path: str) -> list[str]:
        """What may be done at a path; nothing where nothing is."""
        if path.startswith(MORE_PATH):
            return ["GET", "HEAD", "OPTIONS"]
        allowed = sorted(method for known, method in self._routes if known == path)
        return [*allowed, "OPTIONS"] if allowed else []

    async def _options(self, call: Call, _: Receive, send: Send) -> None:
        """What may be done here, and by whose pages; it needs no credentials and no version."""
        allowed = self._methods(call.path)
        headers = {
            **_version_header(call),
            "allow": ", ".join(allowed),
            **self._cors.preflight(call, allowed),
        }
        await answer(send, 204, headers=headers)

    def _route(self, call: Call) -> Route:
        route = self._routes.get((call.path, call.method))
        if route is not None:
            return route
        allowed = self._methods(call.path)
        if call.method in allowed:
            return self._options if call.method == "OPTIONS" else self._more
        if allowed:
            raise Refusal(
                405,
                f"{call.method[:20]} is not a method of {call.path[:200]}",
                "malformed",
                {"allow": ", ".join(allowed)},
            )
        raise Refusal(404, f"there is nothing at {call.path[:200]}", "malformed")

    async def _about(self, call: Call, _: Receive, send: Send) -> None:
        """The About resource (1.0.3 Part Three 2.8; IEEE 9274.1.1 4.1.6.7).

        Who asks in 1.0.x is told of these alone: there are clients that refuse a list with one unknown.
        """
        call.parameters(frozenset())
        old = negotiate(call.header(VERSION_HEADER.encode())) is Version.V1_0_3
        body = msgspec.json.encode({"version": _OLD_VERSIONS if old else _VERSIONS, "extensions": {}})
        await answer(send, 200, body, _version_header(call), head=call.method == "HEAD")

    async def _health(self, call: Call, _: Receive, send: Send) -> None:
        await answer(send, 200, b'{"status":"alive"}', head=call.method == "HEAD")

    async def _ready(self, call: Call, _: Receive, send: Send) -> None:
        ready, checks = self._readiness.report()
        body = msgspec.json.encode({"ready": ready, "checks": checks})
        await answer(send, 200 if ready else 503, body, head=call.method == "HEAD")

    async def _scrape(self, call: Call, _: Receive, send: Send) -> None:
        text = "text/plain; version=0.0.4; charset=utf-8"
        body = self._exposition(call.query.decode("latin-1"))
        await answer(send, 200, body, content_type=text, head=call.method == "HEAD")


def _version_header(call: Call) -> dict[str, str]:
    """Every xAPI answer says its version; one to a request that names none, the older one: its clients
    are those that may not know the header."""
    if not call.path.startswith("/xapi"):
        return {}
    version = negotiate(call.header(VERSION_HEADER.encode())) or Version.V1_0_3
    return {VERSION_HEADER: version.value}
