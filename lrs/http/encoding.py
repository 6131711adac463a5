"""Answers compressed as the reader likes it: zstd (RFC 8878) or gzip, by Accept-Encoding (RFC 9110 12.5.3).

A compressed answer is another representation of the same: its entity tag ends in the coding's name, and
`Vary` says that it depends on the request. It is compressed piece by piece as it is sent, large pieces
in a thread, so that nothing is held and nobody waits.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import zstandard

if TYPE_CHECKING:
    from lrs.http.call import Call, Send

LEAST: Final = 1024
"""Bytes of an answer from which on it is compressed."""

_LONG: Final = 1 << 15
"""Bytes of a piece from which on it is compressed in a thread."""

_WORTHWHILE: Final = re.compile(
    rb"\s*(text/[^;]*|application/(json|javascript|xml|x-ndjson|yaml)|[^;]*\+(json|xml))\s*(;.*)?", re.I
)
"""Content-Types of text; images, archives and mixed parts are compressed already, or may be."""

_ACCEPTED: Final = re.compile(
    r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?", re.I
)


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def _zstd() -> _Compressor:
    compressor: _Compressor = zstandard.ZstdCompressor(level=3).compressobj()
    return compressor


def _gzip() -> _Compressor:
    return zlib.compressobj(5, zlib.DEFLATED, 31)


CODINGS: Final[dict[str, Callable[[], _Compressor]]] = {"zstd": _zstd, "gzip": _gzip}
"""The best first."""


def choose(accept_encoding: str | None) -> str | None:
    """The coding for an Accept-Encoding header: the one liked most, of equals the best; None for none."""
    if not accept_encoding:
        return None
    liked: dict[str, float] = {}
    for part in accept_encoding.split(","):
        match = _ACCEPTED.fullmatch(part)
        if match is not None:
            name = match[1].lower()
            liked["gzip" if name == "x-gzip" else name] = float(match[2] or 1)
    others = liked.get("*", 0.0)
    best = max(CODINGS, key=lambda name: liked.get(name, others))
    quality = liked.get(best, others)
    return best if quality > 0 and quality >= liked.get("identity", 0.0) else None


def variant(tag: bytes, coding: str) -> bytes:
    """The entity tag of the same representation compressed: `"x"` is `"x-gzip"`."""
    return b'%b-%b"' % (tag[:-1], coding.encode()) if tag.endswith(b'"') else tag


def same(tag: str) -> str:
    """The entity tag (without quotes) of what a compressed answer was made of."""
    for coding in CODINGS:
        tag = tag.removesuffix(f"-{coding}")
    return tag


class Encoded:
    """Sends an answer, compressed where that is liked and worthwhile; `add`: headers of every answer."""

    __slots__ = ("_add", "_call", "_compressor", "_send", "status")

    def __init__(self, call: Call, send: Send, add: Callable[[Call], dict[str, str]]) -> None:
        self._call, self._send, self._add = call, send, add
        self._compressor: _Compressor | None = None
        self.status: int | None = None
        """The status that was answered; None as long as nothing was."""

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Take one ASGI message and send it on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headers(message["headers"])
        elif self._compressor is not None:
            piece, last = message.get("body", b""), not message.get("more_body", False)
            packed = (
                await asyncio.to_thread(_pack, self._compressor, piece, last)
                if len(piece) >= _LONG
                else _pack(self._compressor, piece, last)
            )
            if not (packed or last):
                return
            message = {"type": message["type"], "body": packed, "more_body": not last}
        await self._send(message)

    def _headers(self, sent: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        added = self._add(self._call)
        if not added and (self.status == 204 or _short(sent)):
            return sent
        headers = dict(sent)
        vary = [headers[b"vary"].decode()] if b"vary" in headers else []
        for name, value in added.items():
            if name == "vary":
                vary.append(value)
            else:
                headers[name.encode()] = value.encode("latin-1")
        if _negotiable(headers):
            vary.append("Accept-Encoding")
            self._compress(headers)
        elif self.status == 304 and b"etag" in headers:
            vary.append("Accept-Encoding")
            self._repeat(headers)
        if vary:
            headers[b"vary"] = ", ".join(vary).encode()
        return list(headers.items())

    def _compress(self, headers: dict[bytes, bytes]) -> None:
        coding = choose(self._call.header(b"accept-encoding"))
        if coding is None:
            return
        headers.pop(b"content-length", None)
        headers[b"content-encoding"] = coding.encode()
        if b"etag" in headers:
            headers[b"etag"] = variant(headers[b"etag"], coding)
        if self._call.method != "HEAD":
            self._compressor = CODINGS[coding]()

    def _repeat(self, headers: dict[bytes, bytes]) -> None:
        """Let a 304 name the tag that the reader has, if it is of a compressed answer."""
        for coding in CODINGS:
            tag = variant(headers[b"etag"], coding)
            if tag in self._call.headers.get(b"if-none-match", b""):
                headers[b"etag"] = tag


def _short(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether an answer is sent as it is, as most are."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) < LEAST
    return False


def _negotiable(headers: dict[bytes, bytes]) -> bool:
    """Whether an answer is compressed for who likes it."""
    length = headers.get(b"content-length")
    return (
        (length is None or int(length) >= LEAST)
        and b"content-encoding" not in headers
        and _WORTHWHILE.fullmatch(headers.get(b"content-type", b"")) is not None
    )


def _pack(compressor: _Compressor, piece: bytes, last: bool) -> bytes:
    packed = compressor.compress(piece)
    return packed + compressor.flush() if last else packed
