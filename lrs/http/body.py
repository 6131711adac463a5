"""Request bodies: read whole or streamed, but never more than what is allowed, nor for longer.

Admission: the requests that are worked on, and the bytes of their bodies and answers in memory
together, are bounded; what would go over is refused before it is read.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from lrs.http.call import SLOWEST
from lrs.http.error import Refusal, bad, unavailable

if TYPE_CHECKING:
    from lrs.http.call import Call

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

PATIENCE: Final = 30.0
"""Seconds that a body may take to arrive."""

LINGER: Final = 3.0
"""Seconds for which the rest of a refused body is read and thrown away."""

_MORSEL: Final = 1 << 9
"""Packed bytes that are unpacked at once while streaming: they can become a thousand times as many."""

_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's number for each content coding (RFC 9110 8.4.1)."""


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

    def leave(self, call: Call) -> None:
        """Count a request out, and the bytes that it held."""
        self.requests -= 1
        self.bytes -= call.held
        call.held = 0

    def hold(self, call: Call, more: int) -> None:
        """Count bytes in; raises Refusal 503 when they do not fit."""
        if self.bytes + more > self._max_bytes:
            raise unavailable("too many bytes are being worked on", "overload")
        self.bytes += more
        call.held += more


class Bodies:
    """Reads bodies, of up to `limit` bytes as sent and as unpacked, within `patience` seconds."""

    def __init__(self, admission: Admission, limit: int, patience: float = PATIENCE) -> None:
        self._admission, self._limit, self._patience = admission, limit, patience

    async def read(self, call: Call, receive: Receive) -> bytes:
        """The body, unpacked, held at the admission. Raises Refusal: 400, 408, 413, 415, 503."""
        length = call.header(b"content-length")
        if length is not None and length.isascii() and length.isdigit() and int(length) > self._limit:
            raise _too_large(self._limit)
        unpack = _unpacker(call.header(b"content-encoding"))
        parts: list[bytes] = []
        sent = size = 0
        try:
            async with asyncio.timeout(self._patience):
                while not call.consumed:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        call.consumed = True
                        raise _ends_early()
                    call.consumed = not message.get("more_body", False)
                    part = message.get("body", b"")
                    sent += len(part)
                    if unpack is not None:
                        part = unpack(part, self._limit - size, call.consumed)
                    size += len(part)
                    if size > self._limit or sent > self._limit:
                        raise _too_large(self._limit)
                    if part:
                        self._admission.hold(call, len(part))
                        parts.append(part)
        except TimeoutError:
            raise _slow(self._patience) from None
        _check_length(length, sent)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def stream(self, call: Call, receive: Receive, limit: int) -> AsyncIterator[bytes]:
        """The body piece by piece, unpacked, up to `limit` bytes as sent and as unpacked; nothing is held
        at the admission. A second more is allowed for each SLOWEST bytes. Raises Refusal as `read` does."""
        length = call.header(b"content-length")
        if length is not None and length.isascii() and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        unpack = _unpacker(call.header(b"content-encoding"))
        started = asyncio.get_running_loop().time()
        sent = size = 0
        while not call.consumed:
            patience = self._patience + sent / SLOWEST
            try:
                async with asyncio.timeout_at(started + patience):
                    message = await receive()
            except TimeoutError:
                raise _slow(patience) from None
            if message["type"] == "http.disconnect":
                call.consumed = True
                raise _ends_early()
            call.consumed = not message.get("more_body", False)
            part = message.get("body", b"")
            sent += len(part)
            if sent > limit:
                raise _too_large(limit)
            step = max(len(part), 1) if unpack is None else _MORSEL
            for start in range(0, max(len(part), 1), step):
                piece = part[start : start + step]
                if unpack is not None:
                    piece = unpack(piece, limit - size, call.consumed and start + step >= len(part))
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                if piece:
                    yield piece
        _check_length(length, sent)

    async def discard(self, call: Call, receive: Receive) -> None:
        """Read on for a moment and throw it away, so that who still sends gets to read the refusal.

        Not where the sender waits to be told to go on (RFC 9110 10.1.1).
        """
        framed = b"content-length" in call.headers or b"transfer-encoding" in call.headers
        if call.consumed or not framed or b"expect" in call.headers:
            return
        size = 0
        try:
            async with asyncio.timeout(min(LINGER, self._patience)):
                while not call.consumed and size <= 4 * self._limit:
                    message = await receive()
                    size += len(message.get("body", b""))
                    call.consumed = not message.get("more_body", False)
        except TimeoutError:
            return


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body is longer than {limit} bytes", "too_large", limit=limit)


def _slow(patience: float) -> Refusal:
    error = f"the body did not arrive within {patience:g} s"
    return Refusal(408, error, "slow_body", {"connection": "close"})


def _ends_early() -> Refusal:
    return bad("the body ends too early, or is framed wrongly", "malformed")


def _check_length(announced: str | None, sent: int) -> None:
    if announced is not None and str(sent) != (announced.lstrip("0") or "0"):
        raise bad(f"the body has {sent} bytes, Content-Length says {announced}", "malformed")


def _unpacker(coding: str | None) -> Callable[[bytes, int, bool], bytes] | None:
    """Unpacks part after part: (part, room, whether it is the last) -> at most room + 1 bytes."""
    name = (coding or "").lower()
    if name in ("", "identity"):
        return None
    if name not in _WINDOWS:
        raise Refusal(
            415,
            f"Content-Encoding {name[:100]!r} is not supported: gzip and deflate are",
            "malformed",
            {"accept-encoding": "gzip, deflate"},
        )
    decoder = zlib.decompressobj(_WINDOWS[name])

    def unpack(part: bytes, room: int, last: bool) -> bytes:
        try:
            unpacked = decoder.decompress(part, room + 1)
        except zlib.error as error:
            raise bad(f"the body is not {name}, as Content-Encoding says: {error}", "malformed") from None
        if decoder.unused_data:
            raise bad(f"the body goes on after the end of its {name} data", "malformed")
        if last and not decoder.eof and len(unpacked) <= room:
            raise bad(f"the body's {name} data ends too early", "malformed")
        return unpacked

    return unpack
