"""Request bodies: read whole, but never more than what is allowed, nor for longer.

Admission: the bytes of all bodies in memory together are bounded; what would go over is refused
before it is read.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from lrs.http.error import Refusal, bad, unavailable

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

PATIENCE: Final = 30.0
"""Seconds that a body may take to arrive."""

_CODINGS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Admission:
    """How much is being worked on; whoever comes when it is full is sent away."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self) -> None:
        """Count a request in; raises Refusal 503. Whoever entered must leave."""
        if self.requests >= self._max_requests:
            raise unavailable("too many requests are being worked on", "overload")
        self.requests += 1

    def leave(self, held: int) -> None:
        """Count a request and the bytes that it held out."""
        self.requests -= 1
        self.bytes -= held

    def hold(self, more: int) -> None:
        """Count bytes in; raises Refusal 503 when they do not fit."""
        if self.bytes + more > self._max_bytes:
            raise unavailable("too many bytes are being worked on", "overload")
        self.bytes += more


class Body:
    """Reads one request's body. `held` is what it counts for at the admission."""

    def __init__(self, admission: Admission, limit: int) -> None:
        self._admission, self._limit = admission, limit
        self.held = 0

    async def read(self, receive: Receive, length: str | None, coding: str | None) -> bytes:
        """The body, unpacked. Raises Refusal: 413, 415, 408, 400, 503."""
        if length is not None and length.isascii() and length.isdigit() and int(length) > self._limit:
            raise self._too_large()
        decoder = None
        if coding is not None and coding.strip().lower() not in ("", "identity"):
            window = _CODINGS.get(coding.strip().lower())
            if window is None:
                raise Refusal(415, f"Content-Encoding {coding!r} is not supported", "malformed")
            decoder = zlib.decompressobj(window)
        try:
            async with asyncio.timeout(PATIENCE):
                body = await self._receive(receive, decoder)
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {PATIENCE:.0f} s", "slow_body") from None
        if length is not None and decoder is None and str(len(body)) != length.lstrip("0").rjust(1, "0"):
            raise bad(f"the body has {len(body)} bytes, Content-Length says {length}", "malformed")
        return body

    async def _receive(self, receive: Receive, decoder: Any) -> bytes:
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise bad("the body ended too early", "malformed")
            part = message.get("body", b"")
            more = message.get("more_body", False)
            if decoder is not None:
                try:
                    part = decoder.decompress(part, self._limit - size + 1)
                except zlib.error as error:
                    raise bad(f"the body's Content-Encoding is damaged: {error}", "malformed") from None
                if decoder.unconsumed_tail:
                    raise self._too_large()
            size += len(part)
            if size > self._limit:
                raise self._too_large()
            if part:
                self._admission.hold(len(part))
                self.held += len(part)
                parts.append(part)
        if decoder is not None and not decoder.eof:
            raise bad("the body's Content-Encoding ends too early", "malformed")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_large(self) -> Refusal:
        return Refusal(413, f"the body is longer than {self._limit} bytes", "too_large", limit=self._limit)
