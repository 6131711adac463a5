"""One request as the edge sees it, and the answer to it, without a framework in between."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from lrs.http.error import bad, parameter
from lrs.xapi.version import Version, negotiate

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

VERSION_HEADER: Final = "x-experience-api-version"
JSON: Final = "application/json"

PIECE: Final = 1 << 16
"""Bytes of an answer that are given to the server at once: it waits for a slow reader in between."""

PATIENCE: Final = 30.0
SLOWEST: Final = 1 << 16
"""A reader of a large answer is given up after PATIENCE seconds and one more for each SLOWEST bytes."""

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Call:
    """Method, headers and parameters of a request. `headers`: lower case, the last of equal names.

    `consumed`: its body was read to the end. `held`: what it counts for at the admission, in bytes.
    """

    __slots__ = ("consumed", "headers", "held", "method", "path", "query")

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.consumed = False
        self.held = 0

    def header(self, name: bytes) -> str | None:
        """A header's value, stripped; None without it."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1").strip()

    def version(self) -> Version:
        """The version that the request speaks (1.0.3 Part Three 3.3; IEEE 9274.1.1 4.1.6)."""
        value = self.header(VERSION_HEADER.encode())
        version = negotiate(value)
        if version is None:
            raise parameter(
                "X-Experience-API-Version",
                value or "",
                "the header is missing or names no version that is spoken here: 1.0.x or 2.0.x",
                "1.0.3 Part Three 3.3",
            )
        return version

    def parameters(self, allowed: frozenset[str]) -> dict[str, str]:
        """The query parameters; raises Refusal 400 for one that is unknown, repeated or not UTF-8."""
        found: dict[str, str] = {}
        for pair in self.query.split(b"&"):
            if not pair:
                continue
            raw_name, _, raw_value = pair.partition(b"=")
            name, value = decoded(raw_name), decoded(raw_value)
            if name not in allowed:
                raise parameter(name, value, "this parameter is not known here", "1.0.3 Part Three 3.2")
            if name in found:
                raise parameter(name, value, "this parameter stands twice")
            found[name] = value
        return found

    def expect_json(self) -> None:
        """Raise Refusal 400 unless the body is announced as JSON in UTF-8."""
        require_json(self.header(b"content-type") or "")


def require_json(content_type: str) -> None:
    """Raise Refusal 400 unless a Content-Type is that of JSON in UTF-8."""
    kind, *options = [part.strip() for part in content_type.split(";")]
    if kind.lower() != JSON:
        raise bad(f"Content-Type must be application/json, not {content_type[:200]!r}", "malformed")
    for option in options:
        name, _, setting = option.partition("=")
        charset = setting.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8"):
            raise bad(f"JSON is sent in UTF-8, not in {setting!r}", "malformed")


def decoded(text: bytes) -> str:
    """Percent-decoding (RFC 3986 2.1) with + as space, strictly; raises Refusal 400."""
    text = text.replace(b"+", b" ")
    if escape := _BAD_ESCAPE.search(text):
        shown = text[escape.start() : escape.start() + 3].decode("latin-1")
        raise bad(f"there is a bad percent-encoding: {shown!r}", "malformed")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise bad("what is percent-encoded is not UTF-8", "malformed") from None


async def answer(
    send: Send,
    status: int,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = JSON,
    head: bool = False,
) -> None:
    """Send a whole answer; `head`: without its body."""
    listed = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    if status != 204:
        listed.append((b"content-type", content_type.encode()))
        listed.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": listed})
    if head or len(body) <= PIECE:
        await send({"type": "http.response.body", "body": b"" if head else body})
        return
    # A reader that is given up finds its answer cut short: the server closes the connection.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE + len(body) / SLOWEST):
            for start in range(0, len(body), PIECE):
                more = start + PIECE < len(body)
                piece = body[start : start + PIECE]
                await send({"type": "http.response.body", "body": piece, "more_body": more})


async def answer_stream(
    send: Send,
    status: int,
    length: int,
    pieces: AsyncIterator[bytes],
    headers: Mapping[str, str],
    *,
    content_type: str,
    head: bool = False,
) -> None:
    """Send an answer of `length` bytes that come in pieces; `head`: without reading any.

    Who reads too slowly is given up, as in `answer`; what `pieces` raises cuts the answer short, too.
    """
    listed = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    listed += [(b"content-type", content_type.encode()), (b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": status, "headers": listed})
    if head:
        await send({"type": "http.response.body", "body": b""})
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE + length / SLOWEST):
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
