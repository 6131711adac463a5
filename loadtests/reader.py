"""Reads from the LRS after the load, patiently."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

from loadtests.scenario import LoadError
from loadtests.target import Target
from lrs.demo.client import basic

_TRIES: Final = 40
_PAUSE: Final = 0.5
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60)


class Reader:
    """An asynchronous context manager."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        authorization = basic(self._target.key, self._target.secret)
        headers = {"Authorization": authorization, "X-Experience-API-Version": "1.0.3"}
        self._session = aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def json(self, path: str, parameters: dict[str, str] | None = None) -> Any:
        """The body of an answer of 200. Raises LoadError for another one."""
        status, body = await self.answer(path, parameters)
        if status != 200:
            raise LoadError(f"GET {self._target.address}{path}: status {status}: {body}")
        return body

    async def answer(self, path: str, parameters: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and body of an answer. Where the LRS is busy, it is asked again. Raises LoadError when it
        stays so, or does not answer."""
        status, content, _ = await self._ask(path, parameters)
        return status, msgspec.json.decode(content) if content else None

    async def through(self) -> str:
        """Everything stored up to this instant can be read."""
        _, _, headers = await self._ask("/xapi/statements", {"limit": "1"})
        if (instant := headers.get("X-Experience-API-Consistent-Through")) is None:
            raise LoadError(f"{self._target.address} does not let this credential read statements")
        return instant

    async def _ask(self, path: str, parameters: dict[str, str] | None) -> tuple[int, bytes, Any]:
        assert self._session is not None, "outside of the context"
        trouble: object = None
        for _ in range(_TRIES):
            try:
                async with self._session.get(self._target.address + path, params=parameters) as answer:
                    content = await answer.read()
                    if answer.status not in (429, 502, 503, 504):
                        return answer.status, content, answer.headers
                    trouble = f"status {answer.status}"
            except (aiohttp.ClientError, TimeoutError) as error:
                trouble = error
            await asyncio.sleep(_PAUSE)
        raise LoadError(f"GET {self._target.address}{path}: {trouble}")
