"""A client that calls the edge's ASGI application directly: every byte of a request is the test's own."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from lrs.http.statements import MORE_PATH

Application = Callable[..., Awaitable[None]]
Query = Mapping[str, object] | bytes | None

STATEMENTS = "/xapi/statements"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was sent; `headers` in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)

    @property
    def through(self) -> str:
        """X-Experience-API-Consistent-Through."""
        return self.headers["x-experience-api-consistent-through"]


def basic(key: str, secret: str) -> str:
    """The Authorization header of a key and its secret (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


def encoded(query: Query) -> bytes:
    """A query string: values percent-encoded, everything that is no string as JSON."""
    if query is None or isinstance(query, bytes):
        return query or b""
    pairs = (
        f"{name}={quote(value if isinstance(value, str) else msgspec.json.encode(value).decode(), safe='')}"
        for name, value in query.items()
    )
    return "&".join(pairs).encode()


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests with one credential in one version. `tenant`: the number of the credential's."""

    application: Application
    key: str
    secret: str
    tenant: int
    version: str = "1.0.3"
    headers: Mapping[str, str] = field(default_factory=dict)

    async def request(
        self,
        method: str,
        path: str,
        query: Query = None,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Send a request; a header of None is left out. A body in parts has no Content-Length."""
        whole = isinstance(body, bytes)
        parts = [body] if isinstance(body, bytes) else list(body)
        sent: dict[str, str | None] = {
            "authorization": basic(self.key, self.secret),
            "x-experience-api-version": self.version,
            **self.headers,
        }
        if method in ("POST", "PUT"):
            sent["content-type"] = "application/json"
            if whole:
                sent["content-length"] = str(len(parts[0]))
        sent.update(headers or {})
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": encoded(query),
            "headers": [
                (name.encode(), value.encode("latin-1")) for name, value in sent.items() if value is not None
            ],
        }
        return await call(self.application, scope, parts)

    async def get(self, query: Query = None, path: str = STATEMENTS, **headers: str) -> Answer:
        """GET; header names with underscores."""
        return await self.request("GET", path, query, headers=_dashed(headers))

    async def post(self, statements: Any, query: Query = None, **headers: str) -> Answer:
        """POST statements: bytes as they are, everything else as JSON."""
        return await self.request("POST", STATEMENTS, query, _body(statements), _dashed(headers))

    async def put(self, statement: Any, query: Query = None, **headers: str) -> Answer:
        """PUT a statement, by default with its own id as statementId."""
        given = {"statementId": statement["id"]} if query is None else query
        return await self.request("PUT", STATEMENTS, given, _body(statement), _dashed(headers))

    async def more(self, link: str) -> Answer:
        """Follow a `more` link as it stands."""
        path, _, query = link.partition("?")
        return await self.request("GET", path, query.encode())

    async def listed(self, **query: object) -> list[dict[str, Any]]:
        """Every statement of a list, from all its pages."""
        found: list[dict[str, Any]] = []
        answer = await self.get(query)
        while True:
            assert answer.status == 200, answer
            found += answer.json["statements"]
            link = answer.json.get("more")
            if not link:
                return found
            assert link.startswith(MORE_PATH)
            answer = await self.more(link)

    async def ids(self, **query: object) -> list[str]:
        """The ids of every statement of a list."""
        return [statement["id"] for statement in await self.listed(**query)]


def _body(content: Any) -> bytes:
    return content if isinstance(content, bytes) else msgspec.json.encode(content)


def _dashed(headers: Mapping[str, str]) -> dict[str, str | None]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def call(application: Application, scope: MutableMapping[str, Any], parts: Iterable[bytes]) -> Answer:
    """Run one request through an ASGI application."""
    waiting = list(parts) or [b""]
    started: dict[str, Any] = {}
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting)}
        return await asyncio.Future()

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert not started, "an answer begins once"
            started.update(message)
        else:
            sent.append(message.get("body", b""))

    await application(scope, receive, send)
    headers = {name.decode(): value.decode("latin-1") for name, value in started["headers"]}
    assert len(headers) == len(started["headers"]), "no header stands twice"
    return Answer(started["status"], headers, b"".join(sent))
