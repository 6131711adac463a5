"""A client of the LRS over HTTP, as any system that sends statements should be.

It waits as long as it is told to when the LRS is busy, and sends the same bytes again when it does
not know whether they arrived: statements carry their ids, so that a repetition changes nothing.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

_BUSY: Final = (429, 502, 503, 504)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=5)
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 15.0
_CONNECTIONS: Final = 16


class Refused(Exception):
    """The LRS refused a request; sending it again would not help. The text says why."""


@dataclass
class Sent:
    """What a client has done so far, in statements but for `waits`."""

    acknowledged: int = 0
    repeated: int = 0
    refused: int = 0
    waits: int = 0
    last_refusal: str = field(default="")


class Client:
    """An asynchronous context manager: connections are open inside it. Not for several event loops."""

    def __init__(self, address: str, key: str, secret: str) -> None:
        """`address`: scheme, host and port of the LRS."""
        self.address = address.rstrip("/")
        self.sent = Sent()
        self._authorization = basic(key, secret)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": self._authorization, "X-Experience-API-Version": "1.0.3"},
            timeout=_TIMEOUT,
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, statements: Sequence[bytes], *, again: bool = False) -> None:
        """Send statements (each as JSON) until they are acknowledged; one alone goes without an array.

        `again` says that they were acknowledged before. A refusal is counted and kept in `sent`.
        """
        body = statements[0] if len(statements) == 1 else b"[" + b",".join(statements) + b"]"
        try:
            await self._ask("POST", "/xapi/statements", body=body)
        except Refused as refused:
            self.sent.refused += len(statements)
            self.sent.last_refusal = str(refused)
            return
        if again:
            self.sent.repeated += len(statements)
        else:
            self.sent.acknowledged += len(statements)

    async def progress(self, agent: dict[str, Any]) -> dict[str, Any]:
        """A learner's courses and activities. Raises Refused."""
        return await self._of("/api/v1/progress", agent)

    async def competencies(self, agent: dict[str, Any]) -> dict[str, Any]:
        """A learner's competency levels. Raises Refused."""
        return await self._of("/api/v1/competencies", agent)

    async def _of(self, path: str, agent: dict[str, Any]) -> dict[str, Any]:
        answer = await self._ask("GET", path, parameters={"agent": msgspec.json.encode(agent).decode()})
        found: dict[str, Any] = msgspec.json.decode(answer)
        return found

    async def _ask(
        self, method: str, path: str, *, parameters: dict[str, str] | None = None, body: bytes | None = None
    ) -> bytes:
        """The body of the answer, however long it takes until the LRS gives one."""
        assert self._session is not None, "outside of the context"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        failures = 0
        while True:
            told = None
            try:
                async with self._session.request(
                    method, self.address + path, params=parameters, data=body, headers=headers
                ) as answer:
                    content = await answer.read()
                    if answer.status < 300:
                        return content
                    if answer.status not in _BUSY:
                        raise Refused(f"{answer.status}: {content[:300].decode(errors='replace')}")
                    told = answer.headers.get("Retry-After")
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
                pass
            self.sent.waits += 1
            await asyncio.sleep(_pause(failures, told))
            failures += 1


def basic(key: str, secret: str) -> str:
    """The Authorization header of a Basic credential (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


def _pause(failures: int, told: str | None) -> float:
    """Seconds until the next try: what the LRS told, else doubling; spread, so that not all come back
    at once."""
    least = float(told) if told is not None and told.isascii() and told.isdigit() else 0.0
    grown = min(_FIRST_PAUSE * 2.0**failures, _LONGEST_PAUSE)
    return max(least, grown) * random.uniform(1.0, 1.5)
